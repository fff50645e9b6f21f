"""The simulated logs that profiles are measured on, and where everything of a run lies."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property
from pathlib import Path

import pyarrow.csv as pacsv
import pyarrow.parquet as pq

USERS = {"1m": 4_000, "10m": 40_000, "100m": 400_000}  # about 255 events each
DAYS = 180
CUTOFFS = 12


@dataclass(frozen=True)
class Bench:
    """One world, the homes that are measured on it, and the tables that contenders built.

    Attributes
    ----------
    folder
        Kept between runs for its world; the rest is made afresh.
    """

    folder: Path

    @property
    def world(self) -> Path:
        """The whole log, with its churn.toml."""
        return self.folder / "world"

    @property
    def short_world(self) -> Path:
        """The same log, of which the last day is still to come."""
        return self.folder / "short"

    @property
    def events(self) -> Path:
        """The log's files."""
        return self.world / "events"

    @cached_property
    def last_day(self) -> date:
        """The last day of the log, by the names of its folders."""
        return date.fromisoformat(max(path.name for path in self.events.glob("day=*")).removeprefix("day="))

    @property
    def cutoff(self) -> date:
        """The latest cutoff that the log covers."""
        return self.last_day + timedelta(days=1)

    @property
    def cutoffs(self) -> tuple[date, ...]:
        """Weekly cutoffs in rising order; the last is :attr:`cutoff`."""
        return tuple(self.cutoff - timedelta(weeks=week) for week in reversed(range(CUTOFFS)))

    def home(self, name: str) -> Path:
        """Where a project keeps what it computed."""
        return self.folder / "homes" / name

    def fresh_home(self, name: str) -> Path:
        """Return an empty one."""
        shutil.rmtree(self.home(name), ignore_errors=True)
        return self.home(name)

    def table(self, step: str) -> Path:
        """Where the profiles of a step are put, for comparing."""
        return self.folder / "tables" / f"{step}.parquet"

    @property
    def frozen(self) -> Path:
        """The frozen profile specification."""
        return self.folder / "specification.json"

    @property
    def event_types(self) -> tuple[str, ...]:
        """The main event types, as frozen."""
        return tuple(json.loads(self.frozen.read_bytes())["learnt"]["event_types"])

    @property
    def csv_world(self) -> Path:
        """The same log as CSV, a file a day."""
        return self.folder / "csv"

    def write_csv(self) -> None:
        """Make the log as CSV, without its last day; :meth:`let_the_last_csv_come` adds that."""
        shutil.rmtree(self.csv_world, ignore_errors=True)
        (self.csv_world / "events").mkdir(parents=True)
        shutil.copy(self.world / "churn.toml", self.csv_world)
        for path in sorted(self.events.glob("day=*")):
            pacsv.write_csv(pq.ParquetFile(next(path.glob("*.parquet"))).read(), self._csv_of(path.name))
        self._csv_of(f"day={self.last_day}").rename(self.csv_world / "last")

    def let_the_last_csv_come(self) -> None:
        """Put the last day's file where it belongs."""
        shutil.copy(self.csv_world / "last", self._csv_of(f"day={self.last_day}"))

    def _csv_of(self, day: str) -> Path:
        return self.csv_world / "events" / f"{day.removeprefix('day=')}.csv"

    def clear(self) -> None:
        """Remove everything but the world."""
        for name in ("homes", "tables", "short", "csv"):
            shutil.rmtree(self.folder / name, ignore_errors=True)

    def hold_back_the_last_day(self) -> None:
        """Make the short world: the same files, linked."""
        shutil.rmtree(self.short_world, ignore_errors=True)
        last = f"day={self.last_day}"
        shutil.copytree(
            self.world, self.short_world, ignore=shutil.ignore_patterns(last, "truth"), copy_function=os.link
        )

    def let_the_last_day_come(self) -> None:
        """Put the file that was held back where it belongs, if it is not there yet."""
        last = f"events/day={self.last_day}"
        with suppress(FileExistsError):
            shutil.copytree(self.world / last, self.short_world / last, copy_function=os.link)


def bench_of(size: str) -> Bench:
    """Return the place of a size; its world is simulated unless it is there from before."""
    top = Path(os.environ.get("BENCH_FOLDER", Path(tempfile.gettempdir()) / "churn-bench"))
    bench = Bench(top / size)
    if not bench.world.exists():
        simulate(bench.world, users=USERS[size])
    bench.clear()
    bench.table("").parent.mkdir()
    return bench


def simulate(world: Path, users: int, *, options: Sequence[str] = ()) -> None:
    """Write a world, whole or not at all."""
    aside = world.with_suffix(".tmp")
    shutil.rmtree(aside, ignore_errors=True)
    aside.parent.mkdir(parents=True, exist_ok=True)
    churn = Path(sys.executable).with_name("churn")
    command = [churn, "simulate", "--out", aside, "--users", str(users), "--days", str(DAYS), *options]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    aside.rename(world)
