"""Before the server: only known paths and who may ask are let in, scores are answered here, and a service that is not ready says when
to try again.
"""

from __future__ import annotations

import atexit
from collections.abc import Callable, Mapping, MutableMapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import bentoml
import msgspec
from starlette.datastructures import MutableHeaders
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocketClose

from serving.http.front.about import model_document, reasons_document
from serving.http.front.gate import Gate
from serving.http.front.headers import CORS, echoed, named
from serving.http.front.log import RequestLog
from serving.http.front.page import page
from serving.http.front.paths import (
    CONTRACTS,
    DOCUMENTS,
    EXPLAIN_PATH,
    METRICS_PATH,
    MODEL_PATH,
    NEEDED,
    PAGE_PATHS,
    PROBES,
    SCORE_PATH,
)
from serving.http.front.protocol import install
from serving.http.front.route import ScoreRoute
from serving.http.lookout import keep_looking
from serving.http.openapi import openapi_document
from serving.http.problems import METHOD, NOT_FOUND, NOT_READY, RETRY_AFTER_SECONDS, RequestProblem, not_ready, refusal
from serving.http.tally import write_tallies

if TYPE_CHECKING:
    from serving.http.scoring import Scoring

_PATHS = PROBES | CONTRACTS | PAGE_PATHS | DOCUMENTS | {METRICS_PATH}
SERVER_PATHS = PROBES | CONTRACTS | {METRICS_PATH}  # answered by the server itself
COUNT_SECONDS = 0.1  # thousands of requests at once would hold up those that come meanwhile
_HINT = f"POST {SCORE_PATH} scores users; GET /docs has the contract"


class KnownPathsOnly:
    """ASGI middleware around the application and its metrics, where each unknown path would become one more label.

    Parameters
    ----------
    routes
        Path to what answers it, and asks the gate itself.
    gate
        Says who may ask for the others.
    scoring
        Returns what is in service; None until the service has started.
    """

    def __init__(
        self, app: ASGIApp, *, routes: Mapping[str, ASGIApp], gate: Gate, scoring: Callable[[], Scoring | None]
    ) -> None:
        self._app = app
        self._routes = routes
        self._gate = gate
        self._scoring = scoring
        self._log = RequestLog()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: PLR0917  # the signature of ASGI
        """Pass a request on, or answer it here."""
        if scope["type"] == "http" and scope["path"] in self._routes:
            await self._routes[scope["path"]](scope, receive, send)
            return

        async def send_on(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] == NOT_READY.status:
                MutableHeaders(scope=message)["Retry-After"] = str(RETRY_AFTER_SECONDS)
            await send(message)

        await self._answer_to(scope)(scope, receive, send_on)

    def _answer_to(self, scope: MutableMapping[str, Any]) -> ASGIApp:
        """Return what answers a request."""
        if scope["type"] == "websocket":
            return WebSocketClose()
        if scope["type"] != "http":
            return self._app
        try:
            self._gate.admit(scope, dict(scope["headers"]))
            _check(scope)
        except RequestProblem as problem:
            return _refusal(problem, scope, log=self._log)
        if scope["path"] == METRICS_PATH:
            write_tallies()
        if scope["path"] in SERVER_PATHS:
            return self._app
        return page(scope["path"]) if scope["path"] in PAGE_PATHS else self._document(scope)

    def _document(self, scope: MutableMapping[str, Any]) -> ASGIApp:
        scoring = self._scoring()
        if scoring is None or scoring.endpoint is None:
            return _refusal(not_ready(), scope, log=self._log)
        endpoint = scoring.endpoint
        content = (
            model_document(endpoint.bundle, endpoint.store.info, standing=scoring.standing)
            if scope["path"] == MODEL_PATH
            else reasons_document(endpoint.bundle.model)
        )
        return Response(msgspec.json.encode(content), media_type="application/json")


def _check(scope: MutableMapping[str, Any]) -> None:
    """Refuse what there is not."""
    if scope["path"] not in _PATHS:
        raise RequestProblem("there is nothing at this path", kind=NOT_FOUND, hint=_HINT)
    if scope["method"] not in {"GET", "HEAD"}:
        allowed = (("Allow", "GET, HEAD"),)
        raise RequestProblem("another method, expected GET", kind=METHOD, hint=_HINT, headers=allowed)


def _refusal(problem: RequestProblem, scope: MutableMapping[str, Any], *, log: RequestLog) -> Response:
    """Return the problem document of a request; its path is named in the log where it is one of ours."""
    asked = named(dict(scope["headers"]))
    found = refusal(problem, request_id=asked["request_id"])
    path = scope["path"] if scope["path"] in NEEDED else ""
    log.refused(status=found.status, problem=found.problem, path=path, **asked)
    headers = {name: value for name, value in (*found.headers, *echoed(asked)) if value}
    return Response(found.content, found.status, headers, found.media_type)


class CrossOrigin:
    """ASGI middleware that lets the pages of some origins read answers: those of ``[serving] cors_origins``, by default none."""

    def __init__(self, app: ASGIApp, scoring: Callable[[], Scoring | None]) -> None:
        self._app = app
        self._scoring = scoring
        self._for = lru_cache(maxsize=2)(self._made_for)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: PLR0917  # the signature of ASGI
        """Pass a request on; the preflights of these origins are answered here."""
        scoring = self._scoring()
        origins = scoring.admission.limits.cors_origins if scoring else ()
        await (self._for(origins) if origins else self._app)(scope, receive, send)

    def _made_for(self, origins: tuple[str, ...]) -> ASGIApp:
        return CORSMiddleware(self._app, allow_origins=origins, **CORS)


class ScoringService(bentoml.Service[Any]):
    """A BentoML service whose scores are answered in front of it, with the documentation of this contract."""

    _running: Any = None
    _gate: Gate | None = None

    @property
    def openapi_spec(self) -> Any:
        """The content of ``/docs.json``."""
        needs_key = self._gate is not None and self._gate.is_on
        return openapi_document(super().openapi_spec, SCORE_PATH, needs_key=needs_key)

    def __call__(self) -> Any:
        """Return the one instance of a worker, and remember it."""
        self._running = super().__call__()
        return self._running

    def to_asgi(self, is_main: bool = True) -> ASGIApp:  # noqa: FBT001, FBT002  # BentoML's signature
        """Return the application."""
        install()

        def scoring() -> Scoring | None:
            return self._running and self._running.scoring

        gate = self._gate = Gate.from_environment()
        keep_looking(gate.look, "keys")
        keep_looking(write_tallies, "metrics", every_seconds=COUNT_SECONDS)
        atexit.register(write_tallies)
        routes = {path: ScoreRoute(scoring, gate, path=path) for path in (SCORE_PATH, EXPLAIN_PATH)}
        front = KnownPathsOnly(super().to_asgi(is_main), routes=routes, gate=gate, scoring=scoring)
        return CrossOrigin(front, scoring)
