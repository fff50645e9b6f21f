"""A table as CSV that a spreadsheet opens without harm, and as Parquet for machines."""

from __future__ import annotations

import codecs
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

_FORMULA = (
    r"^([=+\-@\t\r\n\x00\x{FF1D}\x{FF0B}\x{FF0D}\x{FF20}])"  # RE2: ^ is the start of the text; full-width signs last
)
_PHONE = r"^[+\-][0-9][0-9 ().\-]*$"  # a number with a sign, a telephone number: a spreadsheet subtracts at worst


def write_parquet(table: pa.Table, path: Path) -> None:
    """Write a table as Parquet, compressed with zstd; the same table gives the same bytes."""
    pq.write_table(table, path, compression="zstd")


def write_csv(table: pa.Table, path: Path) -> None:
    """Write a table as CSV for people: UTF-8 with a byte order mark, by which Excel knows it, and no text that runs as a formula.

    Text is always quoted, so that commas, quotes and line feeds inside it are safe; a missing value is an empty cell without
    quotes. Lines end with a line feed. The same table gives the same bytes.
    """
    with path.open("wb") as file:
        file.write(codecs.BOM_UTF8)
        pacsv.write_csv(escape_formulas(_with_plain_texts(table)), file)


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


def _with_plain_texts(table: pa.Table) -> pa.Table:
    """Write out the texts of dictionaries, in which text could hide, and escape the names of columns as well."""
    for index, field in enumerate(table.schema):
        if pa.types.is_dictionary(field.type):
            table = table.set_column(index, field.name, table.column(index).cast(field.type.value_type))
    names: Any = escaped(pa.chunked_array([table.column_names], pa.string())).to_pylist()
    return table.rename_columns(names)
