"""Random small logs: ties, midnights, clock changes, gaps of years, columns that come and go."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import settings
from hypothesis import strategies as st

from features.catalogue.fitted import BgNbd, FittedConstants

# each zone with a day on which its clocks change, spring and autumn
CLOCK_CHANGES = [
    ("UTC", date(2025, 3, 30)),
    ("Europe/Berlin", date(2025, 3, 30)),
    ("Europe/Berlin", date(2025, 10, 26)),
    ("America/New_York", date(2025, 3, 9)),
    ("America/New_York", date(2025, 11, 2)),
]
TIMES = [
    time(0),
    time(0, 0, 0, 1000),
    time(0, 30),
    time(1, 59, 59, 999000),
    time(2, 30),
    time(5, 59, 59, 999000),
    time(6),
    time(12),
    time(12, 30),
    time(12, 30, 0, 1000),
    time(23, 45),
    time(23, 59, 59, 999000),
]
NEAR_DAYS = range(-8, 9)  # before the clock change; cutoffs lie here too
FAR_DAYS = [13, 14, 15, 20, 27, 28, 29, 35, 55, 56, 57, 89, 90, 91, 365, 366, 3_000]
# Of the windows a property about leaks needs a short one and a long one; the oracle asks for all of them.
TWO_WINDOWS = (1, 28)
USERS = ["anna", "bob", "O'Brien", "日本", "007"]
EVENT_TYPES = ("open", "it's bought")
VALUES: dict[str, list[Any]] = {
    "count": [None, 1, 2, 7],
    "session_id": [None, "s1", "s2", "s3"],
    "duration_seconds": [None, 0.0, 0.5, 59.999, 600.0, 50_000.0],
    "device_os": [None, "iOS", "android", "Windows"],
    "device_model": [None, "A1", "B2", "Ç3"],
    "app_version": [None, "1.9", "1.10", "2.0", "new"],
    "network": [None, "wifi", "4g"],
    "channel": [None, "ads", "search", "friend"],
    "amount": [None, -5.0, 0.0, 0.01, 9.99, 19.5, 1000.0],
}
# how long after it happened a row became known, in hours
DELAYS = [None, 0, 1, 24, 25, 72, 24 * 10]
# one that the log knows of too late, and one that it never sees
FITTED = FittedConstants(
    EVENT_TYPES,
    {"1.9": date(2025, 3, 1), "0.1": date(2025, 3, 1), "1.10": date(2025, 3, 29), "2.0": date(2025, 11, 20)},
    BgNbd(0.25, 30.5, 0.8, 2.4),
)
# Somebody has been there for ten years, at an odd hour: so every log reaches back, and knows the time of day.
FIRST = {"user_id": "eve", "event_time": datetime(2015, 6, 1, 12, 34, tzinfo=UTC), "event_type": "open"}


def examples(few: int, many: int) -> settings:
    """So many examples of a property that builds whole profiles: few by default, many and new ones under the profile ``ci``."""
    is_long = os.environ.get("HYPOTHESIS_PROFILE") == "ci"
    return settings(max_examples=many if is_long else few, derandomize=not is_long)


@dataclass(frozen=True)
class RandomLog:
    """Rows in contract columns, and the settings and cutoffs to read them with."""

    rows: tuple[Mapping[str, Any], ...]
    zone: str
    cutoffs: tuple[date, ...]
    observation_days: int | None

    @property
    def users(self) -> list[str]:
        return sorted({row["user_id"] for row in self.rows})

    @property
    def covered_until(self) -> date:
        return date(2026, 6, 1)

    def settings(self) -> dict[str, Any]:
        """Keywords of ``world_of``."""
        return {
            "churn": {"timezone": self.zone, "qualifying": "event_type = 'open'", "event": "event_type = 'rare'"},
            "features": {"observation_days": self.observation_days},
            "covered_until": self.covered_until,
        }


@st.composite
def random_logs(draw: st.DrawFn, *, min_rows: int = 20) -> RandomLog:
    """Some users around a clock change, one of them for ten years; one cutoff or two, before, between or after events."""
    zone, change = draw(st.sampled_from(CLOCK_CHANGES))
    lacking = draw(st.sets(st.sampled_from(sorted(VALUES)), max_size=len(VALUES)))
    values = {name: st.sampled_from(VALUES[name]) for name in sorted(set(VALUES) - lacking)}
    near = draw(st.lists(st.sampled_from(NEAR_DAYS), min_size=2, max_size=8, unique=True))
    busy_days = near + draw(st.lists(st.sampled_from(FAR_DAYS), max_size=5, unique=True))
    event = st.fixed_dictionaries(
        {
            "user_id": st.sampled_from(USERS),
            "event_time": _times(zone, change, busy_days),
            "event_type": st.sampled_from([*EVENT_TYPES, "rare"]),
        }
        | values
    )
    rows = draw(st.lists(event, min_size=min_rows, max_size=min_rows + 20))
    if draw(st.integers(0, 2)) == 0:
        values["ingested_at"] = st.none()
        rows = [row | {"ingested_at": _known_at(row, draw(st.sampled_from(DELAYS)))} for row in rows]
    days = st.builds(
        lambda busy, later: change + timedelta(days=later - busy),
        st.sampled_from(near),
        st.sampled_from([0, 1, 2, 3, 7, 14]),
    )
    cutoffs = {draw(days), draw(days | st.just(date(2026, 1, 1)))}
    observation_days = draw(st.sampled_from([None, None, 1, 2, 7, 14]))
    # every row names every column, so that a log has the same columns however it is cut
    return RandomLog((dict.fromkeys(values) | FIRST, *rows), zone, tuple(sorted(cutoffs)), observation_days)


def _known_at(row: Mapping[str, Any], delay: int | None) -> datetime | None:
    return None if delay is None else row["event_time"] + timedelta(hours=delay)


def _times(zone: str, around: date, days_before: list[int]) -> st.SearchStrategy[datetime]:
    """Instants on some days at telling times of day, twice where the clock shows them twice."""
    grain = st.times().map(lambda clock: clock.replace(microsecond=clock.microsecond // 1000 * 1000))
    return st.builds(
        lambda days, clock, fold: datetime.combine(
            around - timedelta(days=days), clock.replace(fold=fold), ZoneInfo(zone)
        ).astimezone(UTC),
        st.sampled_from(days_before),
        st.sampled_from(TIMES) | grain,
        st.sampled_from([0, 1]),
    )
