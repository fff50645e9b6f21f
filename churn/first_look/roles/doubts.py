"""What speaks against a reading, as notes, and which columns are not read."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from churn.first_look.evidence.columns import Column, percent
from churn.first_look.evidence.names import is_arrival, is_event_time, is_other_time
from churn.first_look.evidence.table import LogTable
from churn.first_look.evidence.times import TimeReading, column_name
from churn.first_look.roles.moments import is_time_of_day, says_the_same
from churn.results.first_look import Finding
from features.sql import literal

_FULL, _MUCH, _FEW_ROWS = 0.95, 0.3, 20


def doubts_of_users(user: Finding | None, columns: Sequence[Column], table: LogTable) -> list[str]:
    """Return what may be wrong with who did it: one value in very many rows, e-mails that differ in case only."""
    column = next((one for one in columns if user and one.name in user.columns), None)
    if column is None or column.rows < _FEW_ROWS or not column.values:
        return []
    who, name = table.column(column.name), column_name(column.name, table)
    most, folded = table.numbers(
        f"count(*) filter ({who} = {literal(column.values[0])})", f"count(distinct lower({who}))"
    )
    notes: list[str] = []
    if most > _MUCH * column.filled:
        notes.append(f"one value of {name} has {percent(most, column.filled)} of the rows: it may stand for nobody")
    if folded < column.distinct and column.share("email") > _MUCH:
        notes.append(
            f"{name} has {column.distinct:,} users, and {folded:,} where capitals do not count: "
            f"if they do not, user_id = lower({name})"
        )
    return notes


def doubts_of_times(
    reading: TimeReading | None,
    found: Mapping[str, Finding],
    columns: Sequence[Column],
    readings: Mapping[str, Sequence[TimeReading]],
    table: LogTable,
) -> list[str]:
    """Return which columns hold dates or times of day and are not read."""
    if reading is None:
        return []
    taken = {name for one in found.values() for name in one.columns}
    left = [one for one in columns if one.name not in taken and one.filled_share >= _FULL]
    named = [one for one in left if not one.is_whole or is_event_time(one.normal) or is_other_time(one.normal)]
    dated = [
        one for one in named if readings.get(one.name) and not says_the_same(readings[one.name][0], reading, table)
    ]
    clocks = [one for one in left if is_time_of_day(one)] if reading.step == "day" else []
    return [*(_words(one, table) for one in dated), *_clock_words(clocks, table)]


def _words(column: Column, table: LogTable) -> str:
    name = column_name(column.name, table)
    arrival = f"; if it says when a row arrived: ingested_at = {name}" if is_arrival(column.normal) else ""
    return f"{name} holds times too and is not read{arrival}"


def _clock_words(clocks: Collection[Column], table: LogTable) -> list[str]:
    return [
        f"{column_name(one.name, table)} holds times of day and is not read: events count by the day" for one in clocks
    ]
