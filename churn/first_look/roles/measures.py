"""Which columns count, measure and price: how many events a row stands for, how long they took, and money."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from pathlib import PurePath

from churn.first_look.draft import toml_value
from churn.first_look.evidence.columns import Column, percent
from churn.first_look.evidence.names import (
    is_currency,
    is_duration,
    is_in_cents,
    is_order,
    means_browsing,
    means_cancelled,
    means_purchase,
    money_of,
    normal,
    units_a_second,
)
from churn.first_look.evidence.number_names import is_any_number, says_viewed, speaks_of_a_trade
from churn.first_look.evidence.payments import has_states, state_of, whole_of
from churn.first_look.evidence.table import LogTable
from churn.first_look.evidence.times import TimeReading, column_name, sql_name
from churn.first_look.questions import Answers
from churn.first_look.roles.context import answered
from churn.results.first_look import Finding
from features.sql import literal

_MOSTLY = 0.95


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
            before = (
                self.possible.get(setting, []) if setting == "where" else []
            )  # of which each excludes something else
            self.possible[setting] = before + [
                f"{setting} = {toml_value(one)}" + (f" # {why}" if why else "") for one, why in expressions
            ]


@dataclass(frozen=True)
class Roles:
    """Who, when and what, which are found before; None where it has to be asked.

    Attributes
    ----------
    taken
        Columns that are one of them, or another than a measure.
    reading
        How the times are read.
    """

    user: Finding | None
    time: Finding | None
    kind: Finding | None
    taken: Collection[str]
    reading: TimeReading | None = None

    @property
    def names(self) -> set[str]:
        """Columns that say who and when."""
        return {name for one in (self.user, self.time) if one for name in one.columns}

    def open(self, columns: Sequence[Column]) -> list[Column]:
        """Return the columns that are nothing else."""
        return [one for one in columns if one.name not in self.taken]


def find_measures(
    columns: Sequence[Column], table: LogTable, *, roles: Roles, answers: Answers, measures: Measures
) -> None:
    """Add durations and amounts; one that has two readings is not mapped, and said."""
    open_ = roles.open(columns)
    for role, find in (("duration_seconds", _duration), ("amount", _amount)):
        if given := answers.get(role):
            measures.found[role] = answered(given, columns, table)
        elif not answers.is_none(role):
            find(open_, table, measures=measures)
    if "amount" not in answers.given:
        _check_amount(columns, table, measures=measures, roles=roles)
    used = [one for one in columns if any(one.name in found.columns for found in measures.found.values())]
    _set_decimal(used, measures)
    if "amount" not in answers.given:
        _tell_of_other_money(open_, table, measures=measures)


def _duration(columns: Sequence[Column], table: LogTable, *, measures: Measures) -> None:
    named = [one for one in columns if _is_duration(one.name) and (one.is_number or _is_clock(one))]
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


def _is_duration(name: str) -> bool:
    """Tell whether a name says how long something took, also with the object that it is of: not ``track.duration_ms``."""
    return is_duration(normal(name)) and is_duration(normal("_".join(name.split(".")[-2:])))


def _is_clock(column: Column) -> bool:
    is_of_type = column.kind.startswith(("INTERVAL", "TIME")) and not column.is_time_type
    return is_of_type or column.share("duration") > _MOSTLY


def _amount(columns: Sequence[Column], table: LogTable, *, measures: Measures) -> None:
    money: dict[str | None, list[Column]] = {}
    for one in columns:
        if one.is_number and not state_of(one.name):
            money.setdefault(money_of(one.normal), []).append(one)
    totals, prices, quantities = (money.get(kind, []) for kind in ("total", "price", "quantity"))
    if len(totals) == 1:
        _take(totals[0], table, measures=measures)
    elif not totals and len(prices) == 1 and not quantities:
        _take(prices[0], table, measures=measures)
        if _OF_ONE.search(prices[0].normal):
            words = "is the price of one by its name, and no column is named as a quantity: it counts once for each row"
            measures.notes.append(f"{prices[0].name} {words}")
    elif not totals and len(prices) == 1 and len(quantities) == 1:
        _take_product(prices[0], quantities[0], table, measures=measures)
    elif totals or prices:
        measures.choose("amount", [(column_name(one.name, table), "") for one in totals or prices])
        names = ", ".join(one.name for one in totals or prices)
        measures.notes.append(f"several columns may be the amount of a row ({names}): choose one in churn.toml")


_OF_ONE = re.compile("unit|einzel|stuck|stuks|eenheid|jednostk|birim|单价|単価")


def _check_amount(columns: Sequence[Column], table: LogTable, *, measures: Measures, roles: Roles) -> None:
    """Look again at the amount that was found: whether it is of an order, of purchases only, and of one currency."""
    found = measures.found.get("amount")
    used = [one for one in columns if found and one.name in found.columns]
    if not found or not used:
        return
    if why := _why_not_money(used[0], columns, table, roles):
        del measures.found["amount"]
        measures.choose("amount", [(found.expression, "if it is money that was paid")])
        measures.notes = [one for one in measures.notes if "negative amount" not in one]
        measures.notes.append(f"{used[0].name} {why}: it is not mapped")
        return
    currency = next((one for one in columns if is_currency(one.normal) and one.distinct > 1), None)
    if currency:
        words = f"{currency.distinct:,} currencies ({', '.join(currency.values[:3])}): sums of amounts mix them"
        measures.notes.append(f"{currency.name} has {words}")
    order = whole_of(used[0], columns, table, taken=roles.names)
    if order and (money_of(used[0].normal) == "total" or has_states(order, columns, table)):
        del measures.found["amount"]
        measures.choose("amount", [(found.expression, f"if it is of the row, and not of the whole {order.name}")])
        words = f"is the same in all rows of each {order.name}, so a sum would count an order several times: it is not mapped"
        measures.notes.append(f"{used[0].name} {words}")
    elif what := next((one for one in columns if roles.kind and one.name in roles.kind.columns), None):
        _leave_to_purchases(used, what, table, measures=measures)


def _why_not_money(amount: Column, columns: Sequence[Column], table: LogTable, roles: Roles) -> str:
    """Return why numbers may not be money that was paid; empty: they are."""
    files = [normal(PurePath(file.name).name.partition(".")[0]) for file in table.files]
    times = [one.normal for one in columns if roles.time and one.name in roles.time.columns[:1]]
    is_typed = roles.kind is None or bool(roles.kind.columns)
    if not is_typed and money_of(amount.normal) == "price" and any(map(says_viewed, [*times, *files])):
        return "may be the price of what was only viewed"
    is_number, is_value = is_any_number(amount.normal), amount.normal in _VALUES
    is_sure = not is_number or (not amount.is_whole and not is_value)
    words = [*files, *(one.normal for one in columns), *(normal(one.replace(".", "_")) for one in _texts(columns))]
    has_trade = _has_orders(columns) or (not is_value and speaks_of_a_trade(words))
    return "" if is_sure or has_trade else "may be money or any other number"


_VALUES = ("value", "valor")  # of a sensor, even where it has decimals


def _has_orders(columns: Sequence[Column]) -> bool:
    """Tell whether anything says that a log has purchases: orders, currencies, or a word for them."""
    named = any(is_order(one.normal) or is_currency(one.normal) for one in columns)
    return named or any(map(means_purchase, _texts(columns)))


def _texts(columns: Sequence[Column]) -> list[str]:
    return [value for one in columns if one.is_text for value in one.values]


def _leave_to_purchases(used: Sequence[Column], what: Column, table: LogTable, *, measures: Measures) -> None:
    """Count a price only where something was bought, if rows of other types have prices too."""
    bought, viewed = ([one for one in what.values if means(one)] for means in (means_purchase, means_browsing))
    if not viewed or money_of(used[0].normal) == "quantity" or not _is_filled(used[0], what, viewed, table):
        _tell_of_other_types(used[0], what, bought, table, measures=measures)
        return
    found = measures.found["amount"]
    is_price = all(money_of(one.normal) != "total" for one in used)
    if len(bought) == 1 and is_price:
        case = f"case when {sql_name(what.name, table)} = {literal(bought[0])} then {in_sql(found, table)} end"
        words = f"only of {bought[0]}, as rows of {', '.join(viewed[:3])} have prices too; {found.evidence}"
        measures.found["amount"] = replace(found, expression=case, evidence=words)
    elif is_price:
        del measures.found["amount"]
        measures.choose("amount", [(found.expression, "if all rows are purchases")])
        words = (
            f"is present in rows of {', '.join(viewed[:3])} too, and no type is plainly the purchase: it is not mapped"
        )
        measures.notes.append(f"{used[0].name} {words}")
    elif bought:
        words = f"is present in rows of {', '.join(viewed[:3])} too: it is summed over all types"
        measures.notes.append(f"{used[0].name} {words}")


def _tell_of_other_types(
    amount: Column, what: Column, bought: Sequence[str], table: LogTable, *, measures: Measures
) -> None:
    """Say that rows of types which say nothing of money have amounts too, as coins that were won."""
    plain = [one for one in what.values if not (means_purchase(one) or means_cancelled(one))]
    others = [
        one
        for one in plain
        if not speaks_of_a_trade([normal(one.replace(".", "_"))]) and _is_filled(amount, what, [one], table)
    ]
    if not others:
        return
    found = measures.found["amount"]
    listed = ", ".join(map(literal, bought))
    case = f"case when {sql_name(what.name, table)} in ({listed}) then {in_sql(found, table)} end"
    measures.choose("amount", [(case, "if only these are money that was paid")] if bought else [])
    words = f"is present in rows of {', '.join(others[:3])} too: it is summed over all types"
    measures.notes.append(f"{amount.name} {words}" + ("" if bought else ", and none is plainly a purchase"))


def in_sql(found: Finding, table: LogTable) -> str:
    """Return the expression of a finding as part of another."""
    (name, *others) = found.columns
    is_plain = not others and found.expression == column_name(name, table)
    return sql_name(name, table) if is_plain else found.expression


def _is_filled(amount: Column, what: Column, values: Sequence[str], table: LogTable) -> bool:
    listed = ", ".join(map(literal, values))
    number = f"try_cast(replace({table.column(amount.name)}, ',', '.') as double)"
    rows, filled = table.numbers(
        "count(*)", f"count(*) filter ({number} <> 0)", where=f"{table.column(what.name)} in ({listed})"
    )
    return bool(rows) and filled > rows / 2


def _tell_of_other_money(columns: Sequence[Column], table: LogTable, *, measures: Measures) -> None:
    """Say that a column is named as money, where its values are no plain numbers."""
    named = [one for one in columns if money_of(one.normal) == "total" and one.is_text and not one.is_number]
    if "amount" in measures.found or "amount" in measures.possible:
        return
    for one in [one for one in named if any(map(str.isdigit, "".join(one.values)))][:1]:
        measures.choose("amount", [_without_currency(one, table)])
        measures.notes.append(
            f"{one.name} is named as money, but its values are not plain numbers: choose a line in churn.toml"
        )


def _without_currency(one: Column, table: LogTable) -> tuple[str, str]:
    """Return SQL for amounts with a currency, and when it is right."""
    name = sql_name(one.name, table)
    bare = [re.sub(r"[^0-9.,]", "", value) for value in one.values]
    if sum(re.search(r",\d\d?$", value) is not None for value in bare) > len(bare) / 2:
        digits = f"replace(regexp_replace({name}, '[^0-9,-]', '', 'g'), ',', '.')"
        return f"cast({digits} as double)", "if a comma stands before decimals, and the rest is a currency"
    digits = f"regexp_replace({name}, '[^0-9.-]', '', 'g')"
    return f"cast({digits} as double)", "if a point stands before decimals, and the rest is a currency"


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
    if one.is_whole and not is_in_cents(one.normal) and _may_be_cents(one, table):
        measures.notes.append(
            f"{one.name} holds whole numbers up to {one.high:,.0f}: if they are cents, amount = {toml_value(f'{sql} / 100')}"
        )
    if negative:
        share = percent(negative, one.filled)
        measures.notes.append(f"{negative:,} rows have a negative amount ({share}): they are kept, as refunds")


def _may_be_cents(one: Column, table: LogTable) -> bool:
    """Tell whether whole numbers are large and not mostly thousands, as prices in cents are: 990, 2900, 4999."""
    number = f"try_cast({table.column(one.name)} as double)"
    (round_,) = table.numbers(f"count(*) filter ({number} % 1000 = 0)")
    return (one.high or 0) >= _LARGE and round_ < one.filled / 2


_LARGE = 1000
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
    is_of_one = _OF_ONE.search(price.normal) is not None
    if not is_of_one or {price.decimal, quantity.decimal} & {*_UNSURE, ",."}:
        of_row = (column_name(price.name, table), "if it is that of the row")
        measures.choose("amount", [(product, f"if {price.name} is the price of one"), of_row])
        measures.notes.append(f"{price.name} may be the price of one or of the row: choose a line in churn.toml")
        return
    words = "quantity times the price of one"
    if is_in_cents(price.normal):
        product, words = f"{product} / 100", f"{words}, hundredths by its name"
    measures.found["amount"] = Finding(product, words, (price.name, quantity.name))
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
