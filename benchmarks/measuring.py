"""What a piece of work costs - wall seconds, CPU seconds, peak memory - and on which machine."""

from __future__ import annotations

import os
import platform
import resource
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, TypeVar

import psutil

PAGES = Path(__file__).parent  # where every benchmark writes its page, and the figures it is made of
LIBRARIES = ("duckdb", "numpy", "pandas", "polars", "pyarrow", "pyspark")
Work = Callable[[], Any]
Run = TypeVar("Run", bound=tuple[float, ...])


@dataclass(frozen=True)
class Measured:
    """The cost of one piece of work.

    Attributes
    ----------
    wall_seconds, cpu_seconds
        Of the work alone; CPU is user and system time of this process and of those it started.
    peak_bytes
        The most memory that those processes held since they began, so imports are in it.
    """

    wall_seconds: float
    cpu_seconds: float
    peak_bytes: int


def measure(work: Work, *, times: int = 1) -> tuple[Measured, Any]:
    """Do the work some times; return the median cost by wall clock, and what the last time gave."""
    runs: list[tuple[float, float]] = []
    result: Any = None
    for _ in range(times):
        wall, cpu = time.perf_counter(), _cpu_seconds()
        result = work()
        runs.append((time.perf_counter() - wall, _cpu_seconds() - cpu))
    wall, cpu = median(runs)
    return Measured(wall, cpu, _peak_bytes()), result


def median(runs: Sequence[Run]) -> Run:
    """Return the middle one of the runs in rising order; of an even number, the slower of the two."""
    return sorted(runs)[len(runs) // 2]


def _family() -> list[psutil.Process]:
    """Return this process and what it started: Spark does its work in a process of its own."""
    me = psutil.Process()
    return [me, *me.children(recursive=True)]


def _cpu_seconds() -> float:
    return sum(sum(process.cpu_times()[:2]) for process in _family())


def _peak_bytes() -> int:
    return sum(_high_water(process) for process in _family())


def _high_water(process: psutil.Process) -> int:
    """Return the peak of resident memory. ``ru_maxrss`` starts at the parent's peak, so Linux's own count comes first."""
    with suppress(OSError):
        for line in Path(f"/proc/{process.pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    if process.pid != os.getpid():
        return int(process.memory_info().rss)
    unit = 1 if platform.system() == "Darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def die_first() -> None:
    """Ask Linux to stop this process before any other when memory runs out."""
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")


def machine() -> dict[str, Any]:
    """Say what it was measured on; ``load`` is that of the minute before, so a busy machine shows."""
    return {
        "cpu": _cpu_model(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "memory_bytes": psutil.virtual_memory().total,
        "system": f"{platform.system()} {platform.release()}",
        "load": round(os.getloadavg()[0], 2),
        "versions": {"python": platform.python_version()} | _versions(),
    }


def _cpu_model() -> str:
    with suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")
    return platform.processor() or "unknown"


def _versions() -> dict[str, str]:
    found: dict[str, str] = {}
    for name in LIBRARIES:
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found
