"""What is kept beside a log: its activity, and the rows set aside."""

import os
import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from features.activity.store import ActivitySettings, open_activity
from features.errors import InputError
from features.settings import ComputeSettings
from tests.builders import World, events_at, world_of, write
from tests.features.log_files import put, world_at

LENIENT: dict[str, Any] = {"max_rejected_share": 0.99}


def rejected_files(world: World) -> list[Path]:
    return list((world.home / "rejected").rglob("*.parquet"))


# --- Rows set aside ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "bad",
    [
        "amount=nan",
        "duration_seconds=nan",
        "amount=inf",
        "amount=1e300",
        "duration_seconds=inf",
        "duration_seconds=-inf",
        "count=-1",
        "count=99999999999",
    ],
)
def test_a_row_set_aside_does_not_stop_the_roll_up(tmp_path: Path, bad: str):
    name = bad.partition("=")[0]
    world = world_of(tmp_path, [f"anna 2026-01-05T10:00 open {name}=1", f"bob 2026-01-05T10:00 open {bad}"], **LENIENT)
    assert world.daily("events") == [("anna", "2026-01-05", 1)]


def test_rows_set_aside_are_written_beside_the_activity(tmp_path: Path):
    world = world_of(tmp_path, ["anna 2026-01-05T10:00 open count=1", "bob 2026-01-05T10:00 open count=-1"], **LENIENT)
    assert world.activity().manifest.inventory.rejected == {"count is negative": 1}
    assert len(rejected_files(world)) == 1


def test_rows_set_aside_are_written_even_where_there_are_too_many(tmp_path: Path):
    world = world_of(tmp_path, ["anna 2026-01-05T10:00 open count=1", "bob 2026-01-05T10:00 open count=-1"])
    with pytest.raises(InputError, match="1 of 2 rows are invalid"):
        world.activity()
    assert len(rejected_files(world)) == 1


def test_a_mended_log_leaves_no_rows_set_aside_behind(tmp_path: Path):
    world = world_of(tmp_path, ["anna 2026-01-05T10:00 open count=1", "bob 2026-01-05T10:00 open count=-1"], **LENIENT)
    world.activity()
    write(world.path, ["anna 2026-01-05T10:00 open count=1"])
    world.activity()
    assert rejected_files(world) == []


def test_a_removed_file_leaves_no_rows_set_aside_behind_though_they_were_of_the_future(tmp_path: Path):
    until = {"covered_until": date(2026, 2, 1), "max_rejected_share": 0.9}
    world = world_of(tmp_path, ["anna 2026-01-05T10:00"])
    world = World(replace(world.settings, events=events_at(tmp_path / "log", **until)), world.home)
    write(tmp_path / "log/a.parquet", ["anna 2026-01-05T10:00"])
    write(tmp_path / "log/b.parquet", ["bob 2026-01-05T10:00", "bob 2026-03-05T10:00"])
    world.activity()
    assert len(rejected_files(world)) == 1
    (tmp_path / "log/b.parquet").unlink()
    with_settings(world, "events", covered_until=date(2026, 2, 2)).activity()
    assert rejected_files(world) == []


# --- Kept ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def world(tmp_path: Path) -> World:
    write(tmp_path / "log/1.parquet", ["anna 2026-01-05T10:00"])
    write(tmp_path / "log/2.parquet", ["anna 2026-01-06T10:00"])
    kept = world_of(tmp_path, ["anna 2026-01-05T10:00"])
    return World(replace(kept.settings, events=events_at(tmp_path / "log")), kept.home)


def with_settings(world: World, section: str, /, **options: object) -> World:
    changed = getattr(world.settings, section).model_copy(update=options)
    return World(replace(world.settings, **{section: changed}), world.home)


def test_activity_is_computed_once_and_kept(world: World):
    first, second = world.activity(), world.activity()
    assert (first.is_reused, second.is_reused) == (False, True)
    assert first.manifest == second.manifest
    assert second.facts == first.facts


def test_a_changed_file_costs_its_own_days_only(world: World):
    world.activity()
    write(world.path / "2.parquet", ["anna 2026-01-06T10:00", "bob 2026-01-06T10:00"])
    assert world.activity().rolled_up == (date(2026, 1, 6),)
    assert world.daily() == [("anna", "2026-01-05"), ("anna", "2026-01-06"), ("bob", "2026-01-06")]


def test_a_new_file_costs_its_own_days_only(world: World):
    world.activity()
    write(world.path / "3.parquet", ["bob 2026-01-07T10:00"])
    assert world.activity().rolled_up == (date(2026, 1, 7),)
    assert world.daily() == [("anna", "2026-01-05"), ("anna", "2026-01-06"), ("bob", "2026-01-07")]


def test_a_new_file_with_rows_of_a_kept_day_is_joined_to_them(world: World):
    world.activity()
    write(world.path / "3.parquet", ["anna 2026-01-06T10:10", "anna 2026-01-07T10:00"])
    assert world.activity().rolled_up == (date(2026, 1, 6), date(2026, 1, 7))
    assert world.daily("events", "sessions") == [
        ("anna", "2026-01-05", 1, 1),
        ("anna", "2026-01-06", 2, 1),
        ("anna", "2026-01-07", 1, 1),
    ]


def test_a_file_that_loses_the_rows_of_a_day_that_others_hold_too_costs_that_day(world: World):
    write(world.path / "3.parquet", ["bob 2026-01-06T10:00", "bob 2026-01-07T10:00"])
    world.activity()
    (world.path / "3.parquet").unlink()
    assert world.activity().rolled_up == (date(2026, 1, 6),)
    assert world.daily() == [("anna", "2026-01-05"), ("anna", "2026-01-06")]


def test_days_are_rolled_up_a_few_at_a_time_to_the_same_end(world: World):
    write(world.path / "3.parquet", [f"u{user} 2026-01-{day:02}T10:00" for user in range(3) for day in range(4, 20)])
    at_once = World(world.settings, world.home.with_name("other"))
    few = World(replace(world.settings, compute=ComputeSettings(rows_at_once=4)), world.home)
    assert few.daily("*") == at_once.daily("*")


def leave_alone(batch: Path, *, seconds: int) -> None:
    """As if nothing had happened to it for so long."""
    at = time.time() - seconds
    os.utime(batch, (at, at))


def test_what_was_superseded_can_be_read_for_an_hour_and_is_gone_with_the_next_change(world: World):
    first = world.activity()
    days = f"select count(*) from {first.relation('days')}"
    for hour in (11, 12, 13):
        write(world.path / "2.parquet", [f"anna 2026-01-06T{hour}:00"])
        now = world.activity()
    assert first.connection.sql(days).fetchall() == [(2,)]
    kept = {place for place in first.folder.iterdir() if place.is_dir()}
    dropped = kept - {now.folder / name for name in now.manifest.days.values()}
    assert (len(kept), len(dropped)) == (4, 2)  # the first batch still holds the first day
    for place in dropped:
        leave_alone(place, seconds=3601)
    write(world.path / "2.parquet", ["anna 2026-01-06T14:00"])
    world.activity()
    left = {place for place in first.folder.iterdir() if place.is_dir()}
    assert (len(left), left & dropped) == (3, set())  # and the one that was in use until now


def test_an_old_batch_that_was_in_use_until_now_is_kept_too(world: World):
    first = world.activity()
    (batch,) = {*first.manifest.days.values()}
    leave_alone(first.folder / batch, seconds=3601)
    for name in ("1", "2"):
        write(world.path / f"{name}.parquet", ["anna 2026-01-07T10:00"])
    world.activity()
    write(world.path / "2.parquet", ["anna 2026-01-08T10:00"])
    world.activity()
    assert first.connection.sql(f"select count(*) from {first.relation('days')}").fetchall() == [(2,)]


@pytest.mark.parametrize("texts", [("1", "x"), ("x", "1")])
def test_it_is_said_which_kind_an_extra_column_has_from_now_on(tmp_path: Path, texts: tuple[str, str]):
    header = "user_id,event_time,event_type,e"
    log = put(tmp_path / "log/1.csv", f"{header}\nanna,2026-01-05 10:00,open,{texts[0]}\n")
    world = world_at(tmp_path, log.parent, extra={"e": "e"})
    world.activity()
    put(log, f"{header}\nanna,2026-01-05 10:00,open,{texts[1]}\nanna,2026-01-05 11:00,open,\n")
    said: list[str] = []
    open_activity(world.settings, world.home, say=said.append)
    kind = "text" if texts[1] == "x" else "a number"
    assert f"e is {kind} now: whether it is depends on all of its values; all days are rolled up again" in said


def test_a_row_of_the_future_is_looked_at_again_though_its_file_stays_as_it_is(world: World):
    write(world.path / "3.parquet", ["anna 2026-01-07T10:00", "anna 2026-01-09T10:00"])
    until = replace(
        world.settings, events=world.settings.events.model_copy(update={"covered_until": date(2026, 1, 8), **LENIENT})
    )
    assert World(until, world.home).daily() == [("anna", f"2026-01-0{day}") for day in (5, 6, 7)]
    later = replace(until, events=until.events.model_copy(update={"covered_until": date(2026, 1, 10)}))
    assert World(later, world.home).activity().rolled_up == (date(2026, 1, 9),)


def test_two_runs_at_once_take_turns(world: World):
    said: list[str] = []
    place = world.home / "activity" / f"{world.settings.digest()}.lock"
    place.parent.mkdir(parents=True)
    with ThreadPoolExecutor() as pool, FileLock(place):
        waiting = pool.submit(open_activity, world.settings, world.home, say=said.append)
        while not said:
            time.sleep(0.01)
        assert not (place.parent / world.settings.digest()).exists()
        assert said == ["another run is rolling up this log; waiting for it"]
    assert len(waiting.result().rolled_up) == 2


def test_a_run_that_never_ends_is_not_waited_for_forever(world: World, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("features.activity.store._WAIT_SECONDS", 0.1)
    (world.home / "activity").mkdir(parents=True)
    with (
        FileLock(world.home / "activity" / f"{world.settings.digest()}.lock"),
        pytest.raises(InputError, match="another run"),
    ):
        world.activity()


def test_a_removed_file_takes_its_days_with_it(world: World):
    world.activity()
    (world.path / "1.parquet").unlink()
    assert world.daily() == [("anna", "2026-01-06")]


@pytest.mark.parametrize(
    ("section", "options"),
    [
        ("events", {"where": "event_type <> 'x'"}),
        ("events", {"columns": {"channel": "'ads'"}}),
        ("events", {"timezone": "Asia/Tokyo"}),
        ("churn", {"timezone": "Asia/Tokyo"}),
        ("churn", {"qualifying": "event_type = 'open'"}),
        ("churn", {"event": "event_type = 'quit'"}),
        ("features", {"session_gap_minutes": 20}),
    ],
)
def test_another_mapping_zone_gap_or_condition_has_an_activity_of_its_own(
    world: World, section: str, options: dict[str, object]
):
    world.activity()
    assert not with_settings(world, section, **options).activity().is_reused
    assert world.activity().is_reused


@pytest.mark.parametrize(
    ("section", "options"),
    [("churn", {"horizon_days": 30}), ("features", {"windows_days": (7,)}), ("churn", {"gap_days": 3})],
)
def test_what_a_model_asks_for_does_not_change_the_activity(world: World, section: str, options: dict[str, object]):
    world.activity()
    assert with_settings(world, section, **options).activity().is_reused


def test_a_stricter_share_of_bad_rows_holds_for_kept_activity_too(tmp_path: Path):
    world = world_of(tmp_path, ["anna 2026-01-05T10:00 open count=1", "bob 2026-01-05T10:00 open count=-1"], **LENIENT)
    world.activity()
    with pytest.raises(InputError):
        with_settings(world, "events", max_rejected_share=0.01).activity()


def test_a_log_that_cannot_be_read_any_more_leaves_the_kept_activity_whole(world: World):
    world.activity()
    kept = (world.path / "2.parquet").read_bytes()
    (world.path / "2.parquet").write_bytes(b"PAR1")
    with pytest.raises(InputError):
        world.activity()
    (world.path / "2.parquet").write_bytes(kept)
    assert world.daily() == [("anna", "2026-01-05"), ("anna", "2026-01-06")]


@pytest.mark.parametrize("left", [None, '{"rows": 2}'], ids=["no manifest", "a manifest of an earlier version"])
def test_days_that_are_there_are_right_and_the_manifest_is_written_again(world: World, left: str | None):
    first = world.activity()
    place = first.folder / "manifest.json"
    written = place.read_bytes()
    place.unlink() if left is None else place.write_text(left)
    assert world.activity().rolled_up == ()
    assert place.read_bytes() == written


def test_a_batch_that_was_lost_is_rolled_up_again(world: World):
    first = world.activity()
    write(world.path / "3.parquet", ["anna 2026-01-07T10:00"])
    world.activity()
    shutil.rmtree(first.folder / first.manifest.days[date(2026, 1, 5)])
    assert world.activity().rolled_up == (date(2026, 1, 5), date(2026, 1, 6))
    (world.path / "3.parquet").unlink()
    assert world.daily() == [("anna", "2026-01-05"), ("anna", "2026-01-06")]


@pytest.mark.parametrize(
    "name",
    [
        "it's home",
        "h[o]me*?",
        "run=1",
        "day=2020-01-01",
        "user_id=bob",
    ],
)
def test_home_may_have_any_name(world: World, tmp_path: Path, name: str):
    assert World(world.settings, tmp_path / name).daily() == [("anna", "2026-01-05"), ("anna", "2026-01-06")]


def test_the_digest_of_an_activity_is_the_same_in_every_run():
    settings = ActivitySettings(events_at(Path("log.parquet")), *defaults())
    assert settings.digest() == replace(settings, base=Path("elsewhere")).digest()
    assert len(settings.digest()) == 16


def defaults():
    from features.settings import ChurnSettings, FeatureSettings

    return ChurnSettings(), FeatureSettings()
