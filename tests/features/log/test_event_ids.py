"""Events that came more than once, told by an id."""

from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from features.log.event_ids import with_moved
from tests.builders import World
from tests.features.log_files import HEADER, put, world_at

NAMES = f"id,{HEADER}"


def between(world: World, start: date | None, until: date) -> World:
    """The same log and home, covered from and until other days."""
    events = world.settings.events.model_copy(update={"covered_from": start, "covered_until": until})
    return World(replace(world.settings, events=events), world.home)


def world_of_files(folder: Path, files: dict[str, list[str]]) -> World:
    for name, lines in files.items():
        put(folder / f"log/{name}.csv", "".join(f"{line}\n" for line in (NAMES, *lines)))
    return world_at(folder, folder / "log", event_id="id", max_rejected_share=0.9)


def events(world: World) -> list[tuple[str, str, int]]:
    return [(user, day, int(count)) for user, day, count in world.daily("events")]


ROWS = ["1,anna,2026-01-05 10:00:00,open", "2,anna,2026-01-05 11:00:00,open"]


def test_an_id_counts_once_in_a_file(tmp_path: Path):
    world = world_of_files(tmp_path, {"a": [*ROWS, ROWS[0]]})
    assert events(world) == [("anna", "2026-01-05", 2)]
    assert world.activity().notes == ("1 row repeats the event id of another: each id counts once",)


def test_an_id_counts_once_in_several_files(tmp_path: Path):
    world = world_of_files(tmp_path, {"a": ROWS, "b": [ROWS[1], "3,bob,2026-01-05 12:00:00,open"]})
    assert events(world) == [("anna", "2026-01-05", 2), ("bob", "2026-01-05", 1)]


@pytest.mark.parametrize("names", [("a", "b"), ("b", "a")])
def test_of_several_days_of_an_id_the_earliest_counts_whatever_the_order_of_files(
    tmp_path: Path, names: tuple[str, str]
):
    late, early = "1,anna,2026-01-07 10:00:00,open", "1,anna,2026-01-05 10:00:00,open"
    world = world_of_files(tmp_path, {names[0]: [late], names[1]: [early]})
    assert events(world) == [("anna", "2026-01-05", 1)]


def test_a_file_that_comes_later_takes_an_event_away_from_a_kept_day(tmp_path: Path):
    world = world_of_files(tmp_path, {"a": ["1,anna,2026-01-07 10:00:00,open", "2,bob,2026-01-07 10:00:00,open"]})
    assert events(world) == [("anna", "2026-01-07", 1), ("bob", "2026-01-07", 1)]
    put(tmp_path / "log/b.csv", f"{NAMES}\n1,anna,2026-01-05 10:00:00,open\n")
    assert events(world) == [("anna", "2026-01-05", 1), ("bob", "2026-01-07", 1)]


def test_and_gives_it_back_when_it_is_gone(tmp_path: Path):
    lines = {"a": ["1,anna,2026-01-07 10:00:00,open"], "b": ["1,anna,2026-01-05 10:00:00,open"]}
    world = world_of_files(tmp_path, lines)
    assert events(world) == [("anna", "2026-01-05", 1)]
    (tmp_path / "log/b.csv").unlink()
    assert events(world) == [("anna", "2026-01-07", 1)]


@pytest.mark.parametrize("starts", [(None, date(2026, 1, 3)), (date(2026, 1, 3), None)])
def test_a_row_before_the_covered_days_takes_no_event_away_and_one_that_is_covered_again_does(
    tmp_path: Path, starts: tuple[date | None, ...]
):
    world = world_of_files(
        tmp_path, {"a": ["1,anna,2026-01-01 10:00:00,open"], "b": ["1,anna,2026-01-05 10:00:00,open"]}
    )
    days = {None: "2026-01-01", date(2026, 1, 3): "2026-01-05"}
    for start in starts:
        assert events(between(world, start, date(2026, 2, 1))) == [("anna", days[start], 1)]


def test_an_id_that_was_in_the_future_counts_once_when_it_no_longer_is(tmp_path: Path):
    rows = ["1,anna,2026-01-04 10:00:00,open", "2,anna,2026-01-10 10:00:00,open"]
    world = world_of_files(tmp_path, {"a": rows, "b": ["2,anna,2026-01-12 10:00:00,open"]})
    expected = {5: [4], 11: [4, 10], 20: [4, 10]}
    for until, days in expected.items():
        found = events(between(world, None, date(2026, 1, until)))
        assert found == [("anna", f"2026-01-{day:02}", 1) for day in days]


def test_rows_without_an_id_all_count(tmp_path: Path):
    world = world_of_files(tmp_path, {"a": [",anna,2026-01-05 10:00:00,open", "NULL,anna,2026-01-05 10:00:00,open"]})
    assert events(world) == [("anna", "2026-01-05", 2)]


def test_a_row_that_is_set_aside_does_not_take_the_place_of_a_valid_one(tmp_path: Path):
    world = world_of_files(tmp_path, {"a": ["1,,2026-01-04 10:00:00,open", ROWS[0]]})
    assert events(world) == [("anna", "2026-01-05", 1)]


def test_only_days_of_which_rows_no_longer_count_get_another_digest():
    days = {date(2026, 1, 5): "five", date(2026, 1, 6): "six"}
    found = with_moved(days, {date(2026, 1, 6): "moved", date(2026, 1, 9): "not a day of it"})
    assert (found[date(2026, 1, 5)], found.keys()) == ("five", days.keys())
    assert found[date(2026, 1, 6)] not in ("six", with_moved(days, {date(2026, 1, 6): "else"})[date(2026, 1, 6)])


def test_without_an_event_id_rows_that_are_equal_are_two_events(tmp_path: Path):
    world = world_of_files(tmp_path, {"a": [ROWS[0], ROWS[0]]})
    plain = world.settings.events.model_copy(update={"event_id": ""})
    other = World(replace(world.settings, events=plain), tmp_path / "other")
    assert events(other) == [("anna", "2026-01-05", 2)]
