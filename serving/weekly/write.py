"""The files of a weekly list: for people, for the tool that contacts them, and for machines; and the manifest, last."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from features.storage.versions import Place
from serving.batch.scored_batch import Batch, write_manifest
from serving.settings import ExportSettings
from serving.weekly.at_risk_list import week_of
from serving.weekly.files.list_columns import About
from serving.weekly.files.spreadsheet import check_rows, write_xlsx
from serving.weekly.files.suppression import NOTHING_SUPPRESSED, Suppression
from serving.weekly.files.tables import write_csv, write_parquet
from serving.weekly.files.upload import Uploads, uploads, write_uploads
from serving.weekly.files.upload_format import UploadFormat, upload_format
from serving.weekly.list_ledger import ListEntry

NAME, UPLOAD = "at_risk", "upload.csv"
WITHOUT_ID, REPEATED_ID = "without an id", "with the id of another row"
ID_OF_HELD_OUT = "with the id of a held-out user"
ID_OF_EXCLUDED = "with the id of a user who opted out or was contacted lately"


@dataclass(frozen=True)
class ListContent:
    """What a list holds.

    Attributes
    ----------
    rows
        Who is to be contacted, in order.
    held_out
        Ids of those whom nobody contacts, as the team's tool knows them; None for each whom it does not know.
    shared
        Reasons that nearly everybody on the list has.
    last_upload
        ``upload.csv`` of the week before; None: there was none.
    suppressed
        Further ids that are not uploaded.
    page
        The page of the list; empty: none.
    recorded
        What the manifest says beyond what every list has.
    """

    rows: pa.Table
    held_out: Sequence[str | None]
    shared: Sequence[str]
    last_upload: pa.Table | None = None
    suppressed: Suppression = NOTHING_SUPPRESSED
    page: str = ""
    recorded: Mapping[str, Any] = field(default_factory=dict[str, Any])

    def uploads(self, settings: ExportSettings) -> Uploads:
        """Return what the team's tool is given."""
        form, last = format_of(self.rows, settings), self.last_upload
        return uploads(self.rows, form, held_out=self.held_out, suppressed=self.suppressed, last=last)

    def not_uploaded(self, settings: ExportSettings) -> dict[str, int]:
        """Return why some users who are to be contacted are not in the upload, and how many; empty: all are."""
        form = replace(format_of(self.rows, settings), columns={})
        return _not_uploaded(uploads(self.rows, form, held_out=self.held_out, suppressed=self.suppressed))


def _not_uploaded(found: Uploads) -> dict[str, int]:
    counts = {
        WITHOUT_ID: found.without_id,
        REPEATED_ID: found.repeated,
        ID_OF_HELD_OUT: found.held_out,
        ID_OF_EXCLUDED: found.excluded,
    }
    return {why: count for why, count in counts.items() if count}


def format_of(rows: pa.Table, settings: ExportSettings, *, name: str = "") -> UploadFormat:
    """Return how the team's tool is given the rows of a list; of the default id, a preset knows a better one where the list has it.

    Parameters
    ----------
    name
        Of the list, for errors.
    """
    id_column = "" if settings.preset and settings.id_column == "user_id" else settings.id_column
    preset, columns = settings.preset or "plain", rows.column_names
    return upload_format(preset, columns, id_column=id_column, renames=settings.columns, list_name=name)


def shown(not_uploaded: Mapping[str, int]) -> dict[str, int]:
    """Return the counts of :meth:`ListContent.not_uploaded` under the words that people read among other counts."""
    return {f"not uploaded, {why}": count for why, count in not_uploaded.items()}


def write_list(place: Place, content: ListContent, *, batch: Batch, entry: ListEntry, settings: ExportSettings) -> Path:
    """Write all files of a list as a version of its place, the manifest last; return the folder.

    The same inputs give the same bytes, and so the same version. A killed run leaves no file under its final name.
    """
    return place.add(list_files(content, batch=batch, entry=entry, settings=settings))


def list_files(
    content: ListContent, *, batch: Batch, entry: ListEntry, settings: ExportSettings
) -> Callable[[Path], None]:
    """Return what writes all files of a list into an empty folder, the manifest last.

    Raises
    ------
    SettingsError, InputError
        When the settings do not fit the list, or a sheet of Excel cannot hold it: before anything is written.
    """
    found = content.uploads(settings)
    missing = _not_uploaded(found)
    check_rows(content.rows, name=f"{NAME}.xlsx")
    ids = pa.array([entry.export_id] * content.rows.num_rows, pa.string())
    rows = content.rows.append_column("export_id", ids)
    about = About(
        list_name=entry.list,
        week=week_of(batch.cutoff),
        cutoff=batch.cutoff,
        model=batch.model,
        model_version=batch.version,
        export_id=entry.export_id,
        counts={"to be contacted": rows.num_rows, **shown(missing), "held out": len(content.held_out)},
        shared_reasons=tuple(content.shared),
    )

    def write(draft: Path) -> None:
        write_parquet(rows, draft / f"{NAME}.parquet")
        write_csv(rows, draft / f"{NAME}.csv")
        write_xlsx(rows, draft / f"{NAME}.xlsx", about=about)
        counts = dict.fromkeys((f"{NAME}.parquet", f"{NAME}.csv", f"{NAME}.xlsx"), rows.num_rows)
        counts |= write_uploads(found, draft)
        if content.page:
            (draft / f"{NAME}.html").write_text(content.page, encoding="utf-8")
            counts[f"{NAME}.html"] = rows.num_rows
        more = {"shared_reasons": list(content.shared), **content.recorded}
        more |= {"not_uploaded": missing} if missing else {}
        more |= {"not_cleared": found.not_cleared} if found.not_cleared else {}
        write_manifest(draft, about=batch.about | asdict(entry) | more, rows=counts)

    return write
