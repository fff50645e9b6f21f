"""`churn status` and `churn doctor`: with nothing there, after a whole week, and with something wrong."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from filelock import FileLock

import churn
from churn.home import Home
from churn.results import Status
from features.storage.versions import current_of
from tests.builders import write
from tests.churn.command import AS_OF, WEEK, TrainedWorld
from tests.churn.conftest import Command

EVENTS = [f"u{user} 2026-01-{5 + day:02}T10:00" for user in range(40) for day in range(0, 20, 1 + user % 4)]


def log_at(folder: Path, lines: list[str]) -> None:
    write(folder / "events/log.parquet", lines)
    (folder / "churn.toml").write_text(
        '[events]\npath = "events/*.parquet"\n[churn]\nhorizon_days = 3\nactive_within_days = 7\n'
    )


# --- Status --------------------------------------------------------------------------------------------------------


def test_in_an_empty_folder_the_first_thing_is_to_describe_a_log(command: Command, tmp_path: Path):
    ran = command("status")
    assert ran.code == 0
    assert ran.out.splitlines()[-1] == "next: churn init PATH"
    assert list(tmp_path.iterdir()) == []


def test_a_log_that_was_read_is_trained_on_next(command: Command, tmp_path: Path):
    log_at(tmp_path, EVENTS)
    assert command("status", "--json").json()["next"] == "churn horizon"
    churn.Project(tmp_path / "churn.toml", home=tmp_path / ".churn").log()
    found = command("status", "--json").json()
    assert (found["log"]["covered_until"], found["log"]["set_aside"]) == ("2026-01-25", 0)
    assert found["next"] == "churn train"
    elsewhere = command(
        "status", "--config", str(tmp_path / "churn.toml"), "--home", str(tmp_path / ".churn"), "--json"
    ).json()
    assert elsewhere["next"] == f"churn train --config {tmp_path / 'churn.toml'} --home {tmp_path / '.churn'}"


def test_an_empty_variable_names_no_home(command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("CHURN_HOME", "")
    assert Path(command("status", "--json").json()["home"]).name == ".churn"


def test_after_a_week_models_release_and_lists_are_told(command: Command, trained_world: TrainedWorld):
    found = command("status", *trained_world.options(), "--json").json()
    assert found["champion"] == found["challenger"] == found["training"]["version"] == "1"
    assert found["training"]["grade"] != "unknown"
    assert found["training"]["audit"] != "unknown"
    assert (found["release"]["version"], found["release"]["cutoff"]) == ("1", AS_OF)
    # the list of 27 April is known on 11 May, and the log ends before that
    assert found["lists"] == [{"week": WEEK, "lists": ["at_risk"], "label_ends": "2026-05-11", "is_closed": False}]


def test_a_challenger_that_was_promoted_is_none_any_more():
    assert Status(None, "", champion="1", challenger="1").summary["challenger"] == "none"
    assert Status(None, "", champion="1", challenger="2").summary["challenger"] == "version 2"


def test_a_list_ends_when_the_model_says_that_scored_it_whatever_the_settings_are_now(
    command: Command, trained_world: TrainedWorld, tmp_path: Path
):
    def ends(world: TrainedWorld, *options: str) -> list[str]:
        ran = command("status", *world.options(), *options, "--json")
        return [one["label_ends"] for one in ran.json()["lists"]]

    longer = ("--set", "churn.horizon_days=30", "--set", "churn.gap_days=2")
    assert ends(trained_world, *longer) == ends(trained_world) == ["2026-05-11"]  # 14 days after 27 April
    # by a version that is not registered: 32 days after
    own = trained_world.copy_to(tmp_path / "home")
    manifest = own.list_folder / "manifest.json"
    manifest.write_text(json.dumps(json.loads(manifest.read_text()) | {"version": "99"}))
    assert ends(own, *longer) == ["2026-05-29"]


def test_a_damaged_release_is_no_bug(command: Command, trained_world: TrainedWorld, tmp_path: Path):
    world = trained_world.copy_to(tmp_path / "home")
    release = current_of(world.home / "releases/churn")
    assert release
    (release / "release.json").write_bytes((release / "release.json").read_bytes()[:40])
    ran = command("status", *world.options(), "--json")
    assert (ran.code, ran.json()["release"]["version"]) == (0, "unknown")


def test_a_week_is_not_proposed_where_a_list_of_a_later_cutoff_exists(
    command: Command, trained_world: TrainedWorld, tmp_path: Path
):
    own = trained_world.copy_to(tmp_path / "home")
    lists = own.home / "lists/churn"
    assert command("status", *own.options(), "--json").json()["next"].startswith("churn export --week 2026-W19")
    (lists / WEEK).rename(lists / "2026-W19-3")
    assert "export" not in command("status", *own.options(), "--json").json()["next"]


def test_status_changes_nothing(command: Command, trained_world: TrainedWorld):
    before = sorted((path, path.stat().st_mtime_ns) for path in trained_world.home.rglob("*") if path.suffix != ".lock")
    command("status", *trained_world.options())
    after = sorted((path, path.stat().st_mtime_ns) for path in trained_world.home.rglob("*") if path.suffix != ".lock")
    assert [path for path, _ in after] == [path for path, _ in before]


# --- Doctor --------------------------------------------------------------------------------------------------------


def checks(command: Command, *options: str) -> dict[str, dict[str, object]]:
    ran = command("doctor", "--json", *options)
    return {one["name"]: one for one in json.loads(ran.out)["checks"]}


def test_with_nothing_there_nothing_is_wrong(command: Command, tmp_path: Path):
    ran = command("doctor")
    assert ran.code == 0, ran.out
    assert "Python" in ran.out
    assert list(tmp_path.iterdir()) == []


def test_a_sound_log_is_fine_and_a_damaged_one_needs_attention(command: Command, tmp_path: Path):
    log_at(tmp_path, EVENTS)
    project = churn.Project(tmp_path / "churn.toml", home=tmp_path / ".churn")
    project.log()
    found = checks(command)
    assert [name for name, one in found.items() if not one["is_fine"]] == []
    assert found["eligible"]["found"] == "40 of 40 users (100.0%) were active in the last 7 days"


def test_rows_set_aside_days_without_events_and_users_long_gone_are_told(command: Command, tmp_path: Path):
    lines = [*EVENTS, *[f"w{user} 2025-11-01T10:00" for user in range(900)], *["x 1970-01-01T00:00"] * 30]
    log_at(tmp_path, lines)
    churn.Project(tmp_path / "churn.toml", home=tmp_path / ".churn").log()
    ran = command("doctor", "--json")
    assert ran.code == 3
    found = {one["name"]: one for one in json.loads(ran.out)["checks"]}
    assert {name for name, one in found.items() if not one["is_fine"]} == {"set aside", "gaps", "eligible"}
    assert "30 of" in found["set aside"]["found"]
    assert "40 of 940 users" in found["eligible"]["found"]
    assert all(one["way_out"] for one in found.values() if not one["is_fine"])


def test_a_lock_that_is_held_is_named(command: Command, tmp_path: Path):
    log_at(tmp_path, EVENTS)
    lock = Home(tmp_path / ".churn").lock("training")
    lock.parent.mkdir(parents=True)
    with FileLock(lock):
        assert not checks(command)["locks"]["is_fine"]
    assert checks(command)["locks"]["is_fine"]


def test_a_home_of_a_newer_version_is_told(command: Command, tmp_path: Path):
    (tmp_path / ".churn").mkdir()
    (tmp_path / ".churn/home.json").write_text('{"format_version": 99}')
    found = checks(command)["home"]
    assert not found["is_fine"]
    assert "format 99" in str(found["found"])


def test_a_store_of_models_that_is_damaged_is_told(command: Command, tmp_path: Path):
    (tmp_path / ".churn").mkdir()
    (tmp_path / ".churn/mlflow.db").write_bytes(b"not a database at all" * 100)
    assert not checks(command)["MLflow"]["is_fine"]


def test_after_a_week_the_doctor_reaches_the_store(command: Command, trained_world: TrainedWorld):
    found = checks(command, *trained_world.options())
    assert found["MLflow"]["found"] == "reachable; latest version of churn: 1"
    assert found["home"]["is_fine"]
