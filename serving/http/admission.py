"""How much is under way at once: requests and items up to a limit, and the time that computing takes of each round of the event loop."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Generator
from contextlib import contextmanager

from serving.http.problems import BUSY, Headers, RequestProblem
from serving.settings import ServingSettings

RETRY_SECONDS = 1
ROUND_SECONDS = 0.005


class Admission:
    """Counts what is under way in a worker, and refuses what is more than its limits: ``with admission`` is a request.

    Attributes
    ----------
    limits
        Settings of the release in service.
    """

    def __init__(self, limits: ServingSettings | None = None) -> None:
        self.limits = limits or ServingSettings()
        self._requests = self._items = 0

    def __enter__(self) -> None:
        """Count a request, from its headers to its answer.

        Raises
        ------
        RequestProblem
            When there are too many.
        """
        maximum = self.limits.max_requests_under_way
        if self._requests >= maximum:
            raise _busy("requests", maximum, remaining=0)
        self._requests += 1

    def __exit__(self, *_: object) -> None:
        """Count it no more."""
        self._requests -= 1

    def check_items(self) -> None:
        """Refuse what would not be let in with a single item, before it is read.

        Raises
        ------
        RequestProblem
            When there is no room.
        """
        with self.items(1):
            pass

    @contextmanager
    def items(self, number: int) -> Generator[None]:
        """Count items that are computed, or wait for it; a request that is alone is always let in.

        Raises
        ------
        RequestProblem
            When there are too many.
        """
        maximum = self.limits.max_items_under_way
        if self._items and self._items + number > maximum:
            raise _busy("items", maximum, remaining=maximum - self._items)
        self._items += number
        try:
            yield
        finally:
            self._items -= number


def _busy(what: str, maximum: int, *, remaining: int) -> RequestProblem:
    """Return the problem, with the headers of draft-ietf-httpapi-ratelimit-headers."""
    headers: Headers = (
        ("Retry-After", str(RETRY_SECONDS)),
        ("RateLimit-Policy", f'"{what}";q={maximum};w={RETRY_SECONDS}'),
        ("RateLimit", f'"{what}";r={max(0, remaining)};t={RETRY_SECONDS}'),
    )
    hint = f"try again after {RETRY_SECONDS} second, with a pause that grows; or raise [serving] max_{what}_under_way"
    return RequestProblem(
        f"too many {what} are under way, at most {maximum} are", kind=BUSY, hint=hint, headers=headers
    )


class Turns:
    """Limits how long requests compute in one round of the event loop, so that everything else gets its turn after it."""

    def __init__(self) -> None:
        self._started: float | None = None  # when the first one computed in this round
        self._waiting: list[asyncio.Future[None]] = []

    async def take(self) -> None:
        """Wait while this round has no time left; what computes follows at once."""
        loop = asyncio.get_running_loop()
        while self._started is not None and time.perf_counter() - self._started >= ROUND_SECONDS:
            turn = loop.create_future()
            self._waiting.append(turn)
            await turn
        if self._started is None:
            self._started = time.perf_counter()
            loop.call_soon(self._end_round)

    def _end_round(self) -> None:
        self._started, waiting, self._waiting = None, self._waiting, []
        for turn in waiting:
            if not turn.done():
                turn.set_result(None)
