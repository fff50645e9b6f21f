"""What a run leaves in MLflow, in whose store, and what is found there again."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from features.errors import InputError
from models.registry.registry import CHALLENGER, CHAMPION, RegisteredModel, Registry
from tests.models.run_builder import PROJECT


@pytest.fixture
def client(registry: Registry) -> Any:
    import mlflow

    return mlflow.MlflowClient(registry.uri)


@pytest.fixture
def run(client: Any, logged: RegisteredModel) -> Any:
    return client.get_run(logged.run_id)


# --- What a run holds ----------------------------------------------------------------------------------------------


def test_a_run_holds_parameters_figures_and_tags(run: Any):
    assert run.data.params == {"churn.horizon_days": "14", "churn.qualifying": ""}
    metrics = {name: value for name, value in run.data.metrics.items() if not name.startswith("system/")}
    assert metrics == {"test.auc": 0.8125, "baselines.recency.auc": 0.75}
    assert run.data.tags["split"] == "folds"
    assert run.info.status == "FINISHED"


def test_a_run_names_the_data_it_saw_by_context_and_digest(run: Any):
    found = {found.tags[0].value: found.dataset for found in run.inputs.dataset_inputs}
    assert {context: (data.name, data.digest) for context, data in found.items()} == {
        "training": ("training_profiles", "a" * 36),
        "test": ("test_profiles", "b" * 36),
    }


def test_a_run_keeps_the_artifacts_it_was_given(client: Any, logged: RegisteredModel):
    assert "split.json" in {found.path for found in client.list_artifacts(logged.run_id)}


def test_everything_lies_in_the_home(home: Path, run: Any):
    assert (home / "mlflow.db").exists()
    assert Path(run.info.artifact_uri.removeprefix("file://")).is_relative_to(home)


def test_the_experiment_and_the_registered_model_bear_the_name_of_the_project(client: Any, run: Any):
    assert client.get_experiment(run.info.experiment_id).name == PROJECT
    assert client.get_registered_model(PROJECT).name == PROJECT


def test_what_was_logged_last_is_the_challenger_and_nobody_is_champion(registry: Registry, logged: RegisteredModel):
    assert registry.get(CHALLENGER).version == logged.version == "1"
    assert not registry.has(CHAMPION)


# --- What is found -------------------------------------------------------------------------------------------------


def test_a_version_can_be_asked_for_by_number(registry: Registry, logged: RegisteredModel):
    assert registry.get("1").run_id == logged.run_id


@pytest.mark.parametrize("requested", ["champion", "7", "nobody", "", "a b/c"])
def test_what_is_not_registered_is_an_input_error(registry: Registry, requested: str):
    with pytest.raises(InputError, match="no model"):
        registry.get(requested)


def test_the_settings_of_a_version_are_told_without_its_model(registry: Registry, client: Any, logged: RegisteredModel):
    recorded = client.get_run(logged.run_id).data.params
    assert recorded
    assert registry.parameters_of("1") == registry.parameters_of("challenger") == recorded
    assert registry.parameters_of("99") == {}
    client._tracking_client.store._hard_delete_run(logged.run_id)  # as `mlflow gc` does
    assert registry.parameters_of("1") == {}


def test_a_version_bears_the_decision_about_it(registry: Registry, client: Any, logged: RegisteredModel):
    registry.note(logged.version, "a rule does better")
    assert client.get_model_version(PROJECT, logged.version).tags["decision"] == "a rule does better"


# --- Which store ---------------------------------------------------------------------------------------------------


def test_another_tracking_store_is_respected(
    home: Path, logged: RegisteredModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    shutil.copy(home / "mlflow.db", tmp_path / "elsewhere.db")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/elsewhere.db")
    assert Registry(tmp_path / "home", PROJECT).has(CHALLENGER)
    assert not (tmp_path / "home" / "mlflow.db").exists()


def test_two_projects_in_one_process_keep_their_stores_apart(
    home: Path, logged: RegisteredModel, empty_store: Path, tmp_path: Path
):
    other = shutil.copytree(empty_store, tmp_path / "other")
    assert Registry(home, PROJECT).has(CHALLENGER)
    assert not Registry(other, PROJECT).has(CHALLENGER)
    assert Registry(home, PROJECT).has(CHALLENGER)
