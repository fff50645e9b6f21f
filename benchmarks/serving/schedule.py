"""Load by a schedule, from a process of its own: requests become due whether or not earlier ones are answered.

The latency of a request counts from the instant at which it was due, so that one which waits for a connection, or for a server that stands
still, is as late as its user would find it.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import random
import sys
import time
from collections import Counter, deque
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import uvloop

from benchmarks.serving.load import request

PATIENCE_SECONDS = 40.0  # more than the service has for a request
LATE_SECONDS = 0.005
_END, _LENGTH, _MODEL = b"\r\n\r\n", b"content-length: ", b"x-churn-model: "


@dataclass(frozen=True)
class Schedule:
    """What is asked, and when.

    Attributes
    ----------
    rate
        Requests per second, on average: the times between them are independent (a Poisson process).
    start_at
        By the monotonic clock, which all processes share.
    connections
        As many are kept open; 0: one for each request, as a probe has it.
    bodies
        File, one a line, sent in their order, again and again; empty: GET.
    """

    port: int
    rate: float
    seconds: float
    start_at: float
    connections: int = 0
    path: str = "/v1/score"
    bodies: str = ""
    seed: int = 0

    def due(self) -> Iterator[float]:
        """Return the instants."""
        times, at, end = random.Random(self.seed), self.start_at, self.start_at + self.seconds
        while (at := at + times.expovariate(self.rate)) < end:
            yield at

    def requests(self) -> Iterator[bytes]:
        """Return the requests, without an end."""
        if self.bodies:
            lines = Path(self.bodies).read_bytes().splitlines()
            return itertools.cycle([request(line, self.path) for line in lines])
        return itertools.repeat(f"GET {self.path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())


@dataclass
class Outcome:
    """What became of the requests.

    Attributes
    ----------
    statuses
        Number of answers by status; ``error`` where a connection failed, or nothing came.
    models
        Number of answers by the model that they name.
    latencies
        Seconds, of answered requests.
    late
        Requests that were sent more than five milliseconds after they were due.
    """

    statuses: Counter[str] = field(default_factory=Counter[str])
    models: Counter[str] = field(default_factory=Counter[str])
    latencies: list[float] = field(default_factory=list[float])
    sent: int = 0
    late: int = 0

    def send(self, due: float) -> None:
        """Count a request."""
        self.sent += 1
        self.late += time.monotonic() - due > LATE_SECONDS

    def answer(self, due: float, head: bytes) -> None:
        """Count an answer by its headers."""
        self.latencies.append(time.monotonic() - due)
        self.statuses[head[9:12].decode()] += 1
        self.models[_value(head, _MODEL).decode()] += 1

    def summary(self) -> dict[str, Any]:
        """Return counts, and quantiles in milliseconds."""
        found = np.array(self.latencies or [0.0]) * 1000
        names, quantiles = ("p50", "p99", "p999", "max"), np.percentile(found, [50, 99, 99.9, 100])
        counts = {"sent": self.sent, "late": self.late, "statuses": self.statuses, "models": self.models}
        return counts | dict(zip(names, map(float, quantiles), strict=True))


class Connection(asyncio.Protocol):
    """One connection of a load; it has one request at a time.

    Attributes
    ----------
    due
        Of the request under way; None: it is idle.
    """

    def __init__(self, load: Load) -> None:
        self._load = load
        self._received = b""
        self.due: float | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Keep it."""
        self._transport = transport

    def close(self) -> None:
        """Close it."""
        self._transport.close()

    def ask(self, due: float, content: bytes) -> None:
        """Send a request."""
        self.due = due
        self._load.outcome.send(due)
        self._transport.write(content)

    @property
    def is_open(self) -> bool:
        """Whether another request can be sent."""
        return not self._transport.is_closing()

    def data_received(self, data: bytes) -> None:
        """Read; an answer that is whole is counted."""
        self._received += data
        end = self._received.find(_END)
        if end < 0 or self.due is None:
            return
        head = self._received[:end].lower()
        if len(self._received) >= end + len(_END) + int(_value(head, _LENGTH) or 0):
            due, self.due, self._received = self.due, None, b""
            self._load.outcome.answer(due, head)
            self._load.has_ended(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Count a request that gets no answer."""
        del exc
        self._load.has_lost(self)
        if self.due is not None:
            self.due = None
            self._load.outcome.statuses["error"] += 1
            self._load.has_ended(self)


def _value(head: bytes, name: bytes) -> bytes:
    """Return the value of a header; empty: there is none."""
    start = head.find(b"\r\n" + name)
    return head[start + 2 + len(name) :].partition(b"\r\n")[0] if start >= 0 else b""


class Load:
    """Sends what is due, on connections that are idle; what finds none waits for one."""

    def __init__(self, schedule: Schedule) -> None:
        self._schedule = schedule
        self._idle, self._all = deque[Connection](), set[Connection]()
        self._waiting = deque[tuple[float, bytes]]()
        self._opening = set[asyncio.Task[None]]()
        self.outcome = Outcome()

    async def run(self) -> Outcome:
        """Send everything; return when all is answered."""
        for _ in range(self._schedule.connections):
            self._idle.append(await self._open())
        for due, content in zip(self._schedule.due(), self._schedule.requests(), strict=False):
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            self._send(due, content)
        unanswered = await self._settle()
        for connection in list(self._all):
            connection.close()
        self.outcome.statuses.update({"error": unanswered} if unanswered else {})
        return self.outcome

    async def _open(self) -> Connection:
        loop, port = asyncio.get_running_loop(), self._schedule.port
        connection = (await loop.create_connection(lambda: Connection(self), "127.0.0.1", port))[1]
        self._all.add(connection)
        return connection

    def _send(self, due: float, content: bytes) -> None:
        while self._idle and not self._idle[0].is_open:
            self._idle.popleft()
            self._start(self._refill())
        if not self._schedule.connections:
            self._start(self._on_a_new_one(due, content))
        elif self._idle:
            self._idle.popleft().ask(due, content)
        else:
            self._waiting.append((due, content))

    def _start(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._opening.add(task)
        task.add_done_callback(self._opening.discard)

    async def _on_a_new_one(self, due: float, content: bytes) -> None:
        try:
            (await self._open()).ask(due, content)
        except OSError:
            self.outcome.send(due)
            self.outcome.statuses["error"] += 1

    async def _refill(self) -> None:
        """Open a connection in place of one that the server closed."""
        with suppress(OSError):  # what waits for it stays without an answer
            self.has_ended(await self._open())

    def has_ended(self, connection: Connection) -> None:
        """Take the next request, or be idle."""
        if not self._schedule.connections:
            return
        if not connection.is_open:
            self._start(self._refill())
        elif self._waiting:
            connection.ask(*self._waiting.popleft())
        else:
            self._idle.append(connection)

    def has_lost(self, connection: Connection) -> None:
        """Forget a connection that is closed."""
        self._all.discard(connection)

    async def _settle(self) -> int:
        """Wait for the answers; return the number of requests that got none."""
        end = time.monotonic() + PATIENCE_SECONDS
        while (left := self._unanswered()) and time.monotonic() < end:
            await asyncio.sleep(0.01)
        return left

    def _unanswered(self) -> int:
        under_way = self.outcome.sent - self.outcome.statuses.total()
        return under_way + len(self._waiting) + (len(self._opening) if not self._schedule.connections else 0)


def main() -> None:
    """Read a schedule as JSON; print the outcome as JSON."""
    print(json.dumps(uvloop.run(Load(Schedule(**json.loads(sys.argv[1]))).run()).summary()))


def command(schedule: Schedule) -> list[str]:
    """Return what runs a schedule in a process of its own."""
    return [sys.executable, "-m", "benchmarks.serving.schedule", json.dumps(asdict(schedule))]


if __name__ == "__main__":
    main()
