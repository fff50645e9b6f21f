"""The settings of training: their defaults, bounds and former names."""

from typing import Any

import pytest
from pydantic import ValidationError

from features.settings import Section, former_names
from training.settings import (
    AdviceSettings,
    AuditSettings,
    BotsSettings,
    DriftSettings,
    OutagesSettings,
    PromotionSettings,
    TrainingSettings,
)

SECTIONS: dict[str, type[Section]] = {
    "training": TrainingSettings,
    "audit": AuditSettings,
    "advice": AdviceSettings,
    "outages": OutagesSettings,
    "bots": BotsSettings,
    "drift": DriftSettings,
    "promotion": PromotionSettings,
}


def test_renamed_settings_know_their_former_names():
    found = {old: new for name, kind in SECTIONS.items() for old, new in former_names(name, kind).items()}
    assert found == {
        "training.min_class_rows": "training.min_class_users",
        "horizon.candidates_days": "advice.candidates_days",
        "horizon.return_share": "advice.return_share",
        "horizon.min_snapshots": "advice.min_snapshots",
        "training.drop_outages": "outages.exclude",
        "training.drop_drifting": "drift.exclude",
        "stability.most_category_auc": "drift.max_category_auc",
        "stability.most_number_auc": "drift.max_number_auc",
    }


@pytest.mark.parametrize("kind", SECTIONS.values())
def test_every_setting_has_a_help_and_days_have_their_unit(kind: type[Section]):
    for name, field in kind.model_fields.items():
        assert str(field.description).endswith(".")
        if name.endswith("_days"):
            assert isinstance(field.json_schema_extra, dict)
            assert field.json_schema_extra["unit"] == "days"


def test_outages_and_drift_are_excluded_by_default_and_bots_are_not():
    assert (OutagesSettings().exclude, DriftSettings().exclude, BotsSettings().exclude) == (True, True, False)


@pytest.mark.parametrize(
    ("section", "setting", "inside", "outside"),
    [
        ("training", "min_class_users", 2, 1),
        ("training", "recency_half_life_days", 0.5, 0),
        ("training", "backtest_weeks", 0, -1),
        ("audit", "single_feature_auc", 0.51, 0.5),  # at .5 every feature would be a leak
        ("training", "horizons_days", (1, 730), (0, 7)),
        ("training", "horizons_days", (), (-3,)),
        ("training", "horizons_days", (7,), (731,)),
        ("training", "horizons_days", (7, 14), (7, 7)),  # models are registered by their horizons
        ("advice", "candidates_days", (1, 365), (0,)),
        ("advice", "candidates_days", (7,), ()),
        ("outages", "below_share", 0.99, 1),
        ("drift", "max_category_auc", 0.5, 0.49),
        ("promotion", "max_worse_log_loss", 0, -0.01),
    ],
)
def test_values_outside_their_bounds_are_refused(section: str, setting: str, inside: Any, outside: Any):
    assert getattr(SECTIONS[section].model_validate({setting: inside}), setting) == inside
    with pytest.raises(ValidationError, match=setting):
        SECTIONS[section].model_validate({setting: outside})
