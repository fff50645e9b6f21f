"""Ordinary trouble in the middle of a verb: what is wrong is said, what is written already too, and the next run is as any other."""

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from churn.project import Project
from features.storage.versions import current_of, digest_of, versions_of
from tests.churn.command import AS_OF, TrainedWorld
from tests.churn.conftest import Command
from tests.small_disk import resize, small_disk, used_kilobytes

NEXT_WEEK = "2026-05-04"
BATCH = Path("churn") / f"cutoff={NEXT_WEEK}" / "model=churn-v1"


@pytest.fixture(scope="module")
def rolled_up(trained_world: TrainedWorld, tmp_path_factory: pytest.TempPathFactory) -> TrainedWorld:
    """A home with the activity of its log and of no other. Look, do not touch."""
    found = trained_world.copy_to(tmp_path_factory.mktemp("rolled_up") / "home")
    shutil.rmtree(found.home / "activity", ignore_errors=True)  # other tests may have kept activity of other logs there
    Project(found.config, home=found.home).activity()
    return found


@pytest.fixture
def world(rolled_up: TrainedWorld, tmp_path: Path) -> TrainedWorld:
    return rolled_up.copy_to(tmp_path / "home")


@pytest.fixture
def on_a_small_disk(rolled_up: TrainedWorld, tmp_path: Path) -> Iterator[TrainedWorld]:
    with small_disk(tmp_path / "disk", kilobytes=64 * 1024) as disk:
        yield rolled_up.copy_to(disk / "home")


def left_free(world: TrainedWorld, kilobytes: int) -> None:
    disk = world.home.parent
    resize(disk, kilobytes=used_kilobytes(disk) + kilobytes)


def test_a_disk_that_fills_while_all_users_are_scored_says_what_is_written_and_it_is_whole(
    command: Command, on_a_small_disk: TrainedWorld, trained_world: TrainedWorld, tmp_path: Path
):
    world = on_a_small_disk
    released = current_of(world.home / "releases/churn")
    left_free(world, 320)  # enough for scores and ledger, and not for the profiles
    ran = command("score", *world.options(), "--as-of", NEXT_WEEK)
    assert (ran.code, "the disk is full" in ran.err, "a bug" in ran.err) == (2, True, False), ran.err
    written = [current_of(world.home / part / BATCH) for part in ("scores", "ledger")]
    assert f"what is written already is whole: {written[0]} and {written[1]}" in ran.err
    assert [one and digest_of(one) == one.name for one in written] == [True, True]
    assert current_of(world.home / "releases/churn") == released
    left_free(world, 8192)
    again = command("score", *world.options(), "--as-of", NEXT_WEEK, "--json")
    assert (again.code, again.json()["store_refreshed"]) == (0, True)
    spared = trained_world.copy_to(tmp_path / "spared")
    assert command("score", *spared.options(), "--as-of", NEXT_WEEK).code == 0
    for part in ("scores", "ledger"):
        assert versions_of(world.home / part / BATCH) != []
        assert [one.name for one in versions_of(world.home / part / BATCH)] == [
            one.name for one in versions_of(spared.home / part / BATCH)
        ]


def test_no_room_at_all_is_said_in_words(command: Command, on_a_small_disk: TrainedWorld):
    left_free(on_a_small_disk, 0)
    ran = command("export", *on_a_small_disk.options(), "--as-of", NEXT_WEEK)
    assert (ran.code, "the disk is full" in ran.err) == (2, True), ran.err
    assert not (on_a_small_disk.home / "scores" / BATCH / "current").exists()


def test_an_older_cutoff_says_why_the_store_stays(command: Command, trained_world: TrainedWorld, tmp_path: Path):
    world = trained_world.copy_to(tmp_path / "home")
    older = command("score", *world.options(), "--as-of", "2026-04-20", "--json").json()
    assert (older["store_refreshed"], older["not_refreshed_because"]) == (
        False,
        f"it holds profiles of {AS_OF}, a later cutoff than 2026-04-20",
    )
    by_number = command("score", *world.options(), "--as-of", AS_OF, "--model", "1", "--json").json()
    assert (
        by_number["not_refreshed_because"] == "it holds the champion's profiles, and version 1 was scored by its name"
    )
    assert "not_refreshed_because" not in command("score", *world.options(), "--as-of", AS_OF, "--json").json()


@pytest.mark.parametrize("port", ["80000", "-1"])
def test_a_port_that_there_cannot_be_is_a_setting_that_cannot_be(
    command: Command, trained_world: TrainedWorld, port: str
):
    ran = command("serve", *trained_world.options(), "--port", port)
    assert (ran.code, f"the port: got {port}, expected 1 to 65535" in ran.err) == (2, True), ran.err


# --- Damage --------------------------------------------------------------------------------------------------------


def test_a_damaged_profile_store_is_not_served_and_scoring_writes_it_anew(
    command: Command, trained_world: TrainedWorld, tmp_path: Path
):
    world = trained_world.copy_to(tmp_path / "home")
    release = (world.home / "releases/churn/current").resolve()
    store = release / "store/profiles.sqlite"
    content = bytearray(store.read_bytes())
    content[-100] ^= 1
    store.write_bytes(content)
    ran = command("serve", *world.options())
    assert (ran.code, f"{release} is damaged" in ran.err, "store/profiles.sqlite" in ran.err) == (2, True, True), (
        ran.err
    )
    assert command("score", *world.unscored().options(), "--as-of", AS_OF).code == 0
    assert (world.home / "releases/churn/current").resolve() == release
    assert digest_of(release) == release.name


def test_kept_days_that_cannot_be_read_are_named_and_heal_at_the_next_run(
    command: Command, world: TrainedWorld, tmp_path: Path
):
    (manifest,) = world.home.glob("activity/*/manifest.json")
    (batch,) = {*json.loads(manifest.read_text())["days"].values()}
    days = manifest.parent / batch / "days.parquet"
    before, found = days.stat(), bytearray(days.read_bytes())
    found[100:20_000] = bytes(19_900)
    days.write_bytes(found)
    os.utime(days, ns=(before.st_atime_ns, before.st_mtime_ns))
    profiles = ("profiles", *world.options(), "--as-of", AS_OF, "--out", tmp_path / "profiles.parquet", "--json")
    ran = command(*profiles)
    assert (ran.code, "kept days are damaged" in ran.err, days.name in ran.err) == (2, True, True), ran.err
    assert "run the same command again" in json.loads(ran.err.splitlines()[-1])["hint"]
    ran = command(*profiles)
    assert (ran.code, "are rolled up again" in ran.err) == (0, True), ran.err


def test_a_deleted_batch_of_days_heals(command: Command, world: TrainedWorld, trained_world: TrainedWorld):
    for batch in world.home.glob("activity/*/*/"):
        shutil.rmtree(batch)
    ran = command("score", *world.unscored().options(), "--as-of", AS_OF, "--json")
    assert ran.json()["path"] == str(current_of(world.home / "scores/churn" / f"cutoff={AS_OF}" / "model=churn-v1"))
    assert Path(ran.json()["path"]).name == trained_world.said["score"]["path"].rpartition("/")[2]
