"""The lists of one cutoff: who could be on them, who is, and who of these is held out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import TYPE_CHECKING, Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from churn.contacts.recorded import MergedIds, RecordedContacts
from churn.engine import ScoredUsers
from features.snapshots import instant_sql
from features.storage.duckdb import connect, new_session
from features.users.attributes import KnownUsers
from serving.batch.scored_batch import Batch
from serving.settings import ListSettings
from serving.weekly.arms import Arms, ArmsFolder, Epoch, epoch_of, start_of
from serving.weekly.candidates import Candidates, attributes_at, attributes_until, in_cool_down, latest_attributes
from serving.weekly.holdout import HoldoutPlan
from serving.weekly.list_ledger import KnownUntil, PastList, last_contacts, open_arms
from serving.weekly.selection import Mask, Ranking, Selection, select

if TYPE_CHECKING:
    from churn.project import Project
    from models.registry.registry import RegisteredModel
    from serving.release.bundle import ServingBundle


@dataclass(frozen=True)
class Week:
    """The lists of one cutoff: who could be on them, who is, and who of these is held out.

    Attributes
    ----------
    lists_before
        In place of those of the ledger, as where past weeks are replayed.
    written
        A list of this cutoff that was really written: its epoch and share hold, whatever the settings say by now, and suppression knows
        what it knew then.
    """

    project: Project
    users: ScoredUsers
    batch: Batch
    dry_run: bool = False
    lists_before: Sequence[PastList] | None = None
    written: PastList | None = None

    @property
    def lists(self) -> tuple[ListSettings, ...]:
        """The settings of each list, in their order."""
        return self.project.settings.weekly_lists

    @cached_property
    def past(self) -> list[PastList]:
        """Every list of an earlier cutoff."""
        found = self.users.contacts.lists if self.lists_before is None else [*self.lists_before]
        return [one.as_current for one in found] if self.is_of_before else found

    @property
    def is_of_before(self) -> bool:
        """True for a list that does not say what suppression knew: the cutoff bounded it, and only current versions of lists counted."""
        return self.written is not None and self.written.known_until is None

    @cached_property
    def known_until(self) -> KnownUntil | None:
        """What suppression knows: of a list to be sent all that there is; None: what was known at the cutoff."""
        if self.written:
            return self.written.known_until
        if self.lists_before is not None:
            return None
        contacts = self.users.contacts
        days = [one.cutoff for one in (*contacts.lists, *contacts.later_lists)]
        users = latest_attributes(self._connection) if self._known_users.attributes else ""
        return KnownUntil(users, contacts.recorded.latest, str(max(days)) if days else "")

    @cached_property
    def _connection(self) -> duckdb.DuckDBPyConnection:
        activity = self.users.activity
        return new_session(activity.connection) if activity else connect(compute=self.project.settings.compute)

    @property
    def _known_users(self) -> KnownUsers:
        return self.users.activity.tables if self.users.activity else KnownUsers()

    @cached_property
    def attributes(self) -> pa.Table | None:
        """What the table of ``[users]`` says of each user at the cutoff; None: there is none."""
        known, at = self._known_users, instant_sql(self.batch.cutoff, self.users.model.specification.timezone)
        return attributes_at(self._connection, known, cutoff_at=at) if known.attributes else None

    @cached_property
    def candidates(self) -> Candidates:
        """All users, as SQL sees them."""
        return self._candidates(self._connection, self.attributes)

    def _candidates(self, connection: duckdb.DuckDBPyConnection, attributes: pa.Table | None) -> Candidates:
        return Candidates.of(connection, profiles=self.users.profiles, scores=self.users.scores, attributes=attributes)

    @cached_property
    def arms(self) -> Arms:
        """Who is held out at this cutoff. The first in an epoch to ask fixes its share, but for a dry run."""
        cutoff, holds_days = self.batch.cutoff, self._days_to_outcome
        key, name, share = self._epoch()
        ids = self._merged_ids(start_of(name))
        before = ids.before(holds_days)
        kept = open_arms(self.past, epoch=name, cutoff=cutoff, holds_days=holds_days, merged_before=before)
        return Arms(key, name, share, merged=ids.within(cutoff), kept=kept, given=self.recorded.given_arms)

    def _merged_ids(self, start: date) -> MergedIds:
        return MergedIds(self.users.activity, self.users.model.specification.timezone, start)

    def _epoch(self) -> tuple[bytes, str, float]:
        """Return the key, and the name and share of the epoch."""
        folder, holdout = ArmsFolder(self.project.home.arms(self.project.name)), self.project.settings.holdout
        if self.written:
            return folder.known_key(), self.written.epoch, self.written.share
        name = epoch_of(self.batch.cutoff, holdout.epoch)
        if self.dry_run:
            key, epoch = folder.key_or_any(), folder.epochs().get(name) or self._new_epoch(name)
        else:
            with folder.alone():
                key, epoch = folder.key(), folder.fix(name, self._new_epoch(name))
        return key, name, 0.0 if holdout.share == 0 else epoch.share  # to hold nobody out any more needs no new epoch

    def _new_epoch(self, name: str) -> Epoch:
        """Return what an epoch starts with: what its lists say, if there are any, else what is planned now."""
        shares = [one.share for one in self.past if one.epoch == name and one.share]
        return Epoch(shares[0], "the first list of this epoch") if shares else self.plan.epoch()

    @cached_property
    def plan(self) -> HoldoutPlan:
        """What is to be expected of these lists."""
        nobody = np.zeros(self.users.scores.num_rows, dtype=np.bool_)
        rows = np.concatenate([one.rows for one in self.selected(nobody)])
        probabilities = self.users.scores.column("churn_probability").to_numpy()[rows].tolist()
        return HoldoutPlan.of(
            self.project.settings.holdout, self.past, probabilities=probabilities, days_to_outcome=self._days_to_outcome
        )

    @property
    def _days_to_outcome(self) -> int:
        return self.users.model.definition.window.days_to_label + self.project.settings.holdout.grace_days

    @property
    def recorded(self) -> RecordedContacts:
        """What the team's tools record of contacts and arms."""
        return self.users.contacts.recorded

    @cached_property
    def held_out(self) -> Mask:
        """Who of all users is held out, listed or not."""
        ids: list[Any] = self.users.scores.column("user_id").to_pylist()
        return self.arms.held_out(ids)

    @cached_property
    def not_to_contact(self) -> Mask:
        """Who of all users opted out, or was contacted within the cool-down, whatever excludes them first."""
        sql = f"coalesce({self.project.settings.export.opted_out or 'false'}, false) as is_opted_out"
        opted_out = np.asarray(self._latest.select(sql).column("is_opted_out"), dtype=np.bool_)
        contacted = pa.array(self._contacted, pa.string())
        return opted_out | np.asarray(
            pc.is_in(self.users.scores.column("user_id"), value_set=contacted), dtype=np.bool_
        )

    @cached_property
    def selections(self) -> tuple[Selection, ...]:
        """The users of each list."""
        return self.selected(self.held_out)

    def selected(self, held_out: Mask) -> tuple[Selection, ...]:
        """Return the users of each list, were these held out."""
        ranked = Ranking.of(self.users.scores, held_out=held_out, excluded=self._excluded)
        return select(ranked, self.lists, wanted=self._wanted)

    @property
    def could_be_listed(self) -> Mask:
        """Who of all users is wanted on some list, and excluded by nothing."""
        wanted = np.logical_or.reduce([np.asarray(one.column("is_wanted"), dtype=np.bool_) for one in self._wanted])
        return wanted & np.asarray(self._excluded.is_null())

    @cached_property
    def _excluded(self) -> pa.Array[Any]:
        settings, eligibility = self.project.settings.export, self.users.model.eligibility
        found = self._latest.excluded(settings, eligibility, contacted=self._contacted)
        if self._latest is self.candidates:
            return found
        # a row has the ids of the cutoff: who was not reachable then, the tool may not find
        at_cutoff = self.candidates.excluded(settings.model_copy(update={"opted_out": ""}), eligibility)
        return pc.coalesce(found, at_cutoff)

    @cached_property
    def _latest(self) -> Candidates:
        """All users with what suppression knows of them."""
        until, settings = self.known_until, self.project.settings.export
        if not until or not until.users or not (settings.opted_out or settings.reachable):
            return self.candidates
        connection = new_session(self._connection)
        return self._candidates(connection, attributes_until(connection, self._known_users, until=until.users))

    @cached_property
    def _contacted(self) -> tuple[str, ...]:
        """Who was contacted within the cool-down, by user id."""
        days = self.project.settings.export.cool_down_days
        return in_cool_down(self._last_contacts() if days else {}, cutoff=self.batch.cutoff, days=days)

    def _last_contacts(self) -> dict[str, date]:
        """Return the day of each user's last contact, by any list or by another tool, under whichever id of the user."""
        until, cutoff = self.known_until or KnownUntil(), self.batch.cutoff
        later = [one for one in self.users.contacts.later_lists if str(one.cutoff) <= until.lists]
        listed = last_contacts([*self.past, *later])
        recorded = self.recorded.last_days(before=cutoff, until=until.contacts)
        persons = {} if self.is_of_before else self._merged_ids(cutoff).persons(listed.keys() | recorded.keys(), cutoff)
        found: dict[str, date] = {}
        for one, day in (*listed.items(), *recorded.items()):
            user = persons.get(one, one)
            found[user] = max(day, found.get(user, day))
        return found

    @cached_property
    def _wanted(self) -> list[pa.Table]:
        return [self.candidates.wanted(one) for one in self.lists]


def batch_of(
    project: Project, registered: RegisteredModel | ServingBundle, users: ScoredUsers, *, cutoff: date
) -> Batch:
    """Describe the scoring of all users."""
    new = users.new_users
    return Batch(
        cutoff,
        registered.name,
        registered.version,
        project.digest,
        users.shift.shift,
        new.model.shift if new else None,
        new.scored_by if new else None,
    )
