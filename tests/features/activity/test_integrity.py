"""Kept days that were cut short, altered or deleted are noticed at the next read, and heal by being rolled up again."""

import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from features.activity.integrity import damaged_files, discard_broken, flaw_of
from features.activity.roll_up import RELATIONS
from features.activity.store import open_activity
from features.settings import ComputeSettings
from features.storage.marks import sealed, unsealed
from tests.builders import World, world_of
from tests.damage import alter, cut_short

LINES = [f"u{user} 2026-01-{day:02}T10:00 open device_os=ios" for day in (5, 6) for user in range(50)]
ALL = [*(f"{name}.parquet" for name in RELATIONS), "days.json", "files.json"]


@pytest.fixture
def world(tmp_path: Path) -> World:
    found = world_of(tmp_path, LINES)
    found.activity()
    return found


def a_batch_a_day(folder: Path) -> World:
    found = world_of(folder, LINES)
    return World(replace(found.settings, compute=ComputeSettings(rows_at_once=50)), found.home)


@pytest.fixture(scope="module")
def kept_days(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[list[tuple[object, ...]]]]:
    """A home of two batches, and what they hold; look, do not touch."""
    world = a_batch_a_day(tmp_path_factory.mktemp("kept"))
    return world.home, world.everything()


def batches(world: World) -> list[Path]:
    return sorted(path.parent for path in world.home.glob("activity/*/*/days.parquet"))


def copy_of(folder: Path, place: Path) -> None:
    """With the times of its files, by which a log and what is kept of it are known again."""
    shutil.copytree(folder, place, dirs_exist_ok=True)


def alter_in_secret(path: Path) -> None:
    found = path.stat()
    path.write_bytes(path.read_bytes()[:4] + bytes(found.st_size - 300) + path.read_bytes()[-296:])
    os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns))


@pytest.mark.parametrize("damage", [cut_short, alter, Path.unlink])
@pytest.mark.parametrize("name", ALL)
def test_a_damaged_file_costs_its_own_days_which_heal(
    tmp_path: Path, kept_days: tuple[Path, list[list[tuple[object, ...]]]], damage: Callable[[Path], None], name: str
):
    home, clean = kept_days
    two_batches = a_batch_a_day(tmp_path)
    copy_of(home.parent, tmp_path)
    damage(batches(two_batches)[0] / name)
    is_known_without = name == "files.json" and damage is Path.unlink
    assert [str(day) for day in two_batches.activity().rolled_up] == ([] if is_known_without else ["2026-01-05"])
    assert two_batches.everything() == clean
    assert [flaw_of(batch) for batch in batches(two_batches)] == ["", ""]


def test_what_was_found_is_told(world: World):
    (batch,) = batches(world)
    cut_short(batch / "days.parquet")
    said: list[str] = []
    assert discard_broken(batch.parent, said.append)
    assert "days.parquet has" in said[0]
    assert "the days 2026-01-05 to 2026-01-06 are rolled up again" in said[0]
    assert not discard_broken(batch.parent, said.append)


def test_a_copy_with_other_times_is_right_and_is_compared_once(world: World):
    (batch,) = batches(world)
    for path in batch.iterdir():
        os.utime(path, (0, 0))
    before = (batch / "files.json").read_bytes()
    assert flaw_of(batch) == ""
    after = (batch / "files.json").read_bytes()
    assert after != before
    assert flaw_of(batch) == ""
    assert (batch / "files.json").read_bytes() == after


def test_a_batch_of_an_earlier_version_is_checked_to_be_complete_and_known_from_then_on(world: World):
    (batch,) = batches(world)
    (batch / "files.json").unlink()
    assert flaw_of(batch) == ""
    alter(batch / "days.parquet")
    assert "is not what was written" in flaw_of(batch)
    (batch / "files.json").unlink()
    cut_short(batch / "days.parquet")
    assert "is not a complete Parquet file" in flaw_of(batch)


def test_what_no_time_and_size_betrays_is_found_when_reading_fails_and_heals_at_the_next_run(world: World):
    (batch,) = batches(world)
    clean = world.everything()
    alter_in_secret(batch / "days.parquet")
    assert flaw_of(batch) == ""
    (found,) = damaged_files(world.home / "activity")
    assert found == f"{batch / 'days.parquet'} is not what was written (SHA-256)"
    assert len(world.activity().rolled_up) == 2
    assert world.everything() == clean
    assert damaged_files(world.home / "activity") == []


def test_a_manifest_that_was_altered_is_written_anew(world: World):
    (manifest,) = world.home.glob("activity/*/manifest.json")
    before = manifest.read_bytes()
    manifest.write_bytes(
        before.replace(b'"told":null', b'"told":"2026-02-01"').replace(b"2026-01-06", b"2026-01-16", 1)
    )
    world.activity()
    assert manifest.read_bytes() == before


def test_a_text_without_a_seal_is_read_as_it_is():
    assert unsealed(b'{"a":1}') == b'{"a":1}'
    assert unsealed(sealed(b'{"a":1}')) == b'{"a":1}'
    with pytest.raises(ValueError, match="not what was sealed"):
        unsealed(sealed(b'{"a":1}').replace(b"1", b"2", 1))


# --- What else is kept of a log ------------------------------------------------------------------------------------


@pytest.fixture
def with_ids(tmp_path: Path) -> World:
    """The log has an invalid row, and each user's event comes on both days: the first counts."""
    bad = "bad 1066-10-14T10:00 open device_os=ios"
    found = world_of(tmp_path, [*LINES, bad], event_id="user_id", max_rejected_share=0.1)
    assert {day for _, day in found.daily()} == {"2026-01-05"}
    return found


def kept(home: Path, pattern: str) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in home.glob(pattern) if path.name != "files.json"}


@pytest.mark.parametrize("damage", [cut_short, alter, Path.unlink])
def test_damaged_rejected_rows_are_written_again(with_ids: World, damage: Callable[[Path], None]):
    before = kept(with_ids.home, "rejected/*/*")
    damage(next(iter(before)))
    said: list[str] = []
    assert open_activity(with_ids.settings, with_ids.home, say=said.append).is_reused
    assert "rejected rows are written again" in said[0]
    assert kept(with_ids.home, "rejected/*/*") == before


def test_a_folder_of_rejected_rows_that_is_gone_is_written_again(with_ids: World):
    before = kept(with_ids.home, "rejected/*/*")
    shutil.rmtree(with_ids.home / "rejected")
    assert with_ids.activity().is_reused
    assert kept(with_ids.home, "rejected/*/*") == before


@pytest.mark.parametrize("name", ["ids.parquet", "files.json"])
@pytest.mark.parametrize("damage", [cut_short, alter, Path.unlink])
def test_damaged_ids_of_events_are_read_from_the_log_again(with_ids: World, damage: Callable[[Path], None], name: str):
    before, clean = kept(with_ids.home, "activity/*/event_ids/*/*"), with_ids.everything()
    (ids,) = before
    damage(ids.with_name(name))
    for part in [*with_ids.home.glob("activity/*/manifest.json"), *with_ids.home.glob("activity/*/*/days.json")]:
        part.unlink()
    assert with_ids.everything() == clean
    assert kept(with_ids.home, "activity/*/event_ids/*/*") == before
