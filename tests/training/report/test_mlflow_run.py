"""What a run tells of its recipe in MLflow, and what is read back from it."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from churn.project import Project
from models.settings import ModelSettings
from tests.churn.command import TrainedWorld
from training.plan.plan import Recipe
from training.promotion.recipe_comparison import recipe_of
from training.settings import BotsSettings, DriftSettings, OutagesSettings

ROWS = ("outages", "bots", "drift")  # what decides which rows, and which features, are used

Edit = Callable[[dict[str, str]], dict[str, str]]


@pytest.fixture
def recorded(trained_world: TrainedWorld) -> dict[str, str]:
    """The parameters of the run of the trained world, which nobody set anything for."""
    registry = Project(trained_world.config, home=trained_world.home).registry
    return registry.tags_and_parameters(registry.get("champion"))[1]


@pytest.fixture
def today(trained_world: TrainedWorld) -> Recipe:
    """The settings of another day."""
    return replace(
        Project(trained_world.config, home=trained_world.home).recipe,
        outages=OutagesSettings(below_share=0.3, recent_days=2),
        bots=BotsSettings(exclude=True),
        drift=DriftSettings(max_category_auc=0.9),
    )


def test_a_run_records_every_setting_that_affects_the_model(recorded: dict[str, str], today: Recipe):
    for name, section in today.sections.items():
        assert {key for key in recorded if key.startswith(f"{name}.")} == {
            f"{name}.{key}" for key in type(section).model_fields
        }
    assert {"churn", "features", "model", "training", *ROWS} == set(today.sections)


def test_a_recipe_has_the_outages_the_bots_and_the_drift_that_its_run_records(recorded: dict[str, str], today: Recipe):
    found = recipe_of(recorded, today)
    assert found is not None
    assert (found.outages, found.bots, found.drift) == (OutagesSettings(), BotsSettings(), DriftSettings())
    changed = recipe_of(recorded | {"outages.below_share": "0.25", "bots.exclude": "True"}, today)
    assert changed is not None
    assert (changed.outages.below_share, changed.bots.exclude) == (0.25, True)


def test_a_setting_that_was_added_after_a_run_has_its_default(recorded: dict[str, str], today: Recipe):
    older = {key: value for key, value in recorded.items() if key.partition(".")[0] not in ROWS}
    older.pop("model.num_leaves")
    found = recipe_of(older | {"training.seed": "11"}, today)
    assert found is not None
    assert (found.outages, found.bots, found.drift) == (OutagesSettings(), BotsSettings(), DriftSettings())
    assert (found.model.num_leaves, found.training.seed) == (ModelSettings().num_leaves, 11)


def test_an_older_run_is_read_under_the_former_names_of_its_settings(recorded: dict[str, str], today: Recipe):
    former = {"model.min_rows_in_leaf": "7", "training.drop_outages": "False", "stability.most_number_auc": "0.9"}
    renamed = {"model.min_data_in_leaf", "outages.exclude", "drift.max_number_auc"}
    found = recipe_of({key: value for key, value in recorded.items() if key not in renamed} | former, today)
    assert found is not None
    assert (found.model.min_data_in_leaf, found.outages.exclude, found.drift.max_number_auc) == (7, False, 0.9)


@pytest.mark.parametrize(
    "edit",
    [
        lambda recorded: recorded | {"outages.of_tomorrow": "1"},
        lambda recorded: recorded | {"drift.max_number_auc": "high"},
        lambda recorded: {key: value for key, value in recorded.items() if not key.startswith("training.")},
    ],
)
def test_a_run_of_an_unknown_version_of_churn_is_not_guessed(edit: Edit, recorded: dict[str, str], today: Recipe):
    assert recipe_of(edit(recorded), today) is None
