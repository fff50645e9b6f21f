"""How fast a profile is built from a user's own events, without HTTP and without the model: one user, and users in batches.

Writes its table beside this file.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from typing import Any

import numpy as np

from benchmarks.measuring import PAGES
from features.activity.roll_up import DETECTED_FACTS
from features.catalogue.catalogue import catalogue, select
from features.catalogue.fitted import FittedConstants
from features.profiles.online import History, OnlineProfiles
from features.profiles.specification import Specification
from features.schema import COLUMNS

EVENTS = 500
DAYS = 200
BATCH = 100
FITTED = FittedConstants(("open", "buy"))
WINDOWS = (1, 3, 7, 14, 28, 56, 90)
MIDNIGHT = datetime(2026, 7, 20, tzinfo=UTC)
AFTERNOON = MIDNIGHT.replace(hour=15, minute=37)
CHOICES = {
    "event_type": ("open", "buy", "view"),
    "device_os": ("ios", "android"),
    "device_model": ("A1", "B2", "C3"),
    "app_version": ("1.9", "2.0"),
    "network": ("wifi", "4g"),
    "channel": ("ads", "search"),
}
CONTRACT = tuple(name for name in COLUMNS if name != "ingested_at")


def specification() -> Specification:
    features = select(catalogue(WINDOWS, FITTED), {*CONTRACT, *DETECTED_FACTS}, history_days=DAYS).features
    return Specification(tuple(feature.name for feature in features), WINDOWS, FITTED)


def history(user: int, as_of: datetime) -> History:
    random = np.random.default_rng(user)
    start = int(MIDNIGHT.timestamp()) - DAYS * 86_400
    times = np.sort(random.integers(start, start + DAYS * 86_400, EVENTS))
    columns: dict[str, Any] = {name: random.choice(values, EVENTS).tolist() for name, values in CHOICES.items()}
    columns["event_time"] = [datetime.fromtimestamp(int(at), UTC) for at in times]
    columns["session_id"] = [f"s{place // 5}" for place in range(EVENTS)]
    columns["duration_seconds"] = random.uniform(0, 300, EVENTS).tolist()
    columns["amount"] = np.where(random.random(EVENTS) < 0.1, 9.5, 0.0).tolist()
    return History(f"u{user}", as_of, columns)


def kept(online: OnlineProfiles, user: int) -> History:
    """A user with 100 kept days, and no event since."""
    days = (MIDNIGHT.date() - date(1970, 1, 1)).days
    numbers = list(range(days - DAYS, days, 2))
    texts = {*CHOICES}
    relations = {
        relation: {
            name: numbers if name == "day" else ["open"] * len(numbers) if name in texts else [1] * len(numbers)
            for name in names
        }
        for relation, names in online.kept_columns.items()
    }
    return History(f"u{user}", MIDNIGHT, {"event_time": [], "event_type": []}, relations)


def measured(online: OnlineProfiles, asked: Callable[[int], Sequence[History]], *, times: int) -> tuple[float, float]:
    """Return p50 and p99 in milliseconds a user, after the statement was planned."""
    online.profiles(asked(0))
    found: list[float] = []
    for place in range(times):
        histories = asked(place)
        start = time.perf_counter()
        profiles = online.profiles(histories)
        found.append((time.perf_counter() - start) * 1000 / len(histories))
        if not all(isinstance(one, dict) for one in profiles):
            raise RuntimeError(f"no profile: {profiles[0]}")
    p50, p99 = np.percentile(found, [50, 99])
    return float(p50), float(p99)


def main(times: int) -> None:
    of = specification()
    online = OnlineProfiles(of, CONTRACT)
    pool = [history(user, AFTERNOON) for user in range(BATCH)]
    runs: dict[str, tuple[Callable[[int], Sequence[History]], int]] = {
        f"one user, {EVENTS} raw events": (lambda place: [pool[place % BATCH]], times),
        f"{BATCH} users in a query, {EVENTS} raw events each": (lambda _: pool, max(5, times // 10)),
        "one user, 100 kept days": (lambda place: [kept(online, place)], times),
    }
    lines = [
        f"{len(of.feature_names)} features, {datetime.now(UTC):%Y-%m-%d}; `python -m benchmarks.profiles.online {times}`",
        "",
        "| what | runs | p50, ms a user | p99, ms a user |",
        "|---|---|---|---|",
    ]
    for what, (asked, number) in runs.items():
        p50, p99 = measured(online, asked, times=number)
        lines.append(f"| {what} | {number} | {p50:.2f} | {p99:.2f} |")
    text = "\n".join(lines) + "\n"
    print(text)
    (PAGES / "online_profiles.md").write_text("# Profiles from events, online\n\n" + text)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 200)
