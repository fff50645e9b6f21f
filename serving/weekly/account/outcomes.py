"""Who left: the outcome of all users of a past cutoff, kept for good once its window and the grace for late events are over."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray
from scipy.special import logit

from features.activity.store import Activity
from features.errors import InputError
from features.storage.versions import Place, current_of, is_damaged
from models.arrays import Labels
from models.definition import ChurnDefinition
from serving.batch.scored_batch import FORMAT_VERSION, SCORES, read_manifest, write_manifest
from serving.weekly.arms import HELD_OUT, Arms
from serving.weekly.list_ledger import PastList

OUTCOMES = "outcomes.parquet"
OWN, KEPT, MERGED, GIVEN = "own", "kept", "merged", "given"
_SCORED = ("user_id", "raw_score", "churn_probability", "percentile", "risk_band")
_LATER = {"churned": pa.bool_(), "device": pa.string(), "channel": pa.string()}  # known when the outcome is
_BACKUP = "put it back from a backup of the home"

# --- What was scored -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class ScoredBatch:
    """The scores of one cutoff, in the ledger."""

    cutoff: date
    version: str
    folder: Path

    def read(self) -> pa.Table:
        """Return the scores, by user id.

        Raises
        ------
        InputError
            When they are damaged.
        """
        if is_damaged(self.folder):
            raise InputError(f"{self.folder} is damaged", hint=_BACKUP)
        found = pq.ParquetFile(self.folder / SCORES).read()
        if "raw_score" not in found.column_names:  # the ledger of an earlier format
            log_odds = logit(found.column("churn_probability").to_numpy())
            found = found.append_column("raw_score", pa.array(log_odds, pa.float64()))
        return found.select(_SCORED)


def scored_batches(ledger: Path, *, before: date) -> list[ScoredBatch]:
    """Return one batch for each cutoff, in order of time: where several models scored, that of the lists, else the latest version.

    Parameters
    ----------
    ledger
        Everything that the ledger keeps of a project.
    """
    listed = {(one.get("cutoff"), one.get("version")) for one in _manifests(ledger.glob("lists/*/*"))}
    found: dict[date, tuple[tuple[bool, int], ScoredBatch]] = {}
    for place in sorted(ledger.glob("cutoff=*/model=*")):
        folder = current_of(place)
        manifest = _checked(folder) if folder else {}
        if folder and (cutoff := date.fromisoformat(manifest["cutoff"])) < before:
            version = str(manifest["version"])
            rank = ((str(cutoff), version) in listed, int(version) if version.isdecimal() else 0)
            if cutoff not in found or rank > found[cutoff][0]:
                found[cutoff] = (rank, ScoredBatch(cutoff, version, folder))
    return [found[cutoff][1] for cutoff in sorted(found)]


def _manifests(places: Iterable[Path]) -> list[dict[str, Any]]:
    return [read_manifest(folder) for place in places if (folder := current_of(place))]


def _checked(folder: Path) -> dict[str, Any]:
    """Return the manifest of a folder of the ledger.

    Raises
    ------
    InputError
        When it cannot be read, or a newer version of churn wrote it.
    """
    manifest = read_manifest(folder)
    if "cutoff" not in manifest or "version" not in manifest:
        raise InputError(f"{folder} is damaged: its manifest cannot be read", hint=_BACKUP)
    if int(manifest.get("format_version", 0)) > FORMAT_VERSION:
        words = f"{folder} is of format {manifest['format_version']}, expected at most {FORMAT_VERSION}"
        raise InputError(words, hint="use the version of churn that wrote it")
    return manifest


# --- How it was split ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Split:
    """How the users of one cutoff were split.

    Attributes
    ----------
    epoch, share
        Of the arms. The share is 0 where no list was exported in the epoch: then everybody was left alone.
    arms
        At the cutoff; None where no list was exported in the epoch.
    later
        Arms of later epochs into which the window reaches: who is treated there was not left alone.
    lists
        Of the cutoff.
    contacted_later
        Users whom a later list within the window was to contact, of this epoch too, as an arm that an earlier epoch left them may end;
        and whom another tool contacted within it.
    """

    epoch: str
    share: float = 0.0
    arms: Arms | None = None
    later: tuple[Arms, ...] = ()
    lists: tuple[PastList, ...] = ()
    contacted_later: frozenset[str] = frozenset()

    def columns(self, users: Sequence[str]) -> dict[str, pa.Array[Any]]:
        """Return for each user ``arm, arm_from, is_left_alone, list, value``."""
        listed = {row["user_id"]: (one.name, row) for one in self.lists for row in one.entries.to_pylist()}
        entries = [listed.get(user) for user in users]
        arms = [entry[1]["arm"] if entry else self._arm(user) for user, entry in zip(users, entries, strict=True)]
        return {
            "arm": pa.array(arms, pa.string()),
            "arm_from": pa.array([self._arm_from(user) for user in users], pa.string()),
            "is_left_alone": pa.array([self._is_left_alone(*one) for one in zip(users, arms, strict=True)], pa.bool_()),
            "list": pa.array([entry and entry[0] for entry in entries], pa.string()),
            "value": pa.array([entry and entry[1]["value"] for entry in entries], pa.float64()),
        }

    def _arm(self, user: str) -> str | None:
        return self.arms.of(user) if self.arms else None

    def _arm_from(self, user: str) -> str | None:
        if not self.arms:
            return None
        found = {GIVEN: self.arms.given, KEPT: self.arms.kept, MERGED: self.arms.merged}
        return next((why for why, users in found.items() if user in users), OWN)

    def _is_left_alone(self, user: str, arm: str | None) -> bool:
        is_held_out = arm in (HELD_OUT, None) and user not in self.contacted_later
        return is_held_out and all(one.of(user) == HELD_OUT for one in self.later)


# --- What became of it -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class ScoredWeek:
    """All users who were scored at a cutoff, their arms, and what became of them.

    Attributes
    ----------
    ends_on
        First day that the label no longer sees.
    final_on
        The day from which on outcomes do not change: the grace for late events is over.
    users
        One row per user: ``user_id, raw_score, churn_probability, percentile, risk_band``; ``arm``; ``arm_from``: "own", the hash of
        user and epoch, "kept" from an earlier epoch, "merged" of several ids, or "given" from outside; ``is_left_alone``: held out
        for the whole window; ``list`` and ``value`` where listed; and once it is final ``churned``, main ``device`` and ``channel``.
    trained_through
        First day that the model was not trained on; None: an earlier version kept the week, and did not say.
    """

    cutoff: date
    version: str
    epoch: str
    share: float
    ends_on: date
    final_on: date
    users: pa.Table
    trained_through: date | None = None

    @property
    def was_trained_on(self) -> bool:
        """Whether the model has seen labels of these days in its training: such a week says nothing on whether it was right."""
        return self.trained_through is not None and self.cutoff < self.trained_through

    @property
    def is_final(self) -> bool:
        """Whether its outcomes are known and do not change."""
        return self.users.num_rows > 0 and self.users.column("churned").null_count == 0

    @property
    def has_list(self) -> bool:
        """Whether some of its users were listed."""
        return self.users.column("list").null_count < self.users.num_rows

    @property
    def has_given_arms(self) -> bool:
        """Whether another tool assigned the arm of somebody who was left alone."""
        return bool((self.column("is_left_alone") & (self.column("arm_from") == GIVEN)).any())

    def column(self, name: str) -> NDArray[Any]:
        """Return a column, shape (n,)."""
        return self.users.column(name).to_numpy(zero_copy_only=False)

    def as_known_on(self, day: date) -> ScoredWeek:
        """Return what was known on a day: no outcome before it was final."""
        if day >= self.final_on:
            return self
        kept = self.users.drop_columns(list(_LATER))
        return replace(self, users=_with(kept, {name: pa.nulls(len(kept), kind) for name, kind in _LATER.items()}))


def open_week(batch: ScoredBatch, split: Split, *, definition: ChurnDefinition, grace_days: int) -> ScoredWeek:
    """Return the users of a batch with their arms; nothing is known of what became of them."""
    scores, ends_on = batch.read(), definition.window.end(batch.cutoff)
    final_on = date.fromordinal(ends_on.toordinal() + grace_days)
    arms = split.columns([str(user) for user in scores.column("user_id").to_pylist()])
    later = {name: pa.nulls(len(scores), kind) for name, kind in _LATER.items()}
    users = _with(scores, arms | later)
    return ScoredWeek(batch.cutoff, batch.version, split.epoch, split.share, ends_on, final_on, users)


def with_outcomes(
    week: ScoredWeek, activity: Activity, *, definition: ChurnDefinition, context: Mapping[str, pa.Array[Any]]
) -> ScoredWeek:
    """Add who left, by what the log knew when the grace was over.

    Parameters
    ----------
    context
        ``device`` and ``channel`` of the users, in their order.

    Raises
    ------
    InputError
        When the window is not over.
    """
    left = churned(week, activity, definition=definition)
    kept = week.users.drop_columns(list(_LATER))
    return replace(week, users=_with(kept, {"churned": pa.array(left, pa.bool_())} | dict(context)))


def churned(week: ScoredWeek, activity: Activity, *, definition: ChurnDefinition) -> Labels:
    """Return who churned, shape (n,): events count that were known before the day on which outcomes are final."""
    sql = definition.label_sql(activity, [week.cutoff], known_before=week.final_on)
    decided = activity.connection.sql(f"select user_id from ({sql})").to_arrow_table().column("user_id")
    happened = pc.is_in(week.users.column("user_id"), value_set=decided.combine_chunks())
    found = happened.to_numpy(zero_copy_only=False).astype(np.bool_)
    return found if definition.is_event else ~found


def aligned(values: pa.Table, name: str, *, users: pa.ChunkedArray[Any]) -> pa.Array[Any]:
    """Return a column of another table of users in the order of these; null where it does not know one."""
    places = pc.index_in(users.combine_chunks(), value_set=values.column("user_id").combine_chunks())
    return values.column(name).combine_chunks().take(places)


def _with(table: pa.Table, columns: Mapping[str, pa.Array[Any]]) -> pa.Table:
    for name, values in columns.items():
        table = table.append_column(name, values)
    return table


# --- Kept for good ---------------------------------------------------------------------------------------------------


def keep_final(week: ScoredWeek, place: Place) -> ScoredWeek:
    """Write outcomes that are final, and return them; where an earlier run has written them, those stay and are returned."""
    about = {name: value for name, value in vars(week).items() if name != "users"}

    def write(draft: Path) -> None:
        pq.write_table(week.users, draft / OUTCOMES, compression="zstd")
        write_manifest(draft, about=about, rows={OUTCOMES: week.users.num_rows})

    place.add(write, becomes_current=lambda current: current is None)
    return final_week(place.folder) or week


def final_week(place: Path) -> ScoredWeek | None:
    """Return the final outcomes of a cutoff; None where they are not written yet.

    Raises
    ------
    InputError
        When they are damaged, or a newer version of churn wrote them.
    """
    folder = current_of(place)
    if folder is None:
        return None
    if is_damaged(folder):
        raise InputError(f"{folder} is damaged", hint=_BACKUP)
    about = _checked(folder)
    return ScoredWeek(
        date.fromisoformat(about["cutoff"]),
        about["version"],
        about["epoch"],
        float(about["share"]),
        ends_on=date.fromisoformat(about["ends_on"]),
        final_on=date.fromisoformat(about["final_on"]),
        users=pq.ParquetFile(folder / OUTCOMES).read(),
        trained_through=date.fromisoformat(through) if (through := about.get("trained_through")) else None,
    )
