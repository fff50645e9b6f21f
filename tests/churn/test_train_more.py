"""One training that is asked for everything: several horizons, a search, a refit, past weeks and fewer users."""

from pathlib import Path
from typing import Any

import pytest

from churn.project import Project
from tests.churn.command import TrainedWorld, churn

pytestmark = pytest.mark.slow

ASKED = (
    *("model.max_rounds=8", "model.early_stopping_rounds=3", "training.horizons_days=[7, 14]", "training.refit=true"),
    *("training.backtest_weeks=2", "training.learning_curve=true", "training.search_trials=2", "project.name=more"),
    *("audit.max_rows=1000", "audit.rebuilt_profiles=100", "training.max_snapshots=12", "training.capacity=50"),
    # weekly snapshots fill separate periods at both horizons, where folds would fit everything six times
    *("training.snapshot_every_days=7", "model.logistic_weight=0"),
    *("features.windows_days=[28]", "features.main_event_types=1"),
)


@pytest.fixture(scope="module")
def world(trained_world: TrainedWorld, tmp_path_factory: pytest.TempPathFactory) -> TrainedWorld:
    return trained_world.copy_to(tmp_path_factory.mktemp("more") / "home")


@pytest.fixture(scope="module")
def project(world: TrainedWorld) -> Project:
    return Project(world.config, home=world.home, settings=ASKED)


@pytest.fixture(scope="module")
def found(world: TrainedWorld, project: Project) -> dict[str, Any]:
    told = churn("train", *world.options(), *_flags(), "--json", cwd=world.folder)
    return told.json()["horizons"]


def _flags() -> list[str]:
    return [word for pair in ASKED for word in ("--set", pair)]


def artifacts(project: Project, name: str, run_id: str) -> Path:
    from mlflow import MlflowClient

    store = project.registry_of(name).uri
    return Path(str(MlflowClient(store, store).get_run(run_id).info.artifact_uri).removeprefix("file://"))


def test_each_horizon_is_a_model_of_its_own_name(found: dict[str, Any], project: Project):
    assert {days: report["model"]["name"] for days, report in found.items()} == {"7": "more_7d", "14": "more_14d"}
    models = {days: project.registry_of(f"more_{days}d").get("challenger").model for days in found}
    assert {days: model.definition.horizon_days for days, model in models.items()} == {"7": 7, "14": 14}
    # one build: both read the same columns, learnt before the earliest end of training
    assert models["7"].specification.feature_names == models["14"].specification.feature_names
    assert models["7"].specification.fitted == models["14"].specification.fitted


def test_a_longer_horizon_has_fewer_churners(found: dict[str, Any]):
    assert found["14"]["test"]["churn_rate"] < found["7"]["test"]["churn_rate"]


def test_the_refitted_version_serves_and_the_tested_one_has_the_figures(found: dict[str, Any], project: Project):
    model = found["14"]["model"]
    assert model["version"] != model["tested_version"]
    registry = project.registry_of("more_14d")
    served, tested = registry.get("challenger").model, registry.get(model["tested_version"]).model
    assert served.quality.trained_through > tested.quality.trained_through
    assert served.quality.metrics == tested.quality.metrics
    assert served.calibration == tested.calibration
    assert served.scorer.trees == tested.scorer.trees  # rounds were chosen beforehand


def test_the_run_holds_the_card_the_audit_the_split_and_the_charts(found: dict[str, Any], project: Project):
    kept = artifacts(project, "more_14d", found["14"]["model"]["run_id"])
    names = {path.name for path in kept.iterdir()}
    assert {"card.md", "audit.md", "audit.json", "split.json", "features.json", "evaluation.html"} <= names
    assert {"backtest.json", "learning_curve.json", "calibration.png", "gains.png", "importance.png"} <= names
    card = (kept / "card.md").read_text()
    assert "The serving version is the same recipe, refit on" in card
    assert found["14"]["grade"]["rule"][1:] in card
    assert found["14"]["backtest"]["says"][1:] in card


def test_past_weeks_and_growing_shares_are_told(found: dict[str, Any]):
    assert [len(report["backtest"]["weeks"]) for report in found.values()] == [2, 2]
    for report in found.values():
        users = [point["users"] for point in report["learning_curve"]["points"]]
        assert users == sorted(users)
        assert len(users) > 1


def test_the_trials_of_a_search_are_runs_inside_the_run(found: dict[str, Any], project: Project):
    from mlflow import MlflowClient

    client = MlflowClient(project.registry.uri, project.registry.uri)
    parent = client.get_run(found["7"]["model"]["run_id"])
    inside = client.search_runs([parent.info.experiment_id], f"tags.`mlflow.parentRunId` = '{parent.info.run_id}'")
    assert sorted(str(run.info.run_name) for run in inside) == ["trial 0", "trial 1"]
    assert all(run.data.metrics["inner.log_loss"] > 0 for run in inside)


def test_lift_and_recall_are_told_at_the_teams_capacity(found: dict[str, Any]):
    test = found["7"]["test"]
    churners = test["churn_rate"] * test["users"]
    assert test["recall_at_capacity"] == pytest.approx(test["lift_at_capacity"] * 50 / test["users"])
    assert 0 < test["recall_at_capacity"] <= 50 / churners
