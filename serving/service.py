"""The BentoML service: it connects HTTP with :mod:`serving.http.endpoint`."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import bentoml
import msgspec
from starlette.responses import Response

from features.errors import ChurnError
from serving.http.contract import Refusal
from serving.http.middleware import SCORE_PATH, UNAVAILABLE, KnownPathsService
from serving.http.openapi import MAX_BODY_BYTES, RequestBody, ResponseBody
from serving.http.prometheus import DURATION_SECONDS

if TYPE_CHECKING:
    from serving.http.endpoint import Endpoint

SERVED_VARIABLE = "CHURN_SERVED"
QUICK_BODY_BYTES = 4 * 2**10
EVENTS_KEY = b'"events'  # starts both events and events_since: a few of them take as long as many

_log = logging.getLogger("churn.serving")


@bentoml.service(
    name="churn",
    service_class=KnownPathsService,
    http={"host": "127.0.0.1"},  # pyright: ignore[reportArgumentType]  # BentoML accepts text too
    traffic={"timeout": 30},
    metrics={"duration": {"buckets": DURATION_SECONDS}},
    logging={"access": {"enabled": False}},
    tracing={"excluded_urls": ".*"},
)
class ChurnService:
    """Churn probabilities with reasons.

    The environment variable ``CHURN_SERVED`` names the folder that :func:`serving.release.bundle.write_bundle` wrote; a Bento
    has it as ``release``.
    """

    def __init__(self) -> None:
        _log.setLevel(logging.INFO)
        self._endpoint = self._open()
        self._executor = ThreadPoolExecutor(max_workers=1)
        # The loaded model stays in memory; without this, each garbage collection scans it again, 80 ms at a time.
        gc.collect()
        gc.freeze()

    def _open(self) -> Endpoint | None:
        # Here, because the process that supervises the workers reads this file too, and needs no LightGBM.
        from serving.http.endpoint import Endpoint  # noqa: PLC0415
        from serving.release.bundle import read_bundle  # noqa: PLC0415

        try:
            endpoint = Endpoint(read_bundle(Path(os.environ.get(SERVED_VARIABLE, "release"))))
        except ChurnError as error:
            _log.error("not ready: %s", str(error).replace("\n", " "))
            return None
        if bentoml.server_context.worker_index in (None, 1) and endpoint.is_ready:
            _log.info("%s answers at %s%s", endpoint.title, ChurnService.url, SCORE_PATH)
        return endpoint

    async def __is_ready__(self) -> bool:
        return self._endpoint is not None and self._endpoint.is_ready

    @bentoml.api(route=SCORE_PATH, input_spec=RequestBody, output_spec=ResponseBody)
    async def score(self, body: RequestBody, /) -> Response:
        """Score users by id, profile or events; results come in the order of the items."""
        if len(body.content) > MAX_BODY_BYTES:
            return _refused(
                413,
                f"the body: got more than {MAX_BODY_BYTES} bytes, expected at most that",
                hint="send fewer items",
                to=body,
            )
        try:
            answer = await self._answer(body)
        except ChurnError as error:
            return _refused(400, error.message, hint=error.hint, to=body)
        if answer is None:
            return _refused(UNAVAILABLE, "the service is not ready", hint="the log says why", to=body)
        return _json(200, answer, to=body)

    async def _answer(self, body: RequestBody) -> bytes | None:
        """Answer small requests at once; large ones and those with events run in a thread, so that small ones need not wait."""
        if self._endpoint is None:
            return None
        answer = partial(self._endpoint.answer, body.content, request_id=body.request_id)
        if len(body.content) <= QUICK_BODY_BYTES and EVENTS_KEY not in body.content:
            return answer()
        return await asyncio.get_running_loop().run_in_executor(self._executor, answer)


def _refused(status: int, error: str, *, hint: str, to: RequestBody) -> Response:
    return _json(status, msgspec.json.encode(Refusal(error, hint, to.request_id)), to=to)


def _json(status: int, content: bytes, *, to: RequestBody) -> Response:
    return Response(content, status, {"X-Request-Id": to.request_id}, media_type="application/json")
