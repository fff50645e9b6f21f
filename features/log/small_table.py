"""Read a small table whole, such as costs: a row that cannot be read stops the run, since a sum without it would be wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import duckdb

from features.errors import InputError
from features.log.files import Subject
from features.log.formats import Mapped, files_of
from features.log.sources.binding import Texts
from features.log.sources.broken_rows import FAULT
from features.log.sources.mapping import Mapper
from features.log.sources.source import LOG_ROW, Source
from features.log.sources.times import EARLIEST, instant_of
from features.log.sources.values import text_of
from features.log.validation import present_rows
from features.storage.duckdb import connect, duckdb_errors

Kind = Literal["text", "number", "day"]
_WANTED: Mapping[Kind, str] = {"text": "a text", "number": "a number", "day": "a date, or a month such as 2026-03"}


@dataclass(frozen=True)
class SmallTable:
    """A table and what its columns hold.

    Attributes
    ----------
    section
        Of its settings.
    kinds
        Column to what it holds. A column that is not mapped is absent from the rows.
    optional
        Columns whose values may be absent.
    """

    section: str
    settings: Mapped
    kinds: Mapping[str, Kind]
    optional: frozenset[str] = frozenset()

    def read(self, base: Path) -> list[dict[str, Any]]:
        """Return its rows, sorted.

        Parameters
        ----------
        base
            Folder that a relative path starts from.

        Raises
        ------
        InputError
            When it cannot be read, or a value is absent or not what it should be.
        """
        subject, connection = Subject(self.section, "the table"), connect("UTC")
        sources = Mapper(connection, self.settings, subject=subject).sources(
            files_of(self.settings, base, subject=subject)
        )
        names = list(sources[0].mapping)
        with duckdb_errors(*subject.unreadable):
            self._refuse_broken_rows(connection, [source for source in sources if source.row_text])
            connection.execute(f"create table read as {' union all '.join(map(self._values, sources))}")
        for name in names:
            absent = f" and shown_{name} is not null" if name in self.optional else ""
            bad = connection.execute(
                f"select shown_{name} from read where {name} is null{absent} order by all limit 1"
            ).fetchall()
            if bad:
                raise self._unreadable(name, bad[0][0])
        rows = connection.execute(f"select {', '.join(names)} from read order by all").fetchall()
        return [dict(zip(names, row, strict=True)) for row in rows]

    def _refuse_broken_rows(self, connection: duckdb.DuckDBPyConnection, sources: Sequence[Source]) -> None:
        for name, one in ((name, source.of_file(name)) for source in sources for name in source.files):
            broken = f"select {LOG_ROW}, {FAULT} from {one.sql} where {FAULT} is not null"
            if found := connection.execute(f"{broken} limit 1").fetchall():
                ((row, why),) = found
                what = f"[{self.section}]: {name}, row {row}: {why}"
                raise InputError(what, hint="fix the row; a value that holds the delimiter must be in quotes")

    def _values(self, source: Source) -> str:
        values = ", ".join(
            f"{self._value(name, one.kind, reading=source.reading)} as {name}, cast(shown_{name} as varchar) as shown_{name}"
            for name, one in source.mapping.items()
        )
        return f"select {values} from {present_rows(source)}"

    def _value(self, name: str, kind: str, *, reading: Texts) -> str:
        raw = f"raw_{name}"
        match self.kinds[name]:
            case "text":
                return text_of(raw, kind)
            case "number":
                number = f"try_cast({reading.number_of(raw, kind)} as double)"
                return f"case when isfinite({number}) then {number} end"
            case "day":
                is_month = f"regexp_full_match(trim({raw}), '\\d{{4}}-\\d\\d')"
                whole = f"case when {is_month} then trim({raw}) || '-01' else {raw} end" if kind == "VARCHAR" else raw
                day = f"cast(timezone('UTC', {instant_of(whole, kind, zone='UTC')}) as date)"
                return f"case when {day} >= date '{EARLIEST}' then {day} end"

    def _unreadable(self, name: str, value: str | None) -> InputError:
        got = "nothing" if value is None else f'"{value}"'
        return InputError(
            f"[{self.section}] {name}: got {got}, expected {_WANTED[self.kinds[name]]} in every row",
            hint=f"fix the row, exclude it with [{self.section}] where, or change the expression of {name}",
        )
