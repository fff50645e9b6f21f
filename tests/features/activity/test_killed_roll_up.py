"""A roll-up that is killed at any moment leaves nothing wrong behind, and the next run goes on from there."""

import os
import random
import signal
import time
from collections.abc import Mapping
from datetime import date, timedelta
from pathlib import Path
from types import MappingProxyType

import pytest

from features.settings import ComputeSettings
from tests.builders import World, events_at, world_of, write
from tests.races import race

DAYS, ROWS_AT_ONCE = 24, 300


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("log")
    for day in range(DAYS):
        on = date(2026, 1, 5) + timedelta(days=day)
        lines = [f"u{user} {on}T{user % 24:02}:00 open device_os=os{user % 3}" for user in range(100)]
        write(folder / f"{on}.parquet", lines)
    return folder


def world_at(log: Path, home: Path) -> World:
    base = world_of(home.with_name(f"{home.name}-none"), ["anna 2026-01-05T10:00"])
    events = events_at(log, columns={"device_os": "device_os"}, covered_until=date(2026, 12, 31))
    compute = ComputeSettings(rows_at_once=ROWS_AT_ONCE)
    return World(type(base.settings)(events, base.settings.churn, base.settings.features, compute=compute), home)


def die(*_: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def roll_up(log: Path, home: Path, *, replaced: Mapping[str, object] = MappingProxyType({})) -> int:
    """Roll up in a process of its own, in which some names of ``features.activity`` stand for something else; return how it ended."""

    def run() -> None:
        for name, value in replaced.items():
            pytest.MonkeyPatch().setattr(f"features.activity.{name}", value)
        world_at(log, home).activity()

    return race(run)[0]


def kill_and_mend(log: Path, home: Path, after_seconds: float) -> tuple[int, list[list[tuple[object, ...]]]]:
    """Kill a run; return how many days the next one still had to roll up, and what is there then."""

    def killed() -> None:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)  # which kills as surely, at a moment that no thread can put off
        signal.setitimer(signal.ITIMER_REAL, max(after_seconds, 0.001))
        world_at(log, home).activity()

    assert race(killed)[0] in {0, -signal.SIGALRM}
    return len(world_at(log, home).activity().rolled_up), world_at(log, home).everything()


@pytest.mark.parametrize("kills", [4, pytest.param(20, marks=pytest.mark.slow)])
def test_a_killed_roll_up_is_finished_by_the_next_run(log: Path, tmp_path: Path, kills: int):
    began = time.perf_counter()
    assert roll_up(log, tmp_path / "clean") == 0
    lasts = time.perf_counter() - began
    clean = world_at(log, tmp_path / "clean").everything()
    dice = random.Random(kills)
    left: list[int] = []
    for kill in range(kills):  # at some moment of each part of the time that it takes
        rolled_up, found = kill_and_mend(log, tmp_path / f"{kill}", (kill + dice.random()) / kills * lasts)
        left.append(rolled_up)
        assert found == clean
    assert any(0 < days < DAYS for days in left), left  # some were killed half-way, and not all was done again


def test_batches_that_were_killed_do_not_pile_up(tmp_path: Path):
    for day in (5, 6, 7):  # so each dies in a batch of another name
        write(tmp_path / f"log/{day}.parquet", [f"anna 2026-01-0{day}T10:00 open device_os=ios"])
        assert roll_up(tmp_path / "log", tmp_path / "home", replaced={"batches.literal": die}) == -signal.SIGKILL
        (folder,) = (path for path in (tmp_path / "home/activity").iterdir() if path.is_dir())
        assert [path.name[:11] for path in folder.iterdir()] == [".2026-01-05"]
    assert len(world_at(tmp_path / "log", tmp_path / "home").activity().rolled_up) == 3
    assert not [path.name for path in folder.iterdir() if path.name.startswith(".")]


def test_small_batches_that_were_written_as_one_are_used_though_the_manifest_was_not_written(tmp_path: Path):
    busy = [f"u{user} 2026-01-{day:02}T10:00 open device_os=ios" for day in (5, 7, 9, 11) for user in range(300)]
    write(tmp_path / "log/a.parquet", [*busy, *(f"anna 2026-01-{day:02}T10:00 buy" for day in (6, 8, 10))])
    replaced = {"compaction._MAX_SMALL_BATCHES": 2, "manifest.write_atomic": die}
    assert roll_up(tmp_path / "log", tmp_path / "home", replaced=replaced) == -signal.SIGKILL
    killed = world_at(tmp_path / "log", tmp_path / "home")
    activity = killed.activity()
    assert activity.rolled_up == ()
    assert len({*activity.manifest.days.values()}) == 4 + 1
    assert killed.everything() == world_at(tmp_path / "log", tmp_path / "clean").everything()
