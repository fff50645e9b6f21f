"""A list is compared with that of the week before, and is not written where something should be checked first."""

from __future__ import annotations

import json
import shutil
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from churn.project import Project
from features.storage.versions import Place
from serving.batch.scored_batch import Batch, write_ledger
from tests.churn.command import AS_OF, Ran, TrainedWorld, churn
from tests.churn.conftest import Command

BEFORE = "2026-04-20"
HALF = 'lists=[{name="at_risk", at_least="medium", where="hash(user_id) % 2 = 0"}]'
COSTS = "save_rate=0.1, cost_per_contact=1.0, incentive=2.0, taken_by_stayers=0.3"
BY_PROFIT = f'lists=[{{name="at_risk", value="50 + active_days_28d", {COSTS}}}]'


@pytest.fixture(scope="module")
def world(trained_world: TrainedWorld, tmp_path_factory: pytest.TempPathFactory) -> TrainedWorld:
    """A home with the list of the week before."""
    folder = tmp_path_factory.mktemp("review")
    found = trained_world.copy_to(folder / "home")
    assert churn("export", *found.options(), "--as-of", BEFORE, cwd=folder).code == 0
    return found


def export(command: Command, world: TrainedWorld, *more: str, at: str = AS_OF) -> Ran:
    return command("export", *world.options(), "--as-of", at, *more, "--json")


def write_scores_as_of(day: date, world: TrainedWorld) -> None:
    """Keep the scores of the world in the ledger once more, as those of another day."""
    home = Project(home=world.home).home
    scores = pq.ParquetFile(home.ledger("churn", date.fromisoformat(AS_OF), "1") / "current/scores.parquet").read()
    write_ledger(Batch(day, "churn", "1", "abc"), scores=scores, place=Place(home.ledger("churn", day, "1")))


def codes(ran: Ran) -> list[str]:
    return [one["code"] for one in ran.json()["concerns"]]


def manifest_of(found: Any) -> dict[str, Any]:
    return json.loads((Path(found["path"]) / "manifest.json").read_text())


def test_a_usual_week_says_what_changed_and_goes_out(command: Command, world: TrainedWorld):
    ran = export(command, world)
    assert (ran.code, codes(ran)) == (0, [])
    changes = ran.json()["changes"]
    assert (changes["since"], changes["model"]) == (BEFORE, None)
    assert changes["counts"]["stayed"] > 0
    (found,) = ran.json()["lists"]
    assert manifest_of(found)["forced_although"] == []
    page = (Path(found["path"]) / "at_risk.html").read_text()
    assert f"Users since {BEFORE}" in page


def test_scores_of_a_day_in_between_do_not_take_the_place_of_last_weeks_lists(
    command: Command, world: TrainedWorld, tmp_path: Path
):
    own = world.copy_to(tmp_path / "home")
    usual = export(command, own, "--dry-run").json()["changes"]
    write_scores_as_of(date(2026, 4, 23), own)
    ran = export(command, own, "--set", HALF, "--dry-run")
    assert codes(ran) == ["size_moved"]
    assert ran.json()["changes"] == usual


@pytest.mark.parametrize(("days", "since"), [(("20", "24", "26"), "20"), (("15", "24"), "24"), (("15",), None)])
def test_without_lists_the_scores_nearest_to_a_week_before_are_compared(
    command: Command, trained_world: TrainedWorld, tmp_path: Path, days: tuple[str, ...], since: str | None
):
    own = trained_world.copy_to(tmp_path / "home")
    for day in days:
        write_scores_as_of(date.fromisoformat(f"2026-04-{day}"), own)
    changes = export(command, own, "--dry-run").json()["changes"]
    assert (changes and changes["since"]) == (since and f"2026-04-{since}")


def test_a_list_of_half_the_size_is_not_written_unless_forced_and_that_is_recorded(
    command: Command, world: TrainedWorld, tmp_path: Path
):
    own = world.copy_to(tmp_path / "home")
    assert codes(export(command, own, "--set", HALF, "--dry-run")) == ["size_moved"]
    refused = export(command, own, "--set", HALF)
    assert refused.code == 3
    assert "look at what changed" in refused.out + refused.err
    lists = own.home / "lists/churn/2026-W18/at_risk/current"
    before = lists.resolve()
    forced = export(command, own, "--set", HALF, "--force")
    (found,) = forced.json()["lists"]
    assert forced.code == 0
    assert lists.resolve() != before
    assert [one["code"] for one in manifest_of(found)["forced_although"]] == ["size_moved"]


def test_another_model_than_last_week_is_said_and_its_part_of_the_changes_is_told_apart(
    command: Command, world: TrainedWorld, tmp_path: Path
):
    own = world.copy_to(tmp_path / "home")
    home = Project(home=own.home).home
    place, earlier = (
        home.ledger("churn", date.fromisoformat(BEFORE), "1"),
        home.ledger("churn", date.fromisoformat(BEFORE), "0"),
    )
    rows = pq.ParquetFile(place / "current/scores.parquet").read()
    bands = rows["risk_band"].to_pylist()
    low = [row for row, band in enumerate(bands) if band == "low"][:100]  # whom another model called high
    for row in low:
        bands[row] = "high"
    batch = Batch(date.fromisoformat(BEFORE), "churn", "0", "abc")
    by_another = rows.set_column(rows.column_names.index("risk_band"), "risk_band", pa.array(bands))
    write_ledger(batch, scores=by_another, place=Place(earlier))
    shutil.rmtree(place)
    ran = export(command, own, "--dry-run")
    assert "model_changed" in codes(ran)
    moved = {(one["before"], one["now"]): one["users"] for one in ran.json()["changes"]["model"]}
    assert moved["high", "low"] == len(low) == 100
    assert sum(moved.values()) == rows.num_rows
    assert [pair for pair in moved if pair[0] != pair[1]] == [("high", "low")]
    users = export(command, world, "--dry-run").json()["changes"]["users"]
    assert ran.json()["changes"]["users"] == users  # what users did does not depend on the other model


def test_a_list_by_profit_says_what_it_should_earn(command: Command, world: TrainedWorld):
    (found,) = export(command, world, "--set", BY_PROFIT, "--dry-run").json()["lists"]
    assert found["expected_profit"] > 0
    assert 0 < found["pays_from"] < 0.1
    assert 0 < found["also_by_risk"] <= found["treated"] + found["held_out"]
