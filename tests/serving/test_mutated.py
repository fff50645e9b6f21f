"""Ten thousand mutated bodies: each is answered in time and by the contract, and the server stays as it was."""

import json
import random
import time
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pytest

from serving.http.problems import KINDS
from serving.release.bundle import ServingBundle, write_bundle
from serving.store.profile_store import write_store
from tests.models.model_builder import rows_of
from tests.serving.running import running, workers_of

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


@pytest.mark.slow
def test_mutated_bodies_are_answered_in_time_and_by_the_contract(
    bundle: ServingBundle, profiles: pa.Table, tmp_path: Path
):
    event = {"event_time": "2026-06-01T10:00:00Z", "event_type": "open", "amount": 5}
    item = {"user_id": "u2", "as_of": "2026-06-02T00:00:00Z", "events": [event, event]}
    items = [{"user_id": "u1"}, {"profile": rows_of(profiles)[0]}, item]
    seeds = [json.dumps({"items": one}, default=str).encode() for one in (items, items[:1], items[1:2], items[2:])]
    write_store(bundle.store, profiles, specification=bundle.model.specification)
    write_bundle(tmp_path / "served", bundle)
    draw, found, slowest = random.Random(4), Counter[int](), 0.0
    with running(tmp_path / "served", folder=tmp_path) as server:
        server.wait_until(200)
        before = 0
        for place in range(BODIES):
            start = time.monotonic()
            answer = server.client.post("/v1/score", content=mutated(draw.choice(seeds), draw))
            slowest = max(slowest, time.monotonic() - start)
            found[answer.status_code] += 1
            if answer.status_code != 200:
                assert answer.json()["type"] in {kind.urn for kind in KINDS}
            if place % GOOD_EVERY == 0:
                assert server.ask("u1").json()["results"][0]["code"] != "unknown_user"
            if place == BODIES // 10:
                before = workers_of(server)[0].memory_info().rss
        assert workers_of(server)[0].memory_info().rss < 1.05 * before
        assert "Traceback" not in server.log.read_text()
    assert set(found) <= {200, 400}
    assert found[400] > found[200] > 100
    assert slowest < 2
