"""Champions follow each other and step back, also where somebody moved them by hand."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from msgspec import structs

from features.errors import CheckFailed
from models.churn_model import ChurnModel
from models.registry.registry import CHALLENGER, CHAMPION, Registry
from models.scorers.calibration import Platt
from tests.models.model_builder import tiny_model
from tests.models.run_builder import PROJECT, run_of

SHIFTED = -1.0  # the intercept that distinguishes version 2


def shifted(model: ChurnModel) -> ChurnModel:
    assert isinstance(model.calibration, Platt)
    return replace(model, calibration=structs.replace(model.calibration, intercept=SHIFTED))


@pytest.fixture(scope="module")
def four_versions(empty_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("four")
    shutil.copytree(empty_store, place / "home")
    for model in (tiny_model(), shifted(tiny_model()), tiny_model(), tiny_model()):
        Registry(place / "home", PROJECT).log(run_of(place / "artifacts", model))
    return place / "home"


@pytest.fixture
def four(four_versions: Path, tmp_path: Path) -> Registry:
    """A registry of its own with versions 1 to 4."""
    return Registry(Path(shutil.copytree(four_versions, tmp_path / "home")), PROJECT)


def test_without_a_champion_there_is_nothing_to_roll_back(registry: Registry):
    with pytest.raises(CheckFailed, match="no earlier champion"):
        registry.rollback()


def test_champions_follow_each_other_and_step_back(four: Registry, tmp_path: Path):
    assert four.get(CHALLENGER).version == "4"  # logged last
    four.promote("1", why="it is the first")
    with pytest.raises(CheckFailed, match="no earlier champion"):
        four.rollback()
    four.promote("2", why="it is better")
    four.promote("3", why="it is best")
    assert four.get(CHAMPION).version == "3"
    assert four.rollback() == ("3", "2")
    assert four.get(CHAMPION).model.calibration == shifted(tiny_model()).calibration
    assert four.rollback() == ("2", "1")
    assert four.get(CHAMPION).version == "1"
    with pytest.raises(CheckFailed, match="no earlier champion"):
        four.rollback()
    assert Registry(tmp_path / "home", PROJECT).get(CHAMPION).version == "1"


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
