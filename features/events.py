"""Read an event log, map its columns to the contract, and set invalid rows aside with their reason."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from hashlib import sha256
from pathlib import Path

import duckdb
import pyarrow as pa

from features.contract_sql import FUTURE, checked_sql
from features.engine import connect, explained
from features.errors import InputError
from features.feature import quoted
from features.places import LogFile
from features.roll_up import local_time_of
from features.settings import ComputeSettings, EventsSettings
from features.snapshots import Coverage, instant
from features.sources import LOG_FILE, Source, files_of, open_source, suggestion

_UNREADABLE = ("[events]: the log cannot be read", "the message names the place; mend it or leave it out")


@dataclass(frozen=True)
class FileContents:
    """What one file of a log holds.

    Attributes
    ----------
    days
        Local day to its number of valid rows.
    rejected
        Reason to number of rows set aside.
    has_time_of_day
        False where every event is at midnight.
    """

    name: str
    fingerprint: str
    days: dict[date, int]
    rejected: dict[str, int]
    has_time_of_day: bool

    @property
    def is_final(self) -> bool:
        """False where rows lie in the future: they will be valid one day, though the file stays as it is."""
        return FUTURE not in self.rejected


@dataclass(frozen=True)
class LogContents:
    """What all files of a log hold."""

    files: tuple[FileContents, ...]

    @cached_property
    def days(self) -> dict[date, int]:
        """Local day to its number of valid rows."""
        return dict(sorted(sum((Counter(file.days) for file in self.files), Counter[date]()).items()))

    @cached_property
    def rejected(self) -> dict[str, int]:
        """Reason to number of rows set aside."""
        return dict(sorted(sum((Counter(file.rejected) for file in self.files), Counter[str]()).items()))

    @property
    def rows(self) -> int:
        """Valid rows."""
        return sum(self.days.values())

    @property
    def has_time_of_day(self) -> bool:
        """False where every event is at midnight: the log knows days only."""
        return any(file.has_time_of_day for file in self.files)

    def coverage(self, settings: EventsSettings) -> Coverage:
        """Return the days that the log covers.

        Raises
        ------
        InputError
            When no row is valid.
        """
        if not self.days:
            raise InputError(f"the log is empty: 0 rows at {settings.path}", hint="check [events] path and where")
        return Coverage(min(self.days), settings.covered_until or max(self.days) + timedelta(days=1))

    def check(self, settings: EventsSettings) -> None:
        """Refuse an empty log, and one of which too large a share is invalid.

        Raises
        ------
        InputError
            With the counts by reason.
        """
        bad, rows = sum(self.rejected.values()), self.rows
        said = ", ".join(f"{count} x {reason}" for reason, count in self.rejected.items())
        if rows + bad == 0:
            raise InputError(f"the log is empty: 0 rows at {settings.path}", hint="check [events] path and where")
        if rows == 0 or bad / (rows + bad) > settings.max_rejected_share:
            raise InputError(
                f"{bad} of {rows + bad} rows are invalid ({said}), expected at most {settings.max_rejected_share:.1%}",
                hint="look at them in the home's folder rejected/; mend [events.columns], or raise [events] max_rejected_share",
            )


@dataclass(frozen=True)
class EventLog:
    """A log behind the contract: rows stay in their files until somebody asks.

    Attributes
    ----------
    checked_sql
        ``SELECT`` of all rows with the file they are from and ``reason``, null where the row is valid.
    columns
        The contract columns that are mapped.
    zone
        Zone of the local days.
    """

    connection: duckdb.DuckDBPyConnection
    files: tuple[LogFile, ...]
    checked_sql: str
    columns: tuple[str, ...]
    zone: str

    def valid_sql(self, condition: str = "true", *, is_clean: bool = False) -> str:
        """``SELECT`` of the valid rows, in contract columns.

        Parameters
        ----------
        condition
            Which rows; it may also name the file, :data:`LOG_FILE`.
        is_clean
            All these rows are known to be valid, and need not be asked again.
        """
        valid = "true" if is_clean else "reason is null"
        return f"select {', '.join(self.columns)} from ({self.checked_sql}) where {valid} and {condition}"

    def rows_of(self, batch: Sequence[date], contents: LogContents) -> str:
        """``SELECT`` of the valid rows of some days in a row, from the files that hold any."""
        start, end = (instant(day, self.zone).isoformat() for day in (batch[0], batch[-1] + timedelta(days=1)))
        files = [file for file in contents.files if not file.days.keys().isdisjoint(batch)]
        return self.valid_sql(
            f"{among(files)} and event_time >= timestamptz '{start}' and event_time < timestamptz '{end}'",
            is_clean=not any(file.rejected for file in files),
        )

    def to_arrow(self) -> pa.Table:
        """Return all valid rows, in contract columns (for a look at a small log)."""
        return self.connection.sql(self.valid_sql()).to_arrow_table()

    def examine(self, files: Sequence[LogFile]) -> tuple[FileContents, ...]:
        """Count the valid rows of some files by day, and the others by reason.

        Raises
        ------
        InputError
            When a file cannot be read.
        """
        with explained(*_UNREADABLE):
            rows = self.connection.execute(
                f"{counts_sql(f'from ({self.checked_sql}) where {among(files)}', self.zone, by=LOG_FILE)} order by all"
            ).fetchall()
        found: dict[str, list[tuple[str | None, date, int, bool]]] = {}
        for name, *row in rows:
            found.setdefault(name, []).append(tuple(row))
        return tuple(_contents(file, found.get(file.name, [])) for file in files)

    def set_aside(self, files: Sequence[FileContents], folder: Path) -> None:
        """Write the invalid rows of some files as they were read, with the reason: one Parquet file for each that has any."""
        kept = ", ".join(f"cast(raw_{name} as varchar) as {name}" for name in self.columns)
        for file in files:
            place = rejected_of(file.name, folder)
            place.unlink(missing_ok=True)
            if file.rejected:
                folder.mkdir(parents=True, exist_ok=True)
                rows = f"select {kept}, reason from ({self.checked_sql}) where reason is not null and {among([file])}"
                aside = place.with_suffix(".tmp")
                self.connection.execute(f"copy ({rows} order by all) to {quoted(str(aside))} (format parquet)")
                aside.replace(place)


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
    return f"""select {first}reason, cast(local_time as date) as day, count(*) as n,
            coalesce(bool_or(epoch_us(local_time) % 86400000000 <> 0), false) as is_timed
        from (select {first}reason, {local} as local_time {checked}) group by all"""


def rejected_of(name: str, folder: Path) -> Path:
    """Return where the invalid rows of a file of the log are written."""
    return folder / f"{sha256(name.encode()).hexdigest()[:16]}.parquet"


def among(files: Collection[LogFile | FileContents]) -> str:
    """Return the condition that a row is from one of some files."""
    return f"{LOG_FILE} in ({', '.join(quoted(file.name) for file in files)})"


def _contents(file: LogFile, rows: Sequence[tuple[str | None, date, int, bool]]) -> FileContents:
    days = {day: count for reason, day, count, _ in rows if reason is None}
    rejected: dict[str, int] = {}
    for reason, _, count, _ in rows:
        if reason is not None:
            rejected[reason] = rejected.get(reason, 0) + count
    return FileContents(file.name, file.fingerprint, days, rejected, any(timed for *_, timed in rows))


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
    # file statistics leave NaN out, and DuckDB believes them: NaN would pass as being below any bound
    connection.execute("set disabled_optimizers = 'statistics_propagation'")
    source = open_source(connection, found, settings=settings)
    kinds = kinds_of(connection, source, where=settings.where)
    filtered = source.sql + (f" where ({settings.where})" if settings.where else "")
    checked = checked_sql(source.mapping, kinds, source=filtered, zone=zone, known_until=_known_until(settings, zone))
    return EventLog(connection, found, checked, tuple(kinds), zone)


def kinds_of(connection: duckdb.DuckDBPyConnection, source: Source, *, where: str) -> dict[str, str]:
    """Return the type of each mapped expression; where one fails they are asked one by one, so that an error names its column."""
    columns = ", ".join(source.columns)
    with explained(f"[events] where = {where!r}: the log cannot answer it", f"its columns: {columns}"):
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
        what = f"[events.columns] {name} = {_as_written(expression)}: the log has no such column or cannot answer it"
        with explained(what, f"map {name} to a column of the log; {suggestion(expression, source)}"):
            kinds |= _types(connection, source, mapping={name: expression})
    return kinds


def _as_written(expression: str) -> str:
    return expression if expression.startswith('"') else f'"{expression}"'


def _known_until(settings: EventsSettings, zone: str) -> datetime:
    """Return the instant from which on an event lies in the future."""
    return instant(settings.covered_until, zone) if settings.covered_until else datetime.now(UTC) + timedelta(days=1)
