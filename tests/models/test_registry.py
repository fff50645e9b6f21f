"""What a run leaves in MLflow, what comes back out of it, and who is champion."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from msgspec import structs

from features.errors import GuardRefused, InputError
from models.churn_model import ChurnModel
from models.pyfunc import example
from models.registry import CHALLENGER, CHAMPION, Registered, Registry
from models.run import Run
from tests.models.model_builder import profiles_of, tiny_model
from tests.models.tracking_server import free_port, gate, running, tracking_server

PROJECT = "shop"


def run_of(folder: Path, model: ChurnModel | None = None) -> Run:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "split.json").write_text("{}")
    return Run(
        model=model or tiny_model(),
        parameters={"churn.horizon_days": 14, "churn.qualifying": ""},
        metrics={"test.auc": 0.8125, "baselines.recency.auc": 0.75},
        tags={"split": "folds"},
        datasets={"training": "a" * 64, "test": "b" * 64},
        artifacts=folder,
    )


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def logged(home: Path, tmp_path_factory: pytest.TempPathFactory) -> Registered:
    return Registry(home, PROJECT).log(run_of(tmp_path_factory.mktemp("artifacts")))


@pytest.fixture
def registry(home: Path, logged: Registered) -> Registry:
    return Registry(home, PROJECT)


@pytest.fixture
def client(registry: Registry) -> Any:
    import mlflow

    return mlflow.MlflowClient(registry.uri)


@pytest.fixture
def run(client: Any, logged: Registered) -> Any:
    return client.get_run(logged.run_id)


# --- What a run holds ----------------------------------------------------------------------------------------------


def test_a_run_holds_parameters_figures_and_tags(run: Any):
    assert run.data.params == {"churn.horizon_days": "14", "churn.qualifying": ""}
    figures = {name: value for name, value in run.data.metrics.items() if not name.startswith("system/")}
    assert figures == {"test.auc": 0.8125, "baselines.recency.auc": 0.75}
    assert run.data.tags["split"] == "folds"
    assert run.info.status == "FINISHED"


def test_a_run_names_the_data_it_saw_by_context_and_digest(run: Any):
    found = {found.tags[0].value: found.dataset for found in run.inputs.dataset_inputs}
    assert {context: (data.name, data.digest) for context, data in found.items()} == {
        "training": ("training_profiles", "a" * 36),
        "test": ("test_profiles", "b" * 36),
    }


def test_a_run_keeps_the_artifacts_it_was_given(client: Any, logged: Registered):
    assert "split.json" in {found.path for found in client.list_artifacts(logged.run_id)}


def test_everything_lies_in_the_home(home: Path, run: Any):
    assert (home / "mlflow.db").exists()
    assert Path(run.info.artifact_uri.removeprefix("file://")).is_relative_to(home)


def test_the_experiment_and_the_registered_model_bear_the_name_of_the_project(client: Any, run: Any):
    assert client.get_experiment(run.info.experiment_id).name == PROJECT
    assert client.get_registered_model(PROJECT).name == PROJECT


def test_what_was_logged_last_is_the_challenger_and_nobody_is_champion(registry: Registry, logged: Registered):
    assert registry.get(CHALLENGER).version == logged.version == "1"
    assert not registry.has(CHAMPION)


# --- The model inside ----------------------------------------------------------------------------------------------


def files_of(home: Path) -> list[Path]:
    (model,) = home.glob("**/MLmodel")
    return [path for path in model.parent.rglob("*") if path.is_file()]


def test_a_registered_model_is_the_one_that_was_logged(registry: Registry):
    profiles = profiles_of(200, seed=3)
    found = registry.get(CHALLENGER).model.predict_probability(profiles)
    assert found.tobytes() == tiny_model().predict_probability(profiles).tobytes()


def test_nothing_is_pickled(home: Path, logged: Registered):
    assert not [path for path in files_of(home) if path.suffix in {".pkl", ".pickle", ".cloudpickle", ".joblib"}]
    assert "loader_module: models.pyfunc" in next(home.glob("**/MLmodel")).read_text()


def test_requirements_are_pinned_and_hold_what_the_model_imports(home: Path, logged: Registered):
    (listed,) = (path.read_text().split() for path in files_of(home) if path.name == "requirements.txt")
    pinned = dict(line.split("==") for line in listed)
    assert {"lightgbm", "numpy", "pyarrow", "msgspec", "scipy", "scikit-learn"} <= set(pinned)


def at_store(registry: Registry) -> None:
    """Let MLflow's own functions look here, for this test."""
    import mlflow

    mlflow.set_tracking_uri(registry.uri)
    mlflow.set_registry_uri(registry.uri)


def test_the_signature_takes_text_as_text_and_numbers_as_nullable_doubles(registry: Registry, logged: Registered):
    import mlflow

    at_store(registry)
    signature = mlflow.models.get_model_info(f"models:/{PROJECT}/{logged.version}").signature
    kinds = {column.name: (column.type.name, column.required) for column in signature.inputs}
    for feature in tiny_model().specification.features:
        assert kinds.pop(feature.name) == ("string" if feature.is_text else "double", False)
    assert kinds == {}
    assert [column.type.name for column in signature.outputs] == ["double"]


def test_the_input_example_is_made_up():
    frame = example(tiny_model().specification)
    numbers = frame.select_dtypes("number").iloc[0]
    assert (numbers == 1.0).all()
    assert frame.iloc[1].isna().all()


def frame() -> Any:
    return profiles_of(40, seed=8).to_pandas()


def test_the_pyfunc_gives_probabilities_and_the_same_ones(registry: Registry, monkeypatch: pytest.MonkeyPatch):
    import mlflow

    monkeypatch.setattr(sys, "path", list(sys.path))  # MLflow puts the model's own code there, and leaves it
    at_store(registry)
    found = mlflow.pyfunc.load_model(f"models:/{PROJECT}@{CHALLENGER}").predict(frame())
    assert np.asarray(found).tobytes() == tiny_model().predict_probability(profiles_of(40, seed=8)).tobytes()


ELSEWHERE = """
import sys
checkout = sys.argv[1]
sys.path = [place for place in sys.path if place not in ("", checkout)]  # the .pth of the checkout put it there
sys.meta_path = [finder for finder in sys.meta_path if "editable" not in repr(finder)]
import importlib.util
assert importlib.util.find_spec("features") is None and importlib.util.find_spec("models") is None
import mlflow, numpy, pandas
mlflow.set_tracking_uri(sys.argv[2])
found = mlflow.pyfunc.load_model(sys.argv[3]).predict(pandas.read_parquet("frame.parquet"))
import features, models
assert checkout not in features.__file__ and checkout not in models.__file__
numpy.save("found.npy", found)
"""


def test_a_process_that_knows_nothing_of_the_checkout_predicts_the_same(registry: Registry, tmp_path: Path):
    frame().to_parquet(tmp_path / "frame.parquet")
    checkout = str(Path(__file__).parents[2])
    asked = [checkout, registry.uri, f"models:/{PROJECT}@{CHALLENGER}"]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    ran = subprocess.run(
        [sys.executable, "-P", "-c", ELSEWHERE, *asked],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    expected = tiny_model().predict_probability(profiles_of(40, seed=8))
    assert np.load(tmp_path / "found.npy").tobytes() == expected.tobytes()


@pytest.mark.slow
def test_the_scoring_server_of_mlflow_gives_the_same_probabilities(registry: Registry, tmp_path: Path):
    port = free_port()
    at_store(registry)  # the server finds the store in the environment
    arguments = ["models", "serve", "-m", f"models:/{PROJECT}@{CHALLENGER}", "--env-manager", "local"]
    arguments += ["--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    address = f"http://127.0.0.1:{port}"
    asked = frame().drop(columns=["user_id", "cutoff"]).astype(object)
    rows = asked.where(asked.notna(), None).to_dict(orient="records")
    with running(arguments, ready=f"{address}/ping", log=tmp_path / "log.txt"):
        answer = httpx.post(f"{address}/invocations", json={"dataframe_records": rows}, timeout=30)
    expected = tiny_model().predict_probability(profiles_of(40, seed=8))
    assert answer.json()["predictions"] == expected.tolist()


# --- Which store ---------------------------------------------------------------------------------------------------


def test_another_tracking_store_is_respected(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/elsewhere.db")
    assert not Registry(tmp_path / "home", PROJECT).has(CHALLENGER)
    assert (tmp_path / "elsewhere.db").exists()
    assert not (tmp_path / "home" / "mlflow.db").exists()


def test_two_projects_in_one_process_keep_their_stores_apart(home: Path, logged: Registered, tmp_path: Path):
    assert Registry(home, PROJECT).has(CHALLENGER)
    assert not Registry(tmp_path / "other", PROJECT).has(CHALLENGER)
    assert (tmp_path / "other" / "mlflow.db").exists()


# --- Champions -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("asked", ["champion", "7", "nobody", "", "a b/c"])
def test_what_is_not_registered_is_an_input_error(registry: Registry, asked: str):
    with pytest.raises(InputError, match="no model"):
        registry.get(asked)


def test_without_a_model_there_is_nothing_to_roll_back(registry: Registry):
    with pytest.raises(GuardRefused, match="no earlier champion"):
        registry.rollback()


def test_champions_follow_each_other_and_step_back(home: Path, registry: Registry, logged: Registered, tmp_path: Path):
    shifted = replace(tiny_model(), calibration=structs.replace(tiny_model().calibration, intercept=-1.0))
    second = registry.log(run_of(tmp_path / "artifacts", shifted))
    third = registry.log(run_of(tmp_path / "artifacts", shifted))
    assert registry.get(CHALLENGER).version == third.version

    registry.promote(logged.version, why="it is the first")
    with pytest.raises(GuardRefused, match="no earlier champion"):
        registry.rollback()
    registry.promote(second.version, why="it is better")
    registry.promote(third.version, why="it is best")
    assert registry.get(CHAMPION).version == "3"
    assert registry.rollback() == ("3", "2")
    assert registry.get(CHAMPION).model.calibration.intercept == -1.0
    assert registry.rollback() == ("2", "1")
    assert registry.get(CHAMPION).version == "1"
    with pytest.raises(GuardRefused, match="no earlier champion"):
        registry.rollback()
    assert Registry(home, PROJECT).get(CHAMPION).version == "1"


@pytest.fixture(scope="module")
def four_versions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("four")
    for _ in range(4):
        Registry(place / "home", PROJECT).log(run_of(place / "artifacts"))
    return place / "home"


@pytest.fixture
def four(four_versions: Path, tmp_path: Path) -> Registry:
    """A registry of its own with versions 1 to 4."""
    return Registry(Path(shutil.copytree(four_versions, tmp_path / "home")), PROJECT)


def move_by_hand(registry: Registry, to: str) -> None:
    import mlflow

    mlflow.MlflowClient(registry.uri).set_registered_model_alias(PROJECT, CHAMPION, to)


def test_rolling_back_starts_at_the_champion_that_somebody_set_by_hand(four: Registry):
    said: list[str] = []
    four.promote("1", why="first")
    four.promote("2", why="better")
    move_by_hand(four, "4")
    assert four.rollback(say=said.append) == ("4", "2")
    assert said == ["champion was moved by hand, from version 2 to 4: going back to 2"]
    assert four.rollback(say=said.append) == ("2", "1")
    assert len(said) == 1


def test_rolling_back_after_somebody_went_back_by_hand_does_not_go_forward(four: Registry):
    said: list[str] = []
    for version in ("1", "2", "3"):
        four.promote(version, why="better")
    move_by_hand(four, "2")
    assert four.rollback(say=said.append) == ("2", "1")
    assert "from version 3 to 2" in said[0]


def test_a_champion_set_by_hand_is_remembered_by_the_next_promotion(four: Registry):
    said: list[str] = []
    four.promote("1", why="first")
    move_by_hand(four, "3")
    four.promote("4", why="better")
    assert [four.rollback(say=said.append), four.rollback(say=said.append)] == [("4", "3"), ("3", "1")]
    assert said == []


def test_rolling_back_passes_over_a_deleted_version_and_one_promoted_twice(four: Registry):
    import mlflow

    for version in ("1", "2", "3", "3"):
        four.promote(version, why="better")
    mlflow.MlflowClient(four.uri).delete_model_version(PROJECT, "2")
    assert four.rollback() == ("3", "1")


def test_a_version_bears_the_decision_about_it(registry: Registry, client: Any, logged: Registered):
    registry.note(logged.version, "a rule does better")
    assert client.get_model_version(PROJECT, logged.version).tags["decision"] == "a rule does better"


def test_a_version_can_be_asked_for_by_number(registry: Registry, logged: Registered):
    assert registry.get("1").run_id == logged.run_id


# --- A server of somebody else's -----------------------------------------------------------------------------------


ALIASES = "/registered-models/alias"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with tracking_server(tmp_path_factory.mktemp("server") / "server") as address:
        yield address


def remote(address: str, tmp_path: Path, *, project: str, monkeypatch: pytest.MonkeyPatch) -> Registry:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
    return Registry(tmp_path / "home", project)


@pytest.mark.slow
def test_a_tracking_server_keeps_runs_models_and_champions(
    server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    registry = remote(server, tmp_path, project="remote", monkeypatch=monkeypatch)
    version = registry.log(run_of(tmp_path / "artifacts")).version
    registry.promote(version, why="it is the first")
    profiles = profiles_of(50, seed=3)
    found = registry.get(CHAMPION).model.predict_probability(profiles)
    assert found.tobytes() == tiny_model().predict_probability(profiles).tobytes()
    assert list((tmp_path / "home").rglob("*")) == []  # nothing is kept here


@pytest.fixture
def refusing(server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Registry]:
    with gate(server, refused=ALIASES) as address:
        yield remote(address, tmp_path, project="refusing", monkeypatch=monkeypatch)


@pytest.mark.slow
def test_where_aliases_are_refused_a_training_is_registered_and_says_so(refusing: Registry, tmp_path: Path):
    import mlflow

    found = refusing.log(run_of(tmp_path / "artifacts"))
    assert f"--model {found.version}" in found.refused
    run = mlflow.MlflowClient(refusing.uri).get_run(found.run_id)
    assert (run.data.tags["alias"], run.info.status) == ("refused by the server", "FINISHED")
    assert refusing.get(found.version).run_id == found.run_id
    with pytest.raises(InputError, match="no model") as asked:
        refusing.get(CHALLENGER)
    assert f"alias challenger to version {found.version}" in str(asked.value)
    with pytest.raises(InputError, match="the permission to edit it is missing") as promoted:
        refusing.promote(found.version, why="it is the first")
    assert f"alias champion to version {found.version}" in str(promoted.value)
