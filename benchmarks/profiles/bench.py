"""How fast profiles are built, and on how much memory: one cutoff and twelve, from raw and from kept, a new day, and others.

``make bench-profiles`` measures 1M and 10M events, ``make bench-profiles SIZE=100m`` a hundred million
(``STEPS="scan raw_1 kept_1"`` some of the steps). Results are kept in
``profiles.json`` by size, and ``profiles.md`` and ``profiles.png`` are drawn from all that are there. The worlds are kept
in the system's temporary folder, or in ``BENCH_FOLDER``.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from benchmarks.measuring import PAGES, machine, median
from benchmarks.profiles.bars import Bar, bars
from benchmarks.profiles.page import MET, write_page
from benchmarks.profiles.steps import SIZES, STEPS, Step
from benchmarks.profiles.world import USERS, Bench, bench_of
from churn.cli.console import print_table, steps

RUNS, LONG_ENOUGH = 3, 60  # seconds: a step is not repeated when it took that long together
FAILED, NOT_NOW = "did not finish", "left out of this run"
STEP = "from benchmarks.profiles.steps import main; main()"
PREPARE, SAME = "benchmarks.profiles.ours:prepare", "benchmarks.profiles.ours:same_as_ours"


class StepFailedError(Exception):
    """A process of a step ended badly."""


def main() -> None:
    """Measure the sizes that are asked for, one after the other; what is done is kept."""
    sizes = wanted()
    with steps("bench-profiles", len(sizes) * (len(STEPS) + 2)) as tell:
        for size in sizes:
            keep(size, measured(size, tell))
    results = json.loads((PAGES / "profiles.json").read_text())
    write_page(results, PAGES)
    for size in sizes:
        print_table(f"{size.upper()}, seconds", [_line(step, results[size]) for step in STEPS])
    print_table("What it has to reach", [_verdict(bar) for bar in bars(results)])
    if failed := [f"{size} {step.title}" for size in sizes for step in STEPS if _has_failed(step, results[size])]:
        sys.exit(f"{FAILED}: {', '.join(failed)}; profiles.md says why")


def wanted() -> list[str]:
    """Return the sizes that ``SIZE`` names."""
    sizes = os.environ.get("SIZE", "").lower().split() or ["1m", "10m"]
    if unknown := set(sizes) - set(SIZES):
        sys.exit(f"SIZE: got {' '.join(sorted(unknown))}, expected some of {' '.join(SIZES)}")
    return sizes


def is_wanted(step: Step) -> bool:
    """Tell whether ``STEPS`` names a step; it names all by default. A hundred million events take most of an hour."""
    named = os.environ.get("STEPS", "").split()
    return not named or step.name in named


def measured(size: str, tell: Callable[[str], None]) -> dict[str, Any]:
    """Do all steps of one size."""
    found: dict[str, Any] = {"date": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC", "users": USERS[size]}
    found["machine"] = machine()
    tell(f"{size}: the world")
    bench = bench_of(size)
    tell(f"{size}: its activity, and the frozen specification")
    prepared = in_own_process(PREPARE, bench)
    found |= {name: prepared[name] for name in ("features", "shared_features")}
    found["steps"] = {}
    for step in STEPS:
        tell(f"{size}: {step.title}")
        found["steps"][step.name] = one_step(step, bench, size=size) if is_wanted(step) else {"why_not": NOT_NOW}
    bench.clear()
    return found


def one_step(step: Step, bench: Bench, *, size: str) -> dict[str, Any]:
    """Measure one step as often as there is time for, and prove it equal to ours where it is another's."""
    if why_not := step.why_not(size):
        return {"why_not": why_not}
    try:
        found = repeated(step, bench)
    except StepFailedError as error:
        return {"why_not": f"{FAILED}: {error}"}
    return found | ({"same": in_own_process(SAME, bench, "--same", step.same_as, step.name)} if step.same_as else {})


def repeated(step: Step, bench: Bench) -> dict[str, Any]:
    """Return the run with the median wall clock, and how many there were."""
    table = ["--table", str(bench.table(step.name))] if step.is_compared or step.same_as else []
    runs: list[dict[str, Any]] = []
    while len(runs) < RUNS and sum(run["wall_seconds"] for run in runs) < LONG_ENOUGH:
        runs.append(in_own_process(step.does, bench, "--times", str(step.times), *table))
    middle = median([(run["wall_seconds"], at) for at, run in enumerate(runs)])[1]
    return runs[middle] | {"runs": len(runs), "peak_bytes": max(run["peak_bytes"] for run in runs)}


def in_own_process(does: str, bench: Bench, *options: str) -> dict[str, Any]:
    """Run a function of ours in a fresh process and return what it reports."""
    report = bench.folder / "report.json"
    report.unlink(missing_ok=True)
    command = [sys.executable, "-c", STEP, does, str(bench.folder), str(report), *options]
    ran = subprocess.run(command, cwd=PAGES.parent, capture_output=True, text=True, check=False)
    if ran.returncode:
        said = f"stopped by signal {-ran.returncode}" if ran.returncode < 0 else " ".join(ran.stderr.splitlines()[-2:])
        raise StepFailedError(f"{does.partition(':')[2]}: {said}")
    return json.loads(report.read_text())


def keep(size: str, found: dict[str, Any]) -> None:
    """Put one size among the results; the others stay."""
    path = PAGES / "profiles.json"
    results = json.loads(path.read_text()) if path.exists() else {}
    path.write_text(json.dumps(results | {size: found}, indent=1) + "\n")


def _line(step: Step, found: dict[str, Any]) -> dict[str, Any]:
    cost = found["steps"][step.name]
    return {
        "step": step.title,
        "wall": cost.get("wall_seconds", cost.get("why_not")),
        "CPU": cost.get("cpu_seconds"),
        "peak GiB": cost["peak_bytes"] / 2**30 if "peak_bytes" in cost else None,
    }


def _has_failed(step: Step, found: dict[str, Any]) -> bool:
    return step.is_ours and found["steps"][step.name].get("why_not", "").startswith(FAILED)


def _verdict(bar: Bar) -> dict[str, Any]:
    return {"figure": bar.what, "bound": bar.bound, "found": bar.found, "": MET[bar.is_met].strip("*")}


if __name__ == "__main__":
    main()
