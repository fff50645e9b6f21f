"""Decides where a request is answered: at once, in its turn, or in a thread of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from serving.http.endpoint import Endpoint
from serving.http.problems import TIMEOUT, RequestProblem, not_ready

QUICK_BODY_BYTES = 16 * 2**10
QUICK_ITEMS = 4  # to compute: a millisecond or two
EVENTS_KEYS = (b'"events"', b'"events_since"')  # a few of them take as long as many
TIMEOUT_SECONDS = 30.0
Done = TypeVar("Done")


class Scoring:
    """Answers requests with an endpoint.

    What is looked up is answered at once. What is computed waits for its turn, one request for each round of the event loop, so that
    look-ups and probes get in between. Large requests and those with events run in one thread, one after the other.
    """

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self._turn = asyncio.Lock()
        self._large = ThreadPoolExecutor(max_workers=1, thread_name_prefix="large")

    async def answer(self, content: bytes, *, request_id: str) -> bytes:
        """Return the answer as JSON.

        Raises
        ------
        InputError
            When the body breaks the contract, or the service is not ready.
        """
        endpoint = self.endpoint
        if not endpoint.is_ready:
            raise not_ready()
        if len(content) > QUICK_BODY_BYTES or any(key in content for key in EVENTS_KEYS):
            return await self._in_thread(lambda: endpoint.answer(content, request_id=request_id))
        found = endpoint.find(content)
        if not found.to_compute:
            return endpoint.finish(found, request_id=request_id)
        if found.to_compute > QUICK_ITEMS:
            return await self._in_thread(lambda: endpoint.finish(found, request_id=request_id))
        async with self._turn:
            answer = endpoint.finish(found, request_id=request_id)
            await asyncio.sleep(0)  # with the turn still taken: whoever waits for it comes in the next round
            return answer

    async def _in_thread(self, work: Callable[[], Done]) -> Done:
        loop = asyncio.get_running_loop()
        try:
            return await asyncio.wait_for(loop.run_in_executor(self._large, work), TIMEOUT_SECONDS)
        except TimeoutError:
            raise RequestProblem(
                f"no answer after {TIMEOUT_SECONDS:g} seconds", kind=TIMEOUT, hint="send fewer items"
            ) from None
