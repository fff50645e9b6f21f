import asyncio
from collections.abc import Sequence

import httpx
import pytest
from starlette.responses import PlainTextResponse
from starlette.types import Message, Receive, Scope, Send

from serving.http.middleware import PATHS, KnownPathsOnly


class App:
    """An application that answers every request with one status, and the types of the scopes that reach it."""

    def __init__(self, status: int = 200) -> None:
        self.status = status
        self.scopes: list[str] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.scopes.append(scope["type"])
        if scope["type"] == "http":
            await PlainTextResponse("fine", self.status)(scope, receive, send)


def get(app: App, path: str) -> httpx.Response:
    async def request() -> httpx.Response:
        transport = httpx.ASGITransport(KnownPathsOnly(app))
        async with httpx.AsyncClient(transport=transport, base_url="http://service") as client:
            return await client.get(path)

    return asyncio.run(request())


def messages_for(app: App, scope: Scope) -> Sequence[Message]:
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "websocket.connect"}

    async def send(message: Message) -> None:
        sent.append(message)

    asyncio.run(KnownPathsOnly(app)(scope, receive, send))
    return sent


@pytest.mark.parametrize("path", sorted(PATHS))
def test_a_known_path_reaches_the_application(path: str):
    app = App()
    assert (get(app, path).text, app.scopes) == ("fine", ["http"])


@pytest.mark.parametrize("path", ["/", "/v1/score/", "/V1/score", "/v1/score/x", "/metrics/x", "/static_content/x.css"])
def test_an_unknown_path_is_404_with_a_hint_and_does_not_reach_the_application(path: str):
    app = App()
    answer = get(app, path)
    assert (answer.status_code, app.scopes) == (404, [])
    assert answer.json() == {
        "error": "there is nothing at this path",
        "hint": "POST /v1/score scores users; GET /docs.json has the contract",
    }


@pytest.mark.parametrize(("status", "header"), [(503, "5"), (200, None), (500, None)])
def test_only_an_unavailable_service_says_when_to_try_again(status: int, header: str | None):
    assert get(App(status), "/v1/score").headers.get("retry-after") == header


def test_a_websocket_is_closed_even_on_a_known_path():
    app = App()
    (message,) = messages_for(app, {"type": "websocket", "path": "/v1/score"})
    assert (message["type"], app.scopes) == ("websocket.close", [])


def test_start_and_end_of_the_server_reach_the_application():
    app = App()
    messages_for(app, {"type": "lifespan"})
    assert app.scopes == ["lifespan"]
