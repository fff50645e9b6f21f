"""S9, the growth page: active users, the states that they move between, and growth accounting."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import numpy as np
from numpy.typing import NDArray

from insights.engine.active_days import PARTS, ActiveDays, Counts
from insights.presentation import formats
from insights.presentation.section import Figures, Row, Section, columns
from insights.presentation.texts import text
from insights.statistics.resampling import ratio_interval
from models.charts import GREY, ORANGE, SHADES, Axis, Series, areas, bars, card, lines, svg
from models.page import Picture

WEEK, MONTH = 7, 28
AT_RISK_WAU, AT_RISK_MAU = 7, 30  # the last day that a user who was active so many days ago is still in the state
ACTIVE = ("new", "current", "reactivated", "resurrected")
IDLE = ("at_risk_wau", "at_risk_mau", "dormant")
STATES = (*ACTIVE, *IDLE)
RATES = {
    "new": "NURR",
    "current": "CURR",
    "reactivated": "RURR",
    "resurrected": "SURR",
    "at_risk_wau": "iWAURR",
    "at_risk_mau": "iMAURR",
    "dormant": "",
}
POINT, AHEAD = 0.01, 90  # what a rate is changed by, and for how many days its effect adds up
MIN_DAYS = 14  # that are not left-censored, without which nothing is said of such an effect
_SMALLEST = 0.005  # daily users: an effect below it is written as 0.00
STATE_OF_A_DAY = f"""case when prev_d is null then 'new' when d - prev_d <= {AT_RISK_WAU} then 'current'
    when d - prev_d <= {AT_RISK_MAU} then 'reactivated' else 'resurrected' end"""


def growth(log: ActiveDays) -> Section:
    """Return active users, states, rates and growth accounting."""
    days, rates, periods = daily(log), state_rates(log), accounting(log)
    last = days[-1]
    facts = {
        "dau": last["dau"],
        "wau": last["wau"],
        "mau": last["mau"],
        "quick_ratio": periods[-1]["quick_ratio"] if periods else None,
    }
    known = [row for row in rates if row["dau_change"] is not None]
    moving = max(known, key=lambda row: row["dau_change"], default=None)
    sentences = [
        text(
            "growth.sentence",
            dau=formats.count(last["dau"]),
            wau=formats.count(last["wau"]),
            mau=formats.count(last["mau"]),
            last=formats.date_words(log.last_day),
        )
    ]
    if moving and moving["dau_change"] >= _SMALLEST:
        values = {
            "state": moving["state"],
            "rate": moving["rate"],
            "dau": formats.number(moving["dau_change"]),
            "days": AHEAD,
        }
        sentences.append(text("growth.sensitivity", **values))
    sentences.append(_quick_ratio(periods))
    return Section("growth", sentences, _tables(days, rates, periods=periods), _pictures(days, periods), facts)


def _quick_ratio(periods: list[Row]) -> str:
    last = periods[-1] if periods else None
    if not last or last["quick_ratio"] is None:
        return text("growth.no_quick_ratio")
    return text(
        "growth.quick_ratio",
        ratio=formats.number(last["quick_ratio"]),
        gained=formats.count(last["new"] + last["resurrected"]),
        churned=formats.count(last["churned"]),
        first=formats.date_words(last["first_day"]),
        last=formats.date_words(last["last_day"]),
    )


# --- Every day ---------------------------------------------------------------------------------------------------------


def daily(log: ActiveDays) -> list[Row]:
    """Return active users and states of every day; DAU is the sum of the first four states, exactly."""
    active = {
        str(window): log.over_days("d", f"least(d + {window}, coalesce(next_d, {log.days}))")
        for window in (WEEK, MONTH)
    }
    states = counts_by_state(log)
    dau = sum((states[name] for name in ACTIVE), np.zeros(log.days, np.int64))
    return [
        {
            "day": log.day(d),
            "dau": int(dau[d]),
            "wau": _once_full(active[str(WEEK)], d, window=WEEK),
            "mau": _once_full(active[str(MONTH)], d, window=MONTH),
            "is_left_censored": text("columns.left_censored") if d < log.new_from else "",
        }
        | {name: int(states[name][d]) for name in STATES}
        for d in range(log.days)
    ]


def _once_full(values: Counts, d: int, *, window: int) -> int | None:
    """Return the active users of a window that the log covers completely."""
    return int(values[d]) if d >= window - 1 else None


def counts_by_state(log: ActiveDays) -> dict[str, Counts]:
    """Return the users in each state on each day, shape (days,): who was active, by the day before; who was not, by the days since.

    Source
    ------
    Duolingo's growth model (2023), "Meaningful metrics: how data sharpened the focus of product teams".
    """
    active = {name: log.over_days("d", "d + 1", where=f"{STATE_OF_A_DAY} = '{name}'") for name in ACTIVE}
    end = f"coalesce(next_d, {log.days})"
    week, month = f"least(d + 1 + {AT_RISK_WAU}, {end})", f"least(d + 1 + {AT_RISK_MAU}, {end})"
    return active | {
        "at_risk_wau": log.over_days("d + 1", week),
        "at_risk_mau": log.over_days(f"d + 1 + {AT_RISK_WAU}", month),
        "dormant": log.over_days(f"d + 1 + {AT_RISK_MAU}", "next_d"),
    }


# --- Rates, and what moves DAU -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Flows:
    """The moves between states from one day to the next, over the latest days.

    Attributes
    ----------
    back, total
        Shape (states, parts): user-days in a state, and those of them that were followed by an active day.
    moves
        Shape (states, states): user-days by the state of the next day.
    """

    back: NDArray[np.float64]
    total: NDArray[np.float64]
    moves: NDArray[np.float64]


def state_rates(log: ActiveDays) -> list[Row]:
    """Return of each state the share that is active the next day, and what one point more of it would do to DAU.

    The average moves of the latest four weeks, without left-censored days, are continued from the last day on, with as many new users a
    day; each rate in turn is one point higher, at the cost of its largest alternative. After few such days the effect is not known, nor
    where nobody of a state came back, or nearly everybody did.
    """
    flows = latest_flows(log)
    start = np.array([counts[-1] for counts in counts_by_state(log).values()], float)
    span = _days_of_flows(log)
    new = log.value(f"select count(*) from users where first_d >= {log.days - span}") / max(1, span)
    base = dau_ahead(flows.moves, start, new=new)
    found: list[Row] = []
    for place, state in enumerate(STATES):
        total = flows.total[place].sum()
        if total:
            low, high = ratio_interval(flows.back[place], flows.total[place])
            rate = flows.back[place].sum() / total
            changed = one_point_more(flows.moves, place) if span >= MIN_DAYS else None
            words = {
                "state": text(f"states.{state}"),
                "rate": RATES[state] or text("growth.dormant_rate"),
                "user_days": int(total),
            }
            ahead = None if changed is None else dau_ahead(changed, start, new=new) - base
            found.append(words | {"value": rate, "low": low, "high": high, "dau_change": ahead})
    return found


def _days_of_flows(log: ActiveDays) -> int:
    """Return how many of the days of the latest four weeks are not left-censored."""
    return min(MONTH, log.days - log.new_from)


def latest_flows(log: ActiveDays) -> Flows:
    """Count the moves between the days of the latest four weeks; who is new in left-censored days is not known, so these are excluded."""
    rows = log.rows(_moves_sql(max(log.new_from, log.days - 1 - MONTH), log.days - 1))
    back, total = (np.zeros((len(STATES), PARTS)) for _ in range(2))
    moves = np.zeros((len(STATES), len(STATES)))
    for before, after, part, n in rows:
        place = STATES.index(before)
        total[place, part] += n
        back[place, part] += n if after in ACTIVE else 0
        moves[place, STATES.index(after)] += n
    return Flows(back, total, moves)


def _moves_sql(first: int, last: int) -> str:
    """Return the SELECT of ``before, after, part, n``: user-days of ``[first, last)`` by the states of the day and of the next one."""
    idle = f"""case when {{age}} = 0 then {STATE_OF_A_DAY} when {{age}} <= {AT_RISK_WAU} then 'at_risk_wau'
        when {{age}} <= {AT_RISK_MAU} then 'at_risk_mau' else 'dormant' end"""
    arrived = f"""case when {{age}} <= {AT_RISK_WAU} then 'current' when {{age}} <= {AT_RISK_MAU} then 'reactivated'
        else 'resurrected' end"""
    days = f"""select s.*, u.part, unnest(range(greatest(d, {first}), least(coalesce(next_d, {last}), {last}))) as x
        from spells s join users u using (uid)"""
    return f"""select {idle.format(age="(x - d)")} as before,
            case when next_d = x + 1 then {arrived.format(age="(x + 1 - d)")} else {idle.format(age="(x + 1 - d)")} end as after,
            part, count(*) from ({days}) group by all"""


def dau_ahead(moves: NDArray[np.float64], start: NDArray[np.float64], *, new: float) -> float:
    """Return DAU so many days ahead, when users move between states as they did; shape (states, states) and (states,)."""
    totals = moves.sum(axis=1, keepdims=True)
    chances = np.divide(moves, totals, out=np.eye(len(STATES)), where=totals > 0)
    now = start
    for _ in range(AHEAD):
        now = now @ chances
        now[0] += new
    return float(now[: len(ACTIVE)].sum())


def one_point_more(moves: NDArray[np.float64], place: int) -> NDArray[np.float64] | None:
    """Return the moves with the share of a state that is active the next day one point higher; None where it cannot be.

    Where nobody of the state came back, or those who did are in a state that nobody has been in before the last day, it is not known how
    they would go on; where fewer than a point stayed away, there is no point to be had.
    """
    changed = moves.copy()
    row, shift = changed[place], POINT * moves[place].sum()
    back, away = row[: len(ACTIVE)], row[len(ACTIVE) :]
    came = int(back.argmax())
    if not back[came] or not moves[came].any() or away.max() < shift:
        return None
    back[came] += shift
    away[int(away.argmax())] -= shift
    return changed


# --- Growth accounting -------------------------------------------------------------------------------------------------


def accounting(log: ActiveDays) -> list[Row]:
    """Return new, resurrected and churned users of periods that end with the last day; the change of active users is exact.

    Source
    ------
    Jonathan Hsu 2015, "Diligence at Social Capital", part 1.
    """
    length = MONTH if log.days >= 3 * MONTH else WEEK if log.days >= 2 * WEEK else 1
    first = log.days % length
    sql = f"""select p, count(*) as active, count(*) filter (before is null) as new,
            count(*) filter (before < p - 1) as resurrected, count(*) filter (before = p - 1) as retained
        from (select p, lag(p) over (partition by uid order by p) as before
            from (select distinct uid, cast(floor((d - {first}) / {length}) as integer) as p from spells))
        group by p"""
    found = {period: _Period(*rest) for period, *rest in log.rows(sql)}
    return [
        _period_row(
            log,
            (first + period * length, first + (period + 1) * length),
            before=found.get(period - 1, _Period()),
            now=found.get(period, _Period()),
        )
        for period in range(1, (log.days - first) // length)
    ]


@dataclass(frozen=True)
class _Period:
    """The users who were active in a period."""

    active: int = 0
    new: int = 0
    resurrected: int = 0
    retained: int = 0


def _period_row(log: ActiveDays, days: tuple[int, int], *, before: _Period, now: _Period) -> Row:
    start, stop = days
    churned = before.active - now.retained
    return vars(now) | {
        "first_day": log.day(start),
        "last_day": log.day(stop - 1),
        "churned": churned,
        "change": now.active - before.active,
        "quick_ratio": (now.new + now.resurrected) / churned if churned else None,
        "is_left_censored": text("columns.left_censored") if start < log.new_from else "",
    }


# --- How it is shown ---------------------------------------------------------------------------------------------------


def _tables(days: list[Row], rates: list[Row], *, periods: list[Row]) -> list[Figures]:
    of_rates = columns("name", "state", "rate") | columns("share", "value", "low", "high")
    of_periods = columns("date", "first_day", "last_day") | columns("count", *vars(_Period()), "churned", "change")
    of_days = columns("date", "day") | columns("count", "dau", "wau", "mau", *STATES)
    marked = columns("name", "is_left_censored")
    return [
        Figures("growth_rates", rates, of_rates | columns("count", "user_days") | columns("number", "dau_change")),
        Figures("growth_accounting", periods, of_periods | columns("number", "quick_ratio") | marked),
        Figures("growth_days", days, of_days | marked),
    ]


def _pictures(days: list[Row], periods: list[Row]) -> list[Picture]:
    of_states = [_states_picture(days)] if len(days) >= WEEK else []
    return [_active_picture(days), *of_states, *([_accounting_picture(periods)] if periods else [])]


def _active_picture(days: list[Row]) -> Picture:
    names = {"mau": ("MAU", SHADES[2]), "wau": ("WAU", SHADES[1]), "dau": ("DAU", SHADES[0])}
    rows = [
        {"day": str(row["day"]), "n": row[name], "series": words}
        for name, (words, _) in names.items()
        for row in days
        if row[name] is not None
    ]
    series = Series("series", dict(reversed(names.values())))
    drawn = card(lines(rows, _day(), y=_USERS, by=series))
    return Picture(text("growth.active_title"), svg(drawn), text("growth.active_words"))


def _states_picture(days: list[Row]) -> Picture:
    colours = {"current": SHADES[0], "new": SHADES[1], "reactivated": SHADES[2], "resurrected": GREY}
    names = {text(f"states.{name}"): colour for name, colour in colours.items()}
    week = np.ones(WEEK) / WEEK
    means = {name: np.convolve([row[name] for row in days], week, "valid") for name in colours}
    rows = [
        {"day": str(row["day"]), "n": round(float(means[name][place]), 3), "series": words, "order": order}
        for place, row in enumerate(days[WEEK - 1 :])
        for order, (name, words) in enumerate(zip(colours, names, strict=True))
    ]
    drawn = card(areas(rows, _day(), y=_USERS, by=Series("series", names)))
    return Picture(text("growth.states_title"), svg(drawn), text("growth.states_words"))


def _accounting_picture(periods: list[Row]) -> Picture:
    colours = {"new": SHADES[0], "resurrected": SHADES[2], "churned": ORANGE}
    names = {text(f"states.{name}"): colour for name, colour in colours.items()}
    rows = [
        {
            "day": str(row["first_day"]),
            "end": str(row["last_day"] + timedelta(days=1)),
            "n": -row[name] if name == "churned" else row[name],
            "series": words,
            "order": order,
        }
        for row in periods
        for order, (name, words) in enumerate(zip(colours, names, strict=True))
    ]
    drawn = card(bars(rows, _day(), y=_USERS, by=Series("series", names), until="end"))
    return Picture(text("growth.accounting_title"), svg(drawn), text("growth.accounting_words"))


def _day() -> Axis:
    return Axis("day", "", "date", text("formats.axis_day"))


_USERS = Axis("n", "", format="~s")
