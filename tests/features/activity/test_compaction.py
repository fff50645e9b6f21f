"""Many small batches of kept days become one, and nobody can tell but by the time it takes."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from features.activity.batches import batch_by_day, superseded
from features.settings import ComputeSettings
from tests.builders import Row, World, events_at, rows, world_of, write

FEW = 4  # batches may be small; the days of so many events are rolled up together, so a small batch has one event
FIRST = date(2026, 1, 5)
SOME = ("active_days", "gap_days_max", "events_28d", "sessions_28d", "events_of_buy_28d", "night_share_28d")


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("features.activity.compaction._MAX_SMALL_BATCHES", FEW)


def on(day: int) -> date:
    return FIRST + timedelta(days=day)


def quiet_and_busy(quiet: int) -> list[Row]:
    """So many days of one event, each between days that fill a batch of their own."""
    busy = [f"u{user} {on(2 * day)}T{user:02}:30 open" for day in range(quiet) for user in range(FEW)]
    return rows([*busy, *(f"u{day % 5} {on(2 * day + 1)}T12:00 buy" for day in range(quiet))])


def kept_with(folder: Path, events: Sequence[Row], /, *, at_once: int = FEW) -> World:
    """A world whose log is a folder of its own, ``log``, of one file so far."""
    world = world_of(folder, events)
    write(folder / "log/0.parquet", events)
    settings = replace(
        world.settings,
        events=events_at(folder / "log", events, covered_until=date(2027, 1, 1)),
        compute=ComputeSettings(rows_at_once=at_once),
    )
    return World(settings, world.home)


def clean(world: World) -> World:
    """The same log, rolled up at once."""
    return World(replace(world.settings, compute=ComputeSettings()), world.home.with_name("clean"))


def everything(world: World) -> list[Any]:
    return [*world.everything(), world.profiles("2026-01-20", "2026-02-20", event_types=("buy",), only=SOME)]


def sizes(world: World) -> list[int]:
    """How many days each batch holds, of those that count."""
    places = [*world.activity().manifest.days.values()]
    return sorted(map(places.count, {*places}))


@pytest.mark.usefixtures("few")
def test_small_batches_are_written_as_one(tmp_path: Path):
    world = kept_with(tmp_path, quiet_and_busy(5))
    assert sizes(world) == [1] * 5 + [5]  # the busy days stay as they are
    assert everything(world) == everything(clean(world))


@pytest.mark.usefixtures("few")
def test_orders_and_products_are_merged_too(tmp_path: Path):
    events = [row if row["event_type"] == "open" else {**row, "item_id": "hat"} for row in quiet_and_busy(5)]
    world = kept_with(tmp_path, events)
    assert sizes(world) == [1] * 5 + [5]
    found = [one.daily("item_id", "n", relation="items") for one in (world, clean(world))]
    assert found[0] == found[1]
    assert len(found[0]) == 5


@pytest.mark.usefixtures("few")
def test_a_few_small_batches_stay_as_they_are(tmp_path: Path):
    assert sizes(kept_with(tmp_path, quiet_and_busy(4))) == [1] * 8


@pytest.mark.usefixtures("few")
def test_versions_of_days_stay_what_they_were(tmp_path: Path):
    def known(line: str, days_later: int) -> Row:
        (event,) = rows([line])
        return {**event, "ingested_at": event["event_time"] + timedelta(days=days_later)}

    busy = [known(f"u{user} {on(2 * day)}T12:00", 0) for day in range(5) for user in range(2 * FEW)]
    quiet = [known(f"anna {on(2 * day + 1)}T12:0{late}", late) for day in range(5) for late in (0, 9)]
    world = kept_with(tmp_path, [*busy, *quiet], at_once=2 * FEW)
    assert sizes(world) == [1] * 5 + [5]
    assert len(world.daily("known_day", relation="days")) == 5 * 2 * FEW + 5  # today's
    assert everything(world) == everything(clean(world))
    # before the last half became known
    then = [one.profiles(f"{on(8)}", event_types=("buy",), only=SOME) for one in (world, clean(world))]
    assert then[0] == then[1]


@pytest.mark.usefixtures("few")
def test_days_that_change_later_count_from_their_new_batch(tmp_path: Path):
    world = kept_with(tmp_path, quiet_and_busy(5))
    world.activity()
    write(world.path / "late.parquet", [f"zoe {on(1)}T10:00", f"zoe {on(40)}T10:00"])
    activity = world.activity()
    assert activity.rolled_up == (on(1), on(40))
    assert [*activity.manifest.superseded.values()] == [(on(1),)]
    assert everything(world) == everything(clean(world))


@pytest.mark.usefixtures("few")
def test_small_batches_can_be_read_though_the_log_changes_again(tmp_path: Path):
    world = kept_with(tmp_path, quiet_and_busy(4))
    before = world.activity()
    count = f"select count(*) from {before.relation('days')}"
    found = before.connection.sql(count).fetchall()
    write(world.path / "a_fifth.parquet", [f"anna {on(40)}T10:00"])
    assert sizes(world) == [1] * 4 + [5]
    write(world.path / "busy.parquet", [f"{user} {on(41)}T10:00" for user in ("anna", "bob")])
    assert sizes(world) == [1] * 5 + [5]
    assert before.connection.sql(count).fetchall() == found


def test_daily_refreshes_with_late_rows_leave_few_batches(tmp_path: Path):
    def of_day(day: int) -> list[str]:
        return [f"anna {on(day)}T10:00", f"bob {on(day - 1)}T23:00"]

    world = kept_with(tmp_path, rows(of_day(0)), at_once=64)
    for day in range(1, 18):
        write(world.path / f"{day}.parquet", of_day(day))
        world.activity()
    assert len(sizes(world)) < 4
    assert everything(world) == everything(clean(world))


def test_of_two_batches_that_hold_a_day_the_one_with_more_days_that_count_is_taken():
    one, two, three = on(1), on(2), on(3)
    kept = {"a": {one: "x", two: "old"}, "b": {one: "x", three: "z"}, "c": {one: "x", two: "old", three: "old"}}
    places = batch_by_day({one: "x", two: "y", three: "z"}, kept)
    assert places == {one: "b", three: "b"}  # nobody holds the second day as it is now
    assert superseded(places, kept) == {}
    assert superseded(batch_by_day({one: "x"}, kept), kept) == {"c": (two, three)}
