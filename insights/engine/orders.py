"""Orders and products, from what the kept activity holds of rows that name an order or a product.

An order is placed when the log first names it. It is paid when it first has a status that means so; in a log without such a status, when
it first has a purchase. What an order is worth is the largest sum that one of its paid statuses has, so that a discount before the payment
counts; where none is above zero, that of any status. Lines of an order add up, and an amount that is repeated from status to status counts
once. Purchases that name no order stay purchases of their own. What is taken back of an order
that was never paid is not a refund.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from features.sql import literal
from insights.engine.active_days import ActiveDays

HAS_ORDERS_OR_ITEMS = frozenset({"order_id", "item_id"})


@dataclass(frozen=True)
class OrderWords:
    """What the log calls things.

    Attributes
    ----------
    paid
        Order statuses that mean that the money has come.
    purchases
        Event types that are purchases, in a log without amounts.
    """

    paid: Sequence[str] = ()
    purchases: Sequence[str] = ()


def with_orders(log: ActiveDays, words: OrderWords) -> ActiveDays:
    """Return the log with its orders and products, where it has any; what is placed and not paid is no purchase any more.

    Tables of the connection
    ------------------------
    ``lines``: the kept items, with ``uid, d, is_purchase, is_paid``; ``orders``: ``uid, order_id, d, placed_at, paid_d, paid_at,
    amount_micros``; ``bought_items``: ``uid, item_id, d``. ``buys``, ``purchases`` and ``refunds`` are made again, from orders.
    """
    if log.facts.isdisjoint(HAS_ORDERS_OR_ITEMS):
        return log
    log.make("lines", _lines(log, words))
    log.make("orders", _orders(log))
    found = replace(log, knows_orders=bool(log.value("select count(*) from orders")), knows_payments=_has_paid(log))
    log.make("bought_items", _BOUGHT)
    if found.knows_orders:
        log.make("buys", f"{_PAID} union all {_without_order(log)}")
        log.make(
            "purchases",
            "select uid, paid_d as d, sum(n) as n, sum(amount_micros) as amount_micros from buys group by all",
        )
    if found.knows_payments and found.knows_amounts:
        log.make("refunds", _REFUNDS)
    return replace(found, knows_purchases=bool(log.value("select count(*) from purchases")))


def statuses(log: ActiveDays) -> list[str]:
    """Return the order statuses of the log, the one that most orders have first."""
    sql = """select order_status from lines where order_id is not null and order_status is not null
        group by order_status order by count(distinct order_id) desc, order_status"""
    return [status for (status,) in log.rows(sql)]


def _has_paid(log: ActiveDays) -> bool:
    return bool(log.value("select coalesce(bool_or(is_paid), false) from lines where order_id is not null"))


def _among(column: str, words: Sequence[str]) -> str:
    return f"coalesce({column} in ({', '.join(map(literal, words))}), false)" if words else "false"


def _lines(log: ActiveDays, words: OrderWords) -> str:
    is_purchase = "purchases > 0" if log.knows_amounts else _among("event_type", words.purchases)
    return f"""select *, {is_purchase} as is_purchase, {_among("order_status", words.paid)} as is_paid
        from ({log.relation("items")}) where d between 0 and {log.days - 1}"""


def _orders(log: ActiveDays) -> str:
    """Return the SELECT of each order; without statuses, only purchases say that there is an order."""
    named = "true" if "order_status" in log.facts else "is_purchase"
    paid = "is_paid" if _has_paid(log) else "is_purchase"
    amount = "sum(amount_micros)" if log.knows_amounts else "cast(null as hugeint)"
    by_status = f"""select uid, order_id, order_status, {paid} as is_paid, min(first_at) as since, arg_min(d, first_at) as d,
        {amount} as amount_micros from lines where order_id is not null and {named} group by uid, order_id, order_status, {paid}"""
    return f"""select uid, order_id, arg_min(d, since) as d, min(since) as placed_at, arg_min(d, since) filter (is_paid) as paid_d,
        min(since) filter (is_paid) as paid_at,
            coalesce(max(amount_micros) filter (is_paid and amount_micros > 0), max(amount_micros)) as amount_micros
        from ({by_status}) group by uid, order_id"""


_PAID = "select uid, d, placed_at, 1 as n, amount_micros, paid_d from orders where paid_at is not null"
_BOUGHT = """select distinct uid, item_id, coalesce(paid_d, l.d) as d from lines l left join orders o using (uid, order_id)
    where item_id is not null and case when order_id is null then is_purchase else paid_at is not null end"""

_REFUNDS = """select r.uid, r.d, r.amount_micros - coalesce(u.amount_micros, 0) as amount_micros from refunds r left join
        (select l.uid, l.d, sum(refunded_micros) as amount_micros from lines l join orders using (uid, order_id) where paid_at is null
            group by l.uid, l.d) u using (uid, d)
    where r.amount_micros > coalesce(u.amount_micros, 0)"""


def _without_order(log: ActiveDays) -> str:
    """Return the SELECT of a user's days with purchases that name no order: all of the day's, less those of its orders."""
    amount = (
        ", sum(amount_micros) as amount_micros, sum(purchases) as n"
        if log.knows_amounts
        else ", 0 as amount_micros, sum(n) as n"
    )
    of_orders = f"select uid, d{amount} from lines where order_id is not null and is_purchase group by uid, d"
    return f"""select uid, d, d as placed_at, p.n - coalesce(l.n, 0) as n,
            p.amount_micros - coalesce(l.amount_micros, 0) as amount_micros, d as paid_d
        from purchases p left join ({of_orders}) l using (uid, d) where p.n > coalesce(l.n, 0)"""
