"""Which columns count, measure and price: how many events a row stands for, how long they took, and money."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from churn.first_look.draft import toml_value
from churn.first_look.evidence.columns import Column, percent
from churn.first_look.evidence.names import (
    is_count,
    is_duration,
    is_in_cents,
    is_status,
    means_cancelled,
    money_of,
    units_a_second,
)
from churn.first_look.evidence.table import LogTable
from churn.first_look.evidence.times import column_name, sql_name
from churn.first_look.questions import Answers
from churn.results.first_look import Finding
from features.sql import literal

_MOSTLY = 0.95
_FEW_VALUES = 30


@dataclass
class Measures:
    """The columns of numbers, and what is to be said about them.

    Attributes
    ----------
    decimal
        The mark before decimals in the text files.
    notes
        What a user should know.
    possible
        Setting to the lines for churn.toml of which somebody must choose, because they have two readings.
    """

    found: dict[str, Finding] = field(default_factory=dict[str, Finding])
    decimal: str = "."
    notes: list[str] = field(default_factory=list[str])
    possible: dict[str, list[str]] = field(default_factory=dict[str, list[str]])

    def choose(self, setting: str, expressions: Sequence[tuple[str, str]]) -> None:
        """Offer lines for a setting: expressions, and when each is right."""
        if expressions:
            self.possible[setting] = [
                f"{setting} = {toml_value(one)}" + (f" # {why}" if why else "") for one, why in expressions
            ]


def find_measures(columns: Sequence[Column], table: LogTable, *, taken: Collection[str], answers: Answers) -> Measures:
    """Return counts, durations and amounts; one that has two readings is not mapped, and said."""
    measures = Measures()
    open_ = [one for one in columns if one.name not in taken]
    for role, find in (("count", _count), ("duration_seconds", _duration), ("amount", _amount)):
        if given := answers.get(role):
            named = next((column_name(one.name, table) for one in columns if one.name == given), given)
            measures.found[role] = Finding(named, "as you answered")
        elif not answers.is_none(role):
            find(open_, table, measures=measures)
    used = [one for one in columns if any(one.name in found.columns for found in measures.found.values())]
    _set_decimal(used, measures)
    if not answers.given.keys() & {"amount"}:
        _tell_of_other_money(open_, table, measures=measures)
    _tell_of_states(columns, table, measures=measures)
    return measures


def _count(columns: Sequence[Column], table: LogTable, *, measures: Measures) -> None:
    named = [one for one in columns if is_count(one.normal) and one.is_number and one.filled_share > _MOSTLY]
    if len(named) > 1:
        measures.choose("count", [(column_name(one.name, table), "") for one in named])
        return
    for one in named:
        if not one.is_whole or one.low is None or one.low < 0:
            words = "is named as a number of events, but holds fractions or negative numbers: it is not mapped"
            measures.notes.append(f"{one.name} {words}")
        else:
            words = f"whole numbers from {one.low:g} to {one.high:g}: a row stands for so many events"
            measures.found["count"] = Finding(column_name(one.name, table), words, (one.name,))


def _duration(columns: Sequence[Column], table: LogTable, *, measures: Measures) -> None:
    named = [one for one in columns if is_duration(one.normal) and (one.is_number or _is_clock(one))]
    if len(named) != 1:
        measures.choose("duration_seconds", [(column_name(one.name, table), "if it counts seconds") for one in named])
        return
    (one,) = named
    name, sql = column_name(one.name, table), sql_name(one.name, table)
    units = units_a_second(one.normal)
    if _is_clock(one):
        measures.found["duration_seconds"] = Finding(name, "hours, minutes and seconds", (one.name,))
    elif units is None or one.decimal in _UNSURE:
        seconds = (name, "if it counts seconds")
        measures.choose("duration_seconds", [seconds, (f"{sql} / 1000", "milliseconds"), (f"{sql} * 60", "minutes")])
        words = "seems to be a duration, but neither name nor values say its unit: choose a line in churn.toml"
        measures.notes.append(f"{one.name} {words}")
    else:
        expression = name if units == 1 else f"{sql} / {units:g}" if units > 1 else f"{sql} * {1 / units:g}"
        words = f"its name says the unit; {percent(one.filled, one.rows)} present"
        measures.found["duration_seconds"] = Finding(expression, words, (one.name,))


def _is_clock(column: Column) -> bool:
    is_of_type = column.kind.startswith(("INTERVAL", "TIME")) and not column.is_time_type
    return is_of_type or column.share("duration") > _MOSTLY


def _amount(columns: Sequence[Column], table: LogTable, *, measures: Measures) -> None:
    money: dict[str | None, list[Column]] = {}
    for one in columns:
        if one.is_number:
            money.setdefault(money_of(one.normal), []).append(one)
    totals, prices, quantities = (money.get(kind, []) for kind in ("total", "price", "quantity"))
    if len(totals) == 1:
        _take(totals[0], table, measures=measures)
    elif not totals and len(prices) == 1 and not quantities:
        _take(prices[0], table, measures=measures)
    elif not totals and len(prices) == 1 and len(quantities) == 1:
        _take_product(prices[0], quantities[0], table, measures=measures)
    elif totals or prices:
        measures.choose("amount", [(column_name(one.name, table), "") for one in totals or prices])
        names = ", ".join(one.name for one in totals or prices)
        measures.notes.append(f"several columns may be the amount of a row ({names}): choose one in churn.toml")


def _tell_of_other_money(columns: Sequence[Column], table: LogTable, *, measures: Measures) -> None:
    """Say that a column is named as money, where its values are no plain numbers."""
    named = [one for one in columns if money_of(one.normal) == "total" and one.is_text and not one.is_number]
    if "amount" in measures.found or "amount" in measures.possible:
        return
    for one in [one for one in named if any(map(str.isdigit, "".join(one.values)))][:1]:
        digits = f"cast(regexp_replace({sql_name(one.name, table)}, '[^0-9.-]', '', 'g') as double)"
        measures.choose("amount", [(digits, "if a point stands before decimals, and the rest is a currency")])
        measures.notes.append(
            f"{one.name} is named as money, but its values are not plain numbers: choose a line in churn.toml"
        )


def _take(one: Column, table: LogTable, *, measures: Measures) -> None:
    name, sql = column_name(one.name, table), sql_name(one.name, table)
    if one.decimal in _UNSURE:
        measures.choose("amount", [(name, "its marks have two readings: see [events.format] decimal")])
        measures.notes.append(f"{one.name}: {_UNSURE[one.decimal]}: it is not mapped")
        return
    expression = f"cast(replace({sql}, ',', '') as double)" if one.decimal == ",." else name
    words = _NAMED[one.decimal]
    if is_in_cents(one.normal):
        expression, words = f"{expression if expression != name else sql} / 100", f"{words}, hundredths by its name"
    negative = one.forms["negative"]
    words += f"; {'negative and positive' if negative else 'none negative'}, {percent(one.filled, one.rows)} present"
    measures.found["amount"] = Finding(expression, words, (one.name,))
    if negative:
        share = percent(negative, one.filled)
        measures.notes.append(f"{negative:,} rows have a negative amount ({share}): they are kept, as refunds")


_UNSURE = {
    "?": "each mark has three digits behind it, so it may stand before decimals or between thousands",
    "!": "some values have a decimal point, others a decimal comma",
}
_NAMED = {
    "": "whole numbers",
    ".": "numbers with a decimal point",
    ",": "numbers with a decimal comma",
    ",.": "numbers with commas between thousands",
}


def _take_product(price: Column, quantity: Column, table: LogTable, *, measures: Measures) -> None:
    """Multiply a price by a quantity, where the name says that it is the price of one."""
    product = f"{sql_name(quantity.name, table)} * {sql_name(price.name, table)}"
    is_of_one = re.search(r"unit|einzel|stuck|单价|単価", price.normal) is not None
    if not is_of_one or {price.decimal, quantity.decimal} & {*_UNSURE, ",."}:
        of_row = (column_name(price.name, table), "if it is that of the row")
        measures.choose("amount", [(product, f"if {price.name} is the price of one"), of_row])
        measures.notes.append(f"{price.name} may be the price of one or of the row: choose a line in churn.toml")
        return
    measures.found["amount"] = Finding(product, "quantity times the price of one", (price.name, quantity.name))
    if negative := quantity.forms["negative"]:
        measures.notes.append(f"{negative:,} rows have a negative quantity: they are kept, as refunds")


def _set_decimal(used: Sequence[Column], measures: Measures) -> None:
    """Set the decimal mark of the file, where the columns that are used agree."""
    marks = {one.decimal for one in used if one.is_text} - {"", ",."}
    if marks == {","}:
        measures.decimal = ","
    elif "," in marks:
        names = ", ".join(f"{one.name} ({one.decimal})" for one in used if one.decimal)
        measures.notes.append(f"decimals are marked in two ways: {names}; amount is not mapped")
        measures.found.pop("amount", None)


def _tell_of_states(columns: Sequence[Column], table: LogTable, *, measures: Measures) -> None:
    """Say what is not mapped though it looks like the type of an event: a state of today, which a cutoff does not know."""
    few = [one for one in columns if one.is_text and one.distinct <= _FEW_VALUES]
    cancelled = {one.name: found for one in few if (found := [value for value in one.values if means_cancelled(value)])}
    for name, values in list(cancelled.items())[:1]:
        listed = ", ".join(map(literal, values))
        measures.choose(
            "where", [(f"{sql_name(name, table)} not in ({listed})", f"excludes them, and rows without {name}")]
        )
        measures.notes.append(
            f"{name} says that some orders were cancelled or returned ({', '.join(values[:3])}): they are kept, as events and with "
            "their amounts; churn.toml shows how to exclude them"
        )
    for one in [one for one in few if is_status(one.normal)][:1]:
        line = (column_name(one.name, table), f"only if {one.name} never changes after the event")
        measures.choose("event_type", [line])
        measures.notes.append(f"{one.name} is not mapped: a state of today tells at a cutoff what happened later")
