"""How a CSV file is written, and the reader of its texts that follows from it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import msgspec

from features.log.sources.broken_rows import ABSENT, room, with_faults
from features.log.sources.source import hive_options, with_keys
from features.sql import literal


class Dialect(msgspec.Struct, frozen=True):
    """How a CSV file is written.

    Attributes
    ----------
    quote, escape
        Empty: quotes are characters like any other.
    has_mixed_ends
        Some lines end as on Windows, others as on Unix.
    widest
        Fields of its widest row, at least one for each column, where some row has another number of fields than the file has
        columns; 0: none has.
    """

    columns: tuple[str, ...]
    delimiter: str
    quote: str
    escape: str
    skip: int = 0
    has_header: bool = True
    encoding: str = "utf-8"
    has_mixed_ends: bool = False
    widest: int = 0

    def reader(self, files: str, filename: str, *, keys: Collection[str] = ()) -> str:
        """Return the FROM clause that reads files as texts.

        Parameters
        ----------
        files
            SQL list of their names.
        filename
            Column that names the file of a row.
        keys
            Keys of their folders, which are columns too.
        """
        names, more = apart(self.columns), room(self.columns, widest=self.widest)
        kinds = ", ".join(f"{literal(name)}: 'VARCHAR'" for name in (*names, *more))
        options = {
            "header": str(self.has_header).lower(),
            "delim": literal(self.delimiter),
            "quote": literal(self.quote),
            "escape": literal(self.escape),
            "skip": str(self.skip),
            "filename": literal(filename),
            "auto_detect": "false",
            "columns": "{" + kinds + "}",
        }
        if self.encoding != "utf-8":
            options["encoding"] = literal(self.encoding)
        if self.has_mixed_ends:  # the only parser of DuckDB that takes both
            options["strict_mode"] = "false"
        if self.widest:
            options |= {"null_padding": "true", "nullstr": literal(ABSENT), "parallel": str(not self.quote).lower()}
        sql = f"read_csv({files}, {hive_options(())}, {', '.join(f'{name} = {value}' for name, value in options.items())})"
        rows = with_faults(sql, names, more=more, delimiter=self.delimiter) if self.widest else sql
        return with_keys(rows, keys, filename=filename)


def apart(columns: Sequence[str]) -> list[str]:
    """Return names that SQL tells apart: one that differs from an earlier one in case only is numbered, and cannot be mapped."""
    found, seen = list[str](), set[str]()
    for name in columns:
        found.append(f"{name} ({len(found)})" if name.casefold() in seen else name)
        seen.add(found[-1].casefold())
    return found


def same_but_for_case(columns: Sequence[str]) -> Mapping[str, list[str]]:
    """Return the names that differ in case only, under the name in lower case."""
    found: dict[str, list[str]] = {}
    for name in columns:
        found.setdefault(name.casefold(), []).append(name)
    return {key: names for key, names in found.items() if len(names) > 1}
