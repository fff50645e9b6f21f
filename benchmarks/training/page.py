"""The measurements as a page with tables, compared with the targets."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.profiles.bars import GIB, Bar
from benchmarks.profiles.page import MET
from benchmarks.training.steps import REST, STEPS

INTRODUCTION = """# Training: time and memory

Written by `make bench-training` from `training.json`; do not edit. `make bench-training SIZE=5m` adds five million users.

A simulated world of 120,000 people over 180 days, of whom some 50,000 are eligible at a cutoff. `churn train` as it is, with
defaults, the model registered in MLflow; every run is a process of its own, and starts with no kept activity. For *5m* every profile
is repeated a hundred times under other ids, and `max_training_rows` rows are sampled for training and as many for testing: all rows
of a user, by the condition that is always used. The log itself is not repeated, so the audit rebuilds none of the repeated users.

The seconds of a step exclude those of the steps inside it. Peak memory is that of the whole process up to the end of
the step, imports included. The target for *everything else* excludes profiles, fits and baselines, and reading the log.
"""
Sizes = Mapping[str, Mapping[str, Any]]
SECONDS, MEMORY = 60, 16


def bars(sizes: Sizes) -> tuple[Bar, ...]:
    """Return the targets with the results."""
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
    """Return the seconds that the target limits."""
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
        "\n".join(["## Targets\n", "| metric | target | result | |", "|---|---|---|---|", *rows]),
        *(_section(size, sizes[size]) for size in ("50k", "5m") if size in sizes),
    ]
    (folder / "training.md").write_text("\n".join(parts))


def _section(size: str, of: Mapping[str, Any]) -> str:
    machine, (training_rows, tested), (of_training, of_tested) = of["machine"], of["rows"], of["drawn_from"]
    sampled = f" (sampled from {of_training:,} and {of_tested:,})" if of_training > training_rows else ""
    return (
        f"\n## {size}\n\n{training_rows:,} training rows and {tested:,} test rows{sampled}, at {of['snapshots']} snapshots; "
        f"{of['features']} features, {of['trees']} trees. In all {of['wall_seconds']:.0f} s, everything else "
        f"{everything_else(of):.1f} s, peak {of['peak_bytes'] / GIB:.1f} GiB. Measured {of['date']} on {machine['cpu']}, "
        f"{machine['cores']} cores, {machine['memory_bytes'] / GIB:.0f} GiB, {machine['system']}; load before {machine['load']}.\n\n"
        "| step | wall s | CPU s | calls | peak GiB | in the target |\n|---|---|---|---|---|---|\n"
        + "".join(_row(title, cost) for title, cost in of["steps"].items())
    )


def _row(title: str, cost: Mapping[str, Any]) -> str:
    bounded = {step.title: step.is_bounded for step in STEPS} | {REST: True}
    seconds = f"{cost['wall_seconds']:.1f} | {cost['cpu_seconds']:.1f}"
    inside = "yes" if bounded[title] else ""
    return f"| {title} | {seconds} | {cost['calls']} | {cost['peak_bytes'] / GIB:.2f} | {inside} |\n"
