"""Read an event log, map its columns to the contract, and reject invalid rows with a reason."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import duckdb
import pyarrow as pa

from features.log.files import LOG, LogFile
from features.log.formats import LOG_FILE, Source, files_of, open_source, suggestion
from features.log.inventory import FileInventory, LogInventory
from features.log.rejected import rejected_of, write_by_file
from features.log.validation import checked_sql
from features.settings import ComputeSettings, EventsSettings
from features.snapshots import instant
from features.sql import literal, local_time_of
from features.storage.duckdb import connect, duckdb_errors


@dataclass(frozen=True)
class EventLog:
    """A log mapped to the contract: rows stay in their files until they are queried.

    Attributes
    ----------
    source
        Its files as one relation, and the mapping.
    where
        SQL condition over the log's own columns; empty: all rows.
    kinds
        Each contract column that is mapped, with the type that all files together give it.
    zone
        Zone of the local days.
    known_until
        UTC instant from which on an event is in the future.
    """

    connection: duckdb.DuckDBPyConnection
    files: tuple[LogFile, ...]
    source: Source
    where: str
    kinds: dict[str, str]
    zone: str
    known_until: datetime

    @property
    def columns(self) -> tuple[str, ...]:
        """The contract columns that are mapped."""
        return tuple(self.kinds)

    @property
    def checked_sql(self) -> str:
        """``SELECT`` of all rows with the file they are from and ``reason``, null where the row is valid."""
        return self.checked_over(self.source.sql)

    def checked_over(self, relation: str) -> str:
        """Return :attr:`checked_sql` over another relation of the log's own columns."""
        rows = relation + (f" where ({self.where})" if self.where else "")
        return checked_sql(self.source.mapping, self.kinds, source=rows, zone=self.zone, known_until=self.known_until)

    def valid_sql(self, condition: str = "true", *, is_clean: bool = False) -> str:
        """``SELECT`` of the valid rows, in contract columns.

        Parameters
        ----------
        condition
            Which rows; it may also name the file, :data:`LOG_FILE`.
        is_clean
            All these rows are known to be valid and need no check.
        """
        valid = "true" if is_clean else "reason is null"
        return f"select {', '.join(self.columns)} from ({self.checked_sql}) where {valid} and {condition}"

    def rows_of(self, batch: Sequence[date], inventory: LogInventory) -> str:
        """``SELECT`` of the valid rows of some days in a row, from the files that hold any."""
        days = set(batch)
        files = [file for file in inventory.files if not file.days.keys().isdisjoint(days)]
        condition = among(self._names(files))
        if not all(file.days.keys() <= days for file in files):
            condition += f" and {self._is_between(batch[0], batch[-1])}"
        return self.valid_sql(condition, is_clean=not any(file.rejected for file in files))

    def _is_between(self, first: date, last: date) -> str:
        """Return the condition on the local day: rows are pruned by instants, and the calendar is used only near the edges."""
        day = timedelta(days=1)
        local_day = f"cast({local_time_of('event_time', self.zone)} as date)"
        near, inside = _instants(first - day, last + 2 * day), _instants(first + day, last)
        return f"{near} and case when {inside} then true else {local_day} between date '{first}' and date '{last}' end"

    def to_arrow(self) -> pa.Table:
        """Return all valid rows, in contract columns (for a look at a small log)."""
        return self.connection.sql(self.valid_sql()).to_arrow_table()

    def examine(self, files: Sequence[LogFile]) -> tuple[FileInventory, ...]:
        """Count the valid rows of some files by day, and the others by reason.

        Raises
        ------
        InputError
            When a file cannot be read.
        """
        checked = f"from ({self.checked_sql}) where {among([file.name for file in files])}"
        with duckdb_errors(*LOG.unreadable):
            query = f"{counts_sql(checked, self.zone, by=LOG_FILE)} order by all"
            rows = self.connection.execute(query).fetchall()
        found: dict[str, list[tuple[str | None, date, int, bool]]] = {}
        for name, *row in rows:
            found.setdefault(name, []).append(tuple(row))
        return tuple(_inventory(file, found.get(file.name, [])) for file in files)

    def save_rejected(self, files: Sequence[FileInventory], folder: Path) -> None:
        """Write the invalid rows of some files as they were read, with the reason: one Parquet file for each that has any."""
        for file in files:
            if not file.rejected:
                rejected_of(file.name, folder).unlink(missing_ok=True)
        if bad := [file for file in files if file.rejected]:
            kept = ", ".join(f"cast(raw_{name} as varchar) as {name}" for name in self.columns)
            rows = (
                f"select {LOG_FILE}, {kept}, reason from ({self.checked_sql}) "
                f"where reason is not null and {among(self._names(bad))}"
            )
            places = {file.name: rejected_of(file.key, folder) for file in self.files}
            write_by_file(rows, places, by=LOG_FILE, connection=self.connection)

    def _names(self, files: Collection[FileInventory]) -> list[str]:
        """Return the names under which files are read just now."""
        named = {file.key: file.name for file in self.files}
        return [named[file.name] for file in files]


def counts_sql(checked: str, zone: str, *, by: str = "") -> str:
    """Return the SELECT of ``reason, day, n, is_timed`` over checked rows: valid ones by day, the others by reason.

    Parameters
    ----------
    checked
        FROM clause of the rows, with what limits them.
    by
        A column to count them by too, which comes first.
    """
    first = f"{by}, " if by else ""
    local = f"case when reason is null then {local_time_of('event_time', zone)} end"
    counted = f"""select {first}reason, cast(local_time as date) as day, count(*) as n,
            min(local_time) as earliest, max(local_time) as latest
        from (select {first}reason, {local} as local_time {checked}) group by all"""
    starts = _start_of("day", zone)
    return f"""select {first}reason, day, n, coalesce(earliest <> {starts} or latest <> {starts}, false) as is_timed
        from ({counted})"""


def _start_of(day: str, zone: str) -> str:
    """Return the local time at which a day starts: where clocks skip midnight, a date means the hour after it."""
    midnight = f"cast({day} as timestamp)"
    return midnight if zone == "UTC" else local_time_of(f"timezone({literal(zone)}, {midnight})", zone)


def _instants(start: date, end: date) -> str:
    """Return the condition that an event is between two days, which are those of UTC: a local day is within a day of them."""
    return f"event_time >= timestamptz '{start} 00:00:00+00' and event_time < timestamptz '{end} 00:00:00+00'"


def among(names: Collection[str]) -> str:
    """Return the condition that a row is from one of some files, by the names under which they are read."""
    return f"{LOG_FILE} in ({', '.join(map(literal, names))})"


def _inventory(file: LogFile, rows: Sequence[tuple[str | None, date, int, bool]]) -> FileInventory:
    days = {day: count for reason, day, count, _ in rows if reason is None}
    rejected: dict[str, int] = {}
    for reason, _, count, _ in rows:
        if reason is not None:
            rejected[reason] = rejected.get(reason, 0) + count
    return FileInventory(file.key, file.fingerprint, days, rejected, any(timed for *_, timed in rows))


def open_log(
    settings: EventsSettings,
    zone: str,
    *,
    files: Sequence[LogFile] = (),
    base: Path | None = None,
    compute: ComputeSettings | None = None,
) -> EventLog:
    """Open a log and check its mapping against the contract; nothing but its header is read yet.

    Parameters
    ----------
    settings
        Where it is and how its columns map.
    zone
        Zone of the local days that coverage is counted in.
    files
        Its files, where they are known already.
    base
        Folder that a relative path starts from; default: the current one.

    Raises
    ------
    InputError
        When nothing is there, a file cannot be read, or a column is missing.
    """
    found = tuple(files) or files_of(settings, base or Path())
    connection = connect(settings.timezone, compute)
    # file statistics ignore NaN, and DuckDB trusts them: NaN would pass as being below any bound
    connection.execute("set disabled_optimizers = 'statistics_propagation'")
    source = open_source(connection, found, settings=settings)
    kinds = kinds_of(connection, source, where=settings.where)
    return EventLog(connection, found, source, settings.where, kinds, zone, _known_until(settings, zone))


def kinds_of(connection: duckdb.DuckDBPyConnection, source: Source, *, where: str) -> dict[str, str]:
    """Return the type of each mapped expression; where one fails they are bound one by one, so that an error names its column."""
    columns, of = ", ".join(source.columns), source.subject
    with duckdb_errors(f"[{of.section}] where = {where!r}: {of.noun} cannot answer it", f"its columns: {columns}"):
        connection.sql(f"select 1 from {source.sql} where ({where or 'true'}) limit 0").fetchall()
    try:
        return _types(connection, source, mapping=source.mapping)
    except duckdb.Error:
        return _types_one_by_one(connection, source)


def _types(connection: duckdb.DuckDBPyConnection, source: Source, *, mapping: Mapping[str, str]) -> dict[str, str]:
    expressions = ", ".join(f"({expression})" for expression in mapping.values())
    types = connection.sql(f"select {expressions} from {source.sql} limit 0").types
    return dict(zip(mapping, map(str, types), strict=True))


def _types_one_by_one(connection: duckdb.DuckDBPyConnection, source: Source) -> dict[str, str]:
    kinds: dict[str, str] = {}
    for name, expression in source.mapping.items():
        written, noun = f"[{source.subject.section}.columns] {name} = {_as_written(expression)}", source.subject.noun
        what = f"{written}: {noun} has no such column or cannot answer it"
        with duckdb_errors(what, f"map {name} to a column of {noun}; {suggestion(expression, source)}"):
            kinds |= _types(connection, source, mapping={name: expression})
    return kinds


def _as_written(expression: str) -> str:
    return expression if expression.startswith('"') else f'"{expression}"'


def _known_until(settings: EventsSettings, zone: str) -> datetime:
    """Return the instant from which on an event is in the future."""
    return instant(settings.covered_until, zone) if settings.covered_until else datetime.now(UTC) + timedelta(days=1)
