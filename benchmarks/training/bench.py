"""What a training costs beside profiles, fits and baselines, and what one of five million users costs in all.

``make bench-training`` trains on some 50,000 users at a dozen snapshots, ``make bench-training SIZE=5m`` on a hundred times as
many, of whom ``max_training_rows`` are drawn; it needs 18 GiB of free memory. Results are kept in ``training.json`` by size, and
``training.md`` is written from all that are there. The world is kept in the system's temporary folder, or in ``BENCH_FOLDER``.
"""

from __future__ import annotations

import json
import os
import sys
from contextlib import ExitStack
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psutil

from benchmarks.accuracy.bench import in_own_process
from benchmarks.accuracy.logs import kept
from benchmarks.measuring import PAGES, die_first, measure
from benchmarks.profiles.bars import GIB
from benchmarks.profiles.page import MET
from benchmarks.profiles.world import simulate
from benchmarks.training.crowd import crowded
from benchmarks.training.page import bars, write_page
from benchmarks.training.steps import timed
from churn.cli.console import print_table, steps
from churn.project import Project
from churn.results import Training

PEOPLE = 120_000  # some 50,000 of them are eligible at a cutoff
TIMES = {"50k": 1, "5m": 100}  # how often every person is there
FREE_GIB = {"50k": 4, "5m": 18}


def main() -> None:
    """Measure the sizes that ``SIZE`` names, each in a process of its own; what is done is kept."""
    sizes = os.environ.get("SIZE", "").lower().split() or ["50k"]
    if unknown := set(sizes) - set(TIMES):
        sys.exit(f"SIZE: got {' '.join(sorted(unknown))}, expected some of {' '.join(TIMES)}")
    config = world() / "churn.toml"
    with steps("bench-training", len(sizes)) as tell:
        for size in sizes:
            tell(size)
            check_memory(size)
            keep(size, in_own_process(partial(measured, config, times=TIMES[size])))
    results = json.loads((PAGES / "training.json").read_text())
    write_page(results, PAGES)
    rows = [{"figure": bar.what, "bound": bar.bound, "found": bar.found, "": MET[bar.is_met]} for bar in bars(results)]
    print_table("What it has to reach", rows)


def world() -> Path:
    """Return the folder of the simulated world; made unless it is there from before."""
    folder = kept().parent / f"training-world-{PEOPLE}"
    if not folder.exists():
        simulate(folder, PEOPLE)
    return folder


def check_memory(size: str) -> None:
    """Refuse to start what would push others out of memory."""
    free = psutil.virtual_memory().available / GIB
    if free < FREE_GIB[size]:
        sys.exit(
            f"SIZE={size} needs {FREE_GIB[size]} GiB of free memory, there are {free:.1f}: run it when there is more"
        )


def measured(config: Path, *, times: int) -> dict[str, Any]:
    """Train and register as ``churn train`` does, on the people of the world so many times over."""
    die_first()
    with TemporaryDirectory() as home, ExitStack() as undone:
        drawn_from = undone.enter_context(crowded(times)) if times > 1 else None
        cost, (spent, trained) = measure(lambda: timed(lambda: _train(config, home)))
    found = trained.trained
    rows = [len(found.training_rows.churned), len(found.test.churned)]
    return spent | {
        "date": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        "peak_bytes": cost.peak_bytes,
        "drawn_from": drawn_from or rows,
        "rows": rows,
        "snapshots": len(found.split.training_cutoffs) + 1,
        "features": len(found.model.specification.feature_names),
        "trees": found.model.scorer.trees,
        "max_training_rows": found.recipe.training.max_training_rows,
    }


def _train(config: Path, home: str) -> Training:
    return Project(config, home=home).train(say=_say)


def _say(line: str) -> None:
    """Tell where a long run is, and with how much memory."""
    print(f"  {psutil.Process().memory_info().rss / GIB:5.1f} GiB  {line}", file=sys.stderr, flush=True)


def keep(size: str, found: dict[str, Any]) -> None:
    """Put one size among the results; the others stay."""
    path = PAGES / "training.json"
    results = json.loads(path.read_text()) if path.exists() else {}
    path.write_text(json.dumps(results | {size: found}, indent=1) + "\n")


if __name__ == "__main__":
    main()
