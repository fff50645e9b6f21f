"""Read an event log, map its columns to the contract, and set invalid rows aside with their reason."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import duckdb
import pyarrow as pa

from features.contract_sql import checked_sql
from features.engine import connect, explained
from features.errors import InputError
from features.feature import quoted
from features.settings import EventsSettings
from features.snapshots import Coverage, instant
from features.sources import Source, files_of, open_source, suggestion


@dataclass(frozen=True)
class EventLog:
    """A log behind the contract: rows stay in their files until somebody asks.

    Attributes
    ----------
    checked_sql
        ``SELECT`` of all rows with ``reason``, null where the row is valid.
    columns
        The contract columns that are mapped.
    rows
        Valid rows.
    rejected
        Reason to number of rows set aside.
    has_time_of_day
        False where every event is at midnight: the log knows days only.
    """

    connection: duckdb.DuckDBPyConnection
    files: tuple[str, ...]
    checked_sql: str
    columns: tuple[str, ...]
    rows: int
    rejected: dict[str, int]
    coverage: Coverage
    has_time_of_day: bool

    @property
    def valid_sql(self) -> str:
        """``SELECT`` of the valid rows, in contract columns."""
        return f"select {', '.join(self.columns)} from ({self.checked_sql}) where reason is null"

    def to_arrow(self) -> pa.Table:
        """Return all valid rows, in contract columns (for a look at a small log)."""
        return self.connection.sql(self.valid_sql).to_arrow_table()


@dataclass(frozen=True)
class _Valid:
    rows: int = 0
    first: date | None = None
    last: date | None = None
    has_time_of_day: bool = False


def open_log(
    settings: EventsSettings, zone: str, *, base: Path | None = None, rejected_to: Path | None = None
) -> EventLog:
    """Open a log, check its mapping against the contract, count what is invalid and set it aside.

    Parameters
    ----------
    settings
        Where it is and how its columns map.
    zone
        Zone of the local days that coverage is counted in.
    base
        Folder that a relative path starts from; default: the current one.
    rejected_to
        Parquet file for the rows set aside, as they were read, with the reason; absent where there are none.

    Raises
    ------
    InputError
        When nothing is there, a file cannot be read, a column is missing, no row is valid, or too many are not.
    """
    files = files_of(settings, base or Path())
    connection = connect(settings.timezone)
    # file statistics leave NaN out, and DuckDB believes them: NaN would pass as being below any bound
    connection.execute("set disabled_optimizers = 'statistics_propagation'")
    source = open_source(connection, files, settings=settings)
    kinds = _kinds(connection, source, where=settings.where)
    filtered = source.sql + (f" where ({settings.where})" if settings.where else "")
    checked = checked_sql(source.mapping, kinds, source=filtered, zone=zone, known_until=_known_until(settings, zone))
    valid, rejected = _count(connection, checked, zone=zone)
    if rejected_to:
        rejected_to.unlink(missing_ok=True)
    if rejected_to and rejected:
        _set_aside(connection, checked, columns=tuple(kinds), path=rejected_to)
    refuse_a_bad_log(valid.rows, rejected, settings=settings)
    coverage = _coverage(valid, settings)
    return EventLog(connection, files, checked, tuple(kinds), valid.rows, rejected, coverage, valid.has_time_of_day)


def _kinds(connection: duckdb.DuckDBPyConnection, source: Source, *, where: str) -> dict[str, str]:
    """Return the type of each mapped expression, asked one by one so that an error names its column."""
    columns = ", ".join(source.columns)
    with explained(f"[events] where = {where!r}: the log cannot answer it", f"its columns: {columns}"):
        connection.sql(f"select 1 from {source.sql} where ({where or 'true'}) limit 0").fetchall()
    kinds: dict[str, str] = {}
    for name, expression in source.mapping.items():
        what = f"[events.columns] {name} = {_as_written(expression)}: the log has no such column or cannot answer it"
        with explained(what, f"map {name} to a column of the log; {suggestion(expression, source)}"):
            kinds[name] = str(connection.sql(f"select ({expression}) from {source.sql} limit 0").types[0])
    return kinds


def _as_written(expression: str) -> str:
    return expression if expression.startswith('"') else f'"{expression}"'


def _known_until(settings: EventsSettings, zone: str) -> datetime:
    """Return the instant from which on an event lies in the future."""
    return instant(settings.covered_until, zone) if settings.covered_until else datetime.now(UTC) + timedelta(days=1)


def _count(connection: duckdb.DuckDBPyConnection, checked: str, *, zone: str) -> tuple[_Valid, dict[str, int]]:
    """Count valid rows with their first and last local day, and the others by reason."""
    local = f"case when reason is null then timezone({quoted(zone)}, event_time) end"
    with explained("[events]: the log cannot be read", "the message names the place; mend it or leave it out"):
        rows = connection.execute(
            f"""select reason, count(*), cast(min(local_time) as date), cast(max(local_time) as date),
                coalesce(bool_or(local_time <> date_trunc('day', local_time)), false)
            from (select reason, {local} as local_time from ({checked})) group by 1 order by 1"""
        ).fetchall()
    valid = next((_Valid(*row[1:]) for row in rows if row[0] is None), _Valid())
    return valid, {str(row[0]): row[1] for row in rows if row[0] is not None}


def _set_aside(connection: duckdb.DuckDBPyConnection, checked: str, *, columns: tuple[str, ...], path: Path) -> None:
    """Write the invalid rows as they were read, with the reason."""
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_suffix(".tmp")
    kept = ", ".join(f"cast(raw_{name} as varchar) as {name}" for name in columns)
    rows = f"select {kept}, reason from ({checked}) where reason is not null order by all"
    connection.execute(f"copy ({rows}) to {quoted(str(aside))} (format parquet)")
    aside.replace(path)


def refuse_a_bad_log(rows: int, rejected: dict[str, int], *, settings: EventsSettings) -> None:
    """Refuse an empty log, and one of which too large a share is invalid.

    Raises
    ------
    InputError
        With the counts by reason.
    """
    bad = sum(rejected.values())
    said = ", ".join(f"{count} x {reason}" for reason, count in rejected.items())
    if rows + bad == 0:
        raise InputError(f"the log is empty: 0 rows at {settings.path}", hint="check [events] path and where")
    if rows == 0 or bad / (rows + bad) > settings.max_rejected_share:
        raise InputError(
            f"{bad} of {rows + bad} rows are invalid ({said}), expected at most {settings.max_rejected_share:.1%}",
            hint="look at them in the home's folder rejected/; mend [events.columns], or raise [events] max_rejected_share",
        )


def _coverage(valid: _Valid, settings: EventsSettings) -> Coverage:
    if valid.first is None or valid.last is None:
        raise InputError(f"the log has no readable times at {settings.path}", hint="check [events.columns] event_time")
    return Coverage(valid.first, settings.covered_until or valid.last + timedelta(days=1))
