"""What speaks against a reading, as notes, and which columns are not read."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence

from churn.first_look.evidence.columns import Column, percent
from churn.first_look.evidence.names import is_arrival, is_event_time, is_order, is_other_time
from churn.first_look.evidence.table import LogTable
from churn.first_look.evidence.times import TimeReading, column_name, sql_name
from churn.first_look.roles.clocks import is_time_of_day
from churn.first_look.roles.measures import Measures
from churn.first_look.roles.moments import says_the_same
from churn.results.first_look import Finding
from features.sql import literal

_TOTALS = (
    "total",
    "totals",
    "grand total",
    "sum",
    "summe",
    "gesamt",
    "totale",
    "suma",
    "razem",
    "toplam",
    "totaal",
    "всего",
    "итого",
    "合計",
    "合计",
    "总计",
)
_SENT = re.compile(
    r"(.*[\W_])?(e-?mail|mail|push|sms|notification|newsletter|message)[\W_]?(sent|delivered|bounced|queued)",
    re.IGNORECASE,
)
_SHOWN = 8
_FULL, _MUCH, _SOME, _FEW_ROWS = 0.95, 0.3, 0.1, 20
_FOLDED = {"capitals": "lower({})", "zeros in front": "ltrim({}, '0')"}
_SPELLED = 0.02  # share of the users who are another in a second spelling
_FAR_MORE = 3  # times as many rows as the next of the users


def doubts_of_users(
    user: Finding | None, columns: Sequence[Column], table: LogTable, *, reading: TimeReading | None
) -> list[str]:
    """Return what may be wrong with who did it: one value in very many rows, or one user in two spellings."""
    column = next((one for one in columns if user and one.name in user.columns), None)
    if column is None or column.rows < _FEW_ROWS or not column.values:
        return []
    who, name = table.column(column.name), column_name(column.name, table)
    first, second = (*column.values, column.values[0])[:2]
    most, next_ = table.numbers(*(f"count(*) filter ({who} = {literal(value)})" for value in (first, second)))
    notes = _totals(column, table, reading=reading)
    if most > _MUCH * column.filled or most > max(_SOME * column.filled, _FAR_MORE * next_):
        notes.append(f"one value of {name} has {percent(most, column.filled)} of the rows: it may stand for nobody")
    return notes + _spellings(column, table)


def _spellings(column: Column, table: LogTable) -> list[str]:
    """Say that users are fewer where capitals, or zeros in front, do not count."""
    who, name = table.column(column.name), sql_name(column.name, table)
    notes: list[str] = []
    for what, way in _FOLDED.items() if column.is_text else ():
        (folded,) = table.numbers(f"count(distinct {way.format(who)})")
        is_email = column.share("email") > _MUCH and folded < column.distinct
        if is_email or folded <= (1 - _SPELLED) * column.distinct:
            notes.append(
                f"{name} has {column.distinct:,} users, and {folded:,} where {what} do not count: "
                f"if they do not, user_id = {way.format(name)}"
            )
    return notes


def _totals(column: Column, table: LogTable, *, reading: TimeReading | None) -> list[str]:
    """Say that a user is called as the last line of a sheet is; a row without a time is set aside anyway."""
    who, listed = table.column(column.name), ", ".join(map(literal, _TOTALS))
    has_time = f"{reading.sql} is not null" if reading else "true"
    (rows,) = table.numbers("count(*)", where=f"lower({who}) in ({listed}) and {has_time}")
    name = sql_name(column.name, table)
    words = f'a row is called a total in {column.name}, and counts as a user: where = "lower({name}) not in ({listed})" excludes it'
    return [words] if rows else []


def doubts_of_types(kind: Finding | None, columns: Sequence[Column]) -> list[str]:
    """Say which types of events seem to be done to users: a message that was sent shows nobody's activity."""
    column = next((one for one in columns if kind and one.name in kind.columns), None)
    sent = [value for value in column.values if _SENT.fullmatch(value)] if column else []
    if not sent:
        return []
    return [
        f"{', '.join(sent[:3])}: done to users, and not by them? [churn] qualifying says which events show that somebody is active"
    ]


def unread(
    columns: Sequence[Column], found: Mapping[str, Finding], *, reading: TimeReading | None, told: Measures
) -> list[str]:
    """Say which further columns are not read; those that a note or a line to choose names have been told of."""
    used = {name for one in found.values() for name in one.columns} | set(reading.others if reading else ())
    expressions = (one.expression for one in found.values() if not one.columns)
    said = "\n".join([*told.notes, *(line for lines in told.possible.values() for line in lines), *expressions])
    open_ = [one.name for one in columns if one.name not in used and one.distinct > 1]
    left = [name for name in open_ if not re.search(rf"(?<!\w){re.escape(name)}(?!\w)", said)]
    more = f" and {len(left) - _SHOWN} more" if len(left) > _SHOWN else ""
    orders = [one.name for one in columns if one.name in left and is_order(one.normal)]
    words = [f"{name} names orders: as [events.columns] order_id, the report tells of them" for name in orders[:1]]
    return [f"not read: {', '.join(left[:_SHOWN])}{more}", *words] if left else []


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
