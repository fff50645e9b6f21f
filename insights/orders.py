"""S10: carts that are left, and what else of orders the log can tell."""

from __future__ import annotations

from collections.abc import Sequence

from features.sql import literal
from insights.counts import week_of
from insights.engine.active_days import ActiveDays
from insights.presentation import formats
from insights.presentation.section import Figures, Row, Section, columns, with_interval
from insights.presentation.texts import text
from models.charts import Axis, bars, card, svg
from models.page import Picture
from models.shares import Share, wilson

WEEK = 7


def orders(log: ActiveDays, *, cart_event_types: Sequence[str], within_days: int) -> Section:
    """Return cart abandonment: the share of carts whose user does not buy within some days.

    Parameters
    ----------
    cart_event_types
        What putting something into a cart is called in the log.
    """
    needs = {
        text("orders.order_loss"): "order_id, order_status",
        text("orders.product_loss"): "item_id",
        text("orders.elsewhere"): text("orders.nowhere"),
    }
    carts = make_carts(log, cart_event_types) if log.knows_purchases else 0
    if not carts:
        return Section("orders", [text("orders.unknown")], needs=needs | {text("orders.carts"): "event_type"})
    overall, weeks = abandoned(log, within_days), by_week(log, within_days)
    facts = {"carts": overall.whole, "abandonment": overall.value} | {"low": overall.low, "high": overall.high}
    sentence = text(
        "orders.sentence",
        carts=formats.count(overall.whole),
        share=formats.share(overall.value),
        low=formats.share(overall.low),
        high=formats.share(overall.high),
        days=within_days,
    )
    kinds = columns("date", "week") | columns("count", "carts") | columns("share", "share", "share_low", "share_high")
    table = Figures("carts", weeks, kinds | columns("name", "mark"))
    return Section("orders", [sentence], [table], [_picture(weeks)], facts, needs)


def make_carts(log: ActiveDays, event_types: Sequence[str]) -> int:
    """Make ``carts``: ``uid, d, buys_on``, a day of a user with a cart event and the first purchase from then on; return how many."""
    types = ", ".join(literal(one) for one in event_types) or "null"
    log.connection.execute(
        f"""create or replace temp table carts as select c.uid, c.d, min(p.d) as buys_on
        from (select distinct uid, d from ({log.relation("event_types")})
            where event_type in ({types}) and d between 0 and {log.days - 1}) c
        left join purchases p on p.uid = c.uid and p.d >= c.d group by c.uid, c.d"""
    )
    return int(log.value("select count(*) from carts"))


def abandoned(log: ActiveDays, within_days: int) -> Share:
    """Return the share of carts without a purchase from their day to so many days later, of carts for which these are over."""
    sql = f"""select count(*) filter (buys_on is null or buys_on > d + {within_days}), count(*)
        from carts where d + {within_days} < {log.days}"""
    return wilson(*log.rows(sql)[0])


def by_week(log: ActiveDays, within_days: int) -> list[Row]:
    """Return the same by the week of the cart; a week for which the days are not over is open."""
    first = -log.first_day.weekday()
    sql = f"""select cast(floor((d - {first}) / {WEEK}) as integer) as week,
            count(*) filter (buys_on is null or buys_on > d + {within_days}), count(*) from carts group by week order by week"""
    rows: list[Row] = []
    for week, part, whole in log.rows(sql):
        is_open = first + (week + 1) * WEEK + within_days > log.days
        found = wilson(0, 0) if is_open else wilson(part, whole)
        row = {"week": log.day(first + week * WEEK), "carts": whole} | with_interval("share", found)
        rows.append(row | {"mark": text("columns.open") if is_open else ""})
    return rows


def _picture(weeks: Sequence[Row]) -> Picture:
    closed = [week_of(row["week"]) | {"share": row["share"]} for row in weeks if not row["mark"]]
    x, y = Axis("week", "", "date", "%d %b"), Axis("share", "", format=".0%")
    return Picture(text("orders.picture_title"), svg(card(bars(closed, x, y=y, until="end"))), text("orders.picture"))
