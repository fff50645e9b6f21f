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
SECONDS, ROUNDS = 2.0, 5
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
    """Measure every case on both servers, several times in turns, so that a busy moment hits both; medians count."""
    found: list[dict[str, Any]] = []
    with TemporaryDirectory() as home:
        served, profiles = fill(Path(home))
        bare = asgi("benchmarks.serving.bare:app", served)
        with running(churn(served)) as ours, running(bare) as other:
            for case in cases:
                asked = Path(home) / "bodies"
                asked.write_bytes(b"\n".join(bodies(case, profiles)))
                rounds = [[measure(one, case.connections, asked=asked) for one in (ours, other)] for _ in range(ROUNDS)]
                one = {
                    name: _median(runs) for name, runs in zip(("churn", "bare"), zip(*rounds, strict=True), strict=True)
                }
                found.append(vars(case) | one)
                say(f"{case}: {one['churn']['rate']:.0f}/s, bare {one['bare']['rate']:.0f}/s")
            return {"cases": found, "users": USERS, "pss_bytes": ours.memory(), "machine": machine()}


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
