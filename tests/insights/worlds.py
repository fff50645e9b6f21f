"""A small shop with steps, in which a change may be planted."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

from tests.builders import Row

STEPS = ("view", "cart", "pay", "purchase")
START = datetime(2026, 1, 5, 12, tzinfo=UTC)  # a Monday
Rate = Callable[[int, int, str], float]  # step, day and system to the chance of going on


def standing(step: int, day: int, system: str) -> float:
    """Systems differ, and always in the same way."""
    return (0.75, 0.7, 0.8)[step] - (0.1 if system == "android" else 0)


def broken(step: int, day: int, system: str) -> float:
    """Payment fails on android for two weeks."""
    is_broken = step == 2 and system == "android" and 70 <= day < 84
    return 0.15 if is_broken else standing(step, day, system)


def shop(rate: Rate, *, seed: int, days: int = 112, visits: int = 25) -> Iterator[Row]:
    """Visits of two systems on each day; users come about once in two weeks."""
    chance = random.Random(seed)
    for day in range(days):
        for _ in range(visits):
            user = chance.randrange(visits * 14)
            system = "android" if user % 2 else "ios"
            for step, name in enumerate(STEPS):
                yield {
                    "user_id": f"u{user}",
                    "event_time": START + timedelta(days=day, seconds=step),
                    "event_type": name,
                    "device_os": system,
                }
                if step < len(STEPS) - 1 and chance.random() > rate(step, day, system):
                    break
