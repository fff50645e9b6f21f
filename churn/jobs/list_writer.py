"""The files of the weekly lists: what is written of each, into the ledger and for those who work with it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from churn.engine import ScoredUsers
from churn.jobs.review import Review
from churn.jobs.upload_ids import UploadIds
from churn.jobs.week import Week
from churn.progress import Progress
from churn.results import WeeklyList
from features.storage.versions import Place, current_of, versions_of
from serving.batch.scored_batch import Batch, read_manifest
from serving.weekly.at_risk_list import ListRows, export_id_of, week_of
from serving.weekly.checks import Concern, leading_feature
from serving.weekly.curve_columns import curve_columns
from serving.weekly.files.destinations import deliver
from serving.weekly.files.list_address import ListAddress
from serving.weekly.files.suppression import id_key, id_keys
from serving.weekly.files.upload import read_upload
from serving.weekly.files.upload_format import UploadFormat
from serving.weekly.list_ledger import ListEntry, write_entries
from serving.weekly.list_page import ListSummary, page_of, upload_words
from serving.weekly.list_reasons import ListReasons, list_reasons
from serving.weekly.selection import Selection
from serving.weekly.write import UPLOAD, ListContent, format_of, list_files

if TYPE_CHECKING:
    from churn.project import Project


_NOBODY = np.zeros(0, dtype=np.int64)


@dataclass(frozen=True)
class ListDraft:
    """A list before it is written: who is on it, why, and what should be checked."""

    selection: Selection
    reasons: ListReasons
    curves: pa.Table | None
    leading: str
    concerns: tuple[Concern, ...]


@dataclass(frozen=True)
class ReadyList:
    """A list of which everything is made, so that settings that do not fit it, or its size, were refused already.

    Attributes
    ----------
    found
        Its counts.
    entries
        Who is entered, of both arms.
    write_files
        Writes its files into an empty folder.
    """

    found: WeeklyList
    entry: ListEntry
    entries: pa.Table
    write_files: Callable[[Path], None]


def counted(one: Selection, *, not_uploaded: Mapping[str, int]) -> WeeklyList:
    """Describe a list that is not written yet."""
    held = int(one.held_out.sum())
    missing = dict(not_uploaded)
    found = WeeklyList(
        one.settings.name, len(one.rows) - held, held, one.excluded, one.not_reached, not_uploaded=missing
    )
    if not (ranking := one.by_profit):
        return found
    return replace(
        found, expected_profit=ranking.total, pays_from=ranking.pays_from(), also_by_risk=ranking.also_by_risk
    )


@dataclass(frozen=True)
class ListWriter:
    """Writes the lists of a week.

    Attributes
    ----------
    ids
        The ids of the week in each column by which the team's tool matches users, as far as they were asked for.
    """

    week: Week
    review: Review
    ids: dict[str, UploadIds] = field(default_factory=dict[str, UploadIds])

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

    @cached_property
    def drafts(self) -> tuple[ListDraft, ...]:
        """Every list, with its reasons and what should be checked."""
        return tuple(self._draft(one) for one in self.week.selections)

    @cached_property
    def concerns(self) -> tuple[Concern, ...]:
        """What should be checked before the lists are sent."""
        return (*self.review.concerns(), *(concern for one in self.drafts for concern in one.concerns))

    def _draft(self, one: Selection) -> ListDraft:
        places = pa.array(one.treated, pa.int64())
        model, profiles = self.users.model, self.users.profiles.take(places)
        reasons = list_reasons(model, profiles, new_users=self.users.new_users)
        curves = curve_columns(model, profiles, cutoff=self.batch.cutoff)
        leading = leading_feature(reasons.table)
        return ListDraft(one, reasons, curves, leading, tuple(self.review.concerns_of(one, leading=leading)))

    def counted(self, draft: ListDraft) -> WeeklyList:
        """Describe a list that is not written."""
        content, _ = self._content(draft)
        return counted(draft.selection, not_uploaded=content.not_uploaded(self.project.settings.export))

    def ready(self, draft: ListDraft) -> ReadyList:
        """Make everything of a list, and write nothing.

        Raises
        ------
        SettingsError, InputError
            When the settings do not fit the list, or a sheet of Excel cannot hold it.
        """
        one, arms, settings = draft.selection, self.week.arms, self.project.settings.export
        name, entries = one.settings.name, self.rows.entries(one, self.users.scores)
        content, form = self._content(draft)
        found, (last, since) = counted(one, not_uploaded=content.not_uploaded(settings)), self._last_upload(one, form)
        about = f"{self.batch.model} {self.batch.version} {self.batch.cutoff} {arms.epoch}"
        page = self._page(one, found, by=form.id_column, not_cleared=len(since))
        suppressed = replace(content.suppressed, held_out_since=since)
        content = replace(content, last_upload=last, suppressed=suppressed, page=page)
        decided_by = about, one.settings.model_dump_json(), *self._ids_of_others(one, content, form=form)
        entry = ListEntry(
            name, export_id_of((entries, content.rows), *decided_by), arms.epoch, arms.share, self.week.known_until
        )
        found = replace(found, export_id=entry.export_id, shared_reasons=draft.reasons.shared)
        return ReadyList(found, entry, entries, list_files(content, batch=self.batch, entry=entry, settings=settings))

    def write(self, ready: ReadyList, *, say: Progress) -> WeeklyList:
        """Write the account of a list, and its files, and take these where they are wanted."""
        project, name, week = self.project, ready.entry.list, week_of(self.batch.cutoff)
        ledger = Place(project.home.list_ledger(project.name, week, name), say=say.within)
        place = Place(project.home.weekly_list(project.name, week, name), say=say.within)
        folder = self.write_into(ledger, place, ready=ready)
        delivered = self._delivered(folder, ListAddress(project.name, week, name, ready.entry.export_id), say=say)
        return replace(ready.found, path=folder, delivered=delivered)

    def write_into(self, ledger: Place, place: Place, *, ready: ReadyList) -> Path:
        """Write the account of a list and its files as versions of two places; return the folder of the files."""
        write_entries(self.batch, ready.entry, entries=ready.entries, place=ledger)
        return place.add(ready.write_files)

    def _content(self, draft: ListDraft) -> tuple[ListContent, UploadFormat]:
        """Return what a list holds whatever was uploaded last week, without its page; and the form of its upload."""
        one, reasons = draft.selection, draft.reasons
        table = self.rows.rows(one, self.users.scores, reasons=reasons, curves=draft.curves)
        form = format_of(table, self.project.settings.export, name=one.settings.name)
        recorded = {
            "leading_reason": draft.leading,
            "forced_although": [asdict(concern) for concern in self.concerns],
            "id_column": form.id_column,
        }
        held_out = self.rows.held_out_ids(one, by=form.id_column)
        suppressed = self._ids_in(form.id_column).suppressed
        return ListContent(table, held_out, reasons.shared, suppressed=suppressed, recorded=recorded), form

    def _ids_in(self, column: str) -> UploadIds:
        return self.ids.setdefault(column, UploadIds(self.week, self.rows, column))

    def _ids_of_others(self, one: Selection, content: ListContent, *, form: UploadFormat) -> list[str]:
        """Return which of those to be contacted are not uploaded because of somebody who is not on the list."""
        suppressed = content.suppressed
        not_uploaded = {*suppressed.held_out, *suppressed.excluded} - id_keys(content.held_out)
        return sorted(self._ids_in(form.id_column).of(one.treated) & not_uploaded)

    def _page(self, one: Selection, found: WeeklyList, *, by: str, not_cleared: int) -> str:
        note = upload_words(found.not_uploaded, listed=found.treated, id_column=by)
        summary = ListSummary(found.counts, one.by_profit, self.review.changes, self.concerns, note, not_cleared)
        batch, new = self.batch, self.users.new_users
        scored = f"scored by {batch.model} version {batch.version}"
        scored += f", new users by {new.name} version {new.version}" if new else ""
        subtitle = f"{week_of(batch.cutoff)}, users as known before {batch.cutoff}, {scored}."
        return page_of(f"Weekly list {found.name}", subtitle, summary=summary).to_html()

    def _delivered(self, folder: Path, address: ListAddress, *, say: Progress) -> tuple[str, ...]:
        """Take a list to the places of ``[export] to``."""
        project, found = self.project, list[str]()
        for to in project.settings.export.to:
            say.within(f"delivering {address.name}")
            found.append(deliver(folder, project.place_of(to.get_secret_value()), address=address).to)
        return tuple(found)

    def _last_upload(self, one: Selection, form: UploadFormat) -> tuple[pa.Table | None, list[str]]:
        """Return what was uploaded from the latest list of this name, as far as its delta goes by it; None: everything is new.

        Returns
        -------
        The upload, with the ids that only earlier versions of that list have, and without those whom the delta must not clear: who is
        held out, and who is to be contacted by another list; and the ids of the former.
        """
        name = one.settings.name
        if not (folders := self._last_folders(name)):
            return None, []
        found, *earlier = [_upload_of(one, form) for one in folders]
        if found is None:
            self.review.say.within(
                f"{name}: its last upload names users by another id, so delta.csv has everybody on the list, and nobody who left it"
            )
            return None, []
        ids = self._ids_in(form.id_column)
        held_out, excluded = set(ids.suppressed.held_out), set(ids.suppressed.excluded)
        uploaded = ids.of(one.treated) - held_out - excluded
        found = _with_earlier(found, [table for table in earlier if table is not None], now=uploaded)
        others = [other.treated for other in self.week.selections if other.settings.name != name]
        not_in_delta = held_out | (ids.of(np.concatenate([*others, _NOBODY])) - excluded)
        texts: list[Any] = found.column(0).to_pylist()
        kept = found.filter(pa.array([id_key(one) not in not_in_delta for one in texts], pa.bool_()))
        since = [] if self._is_written_without_them(name) else sorted({one for one in texts if id_key(one) in held_out})
        return kept, since

    def _is_written_without_them(self, name: str) -> bool:
        """Tell whether a past list was written when ``holdout.csv`` did not name who was held out since: then it stays as it was."""
        if not self.week.written:
            return False
        folder = current_of(self.project.home.weekly_list(self.project.name, week_of(self.batch.cutoff), name))
        return folder is None or "not_cleared" not in read_manifest(folder)

    def _last_folders(self, name: str) -> list[Path]:
        """Return the versions with an upload of the latest list of this name that has one, the current one first.

        A run that was stopped may have left an account without files.
        """
        project = self.project
        for day in sorted((one.cutoff for one in self.week.past if one.name == name), reverse=True):
            place = project.home.weekly_list(project.name, week_of(day), name)
            if (current := current_of(place)) and (current / UPLOAD).exists():
                others = [] if self.week.is_of_before else sorted(versions_of(place))
                return [current, *(one for one in others if one.name != current.name and (one / UPLOAD).exists())]
        return []


def _upload_of(folder: Path, form: UploadFormat) -> pa.Table | None:
    """Return the upload of a version of a list; None where it names users by another id."""
    found, id_column = read_upload(folder / UPLOAD), read_manifest(folder).get("id_column", form.id_column)
    return found if (found.column_names[0], id_column) == (form.id_name, form.id_column) else None


def _with_earlier(found: pa.Table, earlier: Sequence[pa.Table], *, now: set[str]) -> pa.Table:
    """Add the ids that only earlier uploads of a list had; who is uploaded now is new, as nobody knows which upload came last."""
    ids: set[Any] = {one for table in earlier for one in table.column(0).to_pylist()}
    known = now | id_keys(found.column(0).to_pylist())
    more = sorted(one for one in ids if id_key(one) not in known)
    columns: list[Any] = [more, *([""] * len(more) for _ in found.column_names[1:])]
    return pa.concat_tables([found, pa.table([pa.array(one, pa.string()) for one in columns], found.column_names)])
