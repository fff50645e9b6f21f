"""What is said of money that was not paid, or was paid back: balances, refunds without signs, orders that were cancelled."""

from __future__ import annotations

from collections.abc import Sequence

from churn.first_look.evidence.columns import Column
from churn.first_look.evidence.names import is_status, means_cancelled, money_of
from churn.first_look.evidence.payments import outgoing, state_of, undone
from churn.first_look.evidence.table import LogTable
from churn.first_look.evidence.times import column_name, sql_name
from churn.first_look.questions import Answers
from churn.first_look.roles.measures import Measures, Roles, in_sql
from features.sql import literal

_FEW_VALUES = 30


def tell_of_unpaid(
    columns: Sequence[Column], table: LogTable, roles: Roles, *, answers: Answers, measures: Measures
) -> None:
    """Add what is to be said about the amount that was found, or was not."""
    if "amount" not in answers.given:
        _tell_of_balances(roles.open(columns), table, measures=measures)
        _tell_of_signs(columns, table, measures=measures)
    _tell_of_states(columns, table, measures=measures)


def _tell_of_balances(columns: Sequence[Column], table: LogTable, *, measures: Measures) -> None:
    """Say that what an account or a cart holds is not mapped."""
    for one in [one for one in columns if one.is_number and money_of(one.normal) and state_of(one.name)][:1]:
        if "amount" not in measures.found and "amount" not in measures.possible:
            measures.choose("amount", [(column_name(one.name, table), "if it is what was paid in the row")])
        measures.notes.append(
            f"{one.name} is not mapped: it says what a {state_of(one.name)} has, and not what was paid"
        )


def _tell_of_signs(columns: Sequence[Column], table: LogTable, *, measures: Measures) -> None:
    """Say that amounts without signs are added up, though a column says that some went the other way or were not paid."""
    found = measures.found.get("amount")
    used = [one for one in columns if found and one.name in found.columns]
    if not found or any(one.forms["negative"] for one in used):
        return
    if way := outgoing(columns):
        one, values = way
        inside = f"{sql_name(one.name, table)} in ({', '.join(map(literal, values))})"
        amount = _number(used[0], in_sql(found, table))
        measures.choose("amount", [(f"case when {inside} then -{amount} else {amount} end", "subtracts them")])
        words = f"says that money went the other way in some rows ({', '.join(values[:3])}), and no amount is negative: all are added up"
        measures.notes.append(f"{one.name} {words}; churn.toml shows how to subtract them")
    if flag := undone(columns):
        one, listed = flag
        line = f"coalesce(cast({sql_name(one.name, table)} as varchar), '') not in ({listed})"
        measures.choose("where", [(line, "excludes what was not paid, or paid back")])
        words = f"says that some rows were not paid, or paid back ({listed}): they are kept, as events and with their amounts"
        measures.notes.append(f"{one.name} {words}; churn.toml shows how to exclude them")


def _number(amount: Column, sql: str) -> str:
    """Return SQL of an amount as a number: what has a decimal comma is none to DuckDB."""
    comma = f"replace(replace({sql}, '.', ''), ',', '.')"
    return f"cast({comma if amount.is_text and amount.decimal == ',' else sql} as double)"


def _tell_of_states(columns: Sequence[Column], table: LogTable, *, measures: Measures) -> None:
    """Say what is not mapped though it looks like the type of an event: a state of today, which a cutoff does not know."""
    few = [one for one in columns if one.is_text and one.distinct <= _FEW_VALUES]
    cancelled = {one.name: found for one in few if (found := [value for value in one.values if means_cancelled(value)])}
    for name, values in list(cancelled.items())[:1]:
        listed = ", ".join(map(literal, values))
        measures.choose(
            "where", [(f"{sql_name(name, table)} not in ({listed})", f"excludes them, and rows without {name}")]
        )
        kept = "they are kept, as events and with their amounts"
        if _adds_up(f"{table.column(name)} in ({listed})", columns, table, measures=measures):
            kept = "they are kept as events, and their amounts, which are positive, are added to the sum"
        words = f"says that some orders were cancelled, returned or refused ({', '.join(values[:3])}): {kept}"
        measures.notes.append(f"{name} {words}; churn.toml shows how to exclude them")
    for one in [one for one in few if is_status(one.normal)][:1]:
        line = (column_name(one.name, table), f"only if {one.name} never changes after the event")
        measures.choose("event_type", [line])
        measures.notes.append(f"{one.name} is not mapped: a state of today tells at a cutoff what happened later")


def _adds_up(where: str, columns: Sequence[Column], table: LogTable, *, measures: Measures) -> bool:
    """Tell whether some rows have amounts, and none that is negative."""
    found = measures.found.get("amount")
    used = [one for one in columns if found and one.name in found.columns]
    if not used:
        return False
    number = f"try_cast(replace({table.column(used[0].name)}, ',', '.') as double)"
    positive, negative = table.numbers(
        f"count(*) filter ({number} > 0)", f"count(*) filter ({number} < 0)", where=where
    )
    return positive > negative
