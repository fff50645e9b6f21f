"""train, promote and rollback: what they print, what they change, and what they refuse."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from models.churn_model import ChurnModel
from models.registry.registry import Registry
from models.registry.run_record import RunRecord
from models.scorers.calibration import Platt
from tests.churn.command import TEST_CUTOFF, TrainedWorld
from tests.churn.conftest import Command

PROMISED = """test.auc, test.average_precision, test.log_loss, test.calibration_error, test.lift_at_10, test.users, test.churn_rate,
    baselines.recency.auc, baselines.frequency.auc, model.name, model.version"""


def at(document: Any, path: str) -> Any:
    for key in path.split("."):
        document = document[key]
    return document


# --- train ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", [path.strip() for path in PROMISED.split(",")])
def test_training_says_in_json_what_was_promised(trained_world: TrainedWorld, path: str):
    assert at(trained_world.said["train"], path) is not None


def test_training_beats_both_rules_and_is_not_too_good_to_be_true(trained_world: TrainedWorld):
    found = trained_world.said["train"]
    rules = [rule["auc"] for rule in found["baselines"].values()]
    assert max(rules) < found["test"]["auc"] < 0.90
    assert 0 < found["test"]["calibration_error"] < 0.08
    assert found["test"]["lift_at_10"] > 1.5


def test_training_says_which_days_did_what_and_what_was_excluded(trained_world: TrainedWorld):
    found = trained_world.said["train"]
    assert found["split"]["test"] == TEST_CUTOFF
    assert (
        max(found["split"]["train"]) < found["split"]["validation"][0] < found["split"]["calibration"][0] < TEST_CUTOFF
    )
    assert "longer than the history" in found["excluded"]["events_90d"]


@pytest.fixture(scope="module")
def client(trained_world: TrainedWorld) -> Any:
    import mlflow

    return mlflow.MlflowClient(f"sqlite:///{trained_world.home}/mlflow.db")


def test_the_run_in_mlflow_holds_every_figure_that_was_printed(trained_world: TrainedWorld, client: Any):
    said = trained_world.said["train"]
    run = client.get_run(said["model"]["run_id"])
    assert run.data.metrics["test.auc"] == said["test"]["auc"]
    assert run.data.metrics["baselines.frequency.auc"] == said["baselines"]["frequency"]["auc"]
    assert run.data.params["churn.horizon_days"] == "14"
    assert run.data.params["training.seed"] == "7"


def test_the_run_in_mlflow_holds_the_features_the_split_and_the_pictures(trained_world: TrainedWorld, client: Any):
    run_id = trained_world.said["train"]["model"]["run_id"]
    kept = {found.path for found in client.list_artifacts(run_id)}
    assert {"features.json", "split.json", "calibration.png", "gains.png", "importance.png"} <= kept
    contexts = {tag.value for found in client.get_run(run_id).inputs.dataset_inputs for tag in found.tags}
    assert contexts == {"training", "validation", "calibration", "test"}


def test_the_number_of_trees_is_that_of_the_saved_model(trained_world: TrainedWorld, champion: ChurnModel):
    assert trained_world.said["train"]["model"]["trees"] == champion.scorer.trees
    assert trained_world.said["train"]["model"]["features"] == len(champion.specification.used_names)


# --- promote and rollback ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def champion(trained_world: TrainedWorld) -> ChurnModel:
    return Registry(trained_world.home, "churn").get("champion").model


Register = Callable[[ChurnModel], str]


@pytest.fixture
def world(trained_world: TrainedWorld, tmp_path: Path) -> TrainedWorld:
    return trained_world.copy_to(tmp_path / "home")


@pytest.fixture
def register(world: TrainedWorld, tmp_path: Path) -> Register:
    """Register another challenger; return its version."""
    (tmp_path / "artifacts").mkdir()
    return lambda model: registered(world, model, artifacts=tmp_path / "artifacts")


def registered(world: TrainedWorld, model: ChurnModel, *, artifacts: Path) -> str:
    tags = {"split": "periods", "audit": "clean"}
    run = RunRecord(model, {}, {"test.auc": 0.5}, tags, {"test": "c" * 64}, artifacts)
    return Registry(world.home, "churn").log(run).version


@pytest.fixture(scope="module")
def worse(
    trained_world: TrainedWorld, champion: ChurnModel, tmp_path_factory: pytest.TempPathFactory
) -> tuple[TrainedWorld, str]:
    """A home with a challenger that is worse than its champion and stays challenger, and the challenger's version."""
    place = tmp_path_factory.mktemp("worse")
    world = trained_world.copy_to(place / "home")
    (place / "artifacts").mkdir()
    return world, registered(world, shifted(champion, 3.0), artifacts=place / "artifacts")


def shifted(model: ChurnModel, by: float) -> ChurnModel:
    """The same ranking, with probabilities that are off."""
    return replace(model, calibration=Platt(1.0, by))


def aliases(world: TrainedWorld) -> dict[str, str]:
    registry = Registry(world.home, "churn")
    return {alias: registry.get(alias).version for alias in ("challenger", "champion") if registry.has(alias)}


def store_of(world: TrainedWorld) -> Any:
    import mlflow

    return mlflow.MlflowClient(f"sqlite:///{world.home}/mlflow.db")


def written_down(world: TrainedWorld, version: str) -> tuple[str, Any]:
    """The tag of a version, and the decision in the artifacts of its run."""
    found = store_of(world).get_model_version("churn", version)
    import mlflow.artifacts

    at_run = {"run_id": found.run_id, "tracking_uri": f"sqlite:///{world.home}/mlflow.db"}
    paths = [mlflow.artifacts.download_artifacts(artifact_path=f"decision.{kind}", **at_run) for kind in ("json", "md")]
    assert Path(paths[1]).read_text().startswith("# ")
    return found.tags["decision"], json.loads(Path(paths[0]).read_text())


def test_the_first_champion_was_promoted_with_its_reason(trained_world: TrainedWorld):
    said = trained_world.said["promote"]
    assert (said["promoted"], said["version"], said["cutoffs"]) == (True, "1", [TEST_CUTOFF])
    assert "in the absence of a champion" in said["why"]
    assert {gate["name"]: gate["passed"] for gate in said["gates"]}["leakage audit"]


def test_a_worse_challenger_is_refused_with_3_and_the_champion_stays(command: Command, worse: tuple[TrainedWorld, str]):
    world, version = worse
    ran = command("promote", *world.options(), "--dry-run")
    assert (ran.code, "failed" in ran.out) == (3, True)
    assert aliases(world) == {"challenger": version, "champion": "1"}
    found = store_of(world).get_model_version("churn", version)
    assert "decision" not in found.tags
    assert "decision.json" not in [one.path for one in store_of(world).list_artifacts(found.run_id)]

    ran = command("promote", *world.options(), "--json")
    assert ran.code == 3
    assert ran.json()["promoted"] is False
    assert "it is worse" in ran.err
    assert aliases(world) == {"challenger": version, "champion": "1"}
    text, decision = written_down(world, version)
    assert (decision["promoted"], decision["challenger"]) == (False, version)
    assert text == decision["why"] == ran.json()["why"]


def test_a_better_challenger_becomes_champion_and_a_rollback_takes_it_back(
    command: Command, world: TrainedWorld, register: Register, champion: ChurnModel
):
    # a bad champion by hand, from other days than the challenger's: then what was trained is the better challenger
    of_other_days = replace(champion, specification=structs.replace(champion.specification, session_gap_minutes=20))
    bad = register(shifted(of_other_days, 3.0))
    Registry(world.home, "churn").promote(bad, why="by hand")
    good = register(champion)

    dry = command("promote", *world.options(), "--dry-run", "--json")
    assert (dry.code, dry.json()["promoted"], dry.json()["dry_run"]) == (0, True, True)
    assert aliases(world) == {"challenger": good, "champion": bad}

    ran = command("promote", *world.options(), "--json")
    assert (ran.code, ran.json()["promoted"], ran.json()["version"]) == (0, True, good)
    assert aliases(world) == {"challenger": good, "champion": good}
    assert written_down(world, good)[1]["against"] == f"champion (version {bad})"

    again = command("promote", *world.options())
    assert again.code == 3
    assert "already champion" in again.err

    back = command("rollback", *world.options(), "--json")
    assert (back.code, back.json()) == (0, {"from": good, "to": bad})
    assert aliases(world)["champion"] == bad
    assert command("rollback", *world.options()).code == 0
    assert command("rollback", *world.options()).code == 3
    assert aliases(world)["champion"] == "1"


def test_a_model_that_has_seen_every_finished_week_and_does_not_tell_its_recipe_is_refused(
    command: Command, world: TrainedWorld, register: Register, champion: ChurnModel
):
    version = register(replace(champion, quality=replace(champion.quality, trained_through=date(2026, 4, 22))))
    ran = command("promote", *world.options())
    assert ran.code == 3
    assert "did not record its settings" in ran.err
    assert aliases(world)["champion"] == "1"
    assert "did not record its settings" in store_of(world).get_model_version("churn", version).tags["decision"]


def test_settings_that_contradict_the_challenger_exit_with_2(command: Command, worse: tuple[TrainedWorld, str]):
    world, _ = worse
    ran = command("promote", *world.options(), "--set", "churn.active_within_days=7")
    assert ran.code == 2
    assert "churn.active_within_days is 7 (flag), but the model was trained with 14" in ran.err


def test_models_of_another_definition_of_churn_are_not_compared(
    command: Command, world: TrainedWorld, register: Register, champion: ChurnModel
):
    # the challenger predicts 7 days: on its labels a champion that predicts 14 would always look worse
    (world.home.parent / "open.toml").write_text(
        world.config.read_text().replace("horizon_days = 14", "").replace('path = "', f'path = "{world.folder}/')
    )
    register(replace(champion, definition=replace(champion.definition, horizon_days=7)))
    ran = command("promote", "--config", world.home.parent / "open.toml", "--home", world.home)
    assert ran.code == 3, ran.out
    assert "they predict different things" in ran.err
    assert aliases(world)["champion"] == "1"
