import asyncio
import re
from collections.abc import Sequence

import httpx
import pytest
from starlette.responses import PlainTextResponse
from starlette.types import Message, Receive, Scope, Send

from serving.http.front.gate import Gate
from serving.http.front.middleware import SERVER_PATHS, KnownPathsOnly

SCORED = 299  # the status of what answers scores


class App:
    """An application that answers every request with one status, and the types of the scopes that reach it."""

    def __init__(self, status: int = 200) -> None:
        self.status = status
        self.scopes: list[str] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.scopes.append(scope["type"])
        if scope["type"] == "http":
            await PlainTextResponse("fine", self.status)(scope, receive, send)


def front(app: App) -> KnownPathsOnly:
    return KnownPathsOnly(app, routes={"/v1/score": App(SCORED)}, gate=Gate(), scoring=lambda: None)


def get(app: App, path: str, *, method: str = "GET") -> httpx.Response:
    async def request() -> httpx.Response:
        transport = httpx.ASGITransport(front(app))
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            return await client.request(method, path)

    return asyncio.run(request())


def messages_for(app: App, scope: Scope) -> Sequence[Message]:
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "websocket.connect"}

    async def send(message: Message) -> None:
        sent.append(message)

    asyncio.run(front(app)(scope, receive, send))
    return sent


@pytest.mark.parametrize("path", sorted(SERVER_PATHS))
def test_a_known_path_reaches_the_application(path: str):
    app = App()
    assert (get(app, path).text, app.scopes) == ("fine", ["http"])


@pytest.mark.parametrize("path", ["/v1/score/", "/V1/score", "/v1/score/x", "/metrics/x", "/static_content/x.css"])
def test_an_unknown_path_is_404_with_a_hint_and_does_not_reach_the_application(path: str):
    app = App()
    answer = get(app, path)
    assert (answer.status_code, app.scopes) == (404, [])
    assert answer.headers["content-type"] == "application/problem+json"
    found = answer.json()
    assert (found["type"], found["status"]) == ("urn:churn:problem:not-found", 404)
    assert found["error"] == found["detail"] == "there is nothing at this path"
    assert found["hint"] == "POST /v1/score scores users; GET /docs has the contract"


def test_scores_are_answered_in_front_of_the_application():
    app = App()
    assert (get(app, "/v1/score").status_code, app.scopes) == (SCORED, [])


@pytest.mark.parametrize("path", ["/", "/docs"])
def test_the_page_is_answered_here_and_loads_nothing(path: str):
    app = App()
    answer = get(app, path)
    assert (answer.status_code, app.scopes) == (200, [])
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert {"/": "v1/explain", "/docs": "/v1/score"}[path] in answer.text
    assert not re.search(r"""(src|href)=["']?(https?:)?//""", answer.text)


@pytest.mark.parametrize("path", ["/v1/model", "/v1/reasons"])
def test_what_is_in_service_is_not_known_before_the_service_has_started(path: str):
    answer = get(App(), path)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")


@pytest.mark.parametrize("path", ["/", "/docs", "/metrics", "/readyz", "/v1/model"])
def test_another_method_is_405_and_says_which_ones_there_are(path: str):
    app = App()
    answer = get(app, path, method="DELETE")
    assert (answer.status_code, answer.headers["allow"], app.scopes) == (405, "GET, HEAD", [])
    assert answer.json()["type"] == "urn:churn:problem:method-not-allowed"


@pytest.mark.parametrize(("status", "header"), [(503, "5"), (200, None), (500, None)])
def test_only_an_unavailable_service_says_when_to_try_again(status: int, header: str | None):
    assert get(App(status), "/readyz").headers.get("retry-after") == header


def test_a_websocket_is_closed_even_on_a_known_path():
    app = App()
    (message,) = messages_for(app, {"type": "websocket", "path": "/v1/score"})
    assert (message["type"], app.scopes) == ("websocket.close", [])


def test_start_and_end_of_the_server_reach_the_application():
    app = App()
    messages_for(app, {"type": "lifespan"})
    assert app.scopes == ["lifespan"]
