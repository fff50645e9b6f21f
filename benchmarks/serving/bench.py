"""How fast the service answers, compared with bare Starlette that does the same, in one run on one machine.

Load comes from a process of its own. The CPU time of a request is that of the server's processes.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa

from benchmarks.measuring import PAGES, machine
from benchmarks.serving.load import SCORE_PATH
from benchmarks.serving.page import write_page
from benchmarks.serving.world import PROFILES, Server, World, asgi, build_model, churn, running
from features.storage.versions import Place
from serving.settings import ServingSettings

USERS, BODIES = int(os.environ.get("USERS") or 1_000_000), 300
SECONDS, ROUNDS = 1.2, 9
RESULTS = PAGES / "serving.json"


@dataclass(frozen=True)
class Case:
    """What is asked: how, with how many items and connections."""

    path: str
    reasons: bool
    items: int
    connections: int


CASES = tuple(
    Case(path, reasons, items, connections)
    for path in ("stored", "computed")
    for reasons, items, connections in (
        (True, 1, 1),
        (True, 1, 16),
        (True, 1, 64),
        (False, 1, 1),
        (False, 1, 16),
        (True, 100, 1),
        (True, 100, 16),
        (False, 100, 1),
    )
)


def fill(home: Path) -> tuple[Path, pa.Table]:
    """Write the release, with the finished answers of all users; return its folder and the profiles of who is scored."""
    world = World(Place(home / "releases"), USERS, ServingSettings(max_items_under_way=100_000))
    model = build_model(world.specification)
    return world.release(model, "1"), world.scored(model)


def bodies(case: Case, profiles: pa.Table) -> Iterator[bytes]:
    """Return different requests of a case, of users who are scored."""
    rows = profiles.slice(0, 3_000).to_pylist()
    for _ in range(BODIES if case.items == 1 else 30):
        chosen = random.choices(rows, k=case.items)
        again = random.randrange(USERS // PROFILES or 1) * PROFILES
        ids = [f"u{int(row['user_id'][1:]) + again:07}" for row in chosen]
        items = [{"user_id": one} for one in ids] if case.path == "stored" else [{"profile": row} for row in chosen]
        yield msgspec.json.encode({"items": items} if case.reasons else {"items": items, "reasons": False})


def measure(
    server: Server, connections: int, *, asked: Path, seconds: float = SECONDS, options: Sequence[str] = (SCORE_PATH,)
) -> dict[str, Any]:
    """Put the requests of a file on a server; ``options`` are the path, and :data:`benchmarks.serving.load.MAY_BE_REFUSED`."""
    before = server.cpu_seconds()
    command = (sys.executable, "-m", "benchmarks.serving.load")
    given = map(str, (server.port, connections, seconds, asked))
    ran = subprocess.run([*command, *given, *options], capture_output=True, text=True, check=False)
    if ran.returncode:
        raise RuntimeError(ran.stderr)
    found = json.loads(ran.stdout)
    return found | {"cpu_us": (server.cpu_seconds() - before) / found["all"] * 1e6}


def compare(cases: tuple[Case, ...], say: Callable[[str], None]) -> dict[str, Any]:
    """Measure every case on both servers, in several rounds; medians count.

    In turns, so that a busy moment hits both, and with servers of its own for each round: one process is up to a tenth faster than another
    that does the same.
    """
    rounds: list[list[dict[str, dict[str, Any]]]] = []
    memory: list[int] = []
    with TemporaryDirectory() as home:
        served, profiles = fill(Path(home))
        asked = [_asked(Path(home) / str(place), case, of=profiles) for place, case in enumerate(cases)]
        commands = {"churn": churn(served), "bare": asgi("benchmarks.serving.bare:app", served)}
        for number in range(ROUNDS):
            say(f"round {number + 1} of {ROUNDS}")
            with ExitStack() as ends:
                servers = {name: ends.enter_context(running(one)) for name, one in commands.items()}
                rounds.append([_measured(servers, case, asked=of) for case, of in zip(cases, asked, strict=True)])
                memory.append(servers["churn"].memory())
    found = [
        vars(case) | {name: _median([one[name] for one in runs]) for name in commands}
        for case, runs in zip(cases, zip(*rounds, strict=True), strict=True)
    ]
    return {"cases": found, "users": USERS, "pss_bytes": max(memory), "machine": machine()}


def _asked(path: Path, case: Case, *, of: pa.Table) -> Path:
    """Write the requests of a case, of users with these profiles."""
    path.write_bytes(b"\n".join(bodies(case, of)))
    return path


def _measured(servers: dict[str, Server], case: Case, *, asked: Path) -> dict[str, dict[str, Any]]:
    """Measure a case on each server, one after the other."""
    return {name: measure(one, case.connections, asked=asked) for name, one in servers.items()}


def _median(runs: Sequence[dict[str, float]]) -> dict[str, float]:
    """Return the median of each number."""
    return {name: float(np.median([one[name] for one in runs])) for name in runs[0] if name != "began"}


def main() -> None:
    """Measure, and write the page."""
    random.seed(0)
    np.random.seed(0)  # noqa: NPY002
    RESULTS.write_text(json.dumps(compare(CASES, lambda text: print(text, flush=True)), indent=1) + "\n")
    write_page(RESULTS, PAGES / "serving.md")


if __name__ == "__main__":
    main()
