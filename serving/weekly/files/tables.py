"""A table as CSV that a spreadsheet opens without harm, and as Parquet for machines."""

from __future__ import annotations

import codecs
import csv
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from features.log.sources.values import FLOATS

_FORMULA = (
    r"^([=+\-@\t\r\n\x00\x{FF1D}\x{FF0B}\x{FF0D}\x{FF20}])"  # RE2: ^ is the start of the text; full-width signs last
)
_PHONE = r"^[+\-][0-9][0-9 ().\-]*$"  # a number with a sign, a telephone number: a spreadsheet subtracts at worst
_COMMA: Any = ","
_QUOTE: Any = '"'
_NOTHING: Any = ""
_ROWS_AT_ONCE = 10_000
_LONGEST_FIELD = 2**31 - 1  # characters; a C long holds it on every system


def write_parquet(table: pa.Table, path: Path) -> None:
    """Write a table as Parquet, compressed with zstd; the same table gives the same bytes."""
    pq.write_table(table, path, compression="zstd")


def write_csv(table: pa.Table, path: Path) -> None:
    """Write a table as CSV for people: UTF-8 with a byte order mark, by which Excel knows it, and no text that runs as a formula.

    Text is always quoted, so that commas, quotes and line feeds inside it are safe; a missing value is an empty cell without
    quotes. Lines end with a line feed. The same table gives the same bytes. Numbers are written as :func:`as_texts` says.
    """
    safe = escape_formulas(_with_plain_texts(table))
    with path.open("wb") as file:
        file.write(codecs.BOM_UTF8)
        for line in _lines(safe):
            file.write(f"{line}\n".encode())


def read_csv(lines: Iterable[str]) -> Iterator[list[str]]:
    """Read the rows of a CSV file, header included, however long a text is; Python refuses more than 131,072 characters by default."""
    csv.field_size_limit(_LONGEST_FIELD)
    return csv.reader(lines)


def as_texts(values: pa.ChunkedArray[Any]) -> pa.ChunkedArray[Any]:
    """Write values as texts, whole numbers below 2^53 with all their digits: 12025550123, such as a telephone number, not 1.2e+10."""
    texts = values.cast(pa.string())
    if not pa.types.is_float64(values.type):
        return texts
    is_exact = pc.and_(pc.equal(values, pc.trunc(values)), pc.less(pc.abs(values), pa.scalar(float(FLOATS["DOUBLE"]))))
    is_shortened = pc.and_(pc.match_substring(texts, "e"), is_exact)
    digits: Any = pc.if_else(is_shortened, values, pa.scalar(None, pa.float64())).cast(pa.int64()).cast(pa.string())
    return pc.if_else(is_shortened, digits, texts)


def escape_formulas(table: pa.Table) -> pa.Table:
    """Put an apostrophe before text that a spreadsheet would run as a formula; numbers stay numbers.

    Notes
    -----
    Source: OWASP ASVS 5, requirement 1.2.10, and CWE-1236. Line feeds and full-width signs are a caution of our own.
    """
    for index, field in enumerate(table.schema):
        if is_text(field.type):
            table = table.set_column(index, field, escaped(table.column(index)))
    return table


def escaped(column: pa.ChunkedArray[Any], *, spares_phones: bool = False) -> pa.ChunkedArray[Any]:
    """Put an apostrophe before the texts of a column that would run as a formula.

    Parameters
    ----------
    spares_phones
        Leave ``+442071838750`` and ``-3`` as they are: harmless, and a tool needs them without the apostrophe.
    """
    found = pc.replace_substring_regex(column, _FORMULA, r"'\1")
    return pc.if_else(pc.match_substring_regex(column, _PHONE), column, found) if spares_phones else found


def is_text(kind: pa.DataType) -> bool:
    """Tell whether the values of a type are text."""
    return pa.types.is_string(kind) or pa.types.is_large_string(kind)


def _lines(table: pa.Table) -> Iterator[str]:
    names: Any = _quoted(pa.chunked_array([table.column_names], pa.string())).to_pylist()
    yield ",".join(names)
    for start in range(0, table.num_rows, _ROWS_AT_ONCE):
        part = table.slice(start, _ROWS_AT_ONCE).combine_chunks()
        cells = [_quoted(column) if is_text(column.type) else as_texts(column) for column in part.columns]
        lines: Any = pc.binary_join_element_wise(*cells, _COMMA, null_handling="replace", null_replacement="")
        yield from lines.to_pylist()


def _quoted(texts: pa.ChunkedArray[Any]) -> pa.ChunkedArray[Any]:
    doubled = pc.replace_substring(texts.cast(pa.string()), '"', '""')
    return pc.binary_join_element_wise(_QUOTE, doubled, _QUOTE, _NOTHING)


def _with_plain_texts(table: pa.Table) -> pa.Table:
    """Write out the texts of dictionaries, in which text could hide, and escape the names of columns as well."""
    for index, field in enumerate(table.schema):
        if pa.types.is_dictionary(field.type):
            table = table.set_column(index, field.name, table.column(index).cast(field.type.value_type))
    names: Any = escaped(pa.chunked_array([table.column_names], pa.string())).to_pylist()
    return table.rename_columns(names)
