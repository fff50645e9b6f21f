"""Ten thousand mutated bodies: each is answered in time and by the contract, and the server stays as it was."""

import json
import random
import time
from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pytest

from serving.http.problems import KINDS
from serving.http.server import Access
from serving.keys import SCOPES, KeyFolder, NewKey
from serving.release.bundle import ServingBundle, write_bundle
from serving.store.profile_store import write_store
from tests.models.model_builder import rows_of
from tests.serving.running import Server, running, workers_of

BODIES, GOOD_EVERY = 10_000, 50
TOKENS = (
    b"null",
    b"-1",
    b"1e999",
    b"[]",
    b"{}",
    b'""',
    b"9" * 400,
    b"true",
    b"\\ud800",
    b"\xff",
    b"[" * 500,
    b"NaN",
    b"\x00",
)


def mutated(body: bytes, draw: random.Random) -> bytes:
    """One to four changes: bytes flipped, cut out, doubled, or replaced by something odd."""
    found = bytearray(body)
    for _ in range(draw.randint(1, 4)):
        start = draw.randrange(len(found) + 1)
        end = min(len(found), start + draw.randint(0, 30))
        match draw.randrange(4):
            case 0:
                found[start:end] = b""
            case 1:
                found[start:start] = found[start:end]
            case 2:
                found[start:end] = draw.choice(TOKENS)
            case _:
                found[start:end] = bytes(draw.randrange(256) for _ in range(end - start))
    return bytes(found)


@contextmanager
def running_with_keys(bundle: ServingBundle, profiles: pa.Table, folder: Path) -> Generator[Server]:
    """Start a server whose client has a key for everything."""
    write_store(bundle.store, profiles, specification=bundle.model.specification)
    write_bundle(folder / "served", bundle)
    _, token = KeyFolder(folder / "keys").add(NewKey("all", SCOPES), now=datetime.now(UTC))
    with running(folder / "served", folder=folder, access=Access(keys=folder / "keys")) as server:
        server.wait_until(200)
        server.client.headers["Authorization"] = f"Bearer {token}"
        yield server


def seeds(profiles: pa.Table) -> list[bytes]:
    """Good bodies of both operations, the last that of an explanation."""
    event = {"event_time": "2026-06-01T10:00:00Z", "event_type": "open", "amount": 5}
    item = {"user_id": "u2", "as_of": "2026-06-02T00:00:00Z", "events": [event, event]}
    items = [{"user_id": "u1"}, {"profile": rows_of(profiles)[0]}, item]
    bodies = [{"items": one} for one in (items, items[:1], items[1:2], items[2:])]
    return [json.dumps(one, default=str).encode() for one in (*bodies, {"user_id": "u1", "changes": {"events_7d": 4}})]


@pytest.mark.slow
def test_mutated_bodies_are_answered_in_time_and_by_the_contract(
    bundle: ServingBundle, profiles: pa.Table, tmp_path: Path
):
    bodies, draw, found, slowest, before = seeds(profiles), random.Random(4), Counter[int](), 0.0, 0
    with running_with_keys(bundle, profiles, tmp_path) as server:
        for place in range(BODIES):
            body = draw.choice(bodies)
            path = "/v1/explain" if body is bodies[-1] else "/v1/score"
            start = time.monotonic()
            answer = server.client.post(path, content=mutated(body, draw))
            slowest = max(slowest, time.monotonic() - start)
            found[answer.status_code] += 1
            assert answer.status_code == 200 or answer.json()["type"] in {kind.urn for kind in KINDS}
            if place % GOOD_EVERY == 0:
                assert server.ask("u1").json()["results"][0]["code"] != "unknown_user"
            if place == BODIES // 10:
                before = workers_of(server)[0].memory_info().rss
        assert workers_of(server)[0].memory_info().rss < 1.05 * before
        assert "Traceback" not in server.log.read_text()
    assert set(found) <= {200, 400, 409}
    assert found[400] > found[200] > 100
    assert slowest < 2
