"""Where no week is left that both models have not seen, their recipes are read back, retrained and compared."""

from dataclasses import replace
from typing import Any

import pytest

from features.errors import CheckFailed
from tests.training.conftest import Against, Training
from tests.training.contenders import END, LATEST, gate_of, parameters, seen_through
from training.promotion.decide import Contender
from training.promotion.recipe_comparison import recipe_of


@pytest.mark.parametrize("who", ["challenger", "champion"])
def test_without_an_unseen_week_a_run_that_did_not_record_its_settings_fails(
    who: str, against: Against, challenger: Contender, champion: Contender
):
    seen, silent = seen_through(challenger, END), replace(champion, parameters={})
    pair = (seen, silent) if who == "champion" else (replace(seen, parameters={}), champion)
    version = {"champion": "1", "challenger": "2"}[who]
    with pytest.raises(CheckFailed, match=f"the run of version {version} did not record its settings"):
        against(*pair)


def test_a_run_of_which_mlflow_cut_a_setting_is_told_from_one_without_settings(
    against: Against, challenger: Contender, champion: Contender
):
    cut = replace(champion, parameters={**champion.parameters, "features.custom": str([{"name": "x" * 6000}])[:6000]})
    with pytest.raises(CheckFailed, match=r"the run of version 1 recorded features.custom only in part"):
        against(seen_through(challenger, END), cut)


def easily(easy: Training, version: str, **changed: Any) -> Contender:
    recorded = parameters(easy.recipe, **changed)
    return seen_through(Contender(version, easy.trained.model, easy.activity, "clean", recorded), END)


def test_without_an_unseen_week_recipes_are_compared_and_equal_ones_are_equal(against: Against, easy: Training):
    found = against(easily(easy, "2"), easily(easy, "1", training__refit=True), backtest_weeks=1)
    assert (found.of, found.cutoffs) == ("recipes", (LATEST,))
    assert found.against == "champion (version 1), with the same recipe"
    assert gate_of(found, "log loss").metrics["difference"] == 0
    # retrained before the latest week from the same settings: what the training itself showed
    assert found.metrics["challenger"]["auc"] == pytest.approx(easy.trained.evaluation.auc.value, abs=0.02)
    assert "every recipe was retrained" in found.to_markdown()


@pytest.mark.slow
def test_recipes_that_differ_are_each_retrained(against: Against, easy: Training):
    worse = easily(easy, "2", model__max_rounds=1, model__learning_rate=0.001)
    found = against(worse, easily(easy, "1"), backtest_weeks=1)
    assert found.of == "recipes"
    assert found.against == "champion (version 1)"
    own, other = found.metrics["challenger"], found.metrics["against"]
    assert own["log_loss"] != other["log_loss"]


@pytest.mark.slow
def test_a_first_champion_that_has_seen_everything_is_compared_with_a_rule_by_its_recipe(
    against: Against, easy: Training
):
    found = against(easily(easy, "1"), backtest_weeks=1)
    assert (found.of, found.cutoffs) == ("recipes", (LATEST,))
    assert "rule, in the absence of a champion" in found.against


def test_a_recipe_is_read_back_as_it_was_recorded(periods: Training):
    update = {"windows_days": (3, 9), "allow_sensitive": ("age",)}
    recipe = replace(periods.recipe, features=periods.recipe.features.model_copy(update=update))
    found = recipe_of(parameters(recipe, training__test_cutoff=LATEST), periods.recipe)
    assert found is not None
    assert (found.features, found.model, found.training) == (recipe.features, recipe.model, recipe.training)
    assert found.churn == periods.recipe.churn


@pytest.mark.parametrize("change", [{"model__of_tomorrow": 1}, {"model__num_leaves": "many"}])
def test_a_recipe_of_another_version_of_churn_is_not_guessed(periods: Training, change: dict[str, Any]):
    assert recipe_of(parameters(periods.recipe, **change), periods.recipe) is None
    without_a_section = {
        key: value for key, value in parameters(periods.recipe).items() if not key.startswith("training.")
    }
    assert recipe_of(without_a_section, periods.recipe) is None
