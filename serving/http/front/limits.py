"""How many items a key may ask for in a time. Each worker counts for itself: with two workers, up to twice as many get through."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from functools import partial

from limits.storage import MemoryStorage
from limits.strategies import SlidingWindowCounterRateLimiter

from serving.http.problems import LIMITED, Headers, RequestProblem
from serving.keys import Key, limit_of


def any_number(_: int) -> None:
    """Let any number of items pass."""


class ItemLimits:
    """Counts the items of each key that has a limit, in windows that slide."""

    def __init__(self) -> None:
        self._counts: SlidingWindowCounterRateLimiter | None = (
            None  # it starts a thread, which most services do not need
        )

    def of(self, key: Key | None) -> Callable[[int], object]:
        """Return what counts a number of items of a key, and refuses those that are too many."""
        return partial(self._spend, key) if key and key.limit else any_number

    def _spend(self, key: Key, items: int) -> None:
        if self._counts is None:
            self._counts = SlidingWindowCounterRateLimiter(MemoryStorage())
        limit = limit_of(key.limit)
        if self._counts.hit(limit, key.id, cost=items):
            return
        at, remaining = self._counts.get_window_stats(limit, key.id)
        seconds = max(1, math.ceil(at - time.time()))
        headers: Headers = (
            ("Retry-After", str(seconds)),
            ("RateLimit-Policy", f'"items";q={limit.amount};w={limit.get_expiry()}'),
            ("RateLimit", f'"items";r={remaining};t={seconds}'),
        )
        what = f"{items} items are more than the key's limit of {key.limit} has left, which is {remaining}"
        raise RequestProblem(what, kind=LIMITED, hint="wait as Retry-After says, or send fewer items", headers=headers)
