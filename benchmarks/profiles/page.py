"""What was measured as a page with tables, and as a picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.profiles.bars import GIB, Bar, Sizes, bars, ratio
from benchmarks.profiles.steps import SIZES, STEPS, Step

INTRODUCTION = """# Profiles: how fast, on how much memory

Written by `make bench-profiles` from `profiles.json`; do not edit. `make bench-profiles SIZE=100m` adds 100 million events.

Simulated logs of 180 days, one Parquet file a day. Cutoffs are weekly, the last one at the end of the log. *From raw*:
nothing is kept yet, the log is read and checked, rolled up to activity, and profiles are built. *From kept*: activity is
there. *A new day*: the file of the last day arrives, activity is brought up to date; then one cutoff from it. The
specification is frozen beforehand. Every figure comes from a process of its own; steps are repeated up to three times
while that takes less than a minute, and the median by wall clock is told. Wall and CPU seconds are those of the work
without imports (and without the start of Spark's session), peak memory is that of the whole process. The *scan* reads and
hashes the columns that profiles need, in DuckDB, three times in one process; ratios are to its median in the same run.
The files are in the page cache. What pandas, Polars and PySpark built was compared with ours, value by value, before any
time was told. They read the log as it is: nothing is checked, set aside or kept. pandas reads texts as Arrow dictionaries in
one step and as texts in another; the bound is set against the faster one.
"""
MET = {True: "met", False: "**missed**", None: "not measured"}
OURS, THEIRS, SCAN = "#1f77b4", "#b0b0b0", "#444444"


def write_page(sizes: Sizes, folder: Path) -> None:
    """Write ``profiles.md`` and ``profiles.png``."""
    ordered = {size: sizes[size] for size in SIZES if size in sizes}
    parts = [
        INTRODUCTION,
        "![Seconds by approach](profiles.png)\n",
        _bars_table(bars(ordered)),
        _machine_table(ordered),
    ]
    parts += [_size_section(size, found) for size, found in ordered.items()]
    (folder / "profiles.md").write_text("\n".join(parts))
    draw(ordered, folder / "profiles.png")


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def _bars_table(found: Sequence[Bar]) -> str:
    rows = [
        [bar.what, bar.bound, "" if bar.found is None else f"{bar.found:.2f}{bar.unit}", MET[bar.is_met]]
        for bar in found
    ]
    return "## What it has to reach\n\n" + _table(["figure", "bound", "found", ""], rows)


def _machine_table(sizes: Sizes) -> str:
    rows = [
        [
            size.upper(),
            found["date"],
            f"{machine['cpu']}, {machine['cores']} cores, {machine['memory_bytes'] / GIB:.0f} GiB, {machine['system']}",
            f"{machine['load']}",
            ", ".join(f"{name} {version}" for name, version in machine["versions"].items()),
        ]
        for size, found in sizes.items()
        for machine in [found["machine"]]
    ]
    return "## On what\n\n" + _table(["size", "date", "machine", "load before", "versions"], rows)


def _size_section(size: str, found: Mapping[str, Any]) -> str:
    counts = (
        f"{found['steps']['scan']['events']:,} events, {found['users']:,} simulated people; the full catalogue has "
        f"{found['features']} features, {found['shared_features']} of them are shared with pandas and Polars."
    )
    rows = [row for step in STEPS if (row := _row(step, found))]
    header = ["step", "wall s", "CPU s", "peak GiB", "x scan", "runs"]
    return f"## {size.upper()}\n\n{counts}\n\n{_table(header, rows)}\n{_proof(found)}"


def _row(step: Step, found: Mapping[str, Any]) -> list[str]:
    measured = found["steps"].get(step.name)
    if measured is None:
        return []
    if "why_not" in measured:
        return [step.title, measured["why_not"], "", "", "", ""]
    times = ratio(measured["wall_seconds"], found["steps"]["scan"]["wall_seconds"])
    seconds = (f"{measured[name]:.2f}" for name in ("wall_seconds", "cpu_seconds"))
    return [step.title, *seconds, f"{measured['peak_bytes'] / GIB:.2f}", f"{times:.1f}", f"{measured['runs']}"]


def _proof(found: Mapping[str, Any]) -> str:
    """Say what was compared, and how much faster ours is."""
    return "".join(
        f"* {step.title}: {same['users']:,} users, {same['features']} features equal to ours, largest difference "
        f"{same['largest_difference']:.0e}; ours from raw is {times:.2g} times as fast.\n"
        for step in STEPS
        if (same := found["steps"].get(step.name, {}).get("same"))
        for times in [found["steps"][step.name]["wall_seconds"] / found["steps"][step.same_as]["wall_seconds"]]
    )


def draw(sizes: Sizes, path: Path) -> None:
    """Draw seconds by approach, a panel for each size."""
    figure = Figure(figsize=(10, 1 + 3.4 * len(sizes)), layout="constrained")
    panels = figure.subplots(len(sizes), 1, squeeze=False)[:, 0]
    for panel, (size, found) in zip(panels, sizes.items(), strict=True):
        _panel(panel, f"{size.upper()} events ({found['date']})", measured=found["steps"])
    figure.suptitle("Profiles: wall seconds by approach, less is better")
    figure.savefig(path, dpi=130)


def _panel(panel: Axes, title: str, *, measured: Mapping[str, Any]) -> None:
    drawn = [step for step in STEPS if "wall_seconds" in measured.get(step.name, {})]
    seconds = [measured[step.name]["wall_seconds"] for step in drawn]
    colors = [SCAN if step.name == "scan" else OURS if step.is_ours else THEIRS for step in drawn]
    labels = panel.barh([step.title for step in drawn], seconds, color=colors)
    panel.bar_label(labels, [f"{value:.2f}" for value in seconds], padding=3, fontsize=8)
    panel.invert_yaxis()
    panel.margins(x=0.1)
    panel.spines[["top", "right"]].set_visible(False)
    panel.set_title(title, loc="left", fontsize=10)
    panel.set_xlabel("seconds (dark: the bare scan, blue: ours, grey: others)")
