"""The route in front of the server, as an ASGI application."""

import asyncio
import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from starlette.types import Message

from features.errors import InputError
from serving.http.admission import Admission
from serving.http.front import route as route_module
from serving.http.front.gate import Gate
from serving.http.front.route import MAX_BODY_BYTES, ScoreRoute, body_of
from serving.http.problems import Answer
from serving.keys import KeyFolder, NewKey
from serving.settings import ServingSettings


class Scorer:
    """Answers with the body that it got, or raises."""

    def __init__(self, error: Exception | None = None, *, maximum: int = 1) -> None:
        self.error = error
        self.admission = Admission(ServingSettings(max_requests_under_way=maximum))

    async def answer(self, content: bytes, *, request_id: str, pin: str, spend: Callable[[int], object]) -> Answer:
        spend(1)
        if self.error:
            raise self.error
        return Answer(
            200, json.dumps([content.decode(), request_id, pin]).encode(), headers=(("X-Churn-Model", "shop/7"),)
        )


class Sent:
    """What the route sent: status, headers and content."""

    def __init__(self, messages: Sequence[Message]) -> None:
        start, body = messages
        self.status: int = start["status"]
        self.headers = {name.decode(): value.decode() for name, value in start["headers"]}
        self.content: Any = json.loads(body["body"])


def ask(
    *chunks: bytes,
    scorer: Scorer | None = None,
    method: str = "POST",
    stalls: bool = False,
    gate: Gate | None = None,
    route: ScoreRoute | None = None,
    **headers: str,
) -> Sent:
    sent: list[Message] = []
    coming = [{"type": "http.request", "body": one, "more_body": True} for one in chunks]
    coming = coming if stalls else [*coming[:-1], coming[-1] | {"more_body": False}]

    async def receive() -> Message:
        return coming.pop(0) if coming else await asyncio.sleep(30)  # type: ignore[return-value]

    async def send(message: Message) -> None:
        sent.append(message)

    named = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    scope = {"type": "http", "method": method, "path": "/v1/score", "headers": named}
    asyncio.run((route or ScoreRoute(lambda: scorer, gate or Gate()))(scope, receive, send))  # type: ignore[arg-type,return-value]
    return Sent(sent)


def test_a_body_in_parts_is_answered_with_the_id_of_the_request():
    found = ask(b'{"items', b'":1}', scorer=Scorer(), x_request_id="order-17")
    assert (found.status, found.content) == (200, ['{"items":1}', "order-17", ""])
    assert found.headers["x-request-id"] == "order-17"
    assert found.headers["content-type"] == "application/json"


def test_the_model_that_must_answer_is_passed_on_and_the_one_that_did_is_named():
    found = ask(b"1", scorer=Scorer(), x_churn_model="shop/7")
    assert (found.content[2], found.headers["x-churn-model"]) == ("shop/7", "shop/7")


def test_a_request_without_an_id_gets_a_new_one():
    found = [ask(b"1", scorer=Scorer()).headers["x-request-id"] for _ in range(2)]
    assert len(set(found)) == 2


@pytest.mark.parametrize(
    "media_type", ["application/json", "application/json; charset=utf-8", "application/x+json", ""]
)
def test_json_is_read_whatever_it_is_called(media_type: str):
    assert ask(b"1", scorer=Scorer(), content_type=media_type).status == 200


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"content_type": "text/xml"}, 415),
        ({"content_type": "multipart/form-data; boundary=x"}, 415),
        ({"content_encoding": "gzip"}, 415),
        ({"content_length": str(MAX_BODY_BYTES + 1)}, 413),
    ],
)
def test_a_body_that_cannot_be_read_is_refused_by_its_headers(headers: dict[str, Any], status: int):
    found = ask(b"1", scorer=Scorer(), **headers)
    assert (found.status, found.content["status"]) == (status, status)
    assert found.headers["content-type"] == "application/problem+json"


def test_a_body_that_grows_too_large_is_refused():
    half = b" " * (MAX_BODY_BYTES // 2)
    assert ask(half, half, scorer=Scorer()).status == 200
    assert ask(half, half, b" ", scorer=Scorer()).status == 413


def test_a_body_that_stalls_is_cut(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(route_module, "BODY_SECONDS", 0.05)
    found = ask(b'{"items', scorer=Scorer(), stalls=True)
    assert (found.status, found.headers["connection"]) == (408, "close")


def test_a_client_that_leaves_is_sent_nothing(caplog: pytest.LogCaptureFixture):
    caplog.set_level("INFO")
    coming: list[Message] = [{"type": "http.request", "body": b"1", "more_body": True}, {"type": "http.disconnect"}]
    sent: list[Message] = []

    async def receive() -> Message:
        return coming.pop(0)

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": "/v1/score", "headers": []}
    asyncio.run(ScoreRoute(Scorer, Gate())(scope, receive, send))  # type: ignore[arg-type,return-value]
    assert not sent


def test_another_method_is_refused_with_the_one_there_is():
    found = ask(b"", scorer=Scorer(), method="GET")
    assert (found.status, found.headers["allow"]) == (405, "POST")


def test_before_the_service_has_started_it_is_not_ready():
    found = ask(b"1")
    assert (found.status, found.headers["retry-after"]) == (503, "5")


def test_an_error_of_the_input_is_400_and_a_bug_500_that_says_nothing(caplog: pytest.LogCaptureFixture):
    assert ask(b"1", scorer=Scorer(InputError("items: wrong"))).status == 400
    found = ask(b"1", scorer=Scorer(ValueError("u-4711")), x_request_id="order-17")
    assert (found.status, found.content["type"]) == (500, "urn:churn:problem:internal")
    assert "u-4711" not in json.dumps(found.content)
    assert "order-17" in caplog.text


def test_a_request_more_than_may_be_under_way_is_refused_at_once():
    scorer = Scorer()
    with scorer.admission:
        found = ask(b"1", scorer=scorer)
    assert (found.status, found.content["type"]) == (503, "urn:churn:problem:busy")
    assert (found.headers["retry-after"], found.headers["ratelimit"]) == ("1", '"requests";r=0;t=1')
    assert ask(b"1", scorer=scorer).status == 200


def test_who_ends_the_request_while_it_waits_for_the_body_is_not_told_that_it_is_slow():
    async def receive() -> Message:
        await asyncio.sleep(30)
        raise AssertionError

    async def main() -> None:
        task = asyncio.create_task(body_of(receive))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())


def test_who_has_no_key_is_refused_before_anything_is_read(tmp_path: Path):
    token = KeyFolder(tmp_path).add(NewKey("app", limit="1/day"), now=datetime.now(UTC))[1]
    gate, scorer = Gate(KeyFolder(tmp_path)), Scorer(AssertionError())
    found = ask(b"{", scorer=scorer, gate=gate, stalls=True)
    assert (found.status, found.headers["www-authenticate"]) == (401, 'Bearer realm="churn"')
    assert ask(b"1", scorer=Scorer(), gate=gate, authorization=f"Bearer {token}").status == 200


def test_the_items_of_a_key_are_counted_by_the_route(tmp_path: Path):
    token = KeyFolder(tmp_path).add(NewKey("app", limit="2/day"), now=datetime.now(UTC))[1]
    route, statuses = ScoreRoute(Scorer, Gate(KeyFolder(tmp_path))), list[int]()  # type: ignore[arg-type,return-value]
    for _ in range(3):
        statuses.append(ask(b"1", route=route, authorization=f"Bearer {token}").status)
    assert statuses == [200, 200, 429]
