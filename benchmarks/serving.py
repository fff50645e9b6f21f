"""How fast the service answers, compared with bare Starlette that does the same, in one run on one machine.

A model of 284 trees of six leaves and a logistic part over all features; a million users with finished answers in the store, 20,000
profiles under many ids. Load comes from a process of its own. The CPU time of a request is that of the server's processes.
"""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec
import numpy as np
import psutil
import pyarrow as pa

from benchmarks.measuring import machine
from benchmarks.serving_page import write_page
from features.catalogue.catalogue import catalogue
from features.catalogue.fitted import FittedConstants
from features.profiles.specification import Specification
from models.churn_model import ChurnModel, Reference
from models.encoding import encode
from models.scorers.calibration import fit_platt
from models.scorers.ensemble import LogisticPart, Scorer
from models.scorers.logistic import fit_linear
from serving.batch.score import is_eligible, score_table, with_reasons
from serving.release.bundle import ServingBundle, answers_of, write_bundle
from serving.settings import ScoringSettings, ServingSettings
from serving.store.answers import BatchAnswers
from serving.store.profile_store import StoreBatch, StoreShift, write_store
from tests.models.model_builder import churned_among, fit_model, profiles_of

USERS, PROFILES, BODIES = int(os.environ.get("USERS") or 1_000_000), 20_000, 300
SECONDS, ROUNDS = 2.0, 3
WINDOWS = (1, 3, 7, 14, 28, 56, 90)
TREES, LEAVES = 284, 6
BANDS = ScoringSettings()
HERE = Path(__file__).parent
RESULTS = HERE / "serving.json"
SERVE = """
import sys
from pathlib import Path
from serving.http.server import serve
sys.exit(serve(Path(sys.argv[1]), port=int(sys.argv[2]), workers=1))
"""
BARE = "import sys, uvicorn; uvicorn.run('benchmarks.serving_bare:app', port=int(sys.argv[2]), access_log=False)"


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


def build_model() -> tuple[ChurnModel, Specification]:
    """Fit trees and a logistic part on made-up profiles of all features."""
    constants = FittedConstants(("open", "buy"))
    features = catalogue(WINDOWS, constants)
    categories = {feature.name: ("one", "two") for feature in features if feature.is_text}
    specification = Specification(tuple(one.name for one in features), WINDOWS, constants, categories=categories)
    trees = fit_model(6_000, trees=TREES, of=specification, leaves=LEAVES)
    profiles = profiles_of(6_000, of=specification)
    matrix, churned = encode(profiles, specification), churned_among(profiles)
    linear = LogisticPart(fit_linear(matrix, churned, specification=specification, seed=0))
    scorer = Scorer(((0.7, trees.scorer.parts[0][1]), (0.3, linear)))
    raw = scorer.raw(matrix)
    rest = (trees.definition, Reference(Reference.quantiles(raw), trees.reference.medians), trees.quality)
    return ChurnModel(scorer, specification, fit_platt(raw, churned), *rest), specification


def fill(home: Path) -> tuple[Path, pa.Table]:
    """Write the release, with the finished answers of all users; return its folder and the profiles of who is scored."""
    model, specification = build_model()
    served = ServingBundle(
        model, "churn", "1", "champion", home / "store", BANDS, ServingSettings(max_items_under_way=100_000)
    )
    write_bundle(home / "served", served)
    profiles = profiles_of(PROFILES, seed=1, of=specification)
    scores = with_reasons(score_table(model, profiles, bands=BANDS), model, profiles=profiles)
    of = answers_of(home / "served", version="1", scoring=BANDS)
    finished = BatchAnswers(of, repeated(scores), model.eligibility)
    batch = StoreBatch(StoreShift("1", 0.0), answers=finished)
    write_store(home / "store", repeated(profiles), specification=specification, batch=batch)
    return home / "served", profiles.filter(pa.array(is_eligible(model, profiles)))


def repeated(table: pa.Table) -> pa.Table:
    """Repeat rows until there are enough users, each under an id of its own; the first ones keep theirs."""
    ids = pa.array([f"u{number:07}" for number in range(USERS)])
    rows = pa.concat_tables([table] * -(-USERS // table.num_rows)).slice(0, USERS)
    return rows.set_column(rows.column_names.index("user_id"), "user_id", ids)


def bodies(case: Case, profiles: pa.Table) -> Iterator[bytes]:
    """Return different requests of a case, of users who are scored."""
    rows = profiles.slice(0, 3_000).to_pylist()
    for _ in range(BODIES if case.items == 1 else 30):
        chosen = random.choices(rows, k=case.items)
        again = random.randrange(USERS // PROFILES or 1) * PROFILES
        ids = [f"u{int(row['user_id'][1:]) + again:07}" for row in chosen]
        items = [{"user_id": one} for one in ids] if case.path == "stored" else [{"profile": row} for row in chosen]
        yield msgspec.json.encode({"items": items} if case.reasons else {"items": items, "reasons": False})


@contextmanager
def running(program: str, served: Path) -> Generator[tuple[int, psutil.Process]]:
    """Run a server until the block ends; return its port and its process."""
    with socket.create_server(("127.0.0.1", 0)) as found:
        port: int = found.getsockname()[1]
    environment = os.environ | {"CHURN_SERVED": str(served)}
    server = subprocess.Popen([sys.executable, "-c", program, str(served), str(port)], env=environment)
    try:
        _wait(port)
        yield port, psutil.Process(server.pid)
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(20)


def _wait(port: int) -> None:
    for _ in range(300):
        time.sleep(0.1)
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=20) as client:
            client.sendall(b"GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n")
            if client.recv(1):  # the port is open before there is a worker
                return
    raise TimeoutError("no server after 30 s")


def cpu_seconds(server: psutil.Process) -> float:
    """Return what all processes of a server have used."""
    return sum(sum(one.cpu_times()[:2]) for one in (server, *server.children(recursive=True)))


def memory(server: psutil.Process) -> int:
    """Return the proportional set size of the largest process of a server: its worker."""
    return max(one.memory_full_info().pss for one in (server, *server.children(recursive=True)))


def measure(case: Case, at: tuple[int, psutil.Process], *, asked: Path) -> dict[str, Any]:
    """Put a case on a server."""
    port, server = at
    before = cpu_seconds(server)
    command = [
        *(sys.executable, "-m", "benchmarks.serving_load"),
        *(str(port), str(case.connections), str(SECONDS), str(asked)),
    ]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    if ran.returncode:
        raise RuntimeError(ran.stderr)
    found = json.loads(ran.stdout)
    return found | {"cpu_us": (cpu_seconds(server) - before) / found["all"] * 1e6}


def compare(cases: tuple[Case, ...], say: Callable[[str], None]) -> dict[str, Any]:
    """Measure every case on both servers, three times in turns, so that a busy moment hits both; medians count."""
    found: list[dict[str, Any]] = []
    with TemporaryDirectory() as home:
        served, profiles = fill(Path(home))
        with running(SERVE, served) as churn, running(BARE, served) as bare:
            for case in cases:
                asked = Path(home) / "bodies"
                asked.write_bytes(b"\n".join(bodies(case, profiles)))
                rounds = [(measure(case, churn, asked=asked), measure(case, bare, asked=asked)) for _ in range(ROUNDS)]
                one = {
                    name: _median(runs) for name, runs in zip(("churn", "bare"), zip(*rounds, strict=True), strict=True)
                }
                found.append(vars(case) | one)
                say(f"{case}: {one['churn']['rate']:.0f}/s, bare {one['bare']['rate']:.0f}/s")
            return {"cases": found, "users": USERS, "pss_bytes": memory(churn[1]), "machine": machine()}


def _median(runs: Sequence[dict[str, float]]) -> dict[str, float]:
    """Return the median of each number."""
    return {name: float(np.median([one[name] for one in runs])) for name in runs[0]}


def main() -> None:
    """Measure, and write the page."""
    random.seed(0)
    np.random.seed(0)  # noqa: NPY002
    RESULTS.write_text(json.dumps(compare(CASES, lambda text: print(text, flush=True)), indent=1) + "\n")
    write_page(RESULTS, HERE / "serving.md")


if __name__ == "__main__":
    main()
