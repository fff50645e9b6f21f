"""Kept days are those of a clean build, whatever files come, go or disagree about types, and whatever zone cuts them."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from features.activity.roll_up import RELATIONS
from features.settings import ComputeSettings
from tests.builders import Row, World, events_at, world_of, write

AT = datetime(2026, 1, 5, 10, tzinfo=UTC)


def world_at(log: Path, /, **options: Any) -> World:
    base = world_of(log.with_name("none"), ["anna 2026-01-05T10:00"])
    return World(replace(base.settings, events=events_at(log, **options)), log.with_name("home"))


def everything(world: World) -> list[Any]:
    return [world.daily("* exclude (user_id, day)", relation=relation) for relation in RELATIONS]


def test_a_removed_file_with_a_row_of_the_future_takes_its_users_with_it(tmp_path: Path):
    world = world_at(tmp_path / "log", covered_until=date(2026, 1, 8), max_rejected_share=0.5)
    write(world.path / "1.parquet", ["anna 2026-01-05T10:00"])
    write(world.path / "2.parquet", ["bob 2026-01-05T10:00", "bob 2026-01-09T10:00"])
    assert world.daily() == [("anna", "2026-01-05"), ("bob", "2026-01-05")]
    (world.path / "2.parquet").unlink()
    assert world.daily() == [("anna", "2026-01-05")]
    assert world.activity().manifest.inventory.rejected == {}


def ids(*values: object, day: int) -> list[Row]:
    return [{"user_id": value, "event_time": AT + timedelta(days=day), "event_type": "open"} for value in values]


def test_a_file_of_other_types_leaves_what_is_read_from_the_others_alone(tmp_path: Path):
    world = world_at(tmp_path / "log", max_rejected_share=0.5)
    write(world.path / "1.parquet", ids(1, 2**60 + 1, day=0))
    assert [user for user, _ in world.daily()] == ["1", str(2**60 + 1)]
    write(world.path / "2.parquet", ids(1.0, 3.5, day=1))
    grown, clean = world.activity(), World(world.settings, tmp_path / "clean")
    assert grown.rolled_up == (date(2026, 1, 6),)
    assert [user for user, _ in world.daily()] == ["1", "1", str(2**60 + 1), "3.5"]
    assert grown.manifest.inventory == clean.activity().manifest.inventory
    assert everything(world) == everything(clean)


def test_a_file_that_leaves_types_alone_changes_its_own_days_only(tmp_path: Path):
    world = world_at(tmp_path / "log")
    write(world.path / "1.parquet", ids(1, 2, day=0))
    world.activity()
    write(world.path / "2.parquet", ids(3, day=1))
    assert world.activity().rolled_up == (date(2026, 1, 6),)


# Clocks that stay, that skip a midnight, and that go by another year's calendar; the others only more of the kind.
ZONES = ("Europe/Berlin", "America/Havana", "Pacific/Apia")
TELLING = [("UTC", "2026-11-01"), ("America/Sao_Paulo", "2018-11-02"), ("America/Vancouver", "2026-11-01")]
REST = [
    *(("UTC", "2018-11-02"), ("America/Sao_Paulo", "2026-11-01"), ("America/Vancouver", "2018-11-02")),
    *((zone, first) for zone in ZONES for first in ("2018-11-02", "2026-11-01")),
]


@pytest.mark.parametrize(("zone", "first"), [*TELLING, *(pytest.param(*one, marks=pytest.mark.slow) for one in REST)])
def test_days_rolled_up_one_by_one_are_those_rolled_up_together(tmp_path: Path, zone: str, first: str):
    # the engine and Python read calendars of their own, which need not be of one year: Vancouver keeps summer time from 2026
    start = datetime.fromisoformat(first).replace(tzinfo=UTC)
    events = [f"anna {start + timedelta(minutes=30 * step):%Y-%m-%dT%H:%M}" for step in range(7 * 48)]
    together = world_of(tmp_path, events, churn={"timezone": zone})
    one_by_one = World(replace(together.settings, compute=ComputeSettings(rows_at_once=1)), tmp_path / "days")
    assert everything(one_by_one) == everything(together)
    activity = one_by_one.activity()
    assert activity.connection.sql(f"select sum(n) from {activity.relation('contexts')}").fetchall() == [(7 * 48,)]
