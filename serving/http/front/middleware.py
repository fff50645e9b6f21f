"""Before the server: only known paths are let in, scores are answered here, and a service that is not ready says when to try again."""

from __future__ import annotations

from collections.abc import Callable, MutableMapping
from typing import TYPE_CHECKING, Any

import bentoml
import msgspec
from starlette.datastructures import MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocketClose

from serving.http.front.about import MODEL_PATH, REASONS_PATH, model_document, reasons_document
from serving.http.front.page import page
from serving.http.front.protocol import install
from serving.http.front.route import SCORE_PATH, ScoreRoute, request_id_of
from serving.http.openapi import openapi_document
from serving.http.problems import METHOD, NOT_FOUND, NOT_READY, RETRY_AFTER_SECONDS, RequestProblem, not_ready, refusal

if TYPE_CHECKING:
    from serving.http.scoring import Scoring

# The server's own page at "/" loads a tracker from another site; ours loads nothing.
PAGES = frozenset({"/", "/docs"})
DOCUMENTS = frozenset({MODEL_PATH, REASONS_PATH})
PATHS = frozenset({"/livez", "/readyz", "/healthz", "/metrics", "/docs.json", "/schema.json"})
_HINT = f"POST {SCORE_PATH} scores users; GET /docs has the contract"


class KnownPathsOnly:
    """ASGI middleware around the application and its metrics, where each unknown path would become one more label.

    Parameters
    ----------
    score
        Answers :data:`serving.http.front.route.SCORE_PATH`.
    scoring
        Returns what is in service; None until the service has started.
    """

    def __init__(self, app: ASGIApp, *, score: ASGIApp, scoring: Callable[[], Scoring | None]) -> None:
        self._app = app
        self._score = score
        self._scoring = scoring

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: PLR0917  # the signature of ASGI
        """Pass a request on, or answer it here."""
        if scope["type"] == "http" and scope["path"] == SCORE_PATH:
            await self._score(scope, receive, send)
            return

        async def send_on(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] == NOT_READY.status:
                MutableHeaders(scope=message)["Retry-After"] = str(RETRY_AFTER_SECONDS)
            await send(message)

        answer = self._answer_to(scope)
        if answer is None:
            await self._app(scope, receive, send_on)
        else:
            await answer(scope, receive, send)

    def _answer_to(self, scope: MutableMapping[str, Any]) -> ASGIApp | None:
        """Return the answer to a request that is not passed on; None for one that is."""
        if scope["type"] == "websocket":
            return WebSocketClose()
        if scope["type"] != "http" or (scope["path"] in PATHS and scope["method"] in {"GET", "HEAD"}):
            return None
        if scope["path"] not in PATHS | PAGES | DOCUMENTS:
            return _refusal(RequestProblem("there is nothing at this path", kind=NOT_FOUND, hint=_HINT), scope)
        if scope["method"] not in {"GET", "HEAD"}:
            allowed = (("Allow", "GET, HEAD"),)
            problem = RequestProblem("another method, expected GET", kind=METHOD, hint=_HINT, headers=allowed)
            return _refusal(problem, scope)
        return page() if scope["path"] in PAGES else self._document(scope)

    def _document(self, scope: MutableMapping[str, Any]) -> ASGIApp:
        scoring = self._scoring()
        if scoring is None or scoring.endpoint is None:
            return _refusal(not_ready(), scope)
        endpoint = scoring.endpoint
        content = (
            model_document(endpoint.bundle, endpoint.store.info, why_degraded=scoring.why_degraded)
            if scope["path"] == MODEL_PATH
            else reasons_document(endpoint.bundle.model)
        )
        return Response(msgspec.json.encode(content), media_type="application/json")


def _refusal(problem: RequestProblem, scope: MutableMapping[str, Any]) -> Response:
    sent = dict(scope["headers"]).get(b"x-request-id", b"").decode("latin-1")
    found = refusal(problem, request_id=request_id_of(sent))
    return Response(found.content, found.status, dict(found.headers), found.media_type)


class ScoringService(bentoml.Service[Any]):
    """A BentoML service whose scores are answered in front of it, with the documentation of this contract."""

    _running: Any = None

    @property
    def openapi_spec(self) -> Any:
        """The content of ``/docs.json``."""
        return openapi_document(super().openapi_spec, SCORE_PATH)

    def __call__(self) -> Any:
        """Return the one instance of a worker, and remember it."""
        self._running = super().__call__()
        return self._running

    def to_asgi(self, is_main: bool = True) -> ASGIApp:  # noqa: FBT001, FBT002  # BentoML's signature
        """Return the application."""
        install()

        def scoring() -> Scoring | None:
            return self._running and self._running.scoring

        return KnownPathsOnly(super().to_asgi(is_main), score=ScoreRoute(scoring), scoring=scoring)
