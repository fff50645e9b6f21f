"""The weekly lists of a project: who is to be contacted, who is held out, and the account of both."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from churn.engine import ScoredUsers
from churn.jobs.scores import batch_of, keep, scored, telling_what_is_written
from churn.jobs.week import Week
from churn.progress import Progress
from churn.results import Export, ListCheck, WeeklyList
from features.storage.versions import Place, current_of
from serving.batch.scored_batch import Batch
from serving.weekly.account.outcomes import scored_batches
from serving.weekly.at_risk_list import ListRows, export_id_of, week_of
from serving.weekly.files.destinations import deliver
from serving.weekly.files.list_address import ListAddress
from serving.weekly.files.upload import read_upload
from serving.weekly.files.verify import verify
from serving.weekly.list_ledger import ListEntry, write_entries
from serving.weekly.list_reasons import ListReasons, list_reasons
from serving.weekly.selection import Selection
from serving.weekly.write import UPLOAD, ListContent, write_list

if TYPE_CHECKING:
    from churn.project import Project

_A_WEEK_BEFORE_DAYS = 10  # the batch before this one may be a few days late


def export(project: Project, cutoff: date, *, model: str, dry_run: bool, say: Progress) -> Export:
    """Score all users, keep the ledger, and write the lists of those at risk.

    Parameters
    ----------
    dry_run
        Select and count, write nothing.
    """
    registered, users = scored(project, cutoff, model=model, say=say)
    batch = batch_of(project, registered, users, cutoff=cutoff)
    say("selecting who is listed")
    week = Week(project, users, batch, dry_run=dry_run)
    found = Export(
        registered.name,
        registered.version,
        cutoff,
        users.scores,
        shift=users.shift,
        lists=tuple(map(counted, week.selections)),
        epoch=week.arms.epoch,
        held_out_share=week.arms.share,
        can_show=week.plan.words(week.arms.share),
    )
    if dry_run:
        return found
    say("writing ledger and lists")
    lists: list[WeeklyList] = []
    with telling_what_is_written(say) as written:
        keep(project, registered, users=users, cutoff=cutoff, written=written)
        for one in week.selections:
            lists.append(_Writer(week).write(one, say=say))
            written.add(lists[-1].path)
    return replace(found, lists=tuple(lists))


def verified(folder: Path) -> ListCheck:
    """Compare the folder of a list with its manifest."""
    found = verify(folder)
    return ListCheck(found.folder, {one.name: asdict(one) for one in found.files})


def counted(one: Selection) -> WeeklyList:
    """Describe a list that is not written yet."""
    held = int(one.held_out.sum())
    return WeeklyList(one.settings.name, len(one.rows) - held, held, one.excluded, one.not_reached)


@dataclass(frozen=True)
class _Writer:
    """Writes the lists of a week."""

    week: Week

    @property
    def project(self) -> Project:
        """The project whose lists they are."""
        return self.week.project

    @property
    def batch(self) -> Batch:
        """How all users were scored."""
        return self.week.batch

    @property
    def users(self) -> ScoredUsers:
        """All users, with their scores."""
        return self.week.users

    @cached_property
    def rows(self) -> ListRows:
        """What makes the rows."""
        return ListRows(self.week.candidates, self.project.settings.export, self._bands_before())

    def _bands_before(self) -> dict[str, str] | None:
        """Return everybody's risk band in the latest batch of the last days; None where there is none."""
        ledger, cutoff = self.project.home.ledgers(self.project.name), self.batch.cutoff
        earlier = scored_batches(ledger, before=cutoff)[-1:]
        if not earlier or (cutoff - earlier[0].cutoff).days > _A_WEEK_BEFORE_DAYS:
            return None
        table = earlier[0].read()
        return dict(zip(*(table.column(name).to_pylist() for name in ("user_id", "risk_band")), strict=True))

    def write(self, one: Selection, *, say: Progress) -> WeeklyList:
        """Write the account of a list, and its files."""
        project, scores, arms, name = self.project, self.users.scores, self.week.arms, one.settings.name
        week, entries = week_of(self.batch.cutoff), self.rows.entries(one, scores)
        reasons = self._reasons(one)
        table = self.rows.rows(one, scores, reasons=reasons)
        about = f"{self.batch.model} {self.batch.version} {self.batch.cutoff} {arms.epoch}"
        export_id = export_id_of((entries, table), about, one.settings.model_dump_json())
        content = ListContent(table, self.rows.held_out_ids(one), reasons.shared, self._last_upload(name))
        entry = ListEntry(name, export_id, arms.epoch, arms.share)
        write_entries(
            self.batch,
            entry,
            entries=entries,
            place=Place(project.home.list_ledger(project.name, week, name), say=say.within),
        )
        place = Place(project.home.weekly_list(project.name, week, name), say=say.within)
        folder = write_list(place, content, batch=self.batch, entry=entry, settings=project.settings.export)
        delivered = self._delivered(folder, ListAddress(project.name, week, name, export_id), say=say)
        return replace(
            counted(one), export_id=export_id, path=folder, shared_reasons=reasons.shared, delivered=delivered
        )

    def _delivered(self, folder: Path, address: ListAddress, *, say: Progress) -> tuple[str, ...]:
        """Take a list to the places of ``[export] to``; relative folders start from that of churn.toml."""
        project, found = self.project, list[str]()
        for to in project.settings.export.to:
            place = to.get_secret_value()
            say.within(f"delivering {address.name}")
            found.append(deliver(folder, place if "://" in place else str(project.base / place), address=address).to)
        return tuple(found)

    def _last_upload(self, name: str) -> pa.Table | None:
        """Return what was uploaded from the latest list of this name, without who is held out now; None: nothing was."""
        earlier = [one.cutoff for one in self.week.past if one.name == name]
        if not earlier:
            return None
        version = current_of(self.project.home.weekly_list(self.project.name, week_of(max(earlier)), name))
        if not version or not (version / UPLOAD).exists():
            return None
        found = read_upload(version / UPLOAD)
        held_out = pa.array(self.rows.ids_of(np.flatnonzero(self.week.held_out)), pa.string())
        return found.filter(pc.invert(pc.is_in(found.column(0), value_set=held_out)))

    def _reasons(self, one: Selection) -> ListReasons:
        places: list[int] = one.treated.tolist()
        return list_reasons(self.users.model, self.users.profiles.take(places))
