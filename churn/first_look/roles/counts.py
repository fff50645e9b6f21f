"""Which column says how many events a row stands for; what may count pieces of an order is asked about."""

from __future__ import annotations

from collections.abc import Sequence

from churn.first_look.evidence.columns import Column
from churn.first_look.evidence.expressions import sql_of
from churn.first_look.evidence.names import (
    counts_events,
    is_count,
    is_order,
    is_word,
    may_count_events,
    money_of,
    normal,
    owner_of,
)
from churn.first_look.evidence.number_names import counts_pieces, speaks_of_an_order
from churn.first_look.evidence.table import TABLE, LogTable
from churn.first_look.evidence.times import TimeReading, column_name
from churn.first_look.questions import NONE, Answers, Option
from churn.first_look.roles.context import answered, counts_rows
from churn.first_look.roles.measures import Measures, Roles
from churn.first_look.roles.rows import is_coarse
from churn.results.first_look import Finding

_MOSTLY, _FEW = 0.95, 2
_EVENTS = (  # whose count is that of events, where one is inside of an object
    "event|events|hit|hits|action|actions|activity|activities|ereignis|ereignisse|evenement|evenements|evento|eventos|событие|события|イベント|事件"
)


def find_count(
    columns: Sequence[Column], table: LogTable, *, roles: Roles, answers: Answers, measures: Measures
) -> None:
    """Add the count; one that has two readings is not mapped, and said or asked about."""
    if given := answers.get("count"):
        measures.found["count"] = answered(given, columns, table)
    elif not answers.is_none("count"):
        _find(columns, table, roles=roles, answers=answers, measures=measures)


def _find(columns: Sequence[Column], table: LogTable, *, roles: Roles, answers: Answers, measures: Measures) -> None:
    named = _named(roles.open(columns), table, user=roles.user)
    has_money = any(money_of(one.normal) in ("total", "price") for one in roles.open(columns))
    pieces = [one for one in named if has_money and not counts_events(one.normal)]
    if pieces:
        measures.choose("count", [(column_name(one.name, table), "if a row is so many events") for one in pieces])
        names = ", ".join(one.name for one in pieces)
        measures.notes.append(f"{names} is not mapped as a count: next to money it seems to say pieces, and not events")
    elif len(named) > 1:
        measures.choose("count", [(column_name(one.name, table), "") for one in named])
    elif named:
        _take(named[0], table, measures=measures)
    if "count" in measures.found and (why := _why_unsure(named[0], columns, table, roles)):
        nothing, words = why
        options = [Option(NONE, f"for one: {nothing}")]
        options.append(Option(measures.found.pop("count").expression, f"for as many as it says: {_span(named[0])}"))
        answers.ask("count", f"How many events does a row stand for? {named[0].name} {words}.", options)


def _why_unsure(count: Column, columns: Sequence[Column], table: LogTable, roles: Roles) -> tuple[str, str] | None:
    """Return what else a number may be, and why it is asked; None: a row stands for so many events."""
    if _may_be_pieces(count, columns, roles):
        return "the number is that of pieces", "may count events, or pieces of an order"
    if may_count_events(count.normal):
        return "the number is of something else", "may count events, or say something else"
    return _why_not_of_a_day(count, table, roles, reading=roles.reading) if roles.reading else None


def _why_not_of_a_day(count: Column, table: LogTable, roles: Roles, *, reading: TimeReading) -> tuple[str, str] | None:
    """Return the same for numbers that may be of a moment, or a total that goes on."""
    if not is_coarse(reading, table):
        words = "may count events, or say something about one: each row has a time of its own, and counts are by the hour or the day"
        return "the number says something about it", words
    if _runs_up(count, table, roles, reading=reading):
        return "the number is that of all so far", "only rises from row to row of a user, as a total of all so far does"
    return None


def _span(count: Column) -> str:
    return f"from {count.low:g} to {count.high:g}" + ("; where it is 0 nothing happened" if count.low == 0 else "")


def _runs_up(count: Column, table: LogTable, roles: Roles, *, reading: TimeReading) -> bool:
    """Tell whether the numbers of hardly any user fall, though they rise."""
    who = sql_of(roles.user, table, role="user_id") if roles.user else None
    if who is None:
        return False
    number = f"try_cast({table.column(count.name)} as double)"
    keys = ", ".join((who, *(table.column(name) for name in (roles.kind.columns if roles.kind else ()))))
    ((series, running),) = table.connection.execute(
        f"""with numbers as (select ({keys}) as series, {number} as n,
                lag({number}) over (partition by {keys} order by {reading.sql}, {number}) as before from {TABLE} where {who} is not null),
            users as (select bool_and(n >= coalesce(before, n)) and max(n) > min(n) as is_running from numbers
                group by series having count(*) > {_FEW})
        select count(*), count(*) filter (is_running) from users"""
    ).fetchall()
    return bool(series >= _FEW and running >= _MOSTLY * series)


def _named(columns: Sequence[Column], table: LogTable, *, user: Finding | None) -> list[Column]:
    """Return the columns that are named as a number of events, and do not number the rows."""
    numbers = [one for one in columns if one.is_number and one.filled_share > _MOSTLY]
    named = [one for one in numbers if is_count(one.normal) and _is_of_row(one.name)]
    who = sql_of(user, table, role="user_id") if user and named else None
    return [one for one in named if not counts_rows(one, table, user=who)]


def _is_of_row(name: str) -> bool:
    """Tell whether a number is of the row or its events, and not of an object inside, as ``cart.count`` is."""
    owner = owner_of(name)
    return not owner or is_word(_EVENTS, normal(owner))


def _take(one: Column, table: LogTable, *, measures: Measures) -> None:
    if not one.is_whole or one.low is None or one.low < 0:
        words = "is named as a number of events, but holds fractions or negative numbers: it is not mapped"
        measures.notes.append(f"{one.name} {words}")
        return
    words = f"whole numbers from {one.low:g} to {one.high:g}: a row stands for so many events"
    measures.found["count"] = Finding(column_name(one.name, table), words, (one.name,))


def _may_be_pieces(count: Column, columns: Sequence[Column], roles: Roles) -> bool:
    """Tell whether a count may be that of pieces: of goods or an order, or by a name that means either, where no type is counted."""
    if counts_events(count.normal) or roles.kind is None or roles.kind.columns:
        return False
    others = [one for one in columns if one.name != count.name]
    is_of_goods = any(
        counts_pieces(one.normal) or is_order(one.normal) or speaks_of_an_order(one.normal) for one in others
    )
    return is_of_goods or money_of(count.normal) == "quantity"
