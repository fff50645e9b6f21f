"""The open-loop benchmark of the service: latencies count from when a request was due, failures are counted, targets are judged."""

from __future__ import annotations

import asyncio
import itertools
import json
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.serving.open_loop import popular_ids
from benchmarks.serving.open_loop_page import targets, write_page
from benchmarks.serving.schedule import Load, Outcome, Schedule

END = b"\r\n\r\n"
SERVICE_SECONDS = 0.01
PART: dict[str, Any] = {
    "sent": 100,
    "late": 0,
    "statuses": {"200": 100},
    "models": {"churn/1": 60, "churn/2": 40},
    **dict.fromkeys(("p50", "p99", "p999", "max"), 2.0),
}
FLOOD = {
    "load": PART | {"sent": 400, "statuses": {"200": 100, "429": 100, "503": 200}},
    "probes": PART,
    "capacity": 100.0,
    "rate": 400.0,
    "seconds": 1.0,
    "after": 95.0,
    "after_seconds": 1.5,
}
FOUND: dict[str, Any] = {
    "schedule": {"app": PART, "others": PART, "scrapes": PART, "probes": PART},
    "overload": FLOOD,
    "users": 1,
    "seconds": 1.0,
    "rate": 500.0,
    "swaps": 4,
    "machine": {"cores": 2, "cpu": "x", "load": 0.1},
}


def answer(status: str, version: int) -> bytes:
    return f"HTTP/1.1 {status} x\r\nContent-Length: 2\r\nX-Churn-Model: churn/{version}\r\n\r\n{{}}".encode()


async def put_on(answers: Callable[[bytes], Awaitable[bytes]], bodies: str = "", **schedule: Any) -> Outcome:
    """Put a load on a server in this process, which closes a connection after an answer that is not whole."""

    handlers = set[asyncio.Task[Any] | None]()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        handlers.add(asyncio.current_task())
        with suppress(asyncio.IncompleteReadError):  # the client has closed it
            is_whole = True
            while is_whole:
                await reader.readuntil(END)
                sent = await answers(await reader.readexactly(2) if bodies else b"")
                writer.write(sent)
                is_whole = END in sent
        writer.close()
        await writer.wait_closed()

    async with await asyncio.start_server(handle, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        found = await Load(Schedule(port, start_at=time.monotonic(), bodies=bodies, **schedule)).run()
        await asyncio.gather(*(one for one in handlers if one))
        return found


@pytest.fixture
def bodies(tmp_path: Path) -> str:
    (tmp_path / "bodies").write_bytes(b"{}\n[]")
    return str(tmp_path / "bodies")


def test_a_request_that_waits_for_a_slow_server_is_as_late_as_its_user_finds_it(bodies: str):
    """Twice as much is due as one connection can have answered: the wait grows, though each answer takes as long as the first."""

    async def slow(_: bytes) -> bytes:
        await asyncio.sleep(SERVICE_SECONDS)
        return answer("200", 1)

    found = asyncio.run(put_on(slow, bodies, rate=2 / SERVICE_SECONDS, seconds=0.4, connections=1))
    assert found.sent == found.statuses["200"] == len(found.latencies) > 50
    assert max(found.latencies) > 15 * SERVICE_SECONDS
    assert found.late > found.sent / 2


def test_answers_are_counted_by_status_and_model_on_connections_that_stay_open(bodies: str):
    seen = Counter[bytes]()

    async def both(body: bytes) -> bytes:
        seen[body] += 1
        return answer("200", 1) if body == b"{}" else answer("503", 2)

    found = asyncio.run(put_on(both, bodies, rate=200, seconds=0.3, connections=3))
    assert found.statuses == {"200": seen[b"{}"], "503": seen[b"[]"]}
    assert found.models == {"churn/1": seen[b"{}"], "churn/2": seen[b"[]"]}
    assert found.sent == seen.total() > 20


@pytest.mark.parametrize("connections", [0, 2])
def test_a_connection_that_is_closed_without_an_answer_is_an_error_and_the_next_request_gets_another(
    connections: int, bodies: str
):
    turns = itertools.count()

    async def every_other(_: bytes) -> bytes:
        return b"HTTP/1.1 200 OK\r\n" if next(turns) % 2 else answer("200", 1)

    found = asyncio.run(put_on(every_other, bodies, rate=200, seconds=0.2, connections=connections))
    assert found.sent == found.statuses["200"] + found.statuses["error"] == next(turns) > 15
    assert abs(found.statuses["200"] - found.statuses["error"]) <= 1


def test_the_most_popular_user_is_asked_for_as_often_as_zipf_says_and_every_tenth_is_unknown():
    found = Counter(popular_ids(40_000, 1_000, generator=np.random.default_rng(1)))
    unknown = sum(number for name, number in found.items() if name.startswith("unknown"))
    assert unknown == pytest.approx(4_000, rel=0.05)
    harmonic = sum(1 / rank for rank in range(1, 1_001))
    (_, first), (_, second) = found.most_common(2)
    assert first == pytest.approx(36_000 / harmonic, rel=0.05)
    assert second == pytest.approx(first / 2, rel=0.1)


@pytest.mark.parametrize(
    ("place", "value", "missed"),
    [
        ("schedule.app.p99", 20.0, 0),
        ("schedule.app.p999", 50.0, 1),
        ("schedule.others.statuses", {"200": 99, "503": 1}, 2),
        ("schedule.scrapes.statuses", {"200": 99, "error": 1}, 2),
        ("schedule.app.models", {"churn/1": 100}, 3),
        ("overload.load.statuses", {"200": 399, "error": 1}, 4),
        ("overload.load.statuses", {"200": 399, "504": 1}, 4),
        ("overload.load.sent", 379, 5),
        ("overload.probes.max", 100.0, 6),
        ("overload.probes.statuses", {"503": 1}, 6),
        ("overload.after", 89.0, 7),
        ("overload.after_seconds", 2.1, 7),
    ],
)
def test_a_target_that_is_not_reached_is_missed_and_no_other(place: str, value: object, missed: int):
    found = json.loads(json.dumps(FOUND))
    *above, name = place.split(".")
    part = found
    for one in above:
        part = part[one]
    part[name] = value
    assert [is_met for _, is_met in targets(found)] == [number != missed for number in range(8)]


def test_the_page_says_what_was_measured(tmp_path: Path):
    (tmp_path / "found.json").write_text(json.dumps(FOUND))
    write_page(tmp_path / "found.json", tmp_path / "found.md")
    page = (tmp_path / "found.md").read_text()
    assert "| load | 400 | 200: 100, 429: 100, 503: 200 | 2.00 |" in page
    assert page.count(": met") == 8
