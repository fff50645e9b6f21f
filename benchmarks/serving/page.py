"""The measurements as a page with a table, compared with the targets."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

INTRODUCTION = """# Serving: requests and latency

Written by `make bench-serving` from `serving.json`; do not edit.

A model of 284 trees of six leaves and a logistic part over all features, {users:,} users with finished answers in the store, one worker.
*stored* are user ids, *computed* are profiles in the request. *Bare* is Starlette on the same server (uvicorn, uvloop, httptools) with one
route that does the same work with the same store, model, reasons and JSON, and has no checks, limits, metrics or other routes. Servers and
load share the machine; each connection sends its next request when it has read the answer. Nine rounds of 1.2 seconds with
new servers, the two in turns; medians. CPU is that of the server's processes, per request.

Measured on {cores} cores ({cpu}), with a load of {load} in the minute before: latencies are those of a machine that is not quiet.
"""
COLUMNS = (
    *("path", "reasons", "items", "connections", "requests/s", "of bare", "CPU us", "of bare's"),
    *("p50 ms", "p99 ms", "p99.9 ms", "bare p50", "bare p99"),
)
HEAD = f"| {' | '.join(COLUMNS)} |\n{'|---' * len(COLUMNS)}|"
Case = Mapping[str, Any]


def write_page(results: Path, page: Path) -> None:
    """Write the page of the results."""
    found = json.loads(results.read_text())
    about = found["machine"]
    introduction = INTRODUCTION.format(users=found["users"], cores=about["cores"], cpu=about["cpu"], load=about["load"])
    rows = "\n".join(_row(case) for case in found["cases"])
    targets = "\n".join(_targets(found["cases"]))
    mib = found["pss_bytes"] / 2**20
    memory = f"Proportional set size of the worker: {mib:.0f} MiB, expected below 600 MiB: {_met(mib < 600)}."
    page.write_text(f"{introduction}\n{HEAD}\n{rows}\n\n{memory}\n\n## Targets\n\n{targets}\n")


def _row(case: Case) -> str:
    churn, bare = case["churn"], case["bare"]
    cells = (
        *(case["path"], "yes" if case["reasons"] else "no", case["items"], case["connections"]),
        *(f"{churn['rate']:.0f}", _percent(churn["rate"] / bare["rate"])),
        *(f"{churn['cpu_us']:.0f}", _percent(churn["cpu_us"] / bare["cpu_us"])),
        *(f"{churn[name]:.2f}" for name in ("p50", "p99", "p999")),
        *(f"{bare[name]:.2f}" for name in ("p50", "p99")),
    )
    return f"| {' | '.join(map(str, cells))} |"


def _percent(share: float) -> str:
    return f"{share:.0%}".replace("%", " %")


def _targets(cases: Sequence[Case]) -> Iterator[str]:
    """Return a line for each target."""
    for path, most in (("stored", 1.5), ("computed", 3.0)):
        busy = _of(cases, path, items=1, connections=16)
        share = busy["churn"]["rate"] / busy["bare"]["rate"]
        by_cpu = busy["bare"]["cpu_us"] / busy["churn"]["cpu_us"]
        yield f"* {path}, 16 connections: {_percent(share)} of bare Starlette, expected at least 80 %: {_met(share >= 0.8)}"
        yield f"* {path}, 16 connections, by CPU per request: {_percent(by_cpu)}, expected at least 80 %: {_met(by_cpu >= 0.8)}"
        alone = _of(cases, path, items=1, connections=1)
        limit = max(most, 2 * alone["bare"]["p99"])
        p99 = alone["churn"]["p99"]
        yield f"* {path}, one connection: p99 {p99:.2f} ms, expected below {limit:.2f} ms: {_met(p99 < limit)}"
    many = _of(cases, "stored", items=100, connections=1)["churn"]["p99"]
    yield f"* 100 stored items, one connection: p99 {many:.2f} ms, expected below 5 ms: {_met(many < 5)}"


def _of(cases: Sequence[Case], path: str, *, items: int, connections: int) -> Case:
    """Return a case with reasons."""
    wanted = (path, True, items, connections)
    return next(one for one in cases if (one["path"], one["reasons"], one["items"], one["connections"]) == wanted)


def _met(is_met: bool) -> str:  # noqa: FBT001
    return "met" if is_met else "**missed**"
