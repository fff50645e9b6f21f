"""Every feature a second time: slow, in plain Python, from the descriptions of the catalogue; no code of the engine.

A row is a mapping of contract columns with an aware ``event_time``.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from fractions import Fraction
from functools import cached_property, partial
from statistics import mean, median, pstdev
from typing import Any
from zoneinfo import ZoneInfo

Row = Mapping[str, Any]
Value = float | str | None


@dataclass(frozen=True)
class Rules:
    """What is configured rather than found in the log."""

    zone: str = "UTC"
    observation_days: int | None = None
    session_gap_minutes: int = 30
    has_session_ids: bool = False
    has_durations: bool = False
    is_qualifying: Callable[[Row], bool] = lambda _: True


def midnight(day: date, zone: str) -> datetime:
    """The instant at which a local day starts. Always UTC: aware datetimes of one zone compare by the wall clock."""
    return datetime.combine(day, time.min, ZoneInfo(zone)).astimezone(UTC)


@dataclass(frozen=True)
class Past:
    """What is known of one user at a cutoff."""

    every_row: Sequence[Row]
    cutoff: date
    rules: Rules

    @cached_property
    def cutoff_at(self) -> datetime:
        return midnight(self.cutoff, self.rules.zone)

    def local(self, row: Row) -> datetime:
        return row["event_time"].astimezone(ZoneInfo(self.rules.zone))

    def day(self, row: Row) -> date:
        return self.local(row).date()

    def age(self, row: Row) -> int:
        return (self.cutoff - self.day(row)).days

    @cached_property
    def seen(self) -> list[Row]:
        """All events before the cutoff, the oldest first."""
        before = [row for row in self.every_row if row["event_time"].astimezone(UTC) < self.cutoff_at]
        return sorted(before, key=lambda row: row["event_time"].astimezone(UTC))

    @cached_property
    def events(self) -> list[Row]:
        """Those in the observation window."""
        observed = self.rules.observation_days
        return [row for row in self.seen if observed is None or self.age(row) <= observed]

    @cached_property
    def first_day(self) -> date:
        return self.day(self.seen[0])

    @cached_property
    def days(self) -> list[date]:
        return sorted({self.day(row) for row in self.events})

    @cached_property
    def gaps(self) -> list[int]:
        return [(later - earlier).days for earlier, later in zip(self.days, self.days[1:], strict=False)]

    def last(self, days: int) -> list[Row]:
        return [row for row in self.events if self.age(row) <= days]

    def on(self, day: date) -> list[Row]:
        return [row for row in self.events if self.day(row) == day]

    def active_days(self, days: int) -> list[date]:
        return [day for day in self.days if (self.cutoff - day).days <= days]

    def visits(self, day: date) -> list[list[Row]]:
        """The sessions of a day: by their ids, else split where nothing happens for longer than the session gap."""
        rows = self.on(day)
        if self.rules.has_session_ids:
            ids = {row.get("session_id") for row in rows}
            return [[row for row in rows if row.get("session_id") == name] for name in ids]
        pause = timedelta(minutes=self.rules.session_gap_minutes)
        found: list[list[Row]] = []
        for row in rows:
            goes_on = bool(found) and row["event_time"] - found[-1][-1]["event_time"] <= pause
            found = [*found[:-1], [*found[-1], row]] if goes_on else [*found, [row]]
        return found

    def minutes(self, days: int) -> float:
        """Stated durations, each cut at the end of its day; else from the first to the last event of each session."""
        if self.rules.has_durations:
            return sum(self.stated_ms(row) for row in self.last(days)) / 60_000
        visits = [visit for day in self.active_days(days) for visit in self.visits(day)]
        return sum((visit[-1]["event_time"] - visit[0]["event_time"]).total_seconds() for visit in visits) / 60

    def stated_ms(self, row: Row) -> int:
        rest = midnight(self.day(row) + timedelta(days=1), self.rules.zone) - row["event_time"].astimezone(UTC)
        return half_up(min((row.get("duration_seconds") or 0) * 1000, rest.total_seconds() * 1000))

    def purchase_days(self) -> list[date]:
        return sorted({self.day(row) for row in self.events if cents(row) > 0})


def half_up(value: float) -> int:
    return math.floor(value + 0.5)


def cents(row: Row) -> int:
    amount = row.get("amount") or 0
    return int(math.copysign(half_up(abs(amount) * 100), amount))


def number(rows: Iterable[Row]) -> int:
    """How many events: a pre-counted row stands for several."""
    return sum(1 if row.get("count") is None else row["count"] for row in rows)


def over(above: float | None, below: float | None) -> float | None:
    return None if above is None or not below else above / below


def different(rows: Iterable[Row], column: str) -> int:
    return len({row.get(column) for row in rows} - {None})


def dated(past: Past, column: str) -> list[tuple[datetime, str]]:
    return [(row["event_time"].astimezone(UTC), row[column]) for row in past.events if row.get(column) is not None]


def last_value(past: Past, column: str) -> Value:
    return max(dated(past, column), default=(None, None))[1]


def share_of_28d(past: Past, is_meant: Callable[[Row], bool]) -> float | None:
    return over(number(row for row in past.last(28) if is_meant(row)), number(past.last(28)))


def decayed(weights: Iterable[tuple[int, date]], past: Past, half_life: int) -> float:
    """Weights halve with every ``half_life`` days of age; what one day adds is rounded to units of 2^-20."""
    return sum(half_up(n * 2 ** (20 - (past.cutoff - day).days / half_life)) for n, day in weights) / 2**20


def slope_per_week(past: Past, per_day: Callable[[date], int]) -> float:
    """Least squares over the 28 days before the cutoff."""
    values = [per_day(past.cutoff - timedelta(days=age)) for age in range(28, 0, -1)]
    center, level = Fraction(27, 2), Fraction(sum(values), 28)
    rise = sum((x - center) * (y - level) for x, y in enumerate(values))
    return float(7 * rise / sum((x - center) ** 2 for x in range(28)))


def last_age(days: Sequence[date], past: Past) -> int | None:
    return (past.cutoff - days[-1]).days if days else None


def days_since_last_event(past: Past) -> float:
    return (past.cutoff_at - past.events[-1]["event_time"].astimezone(UTC)) / timedelta(days=1)


def mean_gap(past: Past) -> float | None:
    return mean(past.gaps) if past.gaps else None


def overdue_deviations(past: Past) -> float | None:
    usual = mean_gap(past)
    return None if usual is None else (days_since_last_event(past) - usual) / max(pstdev(past.gaps), 0.5)


def new_device(past: Past) -> int:
    earlier = [row for row in past.events if past.age(row) > 14]
    return int(different(past.events, "device_model") > different(earlier, "device_model"))


def events(past: Past, days: int) -> int:
    return number(past.last(days))


def sessions(past: Past, days: int) -> int:
    return sum(len(past.visits(day)) for day in past.active_days(days))


def purchases(past: Past, days: int = 10**6) -> int:
    return number(row for row in past.last(days) if cents(row) > 0)


def purchase_gap(past: Past) -> float | None:
    days = past.purchase_days()
    return over((days[-1] - days[0]).days, len(days) - 1) if days else None


def amount(past: Past, days: int = 10**6) -> float:
    return sum(max(cents(row), 0) for row in past.last(days)) / 100


def of_type(past: Past, event_type: str, days: int) -> int:
    return number(row for row in past.last(days) if row["event_type"] == event_type)


WINDOWED: dict[str, Callable[[Past, int], Value]] = {
    "events": events,
    "active_days": lambda past, days: len(past.active_days(days)),
    "sessions": sessions,
    "usage_minutes": lambda past, days: past.minutes(days),
    "purchases": purchases,
    "amount": amount,
}

OF_A_TYPE: dict[str, Callable[[Past, str], Value]] = {
    "events_of_{}_7d": lambda past, event_type: of_type(past, event_type, 7),
    "events_of_{}_28d": lambda past, event_type: of_type(past, event_type, 28),
    "share_of_{}_28d": lambda past, event_type: over(of_type(past, event_type, 28), events(past, 28)),
}

LAST_OF = ("device_os", "device_model", "app_version", "network", "channel")

FEATURES: dict[str, Callable[[Past], Value]] = {
    # recency
    "days_since_last_event": days_since_last_event,
    "days_since_last_qualifying_day": lambda past: last_age(
        [past.day(row) for row in past.events if past.rules.is_qualifying(row)], past
    ),
    "tenure_days": lambda past: (past.cutoff - past.first_day).days,
    "is_left_censored": lambda past: int(past.age(past.seen[0]) > (past.rules.observation_days or math.inf)),
    "first_week_active_days": lambda past: len([day for day in past.days if (day - past.first_day).days < 7]),
    "is_in_first_week": lambda past: int((past.cutoff - past.first_day).days <= 7),
    # usage
    "active_days": lambda past: len(past.days),
    "active_day_share": lambda past: len(past.days) / (past.cutoff - past.first_day).days,
    "active_days_decayed_7d": lambda past: decayed([(1, day) for day in past.days], past, 7),
    "active_days_decayed_28d": lambda past: decayed([(1, day) for day in past.days], past, 28),
    "events_decayed_7d": lambda past: decayed([(number(past.on(day)), day) for day in past.days], past, 7),
    "events_per_active_day_28d": lambda past: over(events(past, 28), len(past.active_days(28))),
    "usage_minutes_per_active_day_7d": lambda past: over(past.minutes(7), len(past.active_days(7))),
    "usage_minutes_per_active_day_28d": lambda past: over(past.minutes(28), len(past.active_days(28))),
    "usage_minutes_per_session_28d": lambda past: over(past.minutes(28), sessions(past, 28)),
    # rhythm
    "gap_days_mean": mean_gap,
    "gap_days_median": lambda past: median(past.gaps) if past.gaps else None,
    "gap_days_std": lambda past: pstdev(past.gaps) if past.gaps else None,
    "gap_days_max": lambda past: max(past.gaps, default=None),
    "gap_days_last": lambda past: past.gaps[-1] if past.gaps else None,
    "overdue_ratio": lambda past: over(days_since_last_event(past), mean_gap(past)),
    "overdue_deviations": overdue_deviations,
    "night_share_28d": lambda past: share_of_28d(past, lambda row: past.local(row).hour < 6),
    "weekend_share_28d": lambda past: share_of_28d(past, lambda row: past.day(row).isoweekday() > 5),
    # trend
    "active_days_change_7d": lambda past: 2 * len(past.active_days(7)) - len(past.active_days(14)),
    "active_days_change_28d": lambda past: 2 * len(past.active_days(28)) - len(past.active_days(56)),
    "events_trend_7d": lambda past: over(4 * events(past, 7), events(past, 28)),
    "usage_minutes_trend_7d": lambda past: over(4 * past.minutes(7), past.minutes(28)),
    "events_acceleration_3d": lambda past: over(events(past, 3) / 3, events(past, 14) / 14),
    "events_slope_28d": lambda past: slope_per_week(past, lambda day: number(past.on(day))),
    "active_days_slope_28d": lambda past: slope_per_week(past, lambda day: int(day in past.days)),
    # device and channel
    **{f"last_{column}": partial(last_value, column=column) for column in LAST_OF},
    "device_models": lambda past: different(past.events, "device_model"),
    "app_versions_28d": lambda past: different(past.last(28), "app_version"),
    "networks_28d": lambda past: different(past.last(28), "network"),
    "has_new_device_model_14d": new_device,
    "acquisition_channel": lambda past: min(dated(past, "channel"), default=(None, None))[1],
    "channels": lambda past: different(past.events, "channel"),
    # purchases and event mix
    "purchases": purchases,
    "basket_mean": lambda past: over(amount(past), purchases(past)),
    "days_since_last_purchase": lambda past: last_age(past.purchase_days(), past),
    "purchase_gap_days_mean": purchase_gap,
    "refunds": lambda past: number(row for row in past.events if cents(row) < 0),
    "is_repeat_purchaser": lambda past: int(purchases(past) >= 2),
    "event_types_28d": lambda past: different(past.last(28), "event_type"),
}


def oracle_of(name: str, event_types: Iterable[str] = ()) -> Callable[[Past], Value] | None:
    """The plain-Python way to a feature, or None where nobody wrote one."""
    words = {re.sub(r"\W+", "_", event_type.lower()).strip("_"): event_type for event_type in event_types}
    of_types = {
        form.format(word): partial(OF_A_TYPE[form], event_type=words[word]) for form in OF_A_TYPE for word in words
    }
    measure, _, window = name.rpartition("_")
    if measure in WINDOWED and window.removesuffix("d").isdigit():
        return partial(WINDOWED[measure], days=int(window[:-1]))
    return (FEATURES | of_types).get(name)
