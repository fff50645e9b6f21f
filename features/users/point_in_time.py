"""Read a table of users whose rows are valid from an instant on; invalid rows are rejected with a reason."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import duckdb

from features.log.event_log import kinds_of
from features.log.files import Subject
from features.log.formats import files_of, open_source
from features.log.rejected import refuse_too_many, write_rejected
from features.log.validation import instant_of, present, text_of
from features.settings import ComputeSettings, TableSettings
from features.sql import literal
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
    """

    name: str
    settings: TableSettings
    zone: str
    naive_zone: str = "UTC"
    base: Path = Path()
    trust_undated: bool = False

    def read(self, rejected: Path, compute: ComputeSettings) -> PointInTimeRows:
        """Read it all, and write its invalid rows into a folder.

        Raises
        ------
        InputError
            When it cannot be read, or too much of it is invalid.
        """
        connection = connect(self.naive_zone, compute)
        connection.execute(
            "set disabled_optimizers = 'statistics_propagation'"
        )  # as for the log: NaN is in no statistics
        subject = Subject(self.name, "the table")
        files = files_of(self.settings, self.base, subject=subject)
        source = open_source(connection, files, settings=self.settings, subject=subject)
        kinds = kinds_of(connection, source, where=self.settings.where)
        rows = f"{source.sql} where ({self.settings.where or 'true'})"
        with duckdb_errors(*subject.unreadable):
            connection.execute(f"create table checked as {self._checked(source.mapping, kinds, rows=rows)}")
        found = PointInTimeRows(connection, kinds, self._rejected(connection))
        self._save_rejected(found, rejected)
        self._check(found)
        return found

    def _checked(self, mapping: Mapping[str, str], kinds: Mapping[str, str], *, rows: str) -> str:
        """Return the SELECT of the columns as they were read, ids as text, ``valid_from`` in UTC, and ``reason``."""
        ids = self.settings.ids
        raw = ", ".join(
            f'{present(sql, kinds[name], is_text_wanted=name in ids)} as "raw_{name}"' for name, sql in mapping.items()
        )
        texts = "".join(f", {text_of(f'raw_{name}', kinds[name])} as {name}" for name in ids)
        return f"""select *, case {self._rules(is_dated=VALID_FROM in kinds)} end as reason
            from (select *{texts}, {self._valid_from(kinds)} as valid_from from (select {raw} from {rows}))"""

    def _valid_from(self, kinds: Mapping[str, str]) -> str:
        if VALID_FROM not in kinds:
            return ALWAYS
        found = f"make_timestamp(epoch_us({instant_of('raw_valid_from', kinds[VALID_FROM], zone=self.zone)}))"
        return f"case when raw_valid_from is null then {ALWAYS} else {found} end" if self.trust_undated else found

    def _rules(self, *, is_dated: bool) -> str:
        rules = {f"raw_{name} is null": f"{name} is null" for name in self.settings.ids}
        rules |= {f"{name} is null": f"{name} is unreadable" for name in self.settings.ids}
        if is_dated and not self.trust_undated:
            rules |= {"raw_valid_from is null": "valid_from is null"}
        rules |= {"valid_from is null": "valid_from is unreadable"}
        return " ".join(f"when {condition} then {literal(why)}" for condition, why in rules.items())

    def _rejected(self, connection: duckdb.DuckDBPyConnection) -> dict[str, int]:
        rows = connection.execute("select reason, count(*) from checked where reason is not null group by 1 order by 1")
        return dict(rows.fetchall())

    def _save_rejected(self, found: PointInTimeRows, folder: Path) -> None:
        """Write the invalid rows as they were read, with the reason: the file is there where any is."""
        place = folder / f"{self.name}.parquet"
        if not found.rejected:
            place.unlink(missing_ok=True)
            return
        kept = ", ".join(f'cast("raw_{name}" as varchar) as "{name}"' for name in found.kinds)
        rows = f"select {kept}, reason from checked where reason is not null order by all"
        write_rejected(rows, place, connection=found.connection)

    def _check(self, found: PointInTimeRows) -> None:
        max_share = self.settings.max_rejected_share
        if max_share == 1:  # a table may have no valid row, a log may not
            return
        (valid,) = found.connection.execute("select count(*) from checked where reason is null").fetchall()[0]
        hint = f"inspect them in the home's folder rejected/, or raise [{self.name}] max_rejected_share"
        refuse_too_many(found.rejected, valid, max_share=max_share, section=self.name, hint=hint)


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
