"""The settings of a run are read back as they were, however long they are."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from models.registry.registry import RegisteredModel, Registry
from models.registry.run_record import is_cut, parameter_text
from tests.models.run_builder import PROJECT, run_of

LONG = [{"name": f"custom_{number}", "sql": "events_7d / nullif(events_28d, 0)"} for number in range(200)]


@pytest.fixture(scope="module")
def registry(empty_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Registry:
    return Registry(Path(shutil.copytree(empty_store, tmp_path_factory.mktemp("store") / "home")), PROJECT)


@pytest.fixture
def client(registry: Registry) -> Any:
    import mlflow

    return mlflow.MlflowClient(registry.uri)


@pytest.fixture(scope="module")
def long_one(registry: Registry, tmp_path_factory: pytest.TempPathFactory) -> RegisteredModel:
    """A version whose run has a setting of more characters than MLflow keeps."""
    few = {"features.custom": LONG, "model.num_leaves": 7, "churn.qualifying": ""}
    return registry.log(run_of(tmp_path_factory.mktemp("long"), parameters=few))


def test_a_setting_of_any_length_is_read_back_whole(registry: Registry, long_one: RegisteredModel):
    _, found = registry.tags_and_parameters(long_one)
    assert len(str(LONG)) > 10_000
    assert found == {"features.custom": str(LONG), "model.num_leaves": "7", "churn.qualifying": ""}


def test_a_parameter_that_is_cut_says_so(client: Any, long_one: RegisteredModel):
    found = client.get_run(long_one.run_id).data.params
    assert found["features.custom"].endswith(" ... (cut; recipe.json has all of it)")
    assert [name for name, text in found.items() if is_cut(text)] == ["features.custom"]


def test_a_parameter_that_fits_is_as_it_was():
    assert [parameter_text(value) for value in (7, "x" * 6000)] == ["7", "x" * 6000]
    assert len(parameter_text("x" * 6001)) == 6000


@pytest.mark.parametrize("written", [None, '{"features.custom": [{'], ids=["an older run", "a damaged file"])
def test_without_the_file_the_parameters_are_what_mlflow_has(
    written: str | None, registry: Registry, client: Any, tmp_path: Path
):
    made = registry.log(run_of(tmp_path))
    place = Path(client.get_run(made.run_id).info.artifact_uri.removeprefix("file://")) / "recipe.json"
    place.unlink() if written is None else place.write_text(written)
    _, found = registry.tags_and_parameters(made)
    assert found == {"churn.horizon_days": "14", "churn.qualifying": ""}
