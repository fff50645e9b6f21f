"""The release in service, and where a request is answered: at once, in its turn, or in a thread of its own."""

from __future__ import annotations

import asyncio
import gc
import logging
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, nullcontext
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TypeVar

from features.errors import InputError
from features.storage.versions import in_use
from serving.http.admission import Admission, Turns, wait_for_round
from serving.http.endpoint import Endpoint, FoundItems
from serving.http.front.limits import any_number
from serving.http.problems import MODEL_HEADER, OTHER_MODEL, TIMEOUT, Answer, PathKind, RequestProblem, not_ready
from serving.http.prometheus import Metrics
from serving.http.request import ReadRequest
from serving.http.shadow.shadow import shadow_scoring
from serving.http.standing import Standing, cutoff_of, standing
from serving.release.watch import Release, ReleaseWatch

QUICK_BODY_BYTES = 16 * 2**10
QUICK_ITEMS = 4  # to compute: a millisecond or two
TIMEOUT_SECONDS = 30.0
_KNOWN = (InputError, OSError, sqlite3.OperationalError)  # their words are for everybody

_log = logging.getLogger("churn.serving")
Done = TypeVar("Done")


class Scoring:
    """Answers requests with the release in service, and takes the next one while it runs.

    What is looked up is answered at once. What is computed waits for its turn, one request in each round of the event loop, so that
    look-ups and probes get in between. Large requests and those with events run in one thread, one after the other.

    Attributes
    ----------
    endpoint
        Model and store in service, which are swapped as one: a request is answered by the one that it found. None until there is one.
    standing
        How far its answers can be relied on.
    admission
        What is under way, and how much may be.
    """

    def __init__(self, watch: ReleaseWatch) -> None:
        self._watch = watch
        self._metrics = Metrics()
        self._used = ExitStack()
        self.admission = Admission()
        self._turns = Turns()
        self._large = ThreadPoolExecutor(max_workers=1, thread_name_prefix="large")
        self.endpoint: Endpoint | None = None
        self.standing = Standing()
        self._why_refused = ""
        self.look()
        if self.endpoint is None:  # what is current is broken: with what the service was started with
            self.look()

    def look(self) -> None:
        """Take the release that is there now, if it is another; one that is broken is refused, and the one before goes on."""
        try:
            release = self._watch.look()
        except Exception as error:  # noqa: BLE001  # whatever it is, what is in service goes on
            self._refuse(error)
        else:
            if release:
                self._open(release)
        if self.endpoint:
            self._assess(self.endpoint, datetime.now(UTC))

    def _open(self, release: Release) -> None:
        """Take a release that could be read, if its model gives the scores that it should."""
        try:
            endpoint = Endpoint(release.bundle, release.store, metrics=self._metrics)
        except Exception as error:  # noqa: BLE001  # as above
            release.store.close()
            self._watch.refuse(error)
            self._refuse(error)
        else:
            self._take(endpoint, release.folder)

    def _take(self, endpoint: Endpoint, folder: Path) -> None:
        used, before = ExitStack(), self.endpoint
        used.enter_context(in_use(folder))
        endpoint.shadow = shadow_scoring(endpoint.bundle, endpoint.store, metrics=self._metrics)
        self._why_refused = ""
        self._assess(
            endpoint, datetime.now(UTC)
        )  # before it answers: what was said of the one before is not true of it
        self.endpoint = endpoint
        self.admission.limits = endpoint.limits
        self._used.close()
        self._used = used
        self._metrics.show(endpoint.info, is_degraded=False)
        info = endpoint.store.info
        self._metrics.show_age(cutoff_of(info).timestamp(), written=endpoint.store.written)
        gc.freeze()  # what was loaded stays in memory; without this, each garbage collection scans it again
        if before and before.shadow:
            before.shadow.close()
        if before:
            _log.info("%s is in service now, with profiles as of %s", endpoint.title, endpoint.as_of)

    def _refuse(self, error: Exception) -> None:
        """Say why, once: a release that cannot be read is tried again with every look."""
        is_known = isinstance(error, _KNOWN)
        why = str(error).replace("\n", " ") if is_known else f"an unexpected {type(error).__name__}; the log says more"
        if why == self._why_refused:
            return
        goes_on = f"; {self.endpoint.title} goes on" if self.endpoint else ""
        _log.error("release refused: %s%s", why, goes_on, exc_info=None if is_known else error)
        self._why_refused = why
        self._metrics.refuse(is_degraded=self.endpoint is not None)

    def _assess(self, endpoint: Endpoint, now: datetime) -> None:
        """Say with every answer how far it can be relied on; a change is a line of the log."""
        found = standing(endpoint.store.info, endpoint.limits, why_refused=self._why_refused, now=now)
        if found.status != self.standing.status:
            _log.warning("%s: quality is %s now%s", endpoint.title, found.status, f": {found.why}" if found.why else "")
        endpoint.stand(found)
        self.standing = found
        self._metrics.show_quality(found.status)

    async def answer(
        self, content: bytes, *, request_id: str, pin: str = "", spend: Callable[[int], object] = any_number
    ) -> Answer:
        """Answer a body.

        Parameters
        ----------
        pin
            Version, or name/version, of the model that must answer; empty: whichever is in service.
        spend
            Called with the number of items, once there is room for them; it raises where these are too many.

        Raises
        ------
        InputError
            When the body breaks the contract, another model is in service, or none, or too much is under way.
        """
        endpoint = self._pinned(pin)
        kind, body = await self._answered(endpoint, content, request_id=request_id, spend=spend)
        model = endpoint.model_id
        return Answer(200, body, headers=((MODEL_HEADER, model),), kind=kind, model=model)

    async def explain(
        self, content: bytes, *, request_id: str, pin: str = "", spend: Callable[[int], object] = any_number
    ) -> Answer:
        """Explain the score of one user; the parameters are those of :meth:`answer`.

        Raises
        ------
        InputError
            As of :meth:`answer`, or when a change cannot be.
        """
        endpoint = self._pinned(pin)
        with self.admission.items(1):
            spend(1)
            body = await self._in_thread(lambda _: endpoint.explain(content, request_id=request_id))
        model = endpoint.model_id
        return Answer(200, body, headers=((MODEL_HEADER, model),), kind="explain", model=model)

    def _pinned(self, pin: str) -> Endpoint:
        """Return what is in service, if it is what was asked for."""
        endpoint = self.endpoint
        if endpoint is None:
            raise not_ready()
        if pin and pin not in {endpoint.info.version, endpoint.model_id}:
            hint = f"{endpoint.model_id} is in service; leave {MODEL_HEADER} out to be answered by it"
            raise RequestProblem(f"{MODEL_HEADER}: another model is in service", kind=OTHER_MODEL, hint=hint)
        return endpoint

    async def _answered(
        self, endpoint: Endpoint, content: bytes, *, request_id: str, spend: Callable[[int], object]
    ) -> tuple[PathKind, bytes]:
        is_large = len(content) > QUICK_BODY_BYTES
        if is_large:
            self.admission.check_items()
        request = await self._read(endpoint, content) if is_large else endpoint.read(content)
        number = len(request.inputs)
        if request.has_events:
            with self.admission.items(number):
                spend(number)
                found = await self._find(endpoint, request)
                return "events", await self._finish(endpoint, found, request_id=request_id)
        found = await self._find(endpoint, request) if is_large else endpoint.find(request)
        if not (found.profiles or is_large):
            spend(number)
            return "stored", endpoint.finish(found, request_id=request_id)
        with self.admission.items(found.to_compute) if found.profiles else nullcontext():
            spend(number)
            if is_large or found.to_compute > QUICK_ITEMS:
                return "large", await self._finish(endpoint, found, request_id=request_id)
            await self._turns.take()
            return "computed", endpoint.finish(found, request_id=request_id)

    async def _read(self, endpoint: Endpoint, content: bytes) -> ReadRequest:
        return await self._in_thread(lambda _: endpoint.read(content))

    async def _find(self, endpoint: Endpoint, request: ReadRequest) -> FoundItems:
        return await self._in_thread(lambda _: endpoint.find(request))

    async def _finish(self, endpoint: Endpoint, found: FoundItems, *, request_id: str) -> bytes:
        return await self._in_thread(lambda pause: endpoint.finish(found, request_id=request_id, pause=pause))

    async def _in_thread(self, work: Callable[[Callable[[], object]], Done]) -> Done:
        """Have it done in the one thread; it is handed what it calls between blocks, so that others go first."""
        loop = asyncio.get_running_loop()
        pause = partial(wait_for_round, loop)
        try:
            return await asyncio.wait_for(loop.run_in_executor(self._large, work, pause), TIMEOUT_SECONDS)
        except TimeoutError:
            raise RequestProblem(
                f"no answer after {TIMEOUT_SECONDS:g} seconds", kind=TIMEOUT, hint="send fewer items"
            ) from None
