"""S10: orders that are placed and not paid, and carts that are left."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from features.settings import ChurnSettings
from features.snapshots import instant
from features.sql import literal
from insights.counts import week_of
from insights.engine.active_days import ActiveDays
from insights.engine.orders import statuses
from insights.presentation import formats
from insights.presentation.section import Figures, Row, Section, columns, with_interval
from insights.presentation.texts import text
from insights.settings import ReportSettings
from models.charts import Axis, bars, card, svg
from models.page import Picture
from models.shares import Share, wilson

WEEK, _SHOWN = 7, 5
_US_PER_HOUR = 3_600_000_000


@dataclass(frozen=True)
class PaymentWindow:
    """How long an order may wait for its money.

    Attributes
    ----------
    hours
        From the order on.
    zone
        Of the local days: the coverage ends at a midnight there.
    """

    hours: int = 24
    zone: str = "UTC"

    @classmethod
    def of(cls, settings: ReportSettings, churn: ChurnSettings) -> PaymentWindow:
        """Return the window by the settings."""
        return cls(settings.payment_hours, churn.timezone)

    def last_start(self, log: ActiveDays) -> int:
        """Return the instant, in microseconds, up to which the windows of orders are over."""
        return (
            round(instant(log.activity.coverage.covered_until, self.zone).timestamp() * 1e6) - self.hours * _US_PER_HOUR
        )


def orders(log: ActiveDays, cart_event_types: Sequence[str], *, within_days: int, payment: PaymentWindow) -> Section:
    """Return order loss, the share of orders that are not paid in time, and cart abandonment, of carts without a purchase in some days.

    Parameters
    ----------
    cart_event_types
        What putting something into a cart is called in the log.
    """
    parts = [_of_orders(log, payment), _of_carts(log, cart_event_types, within_days=within_days)]
    sentences = [one for part in parts for one in part.sentences] or [text("orders.unknown")]
    return Section(
        "orders",
        sentences,
        [one for part in parts for one in part.tables],
        [one for part in parts for one in part.pictures],
        {name: value for part in parts for name, value in part.facts.items()},
        {name: value for part in parts for name, value in part.needs.items()},
    )


# --- Orders ------------------------------------------------------------------------------------------------------------


def _of_orders(log: ActiveDays, payment: PaymentWindow) -> Section:
    if not log.knows_payments:
        needs = {text("orders.order_loss"): "order_status" if log.knows_orders else "order_id, order_status"}
        found = statuses(log) if log.knows_orders else []
        shown = text("groups.separator").join(found[:_SHOWN])
        sentence = text("orders.no_paid_status", statuses=shown) if found else text("orders.no_status")
        return Section("orders", [sentence] if log.knows_orders else [], needs=needs)
    overall, weeks = lost(log, payment), lost_by_week(log, payment)
    if not overall.whole:
        return Section("orders", [text("orders.too_short", hours=payment.hours)])
    whole = formats.count(overall.whole)
    sentence = text("orders.order_sentence", orders=whole, **_shares(overall), hours=payment.hours)
    facts = {
        "orders": overall.whole,
        "order_loss": overall.value,
        "order_loss_low": overall.low,
        "order_loss_high": overall.high,
    }
    kinds = columns("date", "week") | columns("count", "orders", "unpaid") | _ENDS | columns("name", "mark")
    pictures = _pictures(weeks, text("orders.order_picture_title"), words=text("orders.order_picture"))
    return Section("orders", [sentence], [Figures("order_loss", weeks, kinds)], pictures, facts)


def lost(log: ActiveDays, payment: PaymentWindow) -> Share:
    """Return the share of orders that were not paid within the window, of those for which it is over.

    Orders of the left-censored days are excluded: many of them were placed, and paid, before the log begins.
    """
    counted = f"d >= {log.new_from} and placed_at <= {payment.last_start(log)}"
    return wilson(*log.rows(f"select {_lost(payment)}, count(*) from orders where {counted}")[0])


def _lost(payment: PaymentWindow) -> str:
    return f"count(*) filter (paid_at is null or paid_at > placed_at + {payment.hours * _US_PER_HOUR})"


def lost_by_week(log: ActiveDays, payment: PaymentWindow) -> list[Row]:
    """Return the same by the week of the order; a week with left-censored days is marked, and one with an order too young."""
    is_open = f"max(placed_at) > {payment.last_start(log)}"
    return _by_week(log, "orders", names=("unpaid", "orders"), of=(_lost(payment), is_open), since=log.new_from)


def _by_week(log: ActiveDays, table: str, *, names: tuple[str, str], of: tuple[str, str], since: int = 0) -> list[Row]:
    """Return part, whole and share of each week from Monday; there is no share of a week that is marked.

    Parameters
    ----------
    names
        Of part and whole.
    of
        SQL of the part, and whether some window of the week is not over.
    since
        The first day that is not left-censored.
    """
    first = -log.first_day.weekday()
    week = f"cast(floor((d - {first}) / {WEEK}) as integer)"
    rows: list[Row] = []
    sql = f"select {week} as week, {of[0]}, count(*), {of[1]} from {table} group by week order by week"
    for number, part, whole, has_open in log.rows(sql):
        start = first + number * WEEK
        mark = _mark(log, start, has_open=has_open, since=since)
        row = {"week": log.day(start), names[1]: whole} | ({} if mark else {names[0]: part})
        rows.append(row | with_interval("share", wilson(0, 0) if mark else wilson(part, whole)) | {"mark": mark})
    return rows


def _mark(log: ActiveDays, start: int, *, has_open: bool, since: int) -> str:
    if max(start, 0) < since:
        return text("columns.left_censored")
    return text("columns.open") if has_open or start < 0 or start + WEEK > log.days else ""


# --- Carts -------------------------------------------------------------------------------------------------------------


def _of_carts(log: ActiveDays, event_types: Sequence[str], *, within_days: int) -> Section:
    if not (log.knows_purchases and make_carts(log, event_types)):
        return Section("orders", [], needs={text("orders.carts"): "event_type"})
    overall, weeks = abandoned(log, within_days), by_week(log, within_days)
    if not overall.whole:
        return Section("orders", [text("orders.carts_too_short", days=within_days)])
    facts = {"carts": overall.whole, "abandonment": overall.value, "low": overall.low, "high": overall.high}
    whole = formats.count(overall.whole)
    sentence = text("orders.sentence", carts=whole, **_shares(overall), days=within_days)
    kinds = columns("date", "week") | columns("count", "carts", "left") | _ENDS | columns("name", "mark")
    pictures = _pictures(weeks, text("orders.picture_title"), words=text("orders.picture"))
    return Section("orders", [sentence], [Figures("carts", weeks, kinds)], pictures, facts)


def make_carts(log: ActiveDays, event_types: Sequence[str]) -> int:
    """Make ``carts``: ``uid, d, buys_on``, a day of a user with a cart event and the first purchase from then on; return how many."""
    types = ", ".join(literal(one) for one in event_types) or "null"
    log.make(
        "carts",
        f"""select c.uid, c.d, min(p.d) as buys_on
        from (select distinct uid, d from ({log.relation("event_types")})
            where event_type in ({types}) and d between 0 and {log.days - 1}) c
        left join purchases p on p.uid = c.uid and p.d >= c.d group by c.uid, c.d""",
    )
    return int(log.value("select count(*) from carts"))


def abandoned(log: ActiveDays, within_days: int) -> Share:
    """Return the share of carts without a purchase from their day to so many days later, of carts for which these are over."""
    sql = f"select {_left(within_days)}, count(*) from carts where d + {within_days} < {log.days}"
    return wilson(*log.rows(sql)[0])


def _left(within_days: int) -> str:
    return f"count(*) filter (buys_on is null or buys_on > d + {within_days})"


def by_week(log: ActiveDays, within_days: int) -> list[Row]:
    """Return the same by the week of the cart; a week for which the days are not over is open."""
    first = -log.first_day.weekday()
    is_open = f"{first} + (floor((max(d) - {first}) / {WEEK}) + 1) * {WEEK} + {within_days} > {log.days}"
    return _by_week(log, "carts", names=("left", "carts"), of=(_left(within_days), is_open))


def _shares(found: Share) -> dict[str, str]:
    """Return a share and its interval, as a sentence gives them."""
    ends = {"share": found.value, "low": found.low, "high": found.high}
    return {name: formats.share(value) for name, value in ends.items()}


_ENDS = columns("share", "share", "share_low", "share_high")


def _pictures(weeks: Sequence[Row], title: str, *, words: str) -> list[Picture]:
    closed = [week_of(row["week"]) | {"share": row["share"]} for row in weeks if not row["mark"]]
    x, y = Axis("week", "", "date", text("formats.axis_day")), Axis("share", "", format=".0%")
    return [Picture(title, svg(card(bars(closed, x, y=y, until="end"))), words)] if closed else []
