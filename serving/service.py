"""The BentoML service: it connects HTTP with :mod:`serving.http.endpoint`."""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import bentoml
from starlette.responses import Response

from serving.http.front import log
from serving.http.front.middleware import ScoringService
from serving.http.front.paths import SCORE_PATH
from serving.http.front.route import answer_of
from serving.http.lookout import keep_looking
from serving.http.openapi import RequestBody, ResponseBody
from serving.http.prometheus import DURATION_SECONDS
from serving.http.server import ADDRESS_VARIABLE, PARENT_VARIABLE, SERVED_VARIABLE

if TYPE_CHECKING:
    from serving.http.scoring import Scoring


PARENT_SECONDS = 1.0

_log = logging.getLogger("churn.serving")


@bentoml.service(
    name="churn",
    service_class=ScoringService,
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
        log.install()
        self.scoring = self._open()

    def _open(self) -> Scoring:
        # Here, because the process that supervises the workers reads this file too, and needs no LightGBM.
        from serving.http.scoring import Scoring  # noqa: PLC0415
        from serving.release.watch import ReleaseWatch  # noqa: PLC0415

        scoring = Scoring(ReleaseWatch(Path(os.environ.get(SERVED_VARIABLE, "release"))))
        keep_looking(scoring.look, "releases")
        if bentoml.server_context.worker_index in (None, 1) and scoring.endpoint:
            address = os.environ.get(ADDRESS_VARIABLE, ChurnService.url)
            _log.info("%s answers at %s%s", scoring.endpoint.title, address, SCORE_PATH)
        return scoring

    async def __is_ready__(self) -> bool:
        return self.scoring.endpoint is not None

    @bentoml.api(route=SCORE_PATH, input_spec=RequestBody, output_spec=ResponseBody)
    async def score(self, body: RequestBody, /) -> Response:
        """Score users by id, profile or events; results come in the order of the items.

        Over HTTP the same is answered in front of the server, by :class:`serving.http.front.route.ScoreRoute`.
        """
        answer = await answer_of(self.scoring, body.content, request_id=body.request_id)
        headers = {"X-Request-Id": body.request_id} | dict(answer.headers)
        return Response(answer.content, answer.status, headers, answer.media_type)


def _end_with_parent(parent: int) -> None:
    """End as on SIGTERM once the parent is gone: killed, it cannot stop the server and its workers."""
    while os.getppid() == parent:
        time.sleep(PARENT_SECONDS)
    os.kill(os.getpid(), signal.SIGTERM)


if PARENT_VARIABLE in os.environ:
    threading.Thread(target=_end_with_parent, args=(os.getppid(),), name="parent", daemon=True).start()
