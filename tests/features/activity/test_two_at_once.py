"""Two runs that roll up one log at the same time, from nothing or after a change: as if there had been one."""

from functools import partial
from pathlib import Path

import duckdb
import pyarrow.parquet as pq

from features.log.rejected import write_rejected
from tests.builders import World, events_at, world_of, write
from tests.races import in_turns, race

ROUNDS = 8


def world_at(log: Path, home: Path) -> World:
    base = world_of(home.with_name(f"{home.name}-none"), ["anna 2026-01-05T10:00"])
    events = events_at(log, columns={"count": "count"}, max_rejected_share=0.9)
    return World(type(base.settings)(events, base.settings.churn, base.settings.features), home)


def contents(home: Path) -> set[str]:
    return {str(path.relative_to(home)) for path in home.rglob("*") if not path.name.endswith(".lock")}


def test_both_find_what_one_alone_would_have_made(tmp_path: Path):
    log = tmp_path / "log"
    for day in ("05", "06"):
        lines = [f"u{user} 2026-01-{day}T{user % 24:02}:00 open count=1" for user in range(200)]
        write(log / f"{day}.parquet", [*lines, f"bad 2026-01-{day}T10:00 open count=-1"])
    alone = world_at(log, tmp_path / "alone")
    expected = alone.everything()
    for home in (tmp_path / f"home{turn}" for turn in range(ROUNDS)):
        world = world_at(log, home)
        assert race(world.activity, world.activity) == [0, 0]
        assert contents(home) == contents(tmp_path / "alone")
        assert world.activity().is_reused
        assert world.everything() == expected


def test_rows_set_aside_by_two_runs_are_those_of_one(tmp_path: Path):
    def aside(number: int) -> None:
        rows = f"select {number} as run from range(2000)"
        write_rejected(rows, tmp_path / "users.parquet", connection=duckdb.connect())

    for turn in in_turns([partial(aside, 1), partial(aside, 2)], 12):
        assert race(*turn) == [0, 0]
        assert (
            pq.ParquetFile(tmp_path / "users.parquet").read()["run"].value_counts().field("counts")[0].as_py() == 2000
        )
        assert [path.name for path in tmp_path.iterdir()] == ["users.parquet"]
