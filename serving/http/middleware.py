"""What stands before the server: only known paths come in, and whoever is turned away for now is told when to come back."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any

import bentoml
from starlette.datastructures import MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocketClose

from serving.http.openapi import documented

SCORE_PATH = "/v1/score"
# Not among them: the server's own page at "/", which loads a tracker from elsewhere.
PATHS = frozenset({SCORE_PATH, "/livez", "/readyz", "/healthz", "/metrics", "/docs.json", "/schema.json"})
RETRY_AFTER_SECONDS = 5
UNAVAILABLE = 503


class KnownPathsOnly:
    """Wraps the whole application, its metrics too: an unknown path would become a label there, one for each that is tried."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: PLR0917  # the signature of ASGI
        """Let a request in, or answer it here."""

        async def send_on(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] == UNAVAILABLE:
                MutableHeaders(scope=message)["Retry-After"] = str(RETRY_AFTER_SECONDS)
            await send(message)

        turned_away = _answer_to(scope)
        if turned_away is None:
            await self._app(scope, receive, send_on)
        else:
            await turned_away(scope, receive, send)


def _answer_to(scope: MutableMapping[str, Any]) -> ASGIApp | None:
    """Return the answer to what is not let in."""
    if scope["type"] == "websocket":
        return WebSocketClose()
    if scope["type"] == "http" and scope["path"] not in PATHS:
        hint = f"POST {SCORE_PATH} scores; GET /docs.json says how"
        return JSONResponse({"error": "there is nothing at this path", "hint": hint}, status_code=404)
    return None


class GatedService(bentoml.Service[Any]):
    """A BentoML service behind the gate, with its documentation in our words."""

    @property
    def openapi_spec(self) -> Any:
        """What ``/docs.json`` shows."""
        return documented(super().openapi_spec, SCORE_PATH)

    def to_asgi(self, is_main: bool = True) -> ASGIApp:  # noqa: FBT001, FBT002  # BentoML's signature
        """Return the application."""
        return KnownPathsOnly(super().to_asgi(is_main))
