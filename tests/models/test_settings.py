"""The settings of the models: their defaults, bounds and former names."""

from typing import Any

import pytest
from pydantic import ValidationError

from features.settings import former_names
from models.scorers.trees import explainable
from models.settings import ModelSettings


def test_the_defaults_are_as_deep_and_as_many_trees_as_reasons_can_explain():
    # 250,000 / (700 trees x 6 leaves) = 59 = depth^2 rounded up to 7, but six leaves cannot be deeper than 5
    assert explainable(ModelSettings()) == (5, 700)


def test_renamed_settings_know_their_former_names():
    assert former_names("model", ModelSettings) == {
        "model.min_rows_in_leaf": "model.min_data_in_leaf",
        "model.feature_share": "model.feature_fraction",
        "model.row_share": "model.bagging_fraction",
        "model.l2": "model.lambda_l2",
        "model.line_share": "model.logistic_weight",
    }


@pytest.mark.parametrize(
    ("setting", "inside", "outside"),
    [
        ("num_leaves", 2, 1),
        ("learning_rate", 1, 0),
        ("feature_fraction", 1, 1.01),
        ("bagging_fraction", 0.01, 0),
        ("lambda_l2", 0, -0.1),
        ("logistic_weight", 1, 1.01),
        ("monotone", "none", "always"),
        ("max_explaining_cost", 1000, 999),
    ],
)
def test_bounds_are_where_lightgbm_or_the_ensemble_has_them(setting: str, inside: Any, outside: Any):
    assert getattr(ModelSettings.model_validate({setting: inside}), setting) == inside
    with pytest.raises(ValidationError, match=setting):
        ModelSettings.model_validate({setting: outside})


def test_every_setting_has_a_help_and_is_frozen():
    assert all(str(field.description).endswith(".") for field in ModelSettings.model_fields.values())
    with pytest.raises(ValidationError, match="frozen"):
        ModelSettings().seed = 1  # type: ignore[attr-defined]
