"""How much is under way at once: requests and items up to a limit, and one that computes for each round of the event loop."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Generator
from contextlib import contextmanager

from serving.http.problems import BUSY, Headers, RequestProblem
from serving.settings import ServingSettings

RETRY_SECONDS = 1
ROUND_SECONDS = 0.02  # at most: large requests must go on


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
    """Hands out turns, one for each round of the event loop, in the order in which they were asked for.

    Whoever computes in it lets everything else of the next round go first.
    """

    def __init__(self) -> None:
        self._is_taken = False
        self._waiting: deque[asyncio.Future[None]] = deque()

    async def take(self) -> None:
        """Wait until nobody has computed in this round; the turn ends with the round."""
        loop = asyncio.get_running_loop()
        if self._is_taken:
            turn = loop.create_future()
            self._waiting.append(turn)
            try:
                await turn
            except asyncio.CancelledError:
                if turn.done() and not turn.cancelled():  # it was handed over, and nobody uses it
                    self._pass_on()
                raise
        self._is_taken = True
        loop.call_soon(self._pass_on)

    def _pass_on(self) -> None:
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        self._is_taken = False


def wait_for_round(loop: asyncio.AbstractEventLoop) -> None:
    """Wait in another thread until the event loop has done what was ready, though not for long.

    Whoever computes there lets look-ups and probes go first, in place of competing with them for a core and the interpreter.
    """
    is_done = threading.Event()
    loop.call_soon_threadsafe(is_done.set)
    is_done.wait(ROUND_SECONDS)
