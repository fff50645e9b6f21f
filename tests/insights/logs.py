"""Small logs with active days that are easy to count in Python."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from insights.engine.active_days import ActiveDays, active_days
from tests.builders import Row, world_of

BERLIN = "Europe/Berlin"
CLOCK_CHANGE = date(2025, 3, 30)


def opened(folder: Path, rows: Iterable[str | Row], /, **options: Any) -> ActiveDays:
    """The active days of a log; keywords as for ``world_of``, and ``report`` for those of ``active_days``."""
    report = options.pop("report", {})
    return active_days(world_of(folder, rows, **{"covered_until": None} | options).activity(), **report)


def random_rows(seed: int, *, users: int = 40, days: int = 100, first: date = date(2025, 2, 3)) -> list[Row]:
    """Users who come, go and come back, at local times in Berlin around midnight and a clock change; some rows are there twice."""
    chance = random.Random(seed)
    rows: list[Row] = []
    for user in range(users):
        day = chance.randrange(days) if user else 0
        while day < days:
            local = datetime.combine(first + timedelta(days=day), datetime.min.time())
            at = local + timedelta(minutes=chance.choice([0, 1, 90, 150, 179, 720, 1439]))
            kind = "push" if chance.random() < 0.1 else "open"
            rows.append(
                {
                    "user_id": f"u{user}",
                    "event_time": at.replace(tzinfo=ZoneInfo(BERLIN)).astimezone(UTC),
                    "event_type": kind,
                }
            )
            if chance.random() < 0.3:
                rows.append(rows[-1])
            day += chance.choice([0, 1, 1, 1, 2, 5, 7, 8, 9, 29, 30, 31, 45])
    last = datetime.combine(first + timedelta(days=days - 1), datetime.min.time(), ZoneInfo(BERLIN))
    born = {"user_id": "born on the last day", "event_time": (last + timedelta(hours=23)).astimezone(UTC)}
    return [*rows, born | {"event_type": "open"}]


def days_by_user(rows: Iterable[Row], *, qualifying: str = "open") -> Mapping[str, set[date]]:
    """The local days in Berlin on which each user was active."""
    found = defaultdict[str, set[date]](set)
    for row in rows:
        if row["event_type"] == qualifying:
            found[row["user_id"]].add(row["event_time"].astimezone(ZoneInfo(BERLIN)).date())
    return found
