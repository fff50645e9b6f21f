"""What is known of one user at a cutoff, in plain Python; no code of the engine.

A row is a mapping of contract columns with an aware ``event_time``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from functools import cached_property
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

Row = Mapping[str, Any]
Value = float | str | None
EVER = 10**6  # days


@dataclass(frozen=True)
class Rules:
    """What is configured rather than found in the log."""

    zone: str = "UTC"
    observation_days: int | None = None
    session_gap_minutes: int = 30
    has_session_ids: bool = False
    has_durations: bool = False
    is_qualifying: Callable[[Row], bool] = lambda _: True
    is_leaving: Callable[[Row], bool] = lambda _: False
    versions: Mapping[str, date] = field(default_factory=dict[str, date])
    bg_nbd: tuple[float, float, float, float] = (1, 1, 1, 1)  # r, alpha, a, b


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
        """All events before the cutoff that were known by then, the oldest first."""
        before = [row for row in self.every_row if known_at(row) < self.cutoff_at]
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

    def all_visits(self, days: int = EVER) -> list[list[Row]]:
        return [visit for day in self.active_days(days) for visit in self.visits(day)]

    def visit_ms(self, visit: list[Row]) -> int:
        """Stated durations, each cut at the end of its day; else from the first to the last event, without an id without long pauses."""
        if self.rules.has_durations:
            return sum(self.stated_ms(row) for row in visit)
        times = [row["event_time"].astimezone(UTC) for row in visit]
        steps = [after - before for before, after in pairwise(times)]
        if self.rules.has_session_ids and visit[0].get("session_id") is None:
            steps = [step for step in steps if step <= timedelta(minutes=self.rules.session_gap_minutes)]
        return sum(steps, timedelta()) // timedelta(milliseconds=1)

    def minutes(self, days: int = EVER) -> float:
        return sum(self.visit_ms(visit) for visit in self.all_visits(days)) / 60_000

    def minutes_on(self, day: date) -> float:
        return sum(self.visit_ms(visit) for visit in self.visits(day)) / 60_000

    def first_week(self) -> list[date]:
        return [day for day in self.days if (day - self.first_day).days < 7]

    def stated_ms(self, row: Row) -> int:
        rest = midnight(self.day(row) + timedelta(days=1), self.rules.zone) - row["event_time"].astimezone(UTC)
        return half_up(min((row.get("duration_seconds") or 0) * 1000, rest.total_seconds() * 1000))

    def purchase_days(self) -> list[date]:
        return sorted({self.day(row) for row in self.events if micros(row) > 0})


def known_at(row: Row) -> datetime:
    """An event is known when it has happened and has arrived."""
    return max(at.astimezone(UTC) for at in (row["event_time"], row.get("ingested_at")) if at)


def half_up(value: float) -> int:
    return math.floor(value + 0.5)


def micros(row: Row) -> int:
    amount = row.get("amount") or 0
    return int(math.copysign(half_up(abs(amount) * 1_000_000), amount))


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


def entropy(counts: Iterable[float]) -> float | None:
    """In bits."""
    some = [count for count in counts if count]
    return -sum(count / sum(some) * math.log2(count / sum(some)) for count in some) + 0.0 if some else None


def share_of_28d(past: Past, is_meant: Callable[[Row], bool]) -> float | None:
    return over(number(row for row in past.last(28) if is_meant(row)), number(past.last(28)))


def last_age(days: Sequence[date], past: Past) -> int | None:
    return (past.cutoff - days[-1]).days if days else None


def days_since(past: Past, at: datetime) -> float:
    return (past.cutoff_at - at.astimezone(UTC)) / timedelta(days=1)


def decayed(past: Past, half_life: int, per_day: Callable[[date], float]) -> float:
    """Weights halve with every ``half_life`` days of age; what one day adds is rounded to units of 2^-20."""
    aged = [(per_day(day), (past.cutoff - day).days) for day in past.days]
    return sum(half_up(amount * 2 ** (20 - age / half_life)) for amount, age in aged) / 2**20


def events(past: Past, days: int = EVER) -> int:
    return number(past.last(days))


def sessions(past: Past, days: int = EVER) -> int:
    return len(past.all_visits(days))


def change(measure: Callable[[Past, int], float], days: int) -> Callable[[Past], float]:
    """The last days less the days before them."""
    return lambda past: 2 * measure(past, days) - measure(past, 2 * days)


def ratio(measure: Callable[[Past, int], float], days: int) -> Callable[[Past], float | None]:
    """The last days over the days before them."""
    return lambda past: over(measure(past, days), measure(past, 2 * days) - measure(past, days))
