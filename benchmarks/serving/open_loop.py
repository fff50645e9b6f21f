"""What users of the service would find: requests by a schedule, while releases are swapped, and at four times what it can do.

Two workers, and load from processes of its own on the same machine. The first part asks for stored users, some often and most
seldom; others send a hundred items at once, metrics are scraped, and the release is swapped for one with another model. The second part has
everything computed, one request in twenty with a hundred profiles.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec
import numpy as np

from benchmarks.measuring import PAGES, machine
from benchmarks.serving.bench import measure
from benchmarks.serving.load import MAY_BE_REFUSED, SCORE_PATH
from benchmarks.serving.open_loop_page import write_page
from benchmarks.serving.schedule import Schedule, command
from benchmarks.serving.world import Server, World, build_model, churn, running
from features.storage.versions import Place, make_current
from serving.settings import ServingSettings

SECONDS, USERS = float(os.environ.get("SECONDS") or 300), int(os.environ.get("USERS") or 500_000)
WORKERS, RATE, UNKNOWN, SWAPS = 2, 500.0, 0.1, 4
OVERLOAD_SECONDS, TIMES = min(60.0, SECONDS), 4
CAPACITY_SECONDS, CAPACITY_CONNECTIONS = 5.0, 16
OVERLOAD_CONNECTIONS = 2_000  # more than both workers let in
START_SECONDS = 3.0  # until all processes of the load are there
RESULTS = PAGES / "serving_open_loop.json"


def popular_ids(number: int, users: int, *, generator: np.random.Generator) -> Iterator[str]:
    """Return ids of users: the k-th most popular one is asked for with a frequency of 1/k (Zipf), every tenth is unknown."""
    chances = np.cumsum(1 / np.arange(1, users + 1))
    ranks = np.searchsorted(chances, generator.random(number) * chances[-1])
    names = generator.permutation(users)[ranks]
    for name, is_unknown in zip(names.tolist(), (generator.random(number) < UNKNOWN).tolist(), strict=True):
        yield f"unknown{name}" if is_unknown else f"u{name:07}"


def body(*items: dict[str, Any]) -> bytes:
    """Return a request with reasons."""
    return msgspec.json.encode({"items": items})


def write_bodies(home: Path, rows: Sequence[dict[str, Any]], *, users: int, requests: int) -> dict[str, str]:
    """Write the requests of each part of the load, one a line; return their files."""
    generator = np.random.default_rng(0)
    ids = [{"user_id": one} for one in popular_ids(requests, users, generator=generator)]
    profiles = [{"profile": row} for row in rows]
    single, many = [body(one) for one in profiles[:380]], [body(*random.choices(profiles, k=100)) for _ in range(20)]
    parts = {
        "app": [body(one) for one in ids],
        "others": [body(*random.choices(ids, k=100)), many[0], body(*random.choices(ids, k=100)), many[1]],
        "mixed": random.sample([*single, *many], k=len(single) + len(many)),
    }
    for name, lines in parts.items():
        (home / name).write_bytes(b"\n".join(lines))
    return {name: str(home / name) for name in parts}


def start(schedules: dict[str, Schedule], *, stack: ExitStack) -> dict[str, subprocess.Popen[str]]:
    """Start a process for each part of a load."""
    return {
        name: stack.enter_context(subprocess.Popen(command(one), stdout=subprocess.PIPE, text=True))
        for name, one in schedules.items()
    }


def outcomes(load: dict[str, subprocess.Popen[str]]) -> dict[str, Any]:
    """Wait for each part; return what became of its requests.

    Raises
    ------
    RuntimeError
        When a part failed.
    """
    found = {name: (process.communicate()[0], process.returncode) for name, process in load.items()}
    if failed := [name for name, (_, code) in found.items() if code]:
        raise RuntimeError(f"the load failed: {failed}")
    return {name: json.loads(text) for name, (text, _) in found.items()}


def by_schedule(server: Server, bodies: dict[str, str], *, world: World, releases: Sequence[Path]) -> dict[str, Any]:
    """Send 500 requests a second, and all that goes on at the same time; swap the release at equal distances."""
    base = Schedule(server.port, RATE, SECONDS, time.monotonic() + START_SECONDS)
    schedules = {
        "app": replace(base, connections=64, bodies=bodies["app"]),
        "others": replace(base, rate=4.0, connections=4, bodies=bodies["others"], seed=1),
        "scrapes": replace(base, rate=0.2, path="/metrics", seed=2),
        "probes": replace(base, rate=10.0, path="/readyz", seed=3),
    }
    with ExitStack() as stack:
        load = start(schedules, stack=stack)
        for swap in range(1, SWAPS + 1):
            _sleep_until(base.start_at + SECONDS * swap / (SWAPS + 1))
            with world.place.alone():
                make_current(releases[swap % 2])
        return outcomes(load)


def overload(server: Server, bodies: dict[str, str]) -> dict[str, Any]:
    """Measure what can be done, ask for four times as much, and measure again at once."""
    mixed = Path(bodies["mixed"])
    before = _capacity(server, mixed)
    base = Schedule(server.port, TIMES * before["rate"], OVERLOAD_SECONDS, time.monotonic() + START_SECONDS)
    schedules = {
        "load": replace(base, connections=OVERLOAD_CONNECTIONS, bodies=bodies["mixed"]),
        "probes": replace(base, rate=10.0, path="/readyz", seed=1),
    }
    with ExitStack() as stack:
        load, end = start(schedules, stack=stack), base.start_at + OVERLOAD_SECONDS
        _sleep_until(end)
        after = _capacity(server, mixed)
        found = outcomes(load)
    about = {"capacity": before["rate"], "after": after["rate"], "after_seconds": after["began"] - end}
    return about | {"seconds": OVERLOAD_SECONDS, "rate": base.rate} | found


def _capacity(server: Server, asked: Path) -> dict[str, Any]:
    """Measure how many requests are answered; where too many large ones come together, some are refused."""
    return measure(
        server, CAPACITY_CONNECTIONS, asked=asked, seconds=CAPACITY_SECONDS, options=(SCORE_PATH, MAY_BE_REFUSED)
    )


def _sleep_until(instant: float) -> None:
    time.sleep(max(0.0, instant - time.monotonic()))


def run() -> dict[str, Any]:
    """Write two releases, and put both loads on the one service."""
    with TemporaryDirectory() as home:
        world = World(Place(Path(home) / "releases"), USERS, ServingSettings())
        models = [build_model(world.specification, seed=seed) for seed in (0, 1)]
        releases = [world.release(model, str(number + 1)) for number, model in enumerate(models)][::-1]
        rows = world.scored(models[0]).slice(0, 3_000).to_pylist()
        bodies = write_bodies(Path(home), rows, users=USERS, requests=int(RATE * SECONDS * 1.05))
        with running(churn(releases[0], workers=WORKERS)) as server:
            print("by schedule", flush=True)
            found = by_schedule(server, bodies, world=world, releases=releases)
            print("overload", flush=True)
            about = {"users": USERS, "seconds": SECONDS, "rate": RATE, "swaps": SWAPS, "machine": machine()}
            return about | {"schedule": found, "overload": overload(server, bodies)}


def main() -> None:
    """Measure, and write the page."""
    random.seed(0)
    np.random.seed(0)  # noqa: NPY002
    RESULTS.write_text(json.dumps(run(), indent=1) + "\n")
    write_page(RESULTS, PAGES / "serving_open_loop.md")


if __name__ == "__main__":
    main()
