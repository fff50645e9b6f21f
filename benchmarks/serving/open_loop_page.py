"""The measurements by schedule and under overload as a page, compared with the targets."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

INTRODUCTION = """# Serving: by schedule, and under overload

Written by `make bench-open-loop` from `serving_open_loop.json`; do not edit.

Requests become due whether or not earlier ones are answered, at independent times (a Poisson process), and a latency counts from the
instant at which its request was **due**. Two workers; {users:,} users with finished answers in the store, the k-th most popular of them
asked for with a frequency of 1/k (Zipf), 10 % of the ids unknown. Servers and load share the machine.

Measured on {cores} cores ({cpu}), with a load of {load} in the minute before.

## {rate:g} requests a second for {seconds:g} seconds

The *app* sends one id a request; *others* send 100 items at once, ids and profiles in turns; metrics are *scraped*;
*probes* ask for `/readyz`, each on a connection of its own. The release is swapped {swaps} times for one with another model.
"""
OVERLOAD = """
## Four times as much as it can do, for {seconds:g} seconds

Profiles to compute with reasons, one request in twenty with 100 of them. Measured first, with 16 connections that wait for their answers,
of which refusals do not count: {capacity:.0f} requests a second. Then {rate:.0f} a second by schedule, on 2,000 connections.
*Probes* as above.
"""
HEAD = "| | sent | answers by status | p50 ms | p99 ms | p99.9 ms | max ms | sent late |\n|---|---|---|---|---|---|---|---|"
ALLOWED = {"200", "429", "503"}
Found = Mapping[str, Any]
Target = tuple[str, bool]


def write_page(results: Path, page: Path) -> None:
    """Write the page of the results."""
    found = json.loads(results.read_text())
    about = found | {name: found["machine"][name] for name in ("cores", "cpu", "load")}
    flood = found["overload"]
    parts = (
        *(INTRODUCTION.format_map(about), _table(found["schedule"])),
        *(OVERLOAD.format_map(flood), _table({name: flood[name] for name in ("load", "probes")}), ""),
        *(_after(flood), "\n## Targets\n"),
        *(f"* {what}: {'met' if is_met else '**missed**'}" for what, is_met in targets(found)),
    )
    page.write_text("\n".join(parts) + "\n")


def _table(parts: Found) -> str:
    return "\n".join([HEAD, *(_row(name, one) for name, one in parts.items())])


def _row(name: str, found: Found) -> str:
    statuses = ", ".join(f"{status}: {number:,}" for status, number in sorted(found["statuses"].items()))
    numbers = (f"{found[one]:.2f}" for one in ("p50", "p99", "p999", "max"))
    sent, late = (f"{found[one]:,}" for one in ("sent", "late"))
    return f"| {' | '.join([name, sent, statuses, *numbers, late])} |"


def _after(flood: Found) -> str:
    share = flood["after"] / flood["capacity"]
    return (
        f"Afterwards {flood['after']:.0f} requests a second, {_percent(share)} of what was measured before, counted for five seconds "
        f"from {flood['after_seconds']:.1f} seconds after the last request of the overload was due."
    )


def targets(found: Found) -> Iterator[Target]:
    """Return each target with what was measured, and whether it is met."""
    parts, flood = found["schedule"], found["overload"]
    app = parts["app"]
    yield f"by schedule: p99 {app['p99']:.2f} ms, expected below 20 ms", app["p99"] < 20
    yield f"by schedule: p99.9 {app['p999']:.2f} ms, expected below 50 ms", app["p999"] < 50
    failed = {name: one for name, part in parts.items() if (one := _other_than(part, {"200"}))}
    yield f"by schedule: {failed or 'none'} not answered 200, expected none", not failed
    models = {name: number for name, number in app["models"].items() if name}
    yield f"by schedule: answers of both models: {_listed(models)}", len(models) == 2
    refused = _other_than(flood["load"], ALLOWED)
    yield f"overload: {_listed(flood['load']['statuses'])}, expected 200, 429 and 503 alone", not refused
    offered = flood["load"]["sent"] / flood["seconds"] / flood["capacity"]
    yield f"overload: {offered:.1f} times what it can do was sent, expected at least 3.8", offered >= 3.8
    probes = flood["probes"]
    is_quick = probes["max"] < 100 and not _other_than(probes, {"200"})
    yield f"overload: `/readyz` took at most {probes['max']:.1f} ms, expected 200 below 100 ms", is_quick
    share, seconds = flood["after"] / flood["capacity"], flood["after_seconds"]
    full = f"{_percent(share)} from {seconds:.1f} s after it, expected at least 90 % from at most 2 s"
    yield f"overload: {full}", share >= 0.9 and seconds <= 2


def _other_than(part: Found, statuses: set[str]) -> int:
    """Return the number of requests with other answers, or none."""
    return sum(number for status, number in part["statuses"].items() if status not in statuses)


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{number:,} of {name}" for name, number in sorted(counts.items()))


def _percent(share: float) -> str:
    return f"{share:.0%}".replace("%", " %")
