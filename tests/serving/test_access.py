"""The real server as others reach it: on every address, encrypted, with keys."""

import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import httpx
import pyarrow as pa
import pytest

from models.churn_model import ChurnModel
from serving.http.front.headers import SECURITY_HEADERS
from serving.http.front.paths import NEEDED, PROBES
from serving.http.server import Access
from serving.keys import KeyFolder, NewKey, Scope
from serving.release.bundle import ServingBundle, write_bundle
from serving.settings import ScoringSettings, ServingSettings
from serving.store.profile_store import write_store
from tests.serving.certificate import certificate
from tests.serving.running import Server, running, wait_for

NOW = datetime.now(UTC)
ORIGIN = "https://shop.example"
BODY = {"items": [{"user_id": "u1"}]}
HOSTILE = (
    b"\x16\x03\x01 no TLS",
    b"GET / HTTP/9.9\r\n\r\n",
    b"GET /\xff\xfe HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET /%00%ff HTTP/1.1\r\nHost: x\r\n\r\n",
    b"POST /v1/score HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
    b"POST /v1/score HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
    b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: x\r\nAuthorization: Basic \xff\xff\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"y" * 2**18 + b"\r\n\r\n",
)


@dataclass(frozen=True)
class Door:
    server: Server
    keys: KeyFolder
    tokens: dict[str, str]

    def ask(self, key: str = "", method: str = "GET", path: str = "/v1/score", **options: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.tokens[key]}"} if key else {}
        return self.server.client.request(method, path, headers=headers, **options)

    def score(self, key: str = "", json: object = BODY) -> httpx.Response:
        return self.ask(key, "POST", json=json)

    def add(self, name: str, *scopes: Scope, limit: str = "") -> None:
        self.tokens[name] = self.keys.add(NewKey(name, scopes, limit=limit), now=NOW)[1]


@pytest.fixture(scope="module")
def door(model: ChurnModel, profiles: pa.Table, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    home = tmp_path_factory.mktemp("home")
    settings = ServingSettings(cors_origins=(ORIGIN,))
    bundle = ServingBundle(model, "shop", "7", "champion", home / "store", ScoringSettings(), settings)
    write_bundle(home / "served", bundle)
    write_store(home / "store", profiles, specification=model.specification)
    access = Access("0.0.0.0", home / "keys", *certificate(home))
    keys, tokens = KeyFolder(home / "keys"), dict[str, str]()
    for scope in ("score", "page", "metrics"):
        tokens[scope] = keys.add(NewKey(scope, (scope,)), now=NOW)[1]
    with running(home / "served", folder=home, access=access) as server:
        server.wait_until(200)
        yield Door(server, keys, tokens)
        family, start = server.family(), time.monotonic()
        assert server.stop() == 0  # while the client keeps its connection
        assert time.monotonic() - start < 10
        assert not any(process.is_running() for process in family)
        assert "https://0.0.0.0:" in server.log.read_text()


def test_no_path_but_the_probes_is_answered_without_a_key(door: Door):
    statuses = {path: door.ask(path=path).status_code for path in [*NEEDED, *PROBES, "/nothing"]}
    assert statuses == dict.fromkeys(NEEDED, 401) | dict.fromkeys(PROBES, 200) | {"/nothing": 404}
    refused = door.score()
    assert (refused.status_code, refused.json()["type"]) == (401, "urn:churn:problem:unauthorized")
    assert refused.headers["www-authenticate"] == 'Bearer realm="churn"'


def test_a_key_opens_what_it_is_for(door: Door):
    assert door.score("score").json()["results"][0]["user_id"] == "u1"
    assert door.score("metrics").status_code == 403
    assert door.ask("metrics", path="/metrics").status_code == 200
    assert door.ask("score", path="/metrics").status_code == 403
    assert {door.ask("score", path=path).status_code for path in ("/docs.json", "/docs", "/v1/model")} == {200}


def test_every_answer_has_the_headers_that_protect_it_and_names_no_server(door: Door):
    answers = [door.score("score"), door.score(), *(door.ask("page", path=path) for path in ["/", "/readyz", "/x"])]
    for answer in answers:
        assert {name: answer.headers.get(name) for name, _ in named(SECURITY_HEADERS)} == dict(named(SECURITY_HEADERS))
        assert "server" not in answer.headers
        assert "x-powered-by" not in answer.headers


def named(headers: tuple[tuple[bytes, bytes], ...]) -> list[tuple[str, str]]:
    return [(name.decode(), value.decode()) for name, value in headers]


def test_keys_are_made_and_revoked_without_a_restart(door: Door):
    door.add("late", "score")
    wait_for(lambda: door.score("late").status_code == 200)
    wait_for(lambda: door.keys.last_used(next(key for key in door.keys.read() if key.name == "late")) is not None)
    door.keys.revoke("late", now=NOW)
    wait_for(lambda: door.score("late").status_code == 401)
    assert door.score("score").status_code == 200


def test_the_items_of_a_key_are_limited(door: Door):
    door.add("small", "score", limit="3/day")
    wait_for(lambda: door.score("small").status_code == 200)
    refused = door.score("small", json={"items": BODY["items"] * 3})
    assert (refused.status_code, refused.json()["type"]) == (429, "urn:churn:problem:too-many-items")
    assert refused.headers["ratelimit"].startswith('"items";r=2;t=')


def test_the_pages_of_an_origin_that_is_named_may_read_answers_and_no_others(door: Door):
    asked = {
        "Origin": ORIGIN,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization",
    }
    allowed = door.server.client.options("/v1/score", headers=asked)
    assert (allowed.status_code, allowed.headers["access-control-allow-origin"]) == (200, ORIGIN)
    refused = door.server.client.options("/v1/score", headers=asked | {"Origin": "https://evil.example"})
    assert "access-control-allow-origin" not in refused.headers
    headers = {"Authorization": f"Bearer {door.tokens['score']}", "Origin": ORIGIN}
    answer = door.server.client.post("/v1/score", json=BODY, headers=headers)
    assert answer.headers["access-control-allow-origin"] == ORIGIN
    assert "access-control-allow-credentials" not in answer.headers


def test_hostile_bytes_cost_a_line_of_the_log_at_most(door: Door):
    for hostile in HOSTILE:
        for in_the_clear in (False, True):
            before = lines(door.server)
            send(door.server, hostile, in_the_clear=in_the_clear)
            assert door.score("score").status_code == 200
            assert len(lines(door.server)) <= len(before) + 1, (hostile, lines(door.server)[len(before) :])
    text = door.server.log.read_text()
    assert "Traceback" not in text
    assert not [token for token in door.tokens.values() if token in text]


def lines(server: Server) -> list[str]:
    return [line for line in server.log.read_text().splitlines() if line]


def send(server: Server, content: bytes, *, in_the_clear: bool = False) -> None:
    """Send bytes, as a client that does not speak HTTP, and wait for the answer."""
    port = int(server.address.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port), timeout=5) as plain, suppress(OSError):
        context = ssl.create_default_context(cafile=server.log.parent / "certificate.pem")
        with plain if in_the_clear else context.wrap_socket(plain, server_hostname="127.0.0.1") as connection:
            connection.sendall(content)
            connection.shutdown(socket.SHUT_WR)
            connection.recv(1)
