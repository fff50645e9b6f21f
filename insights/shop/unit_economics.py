"""S12, and the costs of S2: what a customer of each channel costs, what they earn, and when they have paid back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from math import isfinite
from typing import Any

import numpy as np

from insights.engine.active_days import PARTS, ActiveDays
from insights.engine.tables import Costs
from insights.presentation import formats
from insights.presentation.groups import group_of
from insights.presentation.section import Figures, Row, Section, columns
from insights.presentation.texts import text
from insights.statistics.counts import cost_each
from insights.statistics.resampling import Values, ratio_interval
from insights.statistics.small_groups import MIN_USERS, shown_groups
from models.charts import SHADES, Axis, Series, card, level, lines, svg
from models.page import Picture

MONTH, RETAINED_DAY = 30, 30
MONTHS = range(1, 13)  # of a customer's life, each of 30 days
_CHANNEL = "channel"
_NAMED = 6  # channels in a sentence


@dataclass(frozen=True)
class Month:
    """A calendar month that the log covers.

    Attributes
    ----------
    first, stop
        Days, half-open.
    """

    start: date
    first: int
    stop: int


@dataclass(frozen=True)
class Books:
    """A log and its costs, over whole months."""

    log: ActiveDays
    costs: Costs
    months: Sequence[Month]

    def closed(self, days: int) -> list[Month]:
        """Return the months of all of whose days so many more are over."""
        return [one for one in self.months if one.stop + days <= self.log.days]

    def spent(self, months: Sequence[Month]) -> dict[str, float]:
        """Return what was spent in some months, by channel."""
        starts = {one.start for one in months}
        found: dict[str, float] = {}
        for one in self.costs.spend:
            if one.month in starts:
                found[one.channel] = found.get(one.channel, 0.0) + one.amount
        return found


def unit_economics(log: ActiveDays, costs: Costs) -> Section:
    """Return costs, earnings and payback of the customers of each channel, from whole months."""
    needs = _needs(log, costs)
    if not (costs.spend and log.knows_purchases and _CHANNEL in log.facts):
        return Section("unit_economics", [text("unit_economics.unknown")], needs=needs)
    books = Books(log, costs, whole_months(log, costs))
    if not books.months:
        return Section("unit_economics", [text("unit_economics.too_short")], needs=needs)
    make_customers(log)
    by_channel = channels(books)
    curves = earnings(books, by_channel) if log.knows_amounts else []
    rows = [_channel_row(one) | _payback_cells(one, curves) for one in by_channel]
    tables = [
        Figures("channel_costs", rows, _OF_CHANNELS),
        Figures("month_costs", monthly(books), _OF_MONTHS),
        Figures("customer_earnings", curves, _OF_CURVES),
    ]
    spend, customers = (sum(found.values()) for found in (books.spent(books.months), _customers(log, books.months)))
    facts = {"months": len(books.months), "spend": spend, "customers": customers, "cac": _ratio(spend, customers)}
    pictures = [_picture(curves)] if any(row["months"] > 1 for row in curves) else []
    shown = [one for one in tables if one.rows]
    sentences = [*_sentences(rows, facts, months=books.months), *_of_strangers(books)]
    return Section("unit_economics", sentences, shown, pictures, facts, needs)


def _needs(log: ActiveDays, costs: Costs) -> dict[str, str]:
    missing = {
        ("costs", "[costs]"): not costs.spend,
        ("channels", _CHANNEL): _CHANNEL not in log.facts,
        ("earnings", "amount"): not log.knows_amounts,
        ("margin", "[costs] shares"): not costs.shares,
    }
    return {text(f"unit_economics.{key}"): column for (key, column), is_missing in missing.items() if is_missing}


def whole_months(log: ActiveDays, costs: Costs) -> list[Month]:
    """Return the months that the log covers completely, after its left-censored days, and that the table of costs spans, to the day."""
    spanned = [one.month for one in costs.spend]
    found: list[Month] = []
    start = min(spanned)
    while start <= max(spanned):
        after = (start + timedelta(days=31)).replace(day=1)
        first, stop = ((day - log.first_day).days for day in (start, after))
        is_spanned = (costs.first or start) <= start and after - timedelta(days=1) <= (costs.last or after)
        if first >= log.new_from and stop <= log.days and is_spanned:
            found.append(Month(start, first, stop))
        start = after
    return found


def make_customers(log: ActiveDays) -> None:
    """Make ``customers``: ``uid, part, channel, d``, the day of the first order; and ``earned``: ``uid, d, amount_micros``, net
    of refunds.
    """
    log.make(
        "customers",
        f"""select uid, part, {group_of(_CHANNEL)} as channel, min(d) as d
        from buys join users using (uid) left join origins using (uid) group by all""",
    )
    log.make(
        "earned",
        """select uid, d, coalesce(amount_micros, 0) as amount_micros from buys
        union all select uid, d, -amount_micros from refunds""",
    )


# --- Months ------------------------------------------------------------------------------------------------------------


def monthly(books: Books) -> list[Row]:
    """Return spend, new customers and sales of each month: CAC blended, and of the channels that were paid for."""
    rows: list[Row] = []
    log = books.log
    for one in books.months:
        inside = f"d >= {one.first} and d < {one.stop}"
        spent = books.spent([one])
        customers: dict[str, int] = dict(
            log.rows(f"select channel, count(*) from customers where {inside} group by channel")
        )
        everybody, paid = sum(customers.values()), sum(n for channel, n in customers.items() if spent.get(channel))
        spend = sum(spent.values())
        row: dict[str, Any] = {"month": one.start, "spend": spend, "customers": everybody, "paid_customers": paid}
        row |= {"cac": _ratio(spend, everybody), "paid_cac": _ratio(spend, paid)}
        if log.knows_amounts:
            sales = log.value(f"select coalesce(sum(amount_micros), 0) / 1e6 from purchases where {inside}")
            row |= {"sales": sales, "marketing_share": _ratio(spend, sales)}
        rows.append(row)
    return rows


def _ratio(part: float, whole: float) -> float | None:
    return part / whole if whole else None


# --- Channels ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class ChannelCosts:
    """A channel, or several small ones, in the months.

    Attributes
    ----------
    names
        The channels.
    retained, retained_spend
        Users of the months whose day 30 is over who were active on it, and what was spent in these months.
    """

    label: str
    names: tuple[str, ...]
    spend: float
    users: int
    customers: int
    retained: int
    retained_spend: float


def channels(books: Books) -> list[ChannelCosts]:
    """Return the channels with new users, customers or costs in the months, the largest first; the smallest are one.

    Channels that have only costs tell of nobody, and are one at the end.
    """
    followed = books.closed(RETAINED_DAY)
    users, customers = _new_users(books.log, books.months), _customers(books.log, books.months)
    retained = _new_users(books.log, followed, more=_CAME)
    spend, followed_spend = books.spent(books.months), books.spent(followed)
    sizes = {name: max(users.get(name, 0), customers.get(name, 0)) for name in {*users, *customers}}
    shown = shown_groups(sizes)
    rest, empty = tuple(sorted(sizes.keys() - {*shown})), tuple(sorted(spend.keys() - sizes.keys()))
    groups = [(name, (name,)) for name in shown]
    groups += [(text("groups.other", n=len(rest)), rest)] if sum(sizes[name] for name in rest) >= MIN_USERS else []
    groups += [(text("unit_economics.empty", n=len(empty)), empty)] if empty else []
    return [
        ChannelCosts(
            label,
            names,
            _of(spend, names),
            round(_of(users, names)),
            round(_of(customers, names)),
            round(_of(retained, names)),
            _of(followed_spend, names),
        )
        for label, names in groups
    ]


def _of(values: Mapping[str, float], names: Sequence[str]) -> float:
    return sum(values.get(name, 0.0) for name in names)


def _in(months: Sequence[Month], column: str) -> str:
    """Return the condition that a day is in one of some months."""
    return " or ".join(f"{column} >= {one.first} and {column} < {one.stop}" for one in months) or "false"


def _customers(log: ActiveDays, months: Sequence[Month]) -> dict[str, int]:
    return dict(
        log.rows(f"select channel, count(*) from customers where {_in(months, 'd')} group by channel order by channel")
    )


def _new_users(log: ActiveDays, months: Sequence[Month], *, more: str = "true") -> dict[str, int]:
    sql = f"""select {group_of(_CHANNEL)}, count(*) from users left join origins using (uid) where ({_in(months, "first_d")}) and {more}
        group by 1 order by 1"""
    return dict(log.rows(sql))


_CAME = f"exists (from spells s where s.uid = users.uid and s.d = first_d + {RETAINED_DAY})"


def _channel_row(one: ChannelCosts) -> dict[str, Any]:
    row: dict[str, Any] = {"group": one.label, "spend": one.spend, "users": one.users, "customers": one.customers}
    row["cost_per_user"] = _ratio(one.spend, one.users)
    for name, spend, n in (("cac", one.spend, one.customers), ("cost_per_retained", one.retained_spend, one.retained)):
        ends = [value if isfinite(value) and spend else None for value in cost_each(spend, n)]
        row |= dict(zip((name, f"{name}_low", f"{name}_high"), ends, strict=True))
    return row


# --- What customers earn -----------------------------------------------------------------------------------------------


def earnings(books: Books, by_channel: Sequence[ChannelCosts]) -> list[Row]:
    """Return, for each channel and number of months of a customer's life, what closed cohorts have earned by then, and what they cost.

    A cohort is the new customers of a calendar month; it is closed where so many months of all of them are over. Cost and earnings of
    a row are of the same cohorts.
    """
    places = {name: place for place, one in enumerate(by_channel) for name in one.names}
    found: list[tuple[int, Row]] = []
    for life in MONTHS:
        closed = books.closed(life * MONTH)
        users, money = _earned(books, places, life=life, closed=closed)
        for place, one in enumerate(by_channel):
            if users[place].sum() >= MIN_USERS:
                spent = _of(books.spent(closed), one.names)
                found.append((place, _earned_row(one.label, life, users=users[place], money=money[place], spend=spent)))
    return [row for _, row in sorted(found, key=lambda one: one[0])]


def _earned(books: Books, places: Mapping[str, int], *, life: int, closed: Sequence[Month]) -> tuple[Values, Values]:
    """Return customers, and what they have earned by some months of their life, shape (channels, parts)."""
    users, money = (np.zeros((1 + max(places.values(), default=0), PARTS)) for _ in range(2))
    sql = f"""select channel, part, count(distinct c.uid), coalesce(sum(amount_micros) filter (e.d < c.d + {life * MONTH}), 0)
        from customers c left join earned e on e.uid = c.uid and e.d >= c.d where {_in(closed, "c.d")} group by all order by all"""
    for channel, part, n, micros in books.log.rows(sql):
        if channel in places:
            users[places[channel], part] += n
            money[places[channel], part] += books.costs.margin * micros / 1e6
    return users, money


def _earned_row(label: str, life: int, *, users: Values, money: Values, spend: float) -> Row:
    low, high = ratio_interval(money, users)
    customers = int(users.sum())
    earned = float(money.sum()) / customers
    return {
        "group": label,
        "months": life,
        "customers": customers,
        "earned": earned,
        "earned_low": low,
        "earned_high": high,
        "cac": spend / customers,
        "is_paid_back": text("unit_economics.yes") if earned >= spend / customers else "",
    }


def payback(curves: Sequence[Row], label: str) -> int | None:
    """Return the first month in which the customers of a channel have earned what they cost; None: not yet."""
    return next((row["months"] for row in curves if row["group"] == label and row["is_paid_back"]), None)


def _payback_cells(one: ChannelCosts, curves: Sequence[Row]) -> dict[str, str]:
    if not one.spend or not any(row["group"] == one.label for row in curves):
        return {"payback": ""}
    months = payback(curves, one.label)
    return {"payback": text("unit_economics.not_yet") if months is None else text("unit_economics.month", month=months)}


# --- How it is shown ---------------------------------------------------------------------------------------------------

_ENDS = ("", "_low", "_high")
_OF_CHANNELS = (
    columns("name", "group")
    | columns("number", "spend")
    | columns("count", "users", "customers")
    | columns("number", "cost_per_user", *(f"{name}{end}" for name in ("cac", "cost_per_retained") for end in _ENDS))
    | columns("name", "payback")
)
_OF_MONTHS = (
    columns("date", "month")
    | columns("number", "spend")
    | columns("count", "customers", "paid_customers")
    | columns("number", "cac", "paid_cac", "sales")
    | columns("share", "marketing_share")
)
_OF_CURVES = (
    columns("name", "group")
    | columns("count", "months", "customers")
    | columns("number", *(f"earned{end}" for end in _ENDS), "cac")
    | columns("name", "is_paid_back")
)


def _sentences(rows: Sequence[Row], facts: dict[str, Any], *, months: Sequence[Month]) -> list[str]:
    if facts["cac"] is None:
        return [text("unit_economics.nobody")]
    found = [
        text(
            "unit_economics.sentence",
            customers=formats.count(facts["customers"]),
            spend=formats.number(facts["spend"]),
            cac=formats.number(facts["cac"]),
            first=formats.date_words(months[0].start),
            n=len(months),
        )
    ]
    paid = sorted((row for row in rows if row["cac"] is not None), key=lambda row: (row["cac"], row["group"]))
    if len(paid) > 1:
        ends = {
            f"{key}_{name}": formats.number(row["cac"]) if name == "cac" else row["group"]
            for key, row in (("low", paid[0]), ("high", paid[-1]))
            for name in ("cac", "group")
        }
        found.append(text("unit_economics.range", **ends))
    return found


def _of_strangers(books: Books) -> list[str]:
    """Return a sentence on channels that have costs, and of which no user of the log is; nothing where there are none."""
    found = books.log.rows(f"select distinct {group_of(_CHANNEL)} from users left join origins using (uid)")
    names = sorted({one.channel for one in books.costs.spend if one.amount} - {name for (name,) in found})
    rest = [text("groups.other", n=len(names) - _NAMED)] if len(names) > _NAMED else []
    channels = text("groups.separator").join([*names[:_NAMED], *rest])
    return [text("unit_economics.strangers", channels=channels)] if names else []


def _picture(curves: Sequence[Row]) -> Picture:
    names = list(dict.fromkeys(row["group"] for row in curves))[: len(SHADES)]
    rows = [
        {"months": row["months"], "earned": row["earned"], "series": row["group"]}
        for row in curves
        if row["group"] in names
    ]
    x, y = Axis("months", text("unit_economics.axis")), Axis("earned", "", format="~s")
    colours = dict(zip(names, SHADES, strict=False))
    drawn = card(lines(rows, x, y=y, by=Series("series", colours)), level(0))
    return Picture(text("unit_economics.picture_title"), svg(drawn), text("unit_economics.picture"))
