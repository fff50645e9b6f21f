"""Recency, usage, rhythm and trend in plain Python, from the descriptions of the catalogue."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from datetime import UTC, date, timedelta
from fractions import Fraction
from statistics import mean, median, pstdev

from tests.features.oracles.past import (
    Past,
    Row,
    Value,
    change,
    days_since,
    decayed,
    entropy,
    events,
    last_age,
    number,
    over,
    ratio,
    sessions,
    share_of_28d,
)


def active_days(past: Past, days: int) -> int:
    return len(past.active_days(days))


def minutes(past: Past, days: int) -> float:
    return past.minutes(days)


def tenure(past: Past) -> int:
    return (past.cutoff - past.first_day).days


def last_session(past: Past) -> float:
    starts = [visit[0]["event_time"].astimezone(UTC) for visit in past.all_visits()]
    return days_since(past, max(starts))


def days_since_last_event(past: Past) -> float:
    return days_since(past, past.events[-1]["event_time"])


def mean_gap(past: Past) -> float | None:
    return mean(past.gaps) if past.gaps else None


def spread_of_gaps(past: Past) -> float | None:
    return pstdev(past.gaps) if past.gaps else None


def longest_gap(past: Past) -> int | None:
    return max(past.gaps, default=None)


def median_gap(past: Past) -> float | None:
    return median(past.gaps) if past.gaps else None


def overdue_deviations(past: Past) -> float | None:
    usual = mean_gap(past)
    return None if usual is None else (days_since_last_event(past) - usual) / max(pstdev(past.gaps), 0.5)


def spread_of_sessions(past: Past) -> float | None:
    """In minutes, of lengths in whole seconds, a day at most."""
    seconds = [min(past.visit_ms(visit) // 1000, 86_400) for visit in past.all_visits(28)]
    return pstdev(seconds) / 60 if seconds else None


def between(first: int, last: int) -> Callable[[Past], float | None]:
    """Share of the events of 28 days in some hours of the day."""
    return lambda past: share_of_28d(past, lambda row: first <= past.local(row).hour <= last)


def hour_entropy(past: Past) -> float | None:
    """Each hour counts once a day."""
    hours = {(past.day(row), past.local(row).hour) for row in past.last(28)}
    return entropy(Counter(hour for _, hour in hours).values())


def weekday_entropy(past: Past) -> float | None:
    return entropy(Counter(day.weekday() for day in past.active_days(28)).values())


def slope_per_week(past: Past, per_day: Callable[[date], float]) -> float:
    """Least squares over the 28 days before the cutoff."""
    values = [Fraction(per_day(past.cutoff - timedelta(days=age))) for age in range(28, 0, -1)]
    center, level = Fraction(27, 2), sum(values) / 28
    rise = sum((x - center) * (y - level) for x, y in enumerate(values))
    return float(7 * rise / sum((x - center) ** 2 for x in range(28)))


def streak_up_to(past: Past, day: date) -> int:
    active, length = set(past.days), 0
    while day - timedelta(days=length) in active:
        length += 1
    return length


def weeks_since_peak(past: Past) -> int | None:
    weeks = Counter(
        (past.cutoff - day).days // 7 if (past.cutoff - day).days % 7 else (past.cutoff - day).days // 7 - 1
        for day in past.active_days(84)
    )
    return min(week for week, days in weeks.items() if days == max(weeks.values())) if weeks else None


def is_weekend(past: Past) -> Callable[[Row], bool]:
    return lambda row: past.day(row).isoweekday() > 5


WINDOWED: dict[str, Callable[[Past, int], Value]] = {
    "events": events,
    "active_days": active_days,
    "sessions": sessions,
    "usage_minutes": minutes,
}

RECENCY: dict[str, Callable[[Past], Value]] = {
    "days_since_last_event": days_since_last_event,
    "days_since_last_session": last_session,
    "days_since_last_qualifying_day": lambda past: last_age(
        [past.day(row) for row in past.events if past.rules.is_qualifying(row)], past
    ),
    "days_since_last_leaving_day": lambda past: last_age(
        [past.day(row) for row in past.events if past.rules.is_leaving(row)], past
    ),
    "tenure_days": tenure,
    "is_left_censored": lambda past: int(past.age(past.seen[0]) > (past.rules.observation_days or math.inf)),
    "first_week_active_days": lambda past: len(past.first_week()),
    "first_week_events": lambda past: sum(number(past.on(day)) for day in past.first_week()),
    "first_week_sessions": lambda past: sum(len(past.visits(day)) for day in past.first_week()),
    "first_week_usage_minutes": lambda past: sum(past.minutes_on(day) for day in past.first_week()),
    "is_in_first_week": lambda past: int(tenure(past) <= 7),
}


def _decayed_active_days(half_life: int) -> Callable[[Past], float]:
    return lambda past: decayed(past, half_life, lambda _: 1)


def _decayed_events(half_life: int) -> Callable[[Past], float]:
    return lambda past: decayed(past, half_life, lambda day: number(past.on(day)))


def _decayed_minutes(half_life: int) -> Callable[[Past], float]:
    def ms(past: Past, day: date) -> int:
        return sum(past.visit_ms(visit) for visit in past.visits(day))

    return lambda past: decayed(past, half_life, lambda day: ms(past, day)) / 60_000


def _per(
    above: Callable[[Past, int], float], below: Callable[[Past, int], float], days: int
) -> Callable[[Past], float | None]:
    return lambda past: over(above(past, days), below(past, days))


def _day_share(days: int) -> Callable[[Past], float]:
    return lambda past: len(past.active_days(days)) / min(days, tenure(past))


USAGE: dict[str, Callable[[Past], Value]] = {
    "active_days": lambda past: len(past.days),
    "active_day_share": lambda past: len(past.days) / min(tenure(past), past.rules.observation_days or math.inf),
    **{f"active_day_share_{days}d": _day_share(days) for days in (7, 28, 90)},
    **{f"active_days_decayed_{days}d": _decayed_active_days(days) for days in (3, 7, 28)},
    **{f"events_decayed_{days}d": _decayed_events(days) for days in (3, 7, 28)},
    **{f"usage_minutes_decayed_{days}d": _decayed_minutes(days) for days in (7, 28)},
    **{f"events_per_active_day_{days}d": _per(events, active_days, days) for days in (7, 28)},
    **{f"sessions_per_active_day_{days}d": _per(sessions, active_days, days) for days in (7, 28)},
    **{f"usage_minutes_per_active_day_{days}d": _per(minutes, active_days, days) for days in (7, 28)},
    **{f"usage_minutes_per_session_{days}d": _per(minutes, sessions, days) for days in (7, 28)},
    "events_per_session_28d": _per(events, sessions, 28),
    "session_minutes_std_28d": spread_of_sessions,
}

RHYTHM: dict[str, Callable[[Past], Value]] = {
    "gap_days_mean": mean_gap,
    "gap_days_median": median_gap,
    "gap_days_std": spread_of_gaps,
    "gap_days_max": longest_gap,
    "gap_days_last": lambda past: past.gaps[-1] if past.gaps else None,
    "gap_days_variation": lambda past: over(spread_of_gaps(past), mean_gap(past)),
    "overdue_ratio": lambda past: over(days_since_last_event(past), mean_gap(past)),
    "overdue_ratio_median": lambda past: over(days_since_last_event(past), median_gap(past)),
    "overdue_ratio_max": lambda past: over(days_since_last_event(past), longest_gap(past)),
    "overdue_deviations": overdue_deviations,
    "night_share_28d": between(0, 5),
    "morning_share_28d": between(6, 11),
    "afternoon_share_28d": between(12, 17),
    "evening_share_28d": between(18, 23),
    "weekend_share_28d": lambda past: share_of_28d(past, is_weekend(past)),
    "hour_entropy_bits_28d": hour_entropy,
    "weekday_entropy_bits_28d": weekday_entropy,
}

TREND: dict[str, Callable[[Past], Value]] = {
    **{f"active_days_change_{days}d": change(active_days, days) for days in (7, 28)},
    **{f"events_change_{days}d": change(events, days) for days in (7, 28)},
    **{f"sessions_change_{days}d": change(sessions, days) for days in (7, 28)},
    **{f"usage_minutes_change_{days}d": change(minutes, days) for days in (7, 28)},
    **{f"events_ratio_{days}d": ratio(events, days) for days in (7, 28)},
    **{f"usage_minutes_ratio_{days}d": ratio(minutes, days) for days in (7, 28)},
    "events_trend_7d": lambda past: over(4 * events(past, 7), events(past, 28)),
    "usage_minutes_trend_7d": lambda past: over(4 * minutes(past, 7), minutes(past, 28)),
    "events_acceleration_3d": lambda past: over(events(past, 3) / 3, events(past, 14) / 14),
    "active_days_acceleration_7d": lambda past: over(active_days(past, 7) / 7, active_days(past, 28) / 28),
    "events_slope_28d": lambda past: slope_per_week(past, lambda day: number(past.on(day))),
    "active_days_slope_28d": lambda past: slope_per_week(past, lambda day: int(day in past.days)),
    "usage_minutes_slope_28d": lambda past: slope_per_week(past, past.minutes_on),
    "longest_streak_days": lambda past: max(streak_up_to(past, day) for day in past.days),
    "current_streak_days": lambda past: streak_up_to(past, past.cutoff - timedelta(days=1)),
    "weeks_since_peak_84d": weeks_since_peak,
}
