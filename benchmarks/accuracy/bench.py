"""How good the model is with defaults: on real logs, by a published protocol, and against the truth of a simulated world.

``REAL_LOGS=folder make bench-accuracy`` trains on every log of the folder that `examples/` maps, then on a simulated world of
100,000 people (``SIZE=20000``: fewer), and three times on a small one. ``LOGS="kuaishou simulated"`` measures only some of
``kuaishou``, ``cdnow`` ..., ``simulated`` and ``twice``. Results are kept in ``accuracy.json``; ``accuracy.md`` and
``accuracy.png`` are drawn from all that are there. Worlds are kept in the system's temporary folder, or in ``BENCH_FOLDER``.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from typing import Any

from benchmarks.accuracy import twice
from benchmarks.accuracy.bars import bars
from benchmarks.accuracy.logs import SIMULATED, Log, real_logs, seconds_to_simulate, simulated, users_of_the_world
from benchmarks.accuracy.measured import measured
from benchmarks.accuracy.page import MET, write_page
from benchmarks.measuring import PAGES, machine
from churn.cli.console import print_table, steps

TWICE = "twice"
NO_LOGS = "REAL_LOGS names no folder with a log that examples/ maps: only simulated worlds are measured"
Measure = Callable[[], dict[str, Any]]


def main() -> None:
    """Measure what is asked for, one after the other, each in a process of its own; what is done is kept."""
    logs = real_logs()
    if not logs:
        print(NO_LOGS, file=sys.stderr)
    work: dict[str, Measure] = {log.name: partial(measured, log) for log in logs}
    work |= {SIMULATED: of_the_world, TWICE: twice.measured}
    wanted = [name for name in work if is_wanted(name)]
    with steps("bench-accuracy", len(wanted)) as tell:
        for name in wanted:
            tell(name)
            keep(name, in_own_process(work[name]))
    results = json.loads((PAGES / "accuracy.json").read_text())
    write_page(results, PAGES)
    found = bars(results)
    print_table(
        "What it has to reach",
        [{"figure": bar.what, "bound": bar.bound, "found": bar.found, "": MET[bar.is_met].strip("*")} for bar in found],
    )


def is_wanted(name: str) -> bool:
    """Tell whether ``LOGS`` names it; it names all by default."""
    named = os.environ.get("LOGS", "").split()
    return not named or name in named


def of_the_world() -> dict[str, Any]:
    """Simulate, unless the world is there from before, and measure."""
    people = users_of_the_world()
    log: Log = simulated(people)
    return measured(log) | {"people": people, "seconds_to_simulate": seconds_to_simulate(log)}


def in_own_process(work: Measure) -> dict[str, Any]:
    """Do some work in a fresh process, so that its peak memory is its own; say on what machine."""
    on = machine()
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(work).result() | {"machine": on}


def keep(name: str, found: dict[str, Any]) -> None:
    """Put one result among the others."""
    path = PAGES / "accuracy.json"
    results = json.loads(path.read_text()) if path.exists() else {}
    path.write_text(json.dumps(results | {name: found}, indent=1) + "\n")


if __name__ == "__main__":
    main()
