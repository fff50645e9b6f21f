"""New users have a model of their own: trained, promoted and told of beside the champion, which it leaves as it is."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from datetime import UTC, date
from pathlib import Path
from typing import Any

import duckdb
import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from churn.project import Project
from features.eligibility import TENURE
from models.churn_model import ChurnModel
from models.registry.run_record import RunRecord
from seeds.simulate import World, simulate
from serving.http.endpoint import Endpoint
from serving.release.bundle import read_bundle
from tests.churn.command import churn

AS_OF, WEEK = "2026-03-16", "2026-W12"  # a Monday
NEW = ("--set", "training.population=new")
# a small model of few features: what is tested is who is trained on and scored by which, not how well
SMALL = """min_tenure_days = 8
[features]
windows_days = [3, 7, 28]
main_event_types = 1
[model]
max_rounds = 8
logistic_weight = 0
[training]
min_class_users = 10
max_snapshots = 10
[audit]
max_rows = 1000
rebuilt_profiles = 100
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, empty_store: Path) -> Path:
    """A simulated world in which some 120 users are new at each cutoff, with a champion for everybody else."""
    place = tmp_path_factory.mktemp("new")
    simulate(World(users=2_300, days=75, seed=3), place)
    shutil.copytree(empty_store, place / ".churn")
    with (place / "churn.toml").open("a") as config:
        config.write(SMALL)
    promoted(place, project_of(place).train().to_json())
    return place


@pytest.fixture(scope="module")
def before(folder: Path) -> pa.Table:
    """All users as they are scored while there is no model of new users."""
    return scores_of(folder)


@dataclass(frozen=True)
class TrainedOnNew:
    """The model of new users, promoted, and what its training printed."""

    version: str
    model: ChurnModel
    printed: str


@pytest.fixture(scope="module")
def new_users(folder: Path, before: pa.Table) -> TrainedOnNew:
    del before
    printed = churn("train", *NEW, cwd=folder).out
    registry = project_of(folder).registry_of("churn-new")
    found = registry.get("challenger")
    registry.promote(found.version, why="for this test")
    return TrainedOnNew(found.version, found.model, printed)


@pytest.fixture(scope="module")
def after(folder: Path, new_users: TrainedOnNew) -> pa.Table:
    """All users as both models score them."""
    del new_users
    return scores_of(folder)


def project_of(folder: Path, *settings: str) -> Project:
    return Project(folder / "churn.toml", home=folder / ".churn", settings=settings)


def scores_of(folder: Path) -> pa.Table:
    found = project_of(folder).score(AS_OF)
    return found.to_arrow()


def promoted(folder: Path, report: dict[str, Any]) -> dict[str, Any]:
    """Promote a model whatever the gates say of so few users."""
    project_of(folder).registry_of(report["model"]["name"]).promote(report["model"]["version"], why="for this test")
    return report


def test_it_is_registered_under_a_name_of_its_own_and_the_champion_stays(folder: Path, new_users: TrainedOnNew):
    assert new_users.printed.splitlines()[-1] == "next: churn promote --set training.population=new"
    status = churn("status", "--json", cwd=folder).json()
    assert (status["champion"], status["new_users"]) == ("1", {"champion": "1", "challenger": "1"})
    assert "champion version 1; challenger version 1" in churn("status", cwd=folder).out


def test_where_there_is_none_status_says_nothing_of_it(folder: Path, tmp_path: Path):
    other = ("--set", "project.name=other", "--json")
    assert "new_users" not in churn("status", *other, cwd=folder).json()


def test_it_is_trained_and_tested_on_new_users_only(folder: Path, new_users: TrainedOnNew):
    data = project_of(folder, "training.population=new").training_data()
    tenure = data.X[TENURE]
    assert (tenure.min(), tenure.max()) == (1, 7)
    # who is too new for the champion, and nobody else
    tested = new_users.model.known_cutoffs[-1]
    seen = project_of(folder).profiles(tested.cutoff).to_pandas().set_index("user_id")
    too_new = seen[(seen[TENURE] < 8) & (seen["days_since_last_event"] <= 14)]
    assert set(data.groups[data.part == "test"]) == set(too_new.index)
    assert len(too_new) == tested.rows


def test_the_gates_judge_it_against_a_rule_or_its_own_champion(folder: Path, new_users: TrainedOnNew, tmp_path: Path):
    run = RunRecord(new_users.model, {}, {"test.auc": 0.5}, {"audit": "clean"}, {"test": "c" * 64}, tmp_path)
    assert project_of(folder).registry_of("churn-new").log(run).version == "2"
    decided = churn("promote", "--dry-run", *NEW, cwd=folder)
    assert "Version 2 against the champion (version 1)" in decided.out
    assert churn("reliability", *NEW, "--json", cwd=folder).json()["model"]["name"] == "churn-new"


@pytest.mark.parametrize("verb", [("score", "--as-of", "2026-03-01"), ("export", "--week", "2026-W10"), ("outcomes",)])
@pytest.mark.usefixtures("new_users")
def test_it_never_scores_alone(folder: Path, verb: tuple[str, ...]):
    told = churn(*verb, *NEW, cwd=folder)
    assert told.code == 2
    assert "churn-new is trained, promoted and checked by itself, and never scores alone" in told.err


# --- Scores and lists ------------------------------------------------------------------------------------------------


def test_who_is_too_new_for_the_champion_is_scored_by_it_and_nobody_elses_score_changes(
    folder: Path, before: pa.Table, after: pa.Table
):
    is_new = np.asarray(after.column("scored_by").is_valid())
    assert set(after.column("scored_by").unique().to_pylist()) == {None, "churn-new/1"}
    others = pa.array(~is_new)
    assert after.filter(others).drop_columns("scored_by").equals(before.filter(others))
    assert set(before.filter(pa.array(is_new)).column("code").to_pylist()) == {"not_eligible"}
    # as the model itself scores the profiles that it reads, at its base rate
    project = project_of(folder)
    model, profiles = project.registry_of("churn-new").get("champion").model, new_profiles(project)
    assert profiles.column("user_id").to_pylist() == after.column("user_id").filter(pa.array(is_new)).to_pylist()
    odds = {
        name: np.log(p / (1 - p)) for name, p in (("own", model.predict_probability(profiles)), ("said", said(after)))
    }
    shift = odds["said"] - odds["own"]
    assert np.ptp(shift) < 1e-9
    assert abs(shift[0]) < 0.5
    reasons = after.filter(pa.array(is_new)).column("reason_1_feature").to_pylist()
    assert {one for one in reasons if one} <= set(model.specification.feature_names)


def new_profiles(project: Project) -> pa.Table:
    from features.profiles.build import build_profiles

    model = project.registry_of("churn-new").get("champion").model
    where = f"{TENURE} between 1 and 7 and {model.eligibility.sql()}"
    return build_profiles(project.activity(), model.specification, cutoffs=[date.fromisoformat(AS_OF)], where=where)


def said(scores: pa.Table) -> Any:
    new = scores.filter(scores.column("scored_by").is_valid())
    return new.column("churn_probability").to_numpy()


def test_what_was_scored_is_not_scored_again(folder: Path, after: pa.Table):
    steps = list[str]()
    again = project_of(folder).score(AS_OF, say=steps.append)
    assert "nothing is scored again" in steps
    assert again.to_arrow().equals(after)
    assert again.to_json()["new_users"] == len(after.column("scored_by").drop_null())
    assert again.to_json()["new_users_scored_by"] == "churn-new/1"


@pytest.mark.usefixtures("after")
def test_the_list_has_new_users_among_the_others_by_their_probability(folder: Path):
    ran = churn("export", "--week", WEEK, "--force", "--set", "export.at_least=medium", "--json", cwd=folder).json()
    (written,) = ran["lists"]
    assert "too new" not in written["excluded"]
    place = folder / written["path"]
    rows = pq.read_table(place / "at_risk.parquet")
    assert set(rows.column("scored_by").to_pylist()) == {None, "churn-new/1"}
    probabilities = rows.column("churn_probability").to_numpy()
    assert (np.diff(probabilities) <= 0).all()
    assert pc.all(rows.column("reason_1").is_valid()).as_py()
    assert "scored by churn version 1, new users by churn-new version 1" in (place / "at_risk.html").read_text()


@pytest.mark.usefixtures("after")
def test_the_account_of_past_lists_holds_them_to_the_same_label(folder: Path):
    earlier = project_of(folder).score("2026-03-02").to_arrow()
    found = project_of(folder).outcomes(date(2026, 3, 20)).weeks[0]
    assert found.users.num_rows == len(earlier.column("raw_score").drop_null())


# --- Service ---------------------------------------------------------------------------------------------------------


def test_the_service_answers_for_new_users_and_names_the_model(folder: Path, after: pa.Table):
    endpoint = Endpoint(read_bundle((folder / ".churn/releases/churn/current").resolve()))
    new, other = (
        after.filter(mask).slice(0, 1).to_pylist()[0]
        for mask in (
            after.column("scored_by").is_valid(),
            pc.and_(after.column("scored_by").is_null(), after.column("raw_score").is_valid()),
        )
    )
    body = msgspec.json.encode({"items": [{"user_id": one["user_id"]} for one in (new, other)]})
    answer = msgspec.json.decode(endpoint.answer(body, request_id="r"))
    assert answer["model"]["name"] == "churn"
    first, second = answer["results"]
    assert (first["scored_by"], first["churn_probability"]) == ("churn-new/1", new["churn_probability"])
    assert first["reasons"][0]["text"] == new["reason_1"]
    assert ("scored_by" in second, second["churn_probability"]) == (False, other["churn_probability"])


def test_events_of_a_new_user_are_scored_by_it_and_those_of_others_by_the_champion(folder: Path, after: pa.Table):
    endpoint = Endpoint(read_bundle((folder / ".churn/releases/churn/current").resolve()))
    is_new, is_known = after.column("scored_by").is_valid(), after.column("raw_score").is_valid()
    chosen = [after.filter(mask).slice(0, 3).to_pylist() for mask in (is_new, pc.and_(is_known, pc.invert(is_new)))]
    expected = [one for some in chosen for one in some]
    answer = msgspec.json.decode(
        endpoint.answer(msgspec.json.encode({"items": items_of(folder, expected)}), request_id="r")
    )
    found = [(one["user_id"], one.get("scored_by"), one["churn_probability"]) for one in answer["results"]]
    assert found == [
        (one["user_id"], one["scored_by"], pytest.approx(one["churn_probability"], abs=1e-9)) for one in expected
    ]
    # without events before as_of nobody is scored, as ever
    item = items_of(folder, expected[:1])[0] | {"as_of": "2026-01-05T00:00:00Z"}
    (none,) = msgspec.json.decode(endpoint.answer(msgspec.json.encode({"items": [item]}), request_id="r"))["results"]
    assert (none["code"], "scored_by" in none) == ("no_events", False)


def items_of(folder: Path, users: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """All events of users, as an app would send them."""
    log = duckdb.connect().sql(
        f"select * exclude (day) from read_parquet('{folder}/events/**/*.parquet', hive_partitioning = true)"
    )
    at = f"{AS_OF}T00:00:00Z"
    items: list[dict[str, Any]] = []
    for user in (one["user_id"] for one in users):
        rows = (
            log.filter(f"user_id = '{user}'").order("event_time").to_arrow_table().drop_columns("user_id").to_pylist()
        )
        events = [{name: value for name, value in row.items() if value is not None} for row in rows]
        for event in events:
            event["event_time"] = event["event_time"].replace(tzinfo=UTC)
        items.append({"user_id": user, "events": events, "as_of": at})
    return items


@pytest.mark.usefixtures("after")
def test_what_the_service_starts_from_keeps_the_model_of_new_users(folder: Path):
    written = read_bundle(project_of(folder).bundle().resolve())
    assert written.new_users is not None
    assert written.new_users.scored_by == "churn-new/1"
    assert written.new_users.model.shift != written.model.shift


@pytest.mark.usefixtures("after")
def test_a_replayed_week_has_them_scored_by_the_model_of_that_week(folder: Path):
    monday = date(2026, 3, 2)  # the latest whose horizon is over
    project = project_of(folder)
    project.export(monday, force=True)
    listed = project.home.weekly_list("churn", "2026-W10", "at_risk") / "current/at_risk.parquet"
    assert "churn-new/1" in pq.ParquetFile(listed).read()["scored_by"].to_pylist()
    (found,) = project.replay(1).mondays
    assert (found.cutoff, found.differing) == (monday, ())
