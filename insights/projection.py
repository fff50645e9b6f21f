"""S9: where the product is going: daily users of the weeks ahead, with a band from how far off the same projection was before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as student

from insights.engine.active_days import ActiveDays
from insights.growth import ACTIVE, AT_RISK_MAU, AT_RISK_WAU, MONTH, STATE_OF_A_DAY, STATES, WEEK, counts_by_state
from insights.presentation import formats
from insights.presentation.section import Figures, Row, Section, columns
from insights.presentation.texts import text
from models.charts import SHADES, Axis, Layers, Series, band, card, lines, svg
from models.page import Picture

Values = NDArray[np.float64]
WEEKS, COVERAGE = 8, 0.8
MIN_PAST, MAX_PAST = 8, 52  # earlier projections that the band is from
TESTED, SHOWN_WEEKS = 26, 26


def projection(log: ActiveDays) -> Section:
    """Return the daily users of the next eight weeks, and how earlier projections of them did."""
    course = course_of(log)
    found = projected(course, log.days)
    if not found:
        return Section("projection", [text("projection.too_short", weeks=WEEKS, past=MIN_PAST)], facts={"weeks": WEEKS})
    tests = backtest(course)
    weeks = [_week(log, found, week=week) for week in range(WEEKS)]
    last = weeks[-1]
    facts = {name: last[name] for name in ("dau", "low", "high")} | {"weeks": WEEKS, "coverage": COVERAGE}
    sentences = [_sentence(last)]
    tables = [Figures("projection_weeks", weeks, columns("date", "first_day", "last_day") | _NUMBERS)]
    if tests:
        facts |= {"tested": len(tests), **summary(tests)}
        sentences.append(_account(facts))
        shown = [{"day": log.day(one.origin - 1)} | vars(one) | {"mark": _mark(one)} for one in tests]
        kinds = (
            columns("date", "day") | _NUMBERS | columns("number", "actual", "as_last_month") | columns("name", "mark")
        )
        tables.append(Figures("projection_tests", shown, kinds))
    return Section("projection", sentences, tables, [_picture(log, course, weeks=weeks)], facts)


# --- What has been ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Course:
    """The states of all users, day by day.

    Attributes
    ----------
    states
        Shape (days, states): users in each state.
    moves
        Shape (days - 1, states, states): of them, by the state of the next day.
    first
        Number of the first day whose new users count as new.
    """

    states: Values
    moves: Values
    first: int

    @property
    def dau(self) -> Values:
        """Active users of each day, shape (days,)."""
        return self.states[:, : len(ACTIVE)].sum(axis=1)

    @cached_property
    def errors(self) -> dict[int, Values]:
        """Day from which a projection can be compared with what came, to the logarithms of what came over it, shape (weeks,)."""
        last, first = len(self.states) - WEEKS * WEEK, self.first + MONTH + 1
        pairs = {one: (self.came(one), ahead(self, one)) for one in range(last, first - 1, -WEEK)}
        return {one: np.log(came / said) for one, (came, said) in pairs.items() if came.all() and said.all()}

    def came(self, origin: int) -> Values:
        """Return the mean daily users of the weeks from a day on, shape (weeks,)."""
        return self.dau[origin : origin + WEEKS * WEEK].reshape(WEEKS, WEEK).mean(axis=1)


def course_of(log: ActiveDays) -> Course:
    """Count states and moves of every day."""
    states = np.stack([*counts_by_state(log).values()], axis=1).astype(float)
    moves = np.zeros((max(0, log.days - 1), len(STATES), len(STATES)))
    for before, after, (start, stop, where) in _moves(log.days):
        moves[:, STATES.index(before), STATES.index(after)] = log.over_days(start, stop, where=where)[:-1]
    return Course(states, moves, log.new_from)


def _moves(days: int) -> list[tuple[str, str, tuple[str, str, str]]]:
    """Return the days of a spell on which a user goes from one state to another by the next day: start, stop and condition, in SQL."""
    back, week, month = f"coalesce(next_d - 1, {days} - 1)", AT_RISK_WAU, AT_RISK_MAU
    found = [
        move
        for name in ACTIVE
        for move in (
            (name, "current", ("d", "d + 1", f"{STATE_OF_A_DAY} = '{name}' and next_d = d + 1")),
            (name, "at_risk_wau", ("d", "d + 1", f"{STATE_OF_A_DAY} = '{name}' and {back} > d")),
        )
    ]
    return [
        *found,
        ("at_risk_wau", "at_risk_wau", ("d + 1", f"least(d + {week}, {back})", "true")),
        ("at_risk_wau", "at_risk_mau", (f"d + {week}", f"d + {week} + 1", f"{back} > d + {week}")),
        ("at_risk_wau", "current", ("next_d - 1", "next_d", f"next_d - d between 2 and {week}")),
        ("at_risk_wau", "reactivated", ("next_d - 1", "next_d", f"next_d - d = {week} + 1")),
        ("at_risk_mau", "at_risk_mau", (f"d + {week} + 1", f"least(d + {month}, {back})", "true")),
        ("at_risk_mau", "dormant", (f"d + {month}", f"d + {month} + 1", f"{back} > d + {month}")),
        ("at_risk_mau", "reactivated", ("next_d - 1", "next_d", f"next_d - d between {week} + 2 and {month}")),
        ("at_risk_mau", "resurrected", ("next_d - 1", "next_d", f"next_d - d = {month} + 1")),
        ("dormant", "dormant", (f"d + {month} + 1", back, "true")),
        ("dormant", "resurrected", ("next_d - 1", "next_d", f"next_d - d > {month} + 1")),
    ]


# --- What will be -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Projection:
    """Mean daily users of each of the weeks ahead, shape (weeks,), with the band that holds them with a chance of 80 %."""

    dau: Values
    low: Values
    high: Values


def ahead(course: Course, origin: int) -> Values:
    """Return the mean daily users of the weeks from a day on, as known before it: moves and new users as in the four weeks before.

    Source
    ------
    Duolingo's growth model (2023), "Meaningful metrics: how data sharpened the focus of product teams".
    """
    moves = course.moves[origin - 1 - MONTH : origin - 1].sum(axis=0)
    totals = moves.sum(axis=1, keepdims=True)
    chances = np.divide(moves, totals, out=np.eye(len(STATES)), where=totals > 0)
    new, now = course.states[origin - MONTH : origin, 0].mean(), course.states[origin - 1]
    dau = np.zeros(WEEKS * WEEK)
    for day in range(len(dau)):
        now = now @ chances
        now[0] += new
        dau[day] = now[: len(ACTIVE)].sum()
    return dau.reshape(WEEKS, WEEK).mean(axis=1)


def projected(course: Course, origin: int) -> Projection | None:
    """Return the projection from a day on, as known before it; None where too few earlier ones can be compared with what came.

    The band is that of a further error like those of the same projection from earlier weeks, around zero. Errors of neighbouring weeks
    share most of their days, so that those of the week h count as their number over h.

    Source
    ------
    Student's t interval; on empirical errors of forecasts: Williams and Goodman 1971, "A Simple Method for the Construction of Empirical
    Confidence Limits for Economic Forecasts", JASA 66(336).
    """
    past = [errors for one, errors in course.errors.items() if one + WEEKS * WEEK <= origin][:MAX_PAST]
    if len(past) < MIN_PAST:
        return None
    spread = np.sqrt((np.array(past) ** 2).mean(axis=0))
    freedom = np.maximum(1.0, len(past) / np.arange(1, WEEKS + 1))
    width = student.ppf((1 + COVERAGE) / 2, freedom) * spread
    dau = ahead(course, origin)
    return Projection(dau, dau * np.exp(-width), dau * np.exp(width))


# --- How earlier projections did --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class EarlierProjection:
    """A projection of the eighth week from an earlier day, with what came, and what "as last month" would have said."""

    origin: int
    dau: float
    low: float
    high: float
    actual: float
    as_last_month: float

    @property
    def is_inside(self) -> bool:
        """True where what came is in the band."""
        return self.low <= self.actual <= self.high


def backtest(course: Course) -> list[EarlierProjection]:
    """Project from each of the latest weeks for which it is known what came, from what was known then."""
    return [
        EarlierProjection(
            origin,
            dau=float(found.dau[-1]),
            low=float(found.low[-1]),
            high=float(found.high[-1]),
            actual=float(course.came(origin)[-1]),
            as_last_month=float(course.dau[origin - MONTH : origin].mean()),
        )
        for origin in [*course.errors][:TESTED][::-1]
        if (found := projected(course, origin))
    ]


def summary(tests: Sequence[EarlierProjection]) -> dict[str, float]:
    """Return how many projections held what came, and by how much projections and "as last month" were off on average, in shares."""
    actual = np.array([one.actual for one in tests])
    said, naive = (np.array([getattr(one, name) for one in tests]) for name in ("dau", "as_last_month"))
    return {
        "inside": float(np.mean([one.is_inside for one in tests])),
        "error": float(np.mean(np.abs(said - actual) / actual)),
        "error_as_last_month": float(np.mean(np.abs(naive - actual) / actual)),
    }


# --- How it is shown ---------------------------------------------------------------------------------------------------

_NUMBERS = columns("number", "dau", "low", "high")


def _mark(one: EarlierProjection) -> str:
    return "" if one.is_inside else text("projection.outside")


def _week(log: ActiveDays, found: Projection, *, week: int) -> Row:
    start = log.last_day + timedelta(days=1 + week * WEEK)
    values = {name: float(getattr(found, name)[week]) for name in ("dau", "low", "high")}
    return {"first_day": start, "last_day": start + timedelta(days=WEEK - 1)} | values


def _sentence(last: Row) -> str:
    numbers = {name: formats.count(round(last[name])) for name in ("dau", "low", "high")}
    days = {name: formats.date_words(last[name]) for name in ("first_day", "last_day")}
    return text("projection.sentence", **numbers, **days, coverage=_coverage())


def _coverage() -> str:
    return text("formats.share", number=formats.written(100 * COVERAGE, 0))


def _account(facts: Row) -> str:
    shares = {name: formats.share(facts[name]) for name in ("inside", "error", "error_as_last_month")}
    return text("projection.account", tested=facts["tested"], weeks=WEEKS, coverage=_coverage(), **shares)


def _picture(log: ActiveDays, course: Course, *, weeks: Sequence[Row]) -> Picture:
    known = min(SHOWN_WEEKS, len(course.dau) // WEEK)
    past = course.dau[len(course.dau) - known * WEEK :].reshape(known, WEEK).mean(axis=1)
    names = {text("projection.known"): SHADES[0], text("projection.ahead"): SHADES[1]}
    said, coming = names
    rows: list[Row] = [
        {"day": str(log.last_day - timedelta(days=(known - place) * WEEK - 1)), "n": float(dau), "series": said}
        for place, dau in enumerate(past)
    ]
    rows += [{"day": str(row["first_day"]), "n": row["dau"], "series": coming} for row in weeks]
    ends = [{"day": str(row["first_day"]), "low": row["low"], "high": row["high"]} for row in weeks]
    return Picture(
        text("projection.picture_title"), svg(_chart(rows, ends, names=names)), text("projection.picture_words")
    )


def _chart(rows: Sequence[Row], ends: Sequence[Row], *, names: dict[str, str]) -> Layers:
    x = Axis("day", "", "date", text("formats.axis_day"))
    drawn = band(ends, x, low=Axis("low", "", format="~s"), high="high")
    return card(drawn, lines(rows, x, y=Axis("n", "", format="~s"), by=Series("series", names)))
