"""Who is not contacted: by what is known when a list is made, under any id, whichever version of a list it was, and again in a replay."""

from __future__ import annotations

import json
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from serving.weekly import list_ledger
from tests.builders import values_of
from tests.churn.command import TrainedWorld
from tests.churn.conftest import Command

BEFORE, MONDAY, AFTER = date(2026, 4, 13), date(2026, 4, 20), date(2026, 4, 27)
COOL_DOWN = "export.cool_down_days=14"
HALF = 'lists=[{name="at_risk", at_least="medium", where="hash(user_id) % 2 = 0"}]'


@pytest.fixture
def world(trained_world: TrainedWorld, tmp_path: Path) -> TrainedWorld:
    """A home without lists."""
    found = trained_world.copy_to(tmp_path / "home")
    for part in ("lists/churn", "ledger/churn/lists"):
        (found.home / part / "2026-W18").rename(tmp_path / f"a list of the world {part.count('/')}")
    return found


def options(world: TrainedWorld, *settings: str) -> list[str]:
    return [*world.options(), *(word for one in settings for word in ("--set", one))]


def exported(command: Command, world: TrainedWorld, *settings: str, at: date = MONDAY) -> Path:
    """The folder of the only list."""
    ran = command("export", *options(world, *settings), "--as-of", str(at), "--force", "--json")
    assert ran.code == 0, ran.err
    (found,) = ran.json()["lists"]
    return Path(found["path"])


def users_of(folder: Path, name: str = "upload.csv") -> set[str]:
    return {line.partition(",")[0] for line in (folder / name).read_text().splitlines()[1:]}


def known_by(folder: Path) -> dict[str, str]:
    return json.loads((folder / "manifest.json").read_text())["known_until"]


def replayed(command: Command, world: TrainedWorld, *settings: str) -> list[Any]:
    ran = command("replay", *options(world, *settings), "--mondays", "1", "--json")
    assert ran.code == 0, ran.err
    return ran.json()["mondays"][0]["differing"]


class Tables:
    """What the team's tools know, written anew whenever something is added."""

    def __init__(self, folder: Path, users: list[str]) -> None:
        self._folder, self._rows = (
            folder,
            {"users": [f"{user},yes,yes,2026-01-01" for user in users], "contacts": list[str]()},
        )
        self.add("users")
        self.add("contacts")

    def add(self, name: str, *rows: str) -> None:
        header = {"users": "user_id,newsletter,push,valid_from", "contacts": "user_id,contacted_at"}[name]
        self._rows[name] += rows
        (self._folder / f"{name}.csv").write_text("\n".join([header, *self._rows[name], ""]))

    @property
    def settings(self) -> tuple[str, ...]:
        return (
            f"users.path={self._folder}/users.csv",
            *(f"users.columns.{name}={name}" for name in ("newsletter", "push", "valid_from")),
            "export.opted_out=newsletter = 'no'",
            "export.reachable=push = 'yes'",
            f"contacts.path={self._folder}/contacts.csv",
            COOL_DOWN,
        )


def everybody(world: TrainedWorld) -> list[str]:
    (scores,) = world.home.glob("scores/churn/cutoff=*/model=*/current/scores.parquet")
    return sorted(values_of(pq.ParquetFile(scores).read(), "user_id"))


@pytest.fixture
def tables(world: TrainedWorld, tmp_path: Path) -> Tables:
    return Tables(tmp_path, everybody(world))


def test_who_opted_out_or_was_contacted_since_the_cutoff_is_not_listed_and_a_replay_knows_no_more_than_the_list_did(
    command: Command, world: TrainedWorld, tables: Tables
):
    listed = sorted(users_of(exported(command, world, *tables.settings)))
    opted_out, contacted, unreachable, back, later, *_ = listed
    tables.add("users", f"{opted_out},no,yes,2026-04-20T06:00:00", f"{unreachable},yes,no,2026-04-20T07:00:00")
    tables.add("users", f"{back},no,yes,2026-04-01", f"{back},yes,yes,2026-04-20T07:30:00")
    tables.add("contacts", f"{contacted},2026-04-20T08:00:00")
    found = exported(command, world, *tables.settings)
    assert set(listed) - users_of(found) == {opted_out, contacted, unreachable}
    assert known_by(found) == {"users": "2026-04-20 07:30:00", "contacts": "2026-04-20T08:00:00+00:00", "lists": ""}
    assert exported(command, world, *tables.settings) == found  # the same inputs, the same bytes
    tables.add("users", f"{later},no,yes,2026-04-20T07:30:01")
    tables.add("contacts", f"{later},2026-04-20T08:00:01")
    assert replayed(command, world, *tables.settings) == []
    assert later not in users_of(exported(command, world, *tables.settings))


def test_who_is_reachable_only_since_the_cutoff_waits_for_the_next_list_whose_rows_have_the_ids(
    command: Command, world: TrainedWorld, tables: Tables
):
    user = min(users_of(exported(command, world, *tables.settings)))
    tables.add("users", f"{user},yes,no,2026-04-19", f"{user},yes,yes,2026-04-20T06:00:00")
    assert user not in users_of(exported(command, world, *tables.settings))


def test_a_monday_that_was_not_really_run_is_replayed_by_what_was_known_at_its_cutoff(
    command: Command, world: TrainedWorld, tables: Tables
):
    tables.add("users", *(f"{user},no,yes,2026-04-20T06:00:00" for user in everybody(world)))
    tables.add("contacts", *(f"{user},2026-04-20T08:00:00" for user in everybody(world)))
    quick = ("model.max_rounds=20", "features.windows_days=[7, 28]", "training.max_snapshots=2")
    ran = command("replay", *options(world, *tables.settings, *quick), "--mondays", "1", "--json")
    assert ran.json()["mondays"][0]["contacts"] > 50


def test_a_list_of_before_that_was_recorded_is_replayed_by_what_was_known_at_the_cutoff(
    command: Command, world: TrainedWorld, tables: Tables, monkeypatch: pytest.MonkeyPatch
):
    listed = sorted(users_of(exported(command, world, *tables.settings)))
    tables.add("users", f"{listed[0]},no,yes,2026-04-20T06:00:00")
    tables.add("contacts", f"{listed[1]},2026-04-20T08:00:00")
    read = list_ledger.read_manifest
    monkeypatch.setattr(list_ledger, "read_manifest", lambda folder: read(folder) | {"known_until": None})
    assert replayed(command, world, *tables.settings) == []


def test_who_was_on_an_earlier_version_of_last_weeks_list_is_cleared_or_in_cool_down(
    command: Command, world: TrainedWorld
):
    first, second = exported(command, world), exported(command, world, HALF)
    dropped = users_of(first) - users_of(second)
    assert len(dropped) > 20
    quiet = exported(command, world, COOL_DOWN, at=AFTER)
    assert users_of(quiet).isdisjoint(users_of(first))
    found = exported(command, world, HALF, at=AFTER)
    assert dropped - users_of(found, "holdout.csv") <= users_of(found, "delta.csv")
    assert "none" in (found / "delta.csv").read_text()
    again = exported(command, world, at=AFTER)  # on the list, and new in the tool or not: every cell says what holds
    rows = {line.partition(",")[0]: line for line in (again / "delta.csv").read_text().splitlines()}
    uploaded = {line.partition(",")[0]: line for line in (again / "upload.csv").read_text().splitlines()}
    assert {rows[user] == uploaded[user] for user in dropped & uploaded.keys()} == {True}
    assert {"delta.csv", "upload.csv"} <= {path.name for path in again.iterdir()}


def test_a_cool_down_follows_ids_that_became_one_person(command: Command, world: TrainedWorld, tmp_path: Path):
    exported(command, world, at=MONDAY)
    following = sorted(users_of(exported(command, world, at=MONDAY)) & users_of(exported(command, world, at=AFTER)))
    for part in ("lists/churn", "ledger/churn/lists"):
        (world.home / part / "2026-W18").rename(tmp_path / f"a later list {part.count('/')}")
    in_time, too_late = following[:5], following[5:7]
    rows = [f"{user},person-{user},2026-04-22T12:00:00" for user in in_time]
    rows += [f"{user},person-{user},2026-04-27T00:00:00" for user in too_late]
    (tmp_path / "links.csv").write_text("\n".join(["alias_id,user_id,valid_from", *rows, ""]))
    linked = [f"identities.path={tmp_path}/links.csv"]
    linked += [f"identities.columns.{name}={name}" for name in ("alias_id", "user_id", "valid_from")]
    persons = {f"person-{user}" for user in in_time}
    entered = [
        _entered(exported(command, world, *linked, f"export.cool_down_days={days}", at=AFTER)) for days in (6, 7)
    ]
    assert entered[0] >= {*persons, *too_late}
    assert entered[1].isdisjoint({*persons, *following})


def _entered(folder: Path) -> set[str]:
    """Both arms: a person may be held out though none of the ids was."""
    return users_of(folder) | users_of(folder, "holdout.csv")


def test_a_list_that_is_exported_after_one_of_a_later_cutoff_says_so_and_excludes_who_is_on_that_one(
    command: Command, world: TrainedWorld
):
    later = exported(command, world, at=MONDAY + timedelta(days=5))
    ran = command("export", *options(world, COOL_DOWN), "--as-of", str(MONDAY), "--force", "--json")
    (found,) = ran.json()["lists"]
    assert "lists of later cutoffs exist, the latest of 2026-04-25" in ran.err
    assert users_of(Path(found["path"])).isdisjoint(users_of(later))
    assert known_by(Path(found["path"]))["lists"] == "2026-04-25"
    assert replayed(command, world, COOL_DOWN) == []
    assert users_of(exported(command, world)) & users_of(later)  # without a cool-down it stays what it was
