"""The weekly lists of a project: who is to be contacted, who is held out, and the account of both."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from churn.engine import ScoredUsers
from churn.jobs.review import Review
from churn.jobs.scores import keep, scored, telling_what_is_written
from churn.jobs.week import Week, batch_of
from churn.progress import Progress
from churn.results import Export, ListCheck, WeeklyList
from features.errors import CheckFailed
from features.storage.versions import Place, current_of
from serving.batch.scored_batch import Batch
from serving.weekly.at_risk_list import ListRows, export_id_of, week_of
from serving.weekly.checks import Concern, leading_feature
from serving.weekly.curve_columns import curve_columns
from serving.weekly.files.destinations import deliver
from serving.weekly.files.list_address import ListAddress
from serving.weekly.files.upload import read_upload
from serving.weekly.files.verify import verify
from serving.weekly.list_ledger import ListEntry, write_entries
from serving.weekly.list_page import ListSummary, page_of
from serving.weekly.list_reasons import ListReasons, list_reasons
from serving.weekly.selection import Selection
from serving.weekly.write import UPLOAD, ListContent, write_list

if TYPE_CHECKING:
    from churn.project import Project


@dataclass(frozen=True)
class ExportRun:
    """How an export is run.

    Attributes
    ----------
    is_dry
        Select and count, write nothing.
    is_forced
        Write the lists though something should be checked.
    """

    is_dry: bool = False
    is_forced: bool = False


@dataclass(frozen=True)
class ListDraft:
    """A list before it is written: who is on it, why, and what should be checked."""

    selection: Selection
    reasons: ListReasons
    curves: pa.Table | None
    leading: str
    concerns: tuple[Concern, ...]


def export(project: Project, cutoff: date, *, model: str, run: ExportRun, say: Progress) -> Export:
    """Score all users, keep the ledger, and write the lists of those at risk.

    Raises
    ------
    CheckFailed
        When something should be checked before a list is sent, and nobody forces it; the scores are kept.
    """
    registered, users = scored(project, cutoff, model=model, say=say)
    batch = batch_of(project, registered, users, cutoff=cutoff)
    say("selecting who is listed")
    week = Week(project, users, batch, dry_run=run.is_dry)
    review = Review(week, say)
    writer = _Writer(week, review)
    drafts = [writer.draft(one) for one in week.selections]
    concerns = (*review.concerns(), *(concern for one in drafts for concern in one.concerns))
    found = Export(
        registered.name,
        registered.version,
        cutoff,
        users.scores,
        shift=users.shift,
        lists=tuple(counted(one.selection) for one in drafts),
        epoch=week.arms.epoch,
        held_out_share=week.arms.share,
        can_show=week.plan.words(week.arms.share),
        changes=review.changes,
        concerns=concerns,
    )
    if run.is_dry:
        return found
    say("writing ledger and lists")
    lists: list[WeeklyList] = []
    with telling_what_is_written(say) as written:
        keep(project, registered, users=users, cutoff=cutoff, written=written)
        if concerns and not run.is_forced:
            raise _to_look_at(concerns)
        for one in drafts:
            lists.append(writer.write(one, concerns=concerns, say=say))
            written.add(lists[-1].path)
    return replace(found, lists=tuple(lists))


def _to_look_at(concerns: Sequence[Concern]) -> CheckFailed:
    words = "; ".join(one.words for one in concerns)
    hint = "if all is well, write the lists with churn export --force; that is recorded with them"
    return CheckFailed(f"no list is written, because something should be checked first: {words}", hint=hint)


def verified(folder: Path) -> ListCheck:
    """Compare the folder of a list with its manifest."""
    found = verify(folder)
    return ListCheck(found.folder, {one.name: asdict(one) for one in found.files})


def counted(one: Selection) -> WeeklyList:
    """Describe a list that is not written yet."""
    held = int(one.held_out.sum())
    found = WeeklyList(one.settings.name, len(one.rows) - held, held, one.excluded, one.not_reached)
    if not (ranking := one.by_profit):
        return found
    return replace(
        found, expected_profit=ranking.total, pays_from=ranking.pays_from(), also_by_risk=ranking.also_by_risk
    )


@dataclass(frozen=True)
class _Writer:
    """Writes the lists of a week."""

    week: Week
    review: Review

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
        zone = self.users.model.specification.timezone
        return ListRows(self.week.candidates, self.project.settings.export, self.review.bands_before, zone)

    def draft(self, one: Selection) -> ListDraft:
        """Find the reasons of a list, and what should be checked."""
        places: list[int] = one.treated.tolist()
        model, profiles = self.users.model, self.users.profiles.take(places)
        reasons = list_reasons(model, profiles, new_users=self.users.new_users)
        curves = curve_columns(model, profiles, cutoff=self.batch.cutoff)
        leading = leading_feature(reasons.table)
        return ListDraft(one, reasons, curves, leading, tuple(self.review.concerns_of(one, leading=leading)))

    def write(self, draft: ListDraft, *, concerns: Sequence[Concern], say: Progress) -> WeeklyList:
        """Write the account of a list, and its files."""
        one, reasons = draft.selection, draft.reasons
        project, scores, arms, name = self.project, self.users.scores, self.week.arms, one.settings.name
        week, entries = week_of(self.batch.cutoff), self.rows.entries(one, scores)
        table = self.rows.rows(one, scores, reasons=reasons, curves=draft.curves)
        about = f"{self.batch.model} {self.batch.version} {self.batch.cutoff} {arms.epoch}"
        export_id = export_id_of((entries, table), about, one.settings.model_dump_json())
        content = ListContent(
            table,
            self.rows.held_out_ids(one),
            reasons.shared,
            self._last_upload(name),
            self._page(one, concerns),
            {"leading_reason": draft.leading, "forced_although": [asdict(concern) for concern in concerns]},
        )
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

    def _page(self, one: Selection, concerns: Sequence[Concern]) -> str:
        found = counted(one)
        counts = {"to be contacted": found.treated, "held out": found.held_out, **found.excluded}
        counts["below the cut"] = found.below_the_cut
        summary = ListSummary(counts, one.by_profit, self.review.changes, concerns)
        batch, new = self.batch, self.users.new_users
        scored = f"scored by {batch.model} version {batch.version}"
        scored += f", new users by {new.name} version {new.version}" if new else ""
        subtitle = f"{week_of(batch.cutoff)}, users as known before {batch.cutoff}, {scored}."
        return page_of(f"Weekly list {found.name}", subtitle, summary=summary).to_html()

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
