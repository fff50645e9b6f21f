"""Purchases in plain Python, from the descriptions of the catalogue."""

from __future__ import annotations

from collections.abc import Callable

from tests.features.oracles.past import EVER, Past, Row, Value, decayed, last_age, micros, number, over


def purchases(past: Past, days: int = EVER) -> int:
    return number(row for row in past.last(days) if (row.get("amount") or 0) > 0)


def amount(past: Past, days: int = EVER) -> float:
    return sum(max(micros(row), 0) for row in past.last(days)) / 1_000_000


def refunded(past: Past) -> float:
    return sum(max(-micros(row), 0) for row in past.events) / 1_000_000


def amount_decayed(past: Past) -> float:
    return decayed(past, 28, lambda day: sum(max(micros(row), 0) for row in past.on(day))) / 1_000_000


def gap(past: Past) -> float | None:
    days = past.purchase_days()
    return over((days[-1] - days[0]).days, len(days) - 1) if days else None


def session_share(past: Past, days: int = EVER) -> float | None:
    def is_purchase(visit: list[Row]) -> bool:
        return any((row.get("amount") or 0) > 0 for row in visit)

    visits = past.all_visits(days)
    return over(sum(is_purchase(visit) for visit in visits), len(visits))


def alive(past: Past) -> float | None:
    """Fader and Hardie 2008, equation (7): time runs from the first day with a purchase."""
    days = past.purchase_days()
    if not days:
        return None
    r, alpha, a, b = past.rules.bg_nbd
    x, t_x, so_long = len(days) - 1, (days[-1] - days[0]).days, (past.cutoff - days[0]).days
    gone = a / (b + x - 1) * ((alpha + so_long) / (alpha + t_x)) ** (r + x) if x else 0
    return 1 / (1 + gone)


WINDOWED: dict[str, Callable[[Past, int], Value]] = {"purchases": purchases, "amount": amount}

PURCHASES: dict[str, Callable[[Past], Value]] = {
    "purchases": purchases,
    "purchase_days": lambda past: len(past.purchase_days()),
    "amount": amount,
    "amount_decayed_28d": amount_decayed,
    "basket_mean": lambda past: over(amount(past), purchases(past)),
    "basket_mean_28d": lambda past: over(amount(past, 28), purchases(past, 28)),
    "days_since_last_purchase": lambda past: last_age(past.purchase_days(), past),
    "days_since_first_purchase": lambda past: last_age(past.purchase_days()[:1], past),
    "purchase_gap_days_mean": gap,
    "purchase_overdue_ratio": lambda past: over(last_age(past.purchase_days(), past), gap(past)),
    "refunds": lambda past: number(row for row in past.events if micros(row) < 0),
    "refunded_amount": refunded,
    "refunded_share": lambda past: over(refunded(past), amount(past)),
    "is_repeat_purchaser": lambda past: int(purchases(past) >= 2),
    "purchase_session_share": session_share,
    "purchase_session_share_28d": lambda past: session_share(past, 28),
    "purchase_day_share": lambda past: len(past.purchase_days()) / len(past.days),
    "alive_probability": alive,
}
