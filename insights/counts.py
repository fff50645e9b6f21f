"""S1: the plain counts of the product, week on week by the same weekdays."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, timedelta
from functools import cache, partial
from typing import Any

from insights.engine.active_days import ActiveDays
from insights.presentation import formats
from insights.presentation.section import Figures, Row, Section, columns
from insights.presentation.texts import text
from models.charts import GREY, SHADES, Axis, Series, bars, card, svg
from models.page import Picture

WEEK = 7
_MONEY = {"sales", "refunds"}
_LEFT_CENSORED = {"new", "orders"}  # of the first days of a log, what is older counts among them too


def counts(log: ActiveDays) -> Section:
    """Return the headline counts with their weeks."""
    weeks = weekly(log)
    last, before = (counted(log, (log.days - WEEK * n, log.days - WEEK * (n - 1))) for n in (1, 2))
    facts = {"users": log.value("select count(*) from users")} | last
    facts |= _changes(last, before, knows_age=log.days - 2 * WEEK >= log.new_from) if log.days >= 2 * WEEK else {}
    sentence = text(
        "counts.sentence",
        first=formats.date_words(log.day(max(0, log.days - WEEK))),
        last=formats.date_words(log.last_day),
        active=formats.count(last["active"]),
        new=formats.count(last["new"]),
        change=formats.change(facts.get("active_change")),
    )
    kinds = columns("date", "week") | columns("count", "days") | columns("name", "is_open")
    for name in last:
        kinds |= columns("number" if name in _MONEY else "count", name) | columns("change", f"{name}_change")
    table = Figures("weeks", weeks, kinds | columns("name", "is_left_censored"))
    return Section("counts", _sentences(log, sentence), [table], _pictures(weeks), facts, _needs(log))


def _sentences(log: ActiveDays, first: str) -> list[str]:
    return [first] if log.ends_by_setting else [first, text("counts.last_day", last=formats.date_words(log.last_day))]


def _needs(log: ActiveDays) -> Mapping[str, str]:
    missing = "" if log.knows_payments else "order_status" if log.knows_orders else "order_id, order_status"
    needs = {text("counts.orders"): missing} if missing else {}
    if log.knows_amounts:
        return needs
    return {text("counts.sales" if log.knows_purchases else "counts.purchases"): "amount"} | needs


def relative(now: float, before: float) -> float:
    """Return by which share a number has changed; not a number from zero."""
    return now / before - 1 if before else float("nan")


def counted(log: ActiveDays, days: tuple[int, int]) -> dict[str, Any]:
    """Return the counts of the days ``[start, stop)``."""
    start, stop = days
    inside = f"d >= {start} and d < {stop}"
    found: dict[str, Any] = {
        "active": log.value(f"select count(distinct uid) from spells where {inside}"),
        "new": log.value(f"select count(*) from users where first_d >= {start} and first_d < {stop}"),
    }
    if log.knows_orders:
        found["orders"] = log.value(f"select count(*) from orders where {inside}")
    if log.knows_purchases:
        ((found["purchases"], found["buyers"]),) = log.rows(
            f"select cast(coalesce(sum(n), 0) as bigint), count(distinct uid) from purchases where {inside}"
        )
    if log.knows_amounts:
        found["sales"] = log.value(f"select coalesce(sum(amount_micros), 0) / 1e6 from purchases where {inside}")
        found["refunds"] = log.value(f"select coalesce(sum(amount_micros), 0) / 1e6 from refunds where {inside}")
    return found


def weekly(log: ActiveDays) -> list[Row]:
    """Return the counts of each week from Monday, with their change on the same weekdays of the week before.

    The first and the last week may be open: they are compared on the days that are covered in both. Weeks with left-censored days are
    marked, and new users and orders are not compared with them.
    """
    first = -log.first_day.weekday()
    starts = range(first, log.days, WEEK)
    of_days = cache(partial(counted, log))
    return [_week(log, start, of_days=of_days) for start in starts]


def _week(log: ActiveDays, start: int, *, of_days: Callable[[tuple[int, int]], dict[str, Any]]) -> Row:
    covered = (max(start, 0), min(start + WEEK, log.days))
    days = covered[1] - covered[0]
    found = of_days(covered)
    before = of_days((covered[0] - WEEK, covered[1] - WEEK)) if start >= WEEK else None
    knows_age = start - WEEK >= log.new_from
    changes = _changes(found, before, knows_age=knows_age) if before else {f"{name}_change": None for name in found}
    marks = {
        "is_open": text("columns.open") if days < WEEK else "",
        "is_left_censored": text("columns.left_censored") if covered[0] < log.new_from else "",
    }
    return {"week": log.day(start), "days": days} | marks | found | changes


def _changes(now: Row, before: Row, *, knows_age: bool) -> dict[str, float | None]:
    """Return the changes of counts since those of some days before.

    Parameters
    ----------
    knows_age
        None of the days is left-censored: else it is not known of new users and orders.
    """
    known = [name for name in now if knows_age or name not in _LEFT_CENSORED]
    return {f"{name}_change": relative(now[name], before[name]) if name in known else None for name in now}


def week_of(start: date) -> dict[str, Any]:
    """Return where a week stands on the axis of a picture."""
    return {"week": str(start), "end": str(start + timedelta(days=WEEK))}


def _pictures(weeks: list[Row]) -> list[Picture]:
    shown = {"active": text("counts.series_active"), "purchases": text("counts.series_purchases")}
    return [_picture(weeks, name, title=words) for name, words in shown.items() if name in weeks[0]]


def _picture(weeks: list[Row], name: str, *, title: str) -> Picture:
    kinds = {text("counts.closed"): SHADES[0], text("counts.open"): GREY}
    closed, still_open = kinds
    rows = [
        week_of(row["week"]) | {"n": row[name], "kind": still_open if row["is_open"] else closed, "order": 0}
        for row in weeks
    ]
    x, y = Axis("week", "", "date", text("formats.axis_day")), Axis("n", "", format=",d")
    drawn = card(bars(rows, x, y=y, by=Series("kind", kinds), until="end"))
    return Picture(title, svg(drawn), text("counts.picture"))
