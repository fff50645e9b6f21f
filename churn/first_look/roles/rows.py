"""What a row stands for: an event, so many events of a day, or the state of a user on a day."""

from __future__ import annotations

from collections.abc import Sequence

from churn.first_look.evidence.columns import Column
from churn.first_look.evidence.names import (
    is_duration,
    is_event_time,
    is_keyed,
    is_order,
    is_other_time,
    money_of,
    part_of_date,
    person_rank,
    role_of,
    type_rank,
)
from churn.first_look.evidence.table import TABLE, LogTable
from churn.first_look.evidence.times import TimeReading, column_name, sql_name
from churn.first_look.questions import NONE, Answers, Option
from churn.first_look.roles.context import is_attribute
from churn.results.first_look import Finding

_FEW_ROWS, _MIN_USERS, _MIN_DATES = 20, 10, 3
_ALL, _DENSE, _FULL = 0.99, 0.95, 0.95
_USERS_A_DATE = 5
_SHOWN = 6


def ask_what_a_row_is(
    columns: Sequence[Column],
    table: LogTable,
    *,
    found: dict[str, Finding],
    reading: TimeReading | None,
    answers: Answers,
) -> None:
    """Ask how many events a row stands for, where each user has one row a date at most: as in daily counts, or in snapshots of a state."""
    who = found.get("user_id")
    if who is None or not who.columns or reading is None or "count" in found or answers.is_none("count"):
        return
    user = table.column(who.columns[0])
    rows, pairs = table.numbers(
        f"count({user})",
        f"count(distinct ({user}, {reading.sql}))",
        where=f"{user} is not null and {reading.sql} is not null",
    )
    if rows < _FEW_ROWS or pairs < _ALL * rows:
        return
    is_panel = _is_panel(table, user=user, time=reading.sql)
    numbers = _numbers(columns, table, found=found, reading=reading)
    is_coarse = reading.step != "time" or _is_hourly(reading, table)
    is_counted = bool(numbers) and is_coarse and "amount" not in found and not _is_typed(found)
    if is_panel or is_counted:
        words = "on every date, as in snapshots of a state" if is_panel else "a date, as where events were counted"
        question = f"How many events does a row stand for? Each user has one row {words}."
        answers.ask("count", question, _options(numbers, table, is_panel=is_panel))


def _is_hourly(reading: TimeReading, table: LogTable) -> bool:
    """Tell whether all times are full hours, as where events were counted by the hour."""
    (other,) = table.numbers(f"count(*) filter ({reading.sql} <> date_trunc('hour', {reading.sql}))")
    return not other


def _is_typed(found: dict[str, Finding]) -> bool:
    return "event_type" not in found or bool(found["event_type"].columns)


def _is_panel(table: LogTable, *, user: str, time: str) -> bool:
    """Tell whether users have a row on nearly all dates from their first to their last, of the dates that the log has."""
    ((users, rows, span, dates),) = table.connection.execute(
        f"""with seen as (select distinct {user} as who, {time} as moment from {TABLE} where {user} is not null and {time} is not null),
            dates as (select moment, row_number() over (order by moment) as place from (select distinct moment from seen)),
            users as (select count(*) as n, max(place) - min(place) + 1 as span from seen join dates using (moment)
                group by who having count(*) >= {_MIN_DATES})
        select count(*), coalesce(sum(n), 0), coalesce(sum(span), 0), (select count(*) from dates) from users"""
    ).fetchall()
    is_regular = users >= _MIN_USERS and dates >= _MIN_DATES and rows >= _USERS_A_DATE * dates
    return bool(is_regular and rows >= _DENSE * span)


def _numbers(
    columns: Sequence[Column], table: LogTable, *, found: dict[str, Finding], reading: TimeReading
) -> list[Column]:
    """Return the columns of whole numbers whose names say nothing that would keep them from counting events."""
    taken = {name for one in found.values() for name in one.columns} | {reading.column.name, *reading.others}
    (user,) = found["user_id"].columns[:1]
    whole = [
        one for one in columns if one.is_whole and (one.low or 0) >= 0 and one.distinct > 1 and one.name not in taken
    ]
    plain = [one for one in whole if not _says_otherwise(one) and one.filled_share >= _FULL]
    return [one for one in plain if not is_attribute(one, table, user=user)]


def _says_otherwise(one: Column) -> bool:
    """Tell whether a name says that numbers are ids, money, parts of dates or something else that is known."""
    name = one.normal
    named = (
        person_rank(name) is not None,
        type_rank(name) is not None,
        role_of(name) is not None,
        money_of(name) is not None,
    )
    is_time = part_of_date(name) is not None or is_event_time(name) or is_other_time(name) or is_duration(name)
    return any(named) or is_time or is_keyed(name) or is_order(name)


def _options(numbers: Sequence[Column], table: LogTable, *, is_panel: bool) -> list[Option]:
    state = "; for states of users this is wrong: they belong in [users] path" if is_panel else ""
    options = [Option(NONE, f"for one: it is an event{state}")]
    if len(numbers) > 1:
        options.append(Option(" + ".join(sql_name(one.name, table) for one in numbers), "for the sum of these numbers"))
    return options + [
        Option(column_name(one.name, table), f"from {one.low:g} to {one.high:g}") for one in numbers[:_SHOWN]
    ]
