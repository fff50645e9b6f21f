"""Which column says how many events a row stands for; what may count pieces of an order is asked about."""

from __future__ import annotations

from collections.abc import Sequence

from churn.first_look.evidence.columns import Column
from churn.first_look.evidence.expressions import sql_of
from churn.first_look.evidence.names import counts_events, is_count, is_order, money_of
from churn.first_look.evidence.number_names import counts_pieces, speaks_of_an_order
from churn.first_look.evidence.table import LogTable
from churn.first_look.evidence.times import column_name
from churn.first_look.questions import NONE, Answers, Option
from churn.first_look.roles.context import answered, counts_rows
from churn.first_look.roles.measures import Measures, Roles
from churn.results.first_look import Finding

_MOSTLY = 0.95


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
    if "count" in measures.found and _may_be_pieces(named[0], columns, roles):
        of_goods = Option(NONE, "for one: the number is that of pieces")
        of_events = Option(measures.found.pop("count").expression, "for as many as it says")
        words = f"How many events does a row stand for? {named[0].name} may count events, or pieces of an order."
        answers.ask("count", words, [of_goods, of_events])


def _named(columns: Sequence[Column], table: LogTable, *, user: Finding | None) -> list[Column]:
    """Return the columns that are named as a number of events, and do not number the rows."""
    named = [one for one in columns if is_count(one.normal) and one.is_number and one.filled_share > _MOSTLY]
    who = sql_of(user, table, role="user_id") if user and named else None
    return [one for one in named if not counts_rows(one, table, user=who)]


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
