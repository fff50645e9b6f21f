"""What a marketing tool is given: the treated users, the held out to suppress, and what changed since last week's upload.

The files are for machines: UTF-8 without a byte order mark, which would become part of the first header, one line a user, and ids
exactly as the tool knows them. Other texts that a spreadsheet would run as a formula get an apostrophe, telephone numbers do not.
"""

from __future__ import annotations

import csv
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from features.errors import InputError, SettingsError, closest, translated
from features.log.sources.values import FLOATS
from serving.weekly.files.suppression import NOTHING_SUPPRESSED, Suppression, id_key, id_keys
from serving.weekly.files.tables import as_texts, escaped, is_text, read_csv
from serving.weekly.files.upload_format import UploadFormat

Row = tuple[str, ...]
Cells = Mapping[str, str]  # under the names of their attributes
User = tuple[str, Cells]  # the id first


@dataclass(frozen=True)
class Uploads:
    """The tables of an upload, all of texts, and the treated users who are in none of them.

    Attributes
    ----------
    upload
        One row per treated user in the order of the list, every cell filled.
    holdout
        The ids alone of the held out, and of those in last week's upload who are held out now; sorted by their bytes.
    delta
        Users with a cell that changed since last week, in the order of the list, unchanged cells blank; then those who left it.
    without_id, repeated, held_out, excluded
        Numbers of treated users who are not in it: the tool cannot find them; or their id is that of another row, of somebody held
        out, or of somebody who opted out or was contacted within the cool-down.
    not_cleared
        Number of users in last week's upload who are held out now. No file but ``holdout`` names them: the tool suppresses them, and
        still holds what was uploaded of them.
    """

    upload: pa.Table
    holdout: pa.Table
    delta: pa.Table
    without_id: int
    repeated: int
    held_out: int
    excluded: int
    not_cleared: int


def uploads(
    treated: pa.Table,
    form: UploadFormat,
    *,
    held_out: Sequence[str | None],
    suppressed: Suppression = NOTHING_SUPPRESSED,
    last: pa.Table | None = None,
) -> Uploads:
    """Return what is uploaded this week.

    Parameters
    ----------
    treated
        Listed users who may be contacted, in the order of the list.
    held_out
        What the tool matches the held-out users of the list by; a missing id is passed over.
    suppressed
        Further ids that are not uploaded.
    last
        ``upload`` of last week (:func:`read_upload`); None: there was none, and everything is new.

    Raises
    ------
    SettingsError
        When the list has no such column.
    InputError
        When last week's upload names users by another id, or ids are fractions.
    """
    for column in (form.id_column, *form.columns):
        if column not in treated.column_names:
            raise SettingsError(
                f'[export]: the list has no column "{column}"', hint=closest(column, treated.column_names)
            )
    ids = id_texts(treated.column(form.id_column), of=form.id_column).to_pylist()
    keys = [id_key(one or "") for one in ids]
    own, held = id_keys(held_out), id_keys(suppressed.held_out) | id_keys(held_out)
    excluded = id_keys(suppressed.excluded) - held
    places = _places(keys, held | excluded)
    upload = _texts(treated.take(pa.array(places, pa.int64())), form)
    before, now = _users(last, form), _users(upload, form)
    since = {one for one in suppressed.held_out_since if id_key(one) not in now}
    names = list(dict.fromkeys([*upload.column_names[1:], *(last.column_names[1:] if last else ())]))
    may_be_named = {key: row for key, row in before.items() if key not in held}
    changes = _delta(now, may_be_named, names=names, left=_left(names, treated.schema, form=form))
    without_id, of_held, of_excluded = (sum(key in some for key in keys) for some in ({""}, held, excluded))
    return Uploads(
        upload=upload,
        holdout=_table([form.id_name], [(one,) for one in sorted({*filter(None, held_out), *since}, key=str.encode)]),
        delta=_table([form.id_name, *names], changes),
        without_id=without_id,
        repeated=len(ids) - without_id - of_held - of_excluded - len(places),
        held_out=of_held,
        excluded=of_excluded,
        not_cleared=len((before.keys() & own) | id_keys(since)),
    )


def write_uploads(found: Uploads, folder: Path) -> dict[str, int]:
    """Write ``upload.csv``, ``holdout.csv`` and ``delta.csv``; return the rows of each, for the manifest."""
    tables = {"upload.csv": found.upload, "holdout.csv": found.holdout, "delta.csv": found.delta}
    for name, table in tables.items():
        with (folder / name).open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(table.column_names)
            writer.writerows(_rows(table))
    return {name: table.num_rows for name, table in tables.items()}


def read_upload(path: Path) -> pa.Table:
    """Read the ``upload.csv`` of an earlier week; all columns are texts.

    Raises
    ------
    InputError
        When it cannot be read.
    """
    damaged = InputError(
        f"{path}: it is not the upload that was written", hint="export that week's list again, or upload in full"
    )
    with (
        translated((OSError, ValueError, csv.Error), lambda _: damaged),
        path.open(newline="", encoding="utf-8-sig") as file,
    ):
        header, *rows = read_csv(file)
        return _table(header, [tuple(row) for row in rows])


def id_texts(ids: pa.ChunkedArray[Any], *, of: str) -> pa.ChunkedArray[Any]:
    """Return ids as texts; whole numbers that a column without gaps would hold as integers are written as such.

    Raises
    ------
    InputError
        When they are fractions, or so large that they may be those of other users.
    """
    if not pa.types.is_floating(ids.type):
        return ids.cast(pa.string())
    if (pc.max(pc.abs(ids)).as_py() or 0) >= FLOATS["DOUBLE"]:
        words = f'[export]: the ids of "{of}" are numbers so large that they were rounded'
        raise InputError(words, hint=f'name the attribute as the id: [export] id_column = "{of}"')
    broken = InputError(f'[export]: the ids of "{of}" are not whole numbers', hint="cast the column to text")
    with translated(pa.ArrowInvalid, lambda _: broken):
        return ids.cast(pa.int64()).cast(pa.string())


def _places(keys: Sequence[str], suppressed: Collection[str]) -> list[int]:
    """Return the first place of each id that may be uploaded."""
    first: dict[str, int] = {}
    for place, key in enumerate(keys):
        if key and key not in suppressed:
            first.setdefault(key, place)
    return list(first.values())


def _left(names: Sequence[str], schema: pa.Schema, *, form: UploadFormat) -> Cells:
    """Return what each attribute says of a user who left the list; one of last week's alone is taken for a text."""
    known = {name: form.left_of(column, schema.field(column).type) for column, name in form.columns.items()}
    return {name: known.get(name, form.left) for name in names}


def _texts(table: pa.Table, form: UploadFormat) -> pa.Table:
    """Return the cells of an upload: ids as they are, no other cell blank."""
    columns: dict[str, Any] = {form.id_name: id_texts(table.column(form.id_column), of=form.id_column)}
    for column, name in form.columns.items():
        values = table.column(column)
        columns[name] = _filled(_cells(values), form.left_of(column, values.type))
    return pa.table(columns)


def _filled(cells: pa.ChunkedArray[Any], left: str) -> pa.ChunkedArray[Any]:
    return pc.if_else(pc.equal(cells.fill_null(pa.scalar("")), pa.scalar("")), pa.scalar(left), cells)


def _cells(values: pa.ChunkedArray[Any]) -> pa.ChunkedArray[Any]:
    """Write values as tools read them: times as ISO 8601, numbers that are not finite as missing, text on one line."""
    kind = values.type
    if pa.types.is_timestamp(kind):
        seconds: Any = values.cast(pa.timestamp("s", "UTC") if kind.tz else pa.timestamp("s"), safe=False)
        return pc.strftime(seconds, "%Y-%m-%dT%H:%M:%S" + ("Z" if kind.tz else ""))
    if pa.types.is_floating(kind):
        values = pc.if_else(pc.is_finite(values), values, pa.scalar(None, kind))
    texts = as_texts(values)
    if is_text(kind) or pa.types.is_dictionary(kind):
        return escaped(
            pc.utf8_trim_whitespace(pc.replace_substring_regex(texts, r"\s*[\r\n]+\s*", " ")), spares_phones=True
        )
    return texts


def _rows(table: pa.Table) -> Iterator[Row]:
    return zip(*(column.to_pylist() for column in table.columns), strict=True)


def _users(table: pa.Table | None, form: UploadFormat) -> dict[str, User]:
    """Return the id as it is written and the cells of each user, under what the tool compares of the id."""
    if table is None:
        return {}
    if form.id_name != table.column_names[0]:
        raise InputError(
            f'last week\'s upload names users by "{table.column_names[0]}", this week\'s by "{form.id_name}"',
            hint="upload in full once: make the upload without last week's",
        )
    names = table.column_names[1:]
    return {id_key(one): (one, dict(zip(names, cells, strict=True))) for one, *cells in _rows(table)}


def _delta(now: Mapping[str, User], before: Mapping[str, User], *, names: Sequence[str], left: Cells) -> list[Row]:
    """Return the rows of users with a changed cell, then of those who left the list, whose every cell is explicit.

    Parameters
    ----------
    names
        The attributes of both weeks, in the order of the columns.
    left
        What each says of a user who is not on the list any more.
    """
    nothing: User = ("", {})
    stayed = [(one, _changed(before.get(key, nothing)[1], cells, left=left)) for key, (one, cells) in now.items()]
    gone = sorted((before[key] for key in before.keys() - now.keys()), key=lambda user: user[0].encode())
    went = [(one, {name: left[name] for name in cells}) for one, cells in gone]
    return [(one, *(cells.get(name, "") for name in names)) for one, cells in (*stayed, *went) if cells]


def _changed(before: Cells, now: Cells, *, left: Cells) -> Cells:
    """Return the cells that differ; an attribute that is not uploaded any more is left too."""
    after = {name: left[name] for name in before} | dict(now)
    return {name: text for name, text in after.items() if text != before.get(name)}


def _table(names: Sequence[str], rows: Sequence[Row]) -> pa.Table:
    columns = zip(*rows, strict=True) if rows else [()] * len(names)
    return pa.table({name: pa.array(texts, pa.string()) for name, texts in zip(names, columns, strict=True)})
