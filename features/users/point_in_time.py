"""Read a table of users whose rows are valid from an instant on; invalid rows are rejected with a reason."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb

from features.expressions import NUMBER
from features.log.event_log import DISABLED_OPTIMIZERS
from features.log.files import Subject
from features.log.formats import files_of
from features.log.rejected import refuse_too_many, write_rejected
from features.log.sources.binding import Bound, Texts
from features.log.sources.mapping import Mapper
from features.log.sources.source import Source
from features.log.sources.times import EARLIEST, instant_of
from features.log.sources.values import id_of, text_of
from features.log.validation import NULLS, failures, is_number_text, present_rows, reason_of
from features.settings import ComputeSettings, TableSettings
from features.storage.duckdb import connect, duckdb_errors

VALID_FROM = "valid_from"
ALWAYS = "timestamp '0001-01-01'"  # from when a row without a date is valid, where such rows are trusted


@dataclass(frozen=True)
class PointInTimeTable:
    """A table and how it is read.

    Attributes
    ----------
    name
        Its section.
    zone, naive_zone
        Zone in which a date starts, and zone of timestamps that carry none.
    trust_undated
        Rows without a date are always valid.
    kept_as_text
        Columns that may hold ids: numbers of each are also kept as text, ``text_*``, as a double rounds large ones.
    """

    name: str
    settings: TableSettings
    zone: str
    naive_zone: str = "UTC"
    base: Path = Path()
    trust_undated: bool = False
    kept_as_text: tuple[str, ...] = ()

    def read(self, rejected: Path, compute: ComputeSettings) -> PointInTimeRows:
        """Read it all, and write its invalid rows into a folder.

        Raises
        ------
        InputError
            When it cannot be read, or too much of it is invalid.
        """
        connection = connect(self.naive_zone, compute)
        connection.execute(f"set disabled_optimizers = '{DISABLED_OPTIMIZERS}'")
        subject = Subject(self.name, "the table")
        files = files_of(self.settings, self.base, subject=subject)
        sources = Mapper(connection, self.settings, self.zone, subject).sources(files)
        with duckdb_errors(*subject.unreadable):
            kinds = self._kinds(connection, sources)
            checked = " union all ".join(self._checked(source, kinds) for source in sources)
            connection.execute(f"create table checked as {checked}")
        found = PointInTimeRows(connection, kinds, self._rejected(connection))
        self._save_rejected(found, rejected)
        self._check(found)
        return found

    def _kinds(self, connection: duckdb.DuckDBPyConnection, sources: Sequence[Source]) -> dict[str, str]:
        """Return the type of each column: a number where all values of all files are, else text, else what DuckDB read."""
        found: dict[str, str] = {}
        for name in sources[0].mapping:
            kinds = {source.mapping[name].kind for source in sources}
            if name in (*self.settings.ids, VALID_FROM) or not all(_is_plain(kind) for kind in kinds):
                found[name] = next((kind for kind in sorted(kinds) if not _is_plain(kind)), "VARCHAR")
                continue
            texts = [source for source in sources if source.mapping[name].kind == "VARCHAR"]
            are_numbers = all(NUMBER.fullmatch(kind) for kind in kinds - {"VARCHAR"})
            are_numbers = are_numbers and (not texts or _hold_numbers(connection, texts, name=name))
            found[name] = "DOUBLE" if are_numbers else "VARCHAR"
        return found

    def _checked(self, source: Source, kinds: Mapping[str, str]) -> str:
        """Return the SELECT of the columns as they were read, ids as text, ``valid_from`` in UTC, and ``reason``."""
        ids, mapping = self.settings.ids, source.mapping
        texts = "".join(f", {id_of(f'raw_{name}', mapping[name].kind)} as {name}" for name in ids)
        values = ", ".join(
            f"{_as_kind(f'raw_{name}', one.kind, wanted=kinds[name], reading=source.reading)} as raw_{name}"
            for name, one in mapping.items()
            if name not in (*ids, VALID_FROM)
        )
        replaced = f" replace ({values})" if values else ""
        shown = ", ".join(f"shown_{name}" for name in mapping)
        columns = ", ".join(f"raw_{name}" for name in mapping if name not in (*ids, VALID_FROM))
        kept = [name for name in self.kept_as_text if name in mapping]
        texts += "".join(f", {id_of(f'raw_{name}', mapping[name].kind)} as text_{name}" for name in kept)
        columns += "".join(f", text_{name}" for name in kept)
        reason = reason_of(source, self._rules(source).items())
        return f"""select {shown}, {", ".join(ids)}, valid_from, reason{", " if columns else ""}{columns} from (select *{replaced} from
            (select *, {reason} as reason from (select *{texts}, {self._valid_from(mapping)} as valid_from
                from {present_rows(source, ids=ids)})))"""

    def _valid_from(self, mapping: Mapping[str, Bound]) -> str:
        if VALID_FROM not in mapping:
            return ALWAYS
        found = f"make_timestamp(epoch_us({instant_of('raw_valid_from', mapping[VALID_FROM].kind, zone=self.zone)}))"
        return f"case when raw_valid_from is null then {ALWAYS} else {found} end" if self.trust_undated else found

    def _rules(self, source: Source) -> dict[str, str]:
        mapping = source.mapping
        rules = dict(failures(source))
        rules |= {f"raw_{name} is null": f"{name} is null" for name in self.settings.ids}
        rules |= {
            f"{name} in ({NULLS})": f"{name} is a word for no value"
            for name in self.settings.ids
            if mapping[name].kind == "VARCHAR"
        }
        rules |= {f"{name} is null": f"{name} is unreadable" for name in self.settings.ids}
        if VALID_FROM in mapping and not self.trust_undated:
            rules |= {"raw_valid_from is null": "valid_from is null"}
        rules |= {"valid_from is null": "valid_from is unreadable"}
        if VALID_FROM in mapping:  # it would be known at every cutoff; that day begins a day earlier east of Greenwich
            is_early = f"valid_from < date '{EARLIEST}' - interval 1 day"
            rules |= {f"{is_early} and raw_valid_from is not null": "valid_from is absurd"}
        return rules

    def _rejected(self, connection: duckdb.DuckDBPyConnection) -> dict[str, int]:
        rows = connection.execute("select reason, count(*) from checked where reason is not null group by 1 order by 1")
        return dict(rows.fetchall())

    def _save_rejected(self, found: PointInTimeRows, folder: Path) -> None:
        """Write the invalid rows as they were read, with the reason: the file is there where any is."""
        place = folder / f"{self.name}.parquet"
        if not found.rejected:
            place.unlink(missing_ok=True)
            return
        kept = ", ".join(f'shown_{name} as "{name}"' for name in found.kinds)
        rows = f"select {kept}, reason from checked where reason is not null order by all"
        write_rejected(rows, place, connection=found.connection)

    def _check(self, found: PointInTimeRows) -> None:
        max_share = self.settings.max_rejected_share
        if max_share == 1:  # a table may have no valid row, a log may not
            return
        (valid,) = found.connection.execute("select count(*) from checked where reason is null").fetchall()[0]
        hint = f"inspect them in the home's folder rejected/, or raise [{self.name}] max_rejected_share"
        refuse_too_many(found.rejected, valid, max_share=max_share, section=self.name, hint=hint)


def _is_plain(kind: str) -> bool:
    return kind in ("VARCHAR", "UUID") or kind.startswith("ENUM") or NUMBER.fullmatch(kind) is not None


def _as_kind(raw: str, kind: str, *, wanted: str, reading: Texts) -> str:
    """Return a value in the type that all files together give its column."""
    if wanted == "DOUBLE":
        return f"try_cast({reading.number_of(raw, kind)} as double)"
    return text_of(raw, kind) if wanted == "VARCHAR" else raw


def _hold_numbers(connection: duckdb.DuckDBPyConnection, sources: Sequence[Source], *, name: str) -> bool:
    """Tell whether all texts of a column, in all files, are numbers written in one way: of 1.9 and 1.10, the second is a version."""
    raw = f"raw_{name}"
    values_of_all = " union all ".join(
        f"select {source.reading.plain_number(raw)} as {raw} from {source.rows}" for source in sources
    )
    decimals = f"strlen(regexp_extract({raw}, '\\.(\\d*)$', 1))"
    rows = connection.execute(
        f"""select count(*), bool_and({is_number_text(raw)}), count(distinct {decimals}) filter ({decimals} > 0),
            coalesce(bool_or({decimals} > 0 and ends_with({raw}, '0')), false)
        from ({values_of_all}) where {raw} <> ''"""
    ).fetchall()
    values, are_numbers, ways, has_zeros = rows[0]
    return bool(values and are_numbers and (ways <= 1 or not has_zeros))


@dataclass(frozen=True)
class PointInTimeRows:
    """A table that was read.

    Attributes
    ----------
    connection
        Holds ``checked``: ``raw_*``, the ids, ``valid_from`` (UTC, naive) and ``reason``, null where the row is valid.
    kinds
        Column to the DuckDB type of its expression.
    rejected
        Reason to number of rejected rows.
    """

    connection: duckdb.DuckDBPyConnection
    kinds: dict[str, str]
    rejected: dict[str, int]

    def move(self, sql: str, to: duckdb.DuckDBPyConnection, *, name: str) -> None:
        """Stream the rows of a query into a table of another connection."""
        to.register("arriving", self.connection.sql(sql).to_arrow_reader())
        to.execute(f"create or replace table {name} as select * from arriving")
        to.unregister("arriving")
