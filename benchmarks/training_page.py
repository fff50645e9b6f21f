"""What was measured as a page with tables, beside the bounds."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.profiles_bars import GIB, Bar
from benchmarks.profiles_page import MET
from benchmarks.training_steps import REST, STEPS

INTRODUCTION = """# Training: what it costs

Written by `make bench-training` from `training.json`; do not edit. `make bench-training SIZE=5m` adds five million users.

A simulated world of 120,000 people over 180 days, of whom some 50,000 are eligible at a cutoff. `churn train` as it is, with
defaults, the model registered in MLflow; every run is a process of its own, and starts with no kept activity. For *5m* every profile
is there a hundred times under other names, and `max_training_rows` are drawn to learn from and as many to test on: whole users, by
the condition that is always used. The log itself is not repeated, so the audit rebuilds none of the repeated users.

A step's seconds are its own, without those of the steps inside it. Peak memory is that of the whole process up to the end of
the step, imports included. The bound on *everything else* leaves out profiles, fits and baselines, and reading the log.
"""
Sizes = Mapping[str, Mapping[str, Any]]
SECONDS, MEMORY = 60, 16


def bars(sizes: Sizes) -> tuple[Bar, ...]:
    """Return the bounds with what was found."""
    small, large = sizes.get("50k"), sizes.get("5m")
    return (
        Bar(
            "50k: everything but profiles, fits and baselines",
            " s",
            everything_else(small) if small else None,
            most=SECONDS,
        ),
        Bar("5m: peak memory", " GiB", large["peak_bytes"] / GIB if large else None, most=MEMORY),
    )


def everything_else(of: Mapping[str, Any]) -> float:
    """Return the seconds that the bound is about."""
    free = {step.title for step in STEPS if not step.is_bounded}
    return sum(cost["wall_seconds"] for title, cost in of["steps"].items() if title not in free)


def write_page(sizes: Sizes, folder: Path) -> None:
    """Write ``training.md``."""
    rows = [
        f"| {bar.what} | {bar.bound} | {'' if bar.found is None else f'{bar.found:.1f}{bar.unit}'} | {MET[bar.is_met]} |"
        for bar in bars(sizes)
    ]
    parts = [
        INTRODUCTION,
        "\n".join(["## What it has to reach\n", "| figure | bound | found | |", "|---|---|---|---|", *rows]),
        *(_section(size, sizes[size]) for size in ("50k", "5m") if size in sizes),
    ]
    (folder / "training.md").write_text("\n".join(parts))


def _section(size: str, of: Mapping[str, Any]) -> str:
    machine, (training_rows, tested), (of_learnt, of_tested) = of["machine"], of["rows"], of["drawn_from"]
    drawn = f" (drawn from {of_learnt:,} and {of_tested:,})" if of_learnt > training_rows else ""
    return (
        f"\n## {size}\n\n{training_rows:,} rows learnt from and {tested:,} tested on{drawn}, at {of['snapshots']} snapshots; "
        f"{of['features']} features, {of['trees']} trees. In all {of['wall_seconds']:.0f} s, everything else "
        f"{everything_else(of):.1f} s, peak {of['peak_bytes'] / GIB:.1f} GiB. Measured {of['date']} on {machine['cpu']}, "
        f"{machine['cores']} cores, {machine['memory_bytes'] / GIB:.0f} GiB, {machine['system']}; load before {machine['load']}.\n\n"
        "| step | wall s | CPU s | calls | peak GiB | in the bound |\n|---|---|---|---|---|---|\n"
        + "".join(_row(title, cost) for title, cost in of["steps"].items())
    )


def _row(title: str, cost: Mapping[str, Any]) -> str:
    bounded = {step.title: step.is_bounded for step in STEPS} | {REST: True}
    seconds = f"{cost['wall_seconds']:.1f} | {cost['cpu_seconds']:.1f}"
    inside = "yes" if bounded[title] else ""
    return f"| {title} | {seconds} | {cost['calls']} | {cost['peak_bytes'] / GIB:.2f} | {inside} |\n"
