"""Before the server: only known paths are let in, and a service that is not ready says when to try again."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any

import bentoml
from starlette.datastructures import MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocketClose

from serving.http.openapi import openapi_document

SCORE_PATH = "/v1/score"
# Without the server's own page at "/", which loads a tracker from another site.
PATHS = frozenset({SCORE_PATH, "/livez", "/readyz", "/healthz", "/metrics", "/docs.json", "/schema.json"})
RETRY_AFTER_SECONDS = 5
UNAVAILABLE = 503


class KnownPathsOnly:
    """ASGI middleware around the application and its metrics, where each unknown path would become one more label."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: PLR0917  # the signature of ASGI
        """Pass a request on, or refuse it here."""

        async def send_on(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] == UNAVAILABLE:
                MutableHeaders(scope=message)["Retry-After"] = str(RETRY_AFTER_SECONDS)
            await send(message)

        refusal = _refusal_of(scope)
        if refusal is None:
            await self._app(scope, receive, send_on)
        else:
            await refusal(scope, receive, send)


def _refusal_of(scope: MutableMapping[str, Any]) -> ASGIApp | None:
    """Return the answer to a request that is not let in; None for one that is."""
    if scope["type"] == "websocket":
        return WebSocketClose()
    if scope["type"] == "http" and scope["path"] not in PATHS:
        hint = f"POST {SCORE_PATH} scores users; GET /docs.json has the contract"
        return JSONResponse({"error": "there is nothing at this path", "hint": hint}, status_code=404)
    return None


class KnownPathsService(bentoml.Service[Any]):
    """A BentoML service behind :class:`KnownPathsOnly`, with the documentation of this contract."""

    @property
    def openapi_spec(self) -> Any:
        """The content of ``/docs.json``."""
        return openapi_document(super().openapi_spec, SCORE_PATH)

    def to_asgi(self, is_main: bool = True) -> ASGIApp:  # noqa: FBT001, FBT002  # BentoML's signature
        """Return the application."""
        return KnownPathsOnly(super().to_asgi(is_main))
