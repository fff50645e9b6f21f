"""What ``churn report`` costs on ten million events, next to ``churn profiles``, and how large its pages are.

``make bench-report-cost`` simulates 40,000 users and 180 days (``USERS=4000`` measures a smaller log), runs both commands as a
user would, each from the raw log with an empty home, and writes ``report_cost.md``. Channels are split, so that there are 40 and more.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from tempfile import TemporaryDirectory, TemporaryFile
from typing import Any

from benchmarks.measuring import PAGES, machine
from benchmarks.profiles.world import simulate

USERS, BAR, MIB = 40_000, 2, 2**20
CHANNELS = "events.columns.channel=channel || '_' || (hash(user_id) % 12)"
LARGEST_MIB = 3
LANGUAGES = {"en": "English", "zh": "Chinese"}


@dataclass(frozen=True)
class Ran:
    """What a command cost, and what it printed."""

    wall_seconds: float
    cpu_seconds: float
    peak_bytes: int
    printed: dict[str, Any]


def main() -> None:
    """Measure both commands, and write the page."""
    users = int(os.environ.get("USERS") or USERS)
    with TemporaryDirectory() as folder:
        world = Path(folder) / "world"
        simulate(world, users=users)
        days = sorted(path.name.removeprefix("day=") for path in (world / "events").glob("day=*"))
        cutoff = date.fromisoformat(days[-1])
        out = ["--as-of", str(cutoff), "--out", str(Path(folder) / "profiles.parquet")]
        profiles = run(world, "profiles", *out, home=Path(folder) / "a")
        home = Path(folder) / "b"
        report, again = (run(world, "report", "--language", language, home=home) for language in LANGUAGES)
        pages = dict(zip(LANGUAGES, (report, again), strict=True))
        sizes = {name: (Path(one.printed["path"]) / "report.html").stat().st_size for name, one in pages.items()}
    page = _page(profiles, report, again=again, sizes=sizes)
    (PAGES / "report_cost.md").write_text(page)
    print(page)


def run(world: Path, verb: str, *options: str, home: Path) -> Ran:
    """Run a command in a process of its own."""
    churn = str(Path(sys.executable).with_name("churn"))
    told = ["--config", str(world / "churn.toml"), "--home", str(home), "--set", CHANNELS, "--json"]
    return _waited([churn, verb, *options, *told])


def _waited(command: Sequence[str]) -> Ran:
    start = time.perf_counter()
    with TemporaryFile() as printed:
        process = subprocess.Popen(command, stdout=printed, stderr=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise subprocess.CalledProcessError(process.returncode, command)
        printed.seek(0)
        return Ran(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024, json.load(printed))


def _page(profiles: Ran, report: Ran, *, again: Ran, sizes: Mapping[str, int]) -> str:
    log, channels = profiles.printed, len(report.printed["sections"]["acquisition"]["tables"]["channels"])
    about = (
        f"Measured on {datetime.now(UTC).date()} by `make bench-report-cost` on {machine()['cores']} cores: {log['rows']:,} simulated "
        f"events of {log['profiles']:,} users and {channels} channels, each command in a process of its own, from the raw log and with "
        f"an empty home. Bars: the report takes at most {BAR} times as long as the profiles, and its page in both languages has at most "
        f"{LARGEST_MIB} MiB."
    )
    lines = [
        "# What a report costs",
        "",
        about,
        "",
        "| | seconds | CPU seconds | peak of memory, GiB |",
        "|---|---|---|---|",
        _row("`churn profiles`, one cutoff, from the raw log", profiles),
        _row("`churn report`, from the raw log", report),
        f"| times the profiles | {report.wall_seconds / profiles.wall_seconds:.2f} | {report.cpu_seconds / profiles.cpu_seconds:.2f} | |",
        _row("`churn report` again, from kept activity", again),
        "",
        "| page | MiB |",
        "|---|---|",
        *(f"| {LANGUAGES[name]} | {size / MIB:.2f} |" for name, size in sizes.items()),
        f"| both | {sum(sizes.values()) / MIB:.2f} |",
        "",
    ]
    return "\n".join(lines)


def _row(name: str, one: Ran) -> str:
    return f"| {name} | {one.wall_seconds:.1f} | {one.cpu_seconds:.1f} | {one.peak_bytes / 2**30:.2f} |"


if __name__ == "__main__":
    main()
