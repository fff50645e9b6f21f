"""How fast the service answers: requests a second and latency, load from the same machine.

A model of 200 trees with 8 leaves and all features, 20,000 users in the store, reasons in every answer. Each connection
sends its next request when the answer to the one before is read.
"""

from __future__ import annotations

import asyncio
import json
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from features.catalogue.catalogue import catalogue
from features.catalogue.fitted import FittedConstants
from features.profiles.specification import Specification
from serving.release.bundle import ServingBundle, write_bundle
from serving.settings import ScoringSettings, ServingSettings
from serving.store.profile_store import write_store
from tests.models.model_builder import fit_model, profiles_of

USERS = 20_000
WINDOWS = (1, 3, 7, 14, 28, 56, 90)
SECONDS = 4.0
SERVE = """
import sys
from pathlib import Path
from serving.http.server import serve
sys.exit(serve(Path(sys.argv[1]), port=int(sys.argv[2]), workers=int(sys.argv[3])))
"""
Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]
# workers, connections, users in a request
RUNS = ((1, 1, 1), (1, 16, 1), (1, 1, 100), (1, 1, 1000), (2, 1, 1), (2, 16, 1))


def fill(home: Path) -> Path:
    features = catalogue(WINDOWS, FittedConstants(("open", "buy")))
    names = tuple(feature.name for feature in features)
    categories = {feature.name: ("one", "two") for feature in features if feature.is_text}
    specification = Specification(names, WINDOWS, FittedConstants(("open", "buy")), categories=categories)
    model = fit_model(3_000, trees=200, of=specification)
    write_store(home / "store", profiles_of(USERS, seed=1, of=specification), specification=specification)
    served = ServingBundle(model, "churn", "1", "champion", home / "store", ScoringSettings(), ServingSettings())
    write_bundle(home / "served", served)
    return home / "served"


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        return found.getsockname()[1]


@contextmanager
def running(served: Path, workers: int) -> Iterator[int]:
    port = free_port()
    server = subprocess.Popen([sys.executable, "-c", SERVE, str(served), str(port), str(workers)])
    try:
        asyncio.run(until_ready(port))
        time.sleep(2)  # the other workers
        yield port
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(20)


async def until_ready(port: int) -> None:
    for _ in range(200):
        await asyncio.sleep(0.1)
        with suppress(OSError):
            if await ask(await asyncio.open_connection("127.0.0.1", port), request("GET", "/readyz")) == b"\n":
                return
    raise TimeoutError("the service is not ready after 20 s")


def request(method: str, path: str, *, body: bytes = b"") -> bytes:
    return f"{method} {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


def score_of(users: int) -> bytes:
    items = [{"user_id": f"u{random.randrange(USERS)}"} for _ in range(users)]
    return request("POST", "/v1/score", body=json.dumps({"items": items}).encode())


async def ask(connection: Connection, content: bytes) -> bytes:
    reader, writer = connection
    writer.write(content)
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    length = int(head.split(b"content-length: ")[1].split(b"\r\n")[0])
    return await reader.readexactly(length)


async def ask_until(end: float, port: int, *, users: int) -> list[float]:
    connection = await asyncio.open_connection("127.0.0.1", port)
    found: list[float] = []
    while time.perf_counter() < end:
        content = score_of(users)
        start = time.perf_counter()
        answer = await ask(connection, content)
        found.append(time.perf_counter() - start)
        if not answer.startswith(b'{"request_id"'):
            raise RuntimeError(answer)
    connection[1].close()
    return found


async def measure(port: int, connections: int, *, users: int) -> list[float]:
    end = time.perf_counter() + SECONDS
    found = await asyncio.gather(*(ask_until(end, port, users=users) for _ in range(connections)))
    return [one for each in found for one in each]


def main() -> None:
    print("| workers | connections | users in a request | requests/s | p50 ms | p99 ms |")
    print("|---|---|---|---|---|---|")
    with TemporaryDirectory() as home:
        served = fill(Path(home))
        for wanted in sorted({workers for workers, _, _ in RUNS}):
            with running(served, wanted) as port:
                for workers, connections, users in RUNS:
                    if workers == wanted:
                        milliseconds = np.array(asyncio.run(measure(port, connections, users=users))) * 1000
                        p50, p99 = np.percentile(milliseconds, [50, 99])
                        rate = len(milliseconds) / SECONDS
                        print(
                            f"| {workers} | {connections} | {users} | {rate:.0f} | {p50:.2f} | {p99:.2f} |", flush=True
                        )


if __name__ == "__main__":
    main()
