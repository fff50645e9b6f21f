"""A list as an Excel workbook: the list, a sheet that explains its columns, and one that says what the list is."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, TypeAlias

import pyarrow as pa
import pyarrow.compute as pc
import xlsxwriter
from xlsxwriter.exceptions import FileCreateError
from xlsxwriter.worksheet import Worksheet

from features.errors import InputError
from serving.weekly.files.list_columns import About, ListColumn, explained

MAX_ROWS = 1_048_575  # Excel's 1,048,576, one of which is the header
_LONGEST_TEXT = 16_000  # characters of a cell; Excel's limit of 32,767 counts an emoji twice
_LARGEST_INTEGER = 10**15  # Excel keeps 15 digits
_DAYS_TO_1970 = 25_569  # Excel counts days from 1899-12-30
_US_PER_DAY = 86_400_000_000
_WIDEST, _NARROWEST = 60, 8  # characters
_ROWS_AT_ONCE = 10_000
_SHEET = "xl/worksheets/sheet1.xml"
_FORMATS = {
    "percent": "0.0%",
    "money": "#,##0.00",
    "date": "yyyy-mm-dd",
    "time": "yyyy-mm-dd hh:mm",
    "plain": "General",
}

Values: TypeAlias = "pa.ChunkedArray[Any]"


class _PlainSheet(Worksheet):
    """A sheet without rich text: in constant memory, XlsxWriter passes every text in ``<r>`` and ``</r>`` on as markup of its own."""

    def _xml_rich_inline_string(self, string: str, attributes: Sequence[tuple[str, Any]] = ()) -> None:
        self._xml_inline_string(string, False, attributes)  # noqa: FBT003  # neither end is white space


@dataclass(frozen=True)
class _Cells:
    """How a column is written: the name of XlsxWriter's method, the number format, and what turns values into what Excel holds."""

    method: str
    number_format: str
    prepared: Callable[[Values], Values]


def write_xlsx(table: pa.Table, path: Path, *, about: About, columns: Sequence[ListColumn] = ()) -> None:
    """Write a list as a workbook of three sheets; the same inputs give the same bytes.

    Parameters
    ----------
    columns
        What columns mean, where :func:`explained` does not know it.

    Raises
    ------
    InputError
        When the list has more rows than a sheet can hold.

    Notes
    -----
    Text is text: none becomes a formula, a link or a number. Rows are written one after another, without the table in memory twice.
    Texts are cut at 16,000 characters; integers beyond 15 digits are written as text; a number that is not finite is an empty cell.
    """
    check_rows(table, name=path.name)
    described = explained(table.column_names, columns)
    book = xlsxwriter.Workbook(str(path), {"constant_memory": True, "tmpdir": str(path.parent)})
    book.set_properties(
        {"title": f"{about.list_name} {about.week}", "created": datetime.combine(about.cutoff, datetime.min.time())}
    )
    _write_list(book, table, described=described)
    _write_meanings(book, described)
    _write_about(book, about)
    _close(book)


def check_rows(table: pa.Table, *, name: str) -> None:
    """Refuse a list that no sheet can hold.

    Raises
    ------
    InputError
        When it has more rows.
    """
    if table.num_rows > MAX_ROWS:
        raise InputError(
            f"{name}: a sheet of Excel holds {MAX_ROWS:,} rows and a header, got {table.num_rows:,} rows",
            hint="make the list shorter, as by its capacity, or make several [[lists]] of it",
        )


def rows_of(path: Path) -> int:
    """Count the rows of a list in a workbook of :func:`write_xlsx`, header excluded."""
    with zipfile.ZipFile(path) as book, book.open(_SHEET) as sheet:
        rows, rest = 0, b""
        while chunk := sheet.read(1 << 20):
            rows += (rest + chunk).count(b"<row ")
            rest = chunk[-4:]  # shorter than what is counted
    return rows - 1


def _close(book: xlsxwriter.Workbook) -> None:
    """Write the file; a full disk is the error that everybody else reports."""
    try:
        book.close()
    except FileCreateError as error:
        (reason,) = error.args
        raise reason if isinstance(reason, OSError) else error from None


def _write_list(book: xlsxwriter.Workbook, table: pa.Table, *, described: Sequence[ListColumn]) -> None:
    sheet = _sheet(book, "list", names=table.column_names, widths=_widths(table))
    sheet.autofilter(0, 0, table.num_rows, max(table.num_columns - 1, 0))
    cells = [_cells_of(column, table.column(column.name)) for column in described]
    writers = [
        (index, getattr(sheet, each.method), book.add_format({"num_format": each.number_format}))
        for index, each in enumerate(cells)
    ]
    for number, values in enumerate(_rows(table, cells), 1):
        for (index, write, shown_as), value in zip(writers, values, strict=True):
            if value is not None:
                write(number, index, value, shown_as)


def _rows(table: pa.Table, cells: Sequence[_Cells]) -> Iterator[tuple[Any, ...]]:
    for start in range(0, table.num_rows, _ROWS_AT_ONCE):
        part = table.slice(start, _ROWS_AT_ONCE)
        prepared = [each.prepared(part.column(index)).to_pylist() for index, each in enumerate(cells)]
        yield from zip(*prepared, strict=True)


def _write_meanings(book: xlsxwriter.Workbook, described: Sequence[ListColumn]) -> None:
    sheet = _sheet(book, "columns", names=["column", "meaning"], widths=[30, 100])
    for number, column in enumerate(described, 1):
        sheet.write_string(number, 0, column.name)
        sheet.write_string(number, 1, column.meaning)


def _write_about(book: xlsxwriter.Workbook, about: About) -> None:
    sheet = _sheet(book, "about", names=["about this list", ""], widths=[40, 40])
    for number, (label, value) in enumerate(about.lines(), 1):
        sheet.write_string(number, 0, label)
        _ = sheet.write_string(number, 1, value) if isinstance(value, str) else sheet.write_number(number, 1, value)


def _sheet(book: xlsxwriter.Workbook, name: str, *, names: Sequence[str], widths: Sequence[int]) -> Worksheet:
    """Add a sheet with a bold header that stays in sight."""
    sheet, bold = book.add_worksheet(name, worksheet_class=_PlainSheet), book.add_format({"bold": True, "bottom": 1})
    for index, width in enumerate(widths):
        sheet.set_column(index, index, width)
    sheet.freeze_panes(1, 0)
    for index, text in enumerate(names):
        sheet.write_string(0, index, text, bold)
    return sheet


def _widths(table: pa.Table) -> list[int]:
    """Return the width of each column in characters: of its name with the arrow of the filter, and of its first rows."""
    part = table.slice(0, 1_000)
    return [
        min(_WIDEST, max(_NARROWEST, len(name) + 4, _longest(column)))
        for name, column in zip(table.column_names, part.columns, strict=True)
    ]


def _longest(column: Values) -> int:
    if pa.types.is_floating(column.type) or pa.types.is_decimal(column.type):
        return 12
    return pc.max(pc.utf8_length(_as_text(column))).as_py() or 0


def _cells_of(column: ListColumn, values: Values) -> _Cells:
    kind = values.type
    if pa.types.is_boolean(kind):
        return _Cells("write_boolean", _FORMATS["plain"], _unchanged)
    if pa.types.is_date(kind):
        return _Cells("write_number", _FORMATS["date"], _day_numbers)
    if pa.types.is_timestamp(kind):
        return _Cells("write_number", _FORMATS["time"], _time_numbers)
    if _is_number(kind) and not _is_too_large(values):
        return _Cells("write_number", _FORMATS[column.shown_as], _finite)
    return _Cells("write_string", _FORMATS["plain"], _as_text)


def _is_number(kind: pa.DataType) -> bool:
    return pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)


def _is_too_large(values: Values) -> bool:
    """Tell whether Excel would change digits of a column of integers, as of ids."""
    if not pa.types.is_integer(values.type):
        return False
    bounds: Any = pc.min_max(values).as_py()
    return any(bound is not None and abs(bound) >= _LARGEST_INTEGER for bound in bounds.values())


def _unchanged(values: Values) -> Values:
    return values


def _finite(values: Values) -> Values:
    if pa.types.is_integer(values.type):
        return values
    numbers = values.cast(pa.float64())
    return pc.if_else(pc.is_finite(numbers), numbers, pa.scalar(None, pa.float64()))


def _day_numbers(values: Values) -> Values:
    return pc.add(values.cast(pa.date32()).cast(pa.int32()), _DAYS_TO_1970)


def _time_numbers(values: Values) -> Values:
    """Count the days of local times; a column without a time zone is local already."""
    local: Any = pc.local_timestamp(values) if values.type.tz else values
    microseconds = local.cast(pa.timestamp("us"), safe=False).cast(pa.int64())
    return pc.add(pc.divide(microseconds.cast(pa.float64()), float(_US_PER_DAY)), float(_DAYS_TO_1970))


def _as_text(values: Values) -> Values:
    if pa.types.is_nested(values.type):
        texts = [None if value is None else str(value) for value in values.to_pylist()]
        return pa.chunked_array([texts], pa.string())
    return pc.utf8_slice_codeunits(values.cast(pa.string()), 0, _LONGEST_TEXT)
