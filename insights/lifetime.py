"""S9: the life of a normal user, from the first day to the start of the first long silence; and when today's users leave, or are back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from warnings import catch_warnings, simplefilter

import numpy as np
from numpy.typing import NDArray
from scipy.stats import CensoredData, ecdf

from insights.engine.active_days import ActiveDays
from insights.presentation import formats
from insights.presentation.section import Figures, Row, Section, columns
from insights.presentation.texts import text
from models.charts import SHADES, Axis, Series, band, card, lines, svg
from models.page import Picture
from models.shares import Z_95

MARKS = (30, 90, 180, 365)
_POINTS = 120


@dataclass(frozen=True)
class Outlook:
    """The curves of all users who are scored just after the log, as one.

    Attributes
    ----------
    day
        The cutoff of their scores.
    is_event
        True where churn is an event; else it is staying away.
    probabilities
        Churn probability of each user at each of ``days``, shape (users, days).
    median_days
        Days by which each is as likely as not to have left, or to be back, shape (users,); NaN: later.
    """

    day: date
    is_event: bool
    days: Sequence[int]
    probabilities: NDArray[np.float64]
    median_days: NDArray[np.float64]

    def rows(self) -> list[Row]:
        """Return by day the users expected to have left, or not to be back, and those whose expected day is after the day before."""
        starts = (0, *self.days)
        return [
            {"horizon_days": end, "users": len(p)}
            | _within_chance(p)
            | {"expected_day_users": int(((self.median_days > start) & (self.median_days <= end)).sum())}
            for start, end, p in zip(starts, self.days, self.probabilities.T, strict=False)
        ]


def _within_chance(probability: NDArray[np.float64]) -> dict[str, float]:
    """Return the expected number of churners, and what chance does to it: 95 % of a sum of independent events, by its variance."""
    expected, spread = float(probability.sum()), Z_95 * float(np.sqrt((probability * (1 - probability)).sum()))
    ends = {
        "chance_low": max(0.0, expected - spread),
        "chance_high": min(float(len(probability)), expected + spread),
    }
    return {"expected_users": expected} | ends


def lifetime(log: ActiveDays, *, horizon_days: int, outlook: Outlook | None = None) -> Section:
    """Return the survival curve of new users, who end when they begin to be idle for longer than the horizon.

    Parameters
    ----------
    outlook
        Of today's users; None: no champion has curves.
    """
    found = _survival_section(log, horizon_days=horizon_days)
    return _with_outlook(found, outlook) if outlook and len(outlook.probabilities) else found


def _with_outlook(found: Section, outlook: Outlook) -> Section:
    rows, key = outlook.rows(), "lifetime.outlook_left" if outlook.is_event else "lifetime.outlook_away"
    first, last = rows[0], rows[-1]
    sentence = text(
        key,
        users=formats.count(last["users"]),
        day=formats.date_words(outlook.day),
        first=formats.count(round(first["expected_users"])),
        first_days=first["horizon_days"],
        last=formats.count(round(last["expected_users"])),
        last_days=last["horizon_days"],
        known=formats.count(sum(row["expected_day_users"] for row in rows)),
    )
    kinds = columns("count", "horizon_days", "users") | columns("number", "expected_users", "chance_low", "chance_high")
    table = Figures("outlook", rows, kinds | columns("count", "expected_day_users"))
    return replace(
        found,
        sentences=[*found.sentences, sentence],
        tables=[*found.tables, table],
        pictures=[*found.pictures, _outlook_picture(rows, key)],
    )


def _outlook_picture(rows: Sequence[Row], key: str) -> Picture:
    x, series = Axis("horizon_days", text("lifetime.outlook_axis")), text(f"{key}_series")
    layers = (
        band(rows, x, low=Axis("chance_low", ""), high="chance_high"),
        lines(
            [dict(row) | {"series": series} for row in rows],
            x,
            y=Axis("expected_users", ""),
            by=Series("series", {series: SHADES[0]}),
        ),
    )
    return Picture(text("lifetime.outlook_title"), svg(card(*layers)), text("lifetime.outlook_picture"))


def _survival_section(log: ActiveDays, *, horizon_days: int) -> Section:
    curve = survival(log, horizon_days=horizon_days)
    if not curve:
        return Section("lifetime", [text("lifetime.unknown", days=horizon_days)])
    median = next((row["day_n"] for row in curve if row["alive"] <= 0.5), None)  # noqa: PLR2004
    at = {day: row for day in MARKS for row in curve if row["day_n"] == day}
    facts = {"users": curve[0]["at_risk"], "median_days": median} | {
        f"alive_day_{day}": row["alive"] for day, row in at.items()
    }
    last = curve[-1]
    key = "lifetime.sentence" if median is not None else "lifetime.no_median"
    values = {"days": median, "users": formats.count(facts["users"]), "horizon": horizon_days}
    sentence = text(key, **values, last=last["day_n"], share=formats.share(last["alive"]))
    kinds = columns("count", "day_n", "at_risk") | columns("share", "alive", "alive_low", "alive_high")
    return Section("lifetime", [sentence], [Figures("survival", curve, kinds)], [_picture(curve)], facts)


def spans(log: ActiveDays, *, horizon_days: int) -> list[tuple[int, bool]]:
    """Return of each new user the days lived, and whether the end was seen; the living are censored at coverage - horizon."""
    known = log.days - horizon_days
    sql = f"""select coalesce(min(d + 1) filter (coalesce(next_d, {log.days}) - d - 1 >= {horizon_days}), {known}) - first_d,
            count(*) filter (coalesce(next_d, {log.days}) - d - 1 >= {horizon_days}) > 0
        from spells join users using (uid) where first_d >= {log.new_from} and first_d < {known} group by uid, first_d order by uid"""
    return log.rows(sql)


def survival(log: ActiveDays, *, horizon_days: int) -> list[Row]:
    """Return the share of users alive after each day, with Greenwood's interval on the log-log scale.

    Source
    ------
    Kaplan and Meier 1958, "Nonparametric Estimation from Incomplete Observations", JASA 53(282).
    """
    found = spans(log, horizon_days=horizon_days)
    if not found:
        return []
    days = np.array([one for one, _ in found])
    ended = np.array([is_over for _, is_over in found])
    curve = ecdf(CensoredData(uncensored=days[ended], right=days[~ended])).sf
    with catch_warnings():
        simplefilter("ignore", RuntimeWarning)  # there is no interval where everybody is there, or nobody
        ends = curve.confidence_interval(method="log-log")
    grid = np.arange(int(days.max()) + 1)
    alive, low, high = (one.evaluate(grid) for one in (curve, ends.low, ends.high))
    at_risk = [int((days >= day).sum()) for day in grid]
    return [
        {"day_n": int(day), "at_risk": at_risk[day], "alive": float(alive[day])}
        | _ends(float(low[day]), float(high[day]))
        for day in grid
    ]


def _ends(low: float, high: float) -> dict[str, float]:
    return {"alive_low": low, "alive_high": high}


def _series() -> Series:
    return Series("series", {text("lifetime.series"): SHADES[0]})


def _picture(curve: Sequence[Row]) -> Picture:
    every = max(1, len(curve) // _POINTS)
    rows = [row for row in curve[::every] if np.isfinite(row["alive_low"]) and np.isfinite(row["alive_high"])]
    x, y = Axis("day_n", text("lifetime.axis")), Axis("alive", "", format=".0%")
    layers = (
        band(rows, x, low=Axis("alive_low", "", format=".0%"), high="alive_high"),
        lines([dict(row) | {"series": text("lifetime.series")} for row in rows], x, y=y, by=_series()),
    )
    return Picture(text("lifetime.picture_title"), svg(card(*layers)), text("lifetime.picture"))
