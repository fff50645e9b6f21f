"""What the run of a training tells in MLflow, from its start to its end."""

import json
import shutil
import uuid
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from features.errors import CheckFailed
from models.churn_model import ChurnModel
from models.registry.registry import CHALLENGER, RegisteredModel, Registry
from models.registry.run_record import ChildRun, DatasetRecord, MetricHistory, RunRecord, shortened
from tests.models.model_builder import tiny_model

PROJECT = "shop"
DESCRIPTION = "# Good\n\nAUC .812 on 2026-05-18, the recency rule .750."
WEEKS = (date(2026, 5, 4), date(2026, 5, 11), date(2026, 5, 18))


def refitted(model: ChurnModel) -> ChurnModel:
    return replace(model, quality=replace(model.quality, trained_through=date(2026, 6, 1)))


def full_run(folder: Path) -> RunRecord:
    """A run with everything that one can hold."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "card.md").write_text(DESCRIPTION)
    return RunRecord(
        model=tiny_model(),
        parameters={f"model.p{number}": number for number in range(150)},  # more than MLflow takes at a time
        metrics={"test.auc": 0.8125, "baselines.recency.auc": 0.75},
        tags={"grade": "good"},
        datasets={
            "training": DatasetRecord("a" * 64, "s3://logs/*.parquet", {"num_rows": 800, "churn_rate": 0.25}),
            "test": DatasetRecord("b" * 64, "/data/log.parquet", {"num_rows": 200}),
        },
        artifacts=folder,
        name="2026-05-18 14d",
        description=DESCRIPTION,
        refitted=refitted(tiny_model()),
        steps={
            "boosting.log_loss": MetricHistory([0.7, 0.5, 0.4]),
            "backtest.auc": MetricHistory([0.8, 0.81, 0.79], WEEKS),
        },
        children=[
            ChildRun("trial 1", {"num_leaves": 7}, {"log_loss": 0.51}, {"state": "pruned"}),
            ChildRun("trial 2", {"num_leaves": 15}, {"log_loss": 0.48}),
        ],
    )


@pytest.fixture(scope="module")
def registry(empty_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Registry:
    return Registry(Path(shutil.copytree(empty_store, tmp_path_factory.mktemp("store") / "home")), PROJECT)


@pytest.fixture(scope="module")
def logged(registry: Registry, tmp_path_factory: pytest.TempPathFactory) -> RegisteredModel:
    return registry.log(full_run(tmp_path_factory.mktemp("artifacts")))


@pytest.fixture
def client(registry: Registry) -> Any:
    import mlflow

    return mlflow.MlflowClient(registry.uri)


@pytest.fixture
def run(client: Any, logged: RegisteredModel) -> Any:
    return client.get_run(logged.run_id)


# --- What stands on the page of the run ----------------------------------------------------------------------------


def test_a_run_has_a_name_and_a_description(run: Any):
    assert run.info.run_name == "2026-05-18 14d"
    assert run.data.tags["mlflow.note.content"] == DESCRIPTION
    assert run.data.tags["grade"] == "good"
    assert len(run.data.params) == 150


def test_a_run_names_the_commit_of_the_folder_it_was_started_in(run: Any):
    assert len(run.data.tags.get("mlflow.source.git.commit", "0" * 40)) == 40


def test_data_sets_tell_their_source_their_size_and_their_columns(run: Any):
    found = {one.tags[0].value: one.dataset for one in run.inputs.dataset_inputs}
    assert (found["training"].source_type, json.loads(found["training"].source)) == (
        "s3",
        {"uri": "s3://logs/*.parquet"},
    )
    assert (found["test"].source_type, json.loads(found["test"].source)) == ("local", {"uri": "/data/log.parquet"})
    assert json.loads(found["training"].profile) == {"num_rows": 800, "churn_rate": 0.25}
    columns = json.loads(found["test"].schema)["mlflow_colspec"]
    assert [column["name"] for column in columns] == list(tiny_model().specification.feature_names)


def test_a_curve_has_a_value_a_step_and_a_backtest_the_day_of_each_week(client: Any, logged: RegisteredModel):
    rounds = client.get_metric_history(logged.run_id, "boosting.log_loss")
    assert [(point.step, point.value) for point in rounds] == [(1, 0.7), (2, 0.5), (3, 0.4)]
    weeks = client.get_metric_history(logged.run_id, "backtest.auc")
    assert [point.timestamp for point in weeks] == [1777852800000, 1778457600000, 1779062400000]  # midnights, UTC


def test_a_search_is_nested_runs(client: Any, run: Any):
    asked = f"tags.`mlflow.parentRunId` = '{run.info.run_id}'"
    found = {child.info.run_name: child for child in client.search_runs([run.info.experiment_id], asked)}
    assert set(found) == {"trial 1", "trial 2"}
    pruned = found["trial 1"]
    assert (pruned.data.params, pruned.data.metrics) == ({"num_leaves": "7"}, {"log_loss": 0.51})
    assert (pruned.data.tags["state"], pruned.info.status) == ("pruned", "FINISHED")


def test_the_shortest_run_has_a_sample_of_the_machine(run: Any):
    assert run.data.metrics["system/system_memory_usage_megabytes"] > 0


def test_a_long_text_is_cut_after_a_line():
    cut = shortened("line\n" * 2000)
    assert len(cut) <= 5000
    assert cut.endswith("line\n\n...")
    assert shortened(DESCRIPTION) == DESCRIPTION


# --- Tested and refitted -------------------------------------------------------------------------------------------


def test_the_refitted_version_is_the_challenger_and_knows_the_one_that_was_tested(
    registry: Registry, logged: RegisteredModel
):
    assert (logged.version, logged.tested_version, logged.refused) == ("2", "1", "")
    found = registry.get(CHALLENGER)
    assert (found.version, found.tested_version) == ("2", "1")
    assert found.model.quality.trained_through == date(2026, 6, 1)
    assert registry.get("1").tested_version is None
    assert registry.get("1").model.quality.trained_through == tiny_model().quality.trained_through


def test_both_versions_of_a_refit_are_tied_together_and_to_their_run(client: Any, logged: RegisteredModel):
    tested, served = (client.get_model_version(PROJECT, version) for version in ("1", "2"))
    assert (tested.tags["refitted_version"], served.tags["tested_version"]) == ("2", "1")
    assert tested.run_id == served.run_id == logged.run_id
    assert tested.description == DESCRIPTION
    assert "those of version 1, which was tested" in served.description
    assert client.get_run(logged.run_id).data.tags["version"] == "2"
    assert client.get_registered_model(PROJECT).description == DESCRIPTION


def test_figures_belong_to_the_tested_model_and_to_the_data_they_were_measured_on(client: Any, run: Any):
    of = {
        model.name: {metric.key: metric.dataset_name for metric in model.metrics or []}
        for model in (client.get_logged_model(output.model_id) for output in run.outputs.model_outputs)
    }
    assert of == {"model": {"test.auc": "test_profiles", "baselines.recency.auc": None}, "refitted": {}}
    assert {client.get_logged_model(output.model_id).status for output in run.outputs.model_outputs} == {"READY"}


# --- From its start to its end -------------------------------------------------------------------------------------


def test_a_run_spans_the_training(registry: Registry, client: Any, logged: RegisteredModel, tmp_path: Path):
    with registry.run("14d") as recorder:
        during = client.get_run(recorder.run_id)
        found = recorder.log(replace(full_run(tmp_path / "artifacts"), name="2026-05-25 14d", refitted=None))
    assert (during.info.status, during.info.run_name) == ("RUNNING", "14d")
    after = client.get_run(found.run_id)
    assert (found.run_id, after.info.status, after.info.run_name) == (recorder.run_id, "FINISHED", "2026-05-25 14d")
    assert (found.tested_version, "tested_version" in after.data.tags) == (None, False)


def test_another_run_that_writes_the_same_data_sets_at_the_same_moment_disturbs_nobody(
    registry: Registry, client: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """MLflow looks a data set up and then adds it: here the other run comes in between."""
    data = {"training": DatasetRecord("c" * 64, "/data/log.parquet", {"num_rows": 800})}
    others = [replace(full_run(tmp_path / name), name=name, datasets=data) for name in ("first", "second")]
    made, between = uuid.uuid4, list[RegisteredModel]()

    def uuid4() -> uuid.UUID:
        monkeypatch.setattr(uuid, "uuid4", made)
        between.append(registry.log(others[1]))
        return made()

    with registry.run() as recorder:
        monkeypatch.setattr(uuid, "uuid4", uuid4)
        logged = recorder.log(others[0])
    (digests, others_digests) = (
        [one.dataset.digest for one in client.get_run(one.run_id).inputs.dataset_inputs] for one in (logged, *between)
    )
    assert digests == others_digests
    assert len(digests) == 1


@pytest.mark.parametrize(
    ("raised", "status", "said"),
    [
        (CheckFailed("too few churners", hint="wait"), "FAILED", "CheckFailed: too few churners"),
        (ZeroDivisionError("user u7"), "FAILED", "ZeroDivisionError"),
        (KeyboardInterrupt(), "KILLED", "KeyboardInterrupt"),
    ],
)
def test_a_training_that_raises_ends_its_run_with_the_reason_and_no_data_of_users(
    registry: Registry, client: Any, raised: BaseException, status: str, said: str
):
    with pytest.raises(type(raised)), registry.run("14d") as recorder:
        raise raised
    found = client.get_run(recorder.run_id)
    assert found.info.status == status
    assert found.data.tags["error"].splitlines()[0] == said


def test_a_notebook_with_a_run_and_an_experiment_of_its_own_keeps_both(
    registry: Registry, client: Any, logged: RegisteredModel, tmp_path: Path
):
    import mlflow

    mlflow.set_tracking_uri(registry.uri)
    mlflow.set_experiment("mine")
    with mlflow.start_run() as mine:
        found = registry.log(replace(full_run(tmp_path / "artifacts"), refitted=None))
        active = mlflow.active_run()
        assert active is not None
        assert active.info.run_id == mine.info.run_id != found.run_id
        run = client.get_run(found.run_id)
        (output,) = run.outputs.model_outputs
        assert client.get_logged_model(output.model_id).experiment_id == run.info.experiment_id


def test_the_sampling_of_the_machine_can_be_switched_off(
    registry: Registry, client: Any, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("MLFLOW_ENABLE_SYSTEM_METRICS_LOGGING", "false")
    with registry.run() as recorder:
        pass
    assert client.get_run(recorder.run_id).data.metrics == {}
