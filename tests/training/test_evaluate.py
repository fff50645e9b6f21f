"""The report on the test cutoff: the model beside the rules, under the names that machines read."""

from pathlib import Path

import numpy as np
import pytest

from models.metrics import Interval
from tests.training.conftest import Training
from training.evaluate import Evaluation, draw, evaluate


@pytest.fixture
def found(periods: Training) -> Evaluation:
    return periods.trained.evaluation


def test_the_report_holds_what_was_promised(found: Evaluation):
    report = found.to_json()
    promised = {"auc", "average_precision", "log_loss", "calibration_error", "lift_at_10", "users", "churn_rate"}
    assert promised <= set(report["test"])
    assert {"recency", "frequency"} <= set(report["baselines"])
    assert all({"auc", "auc_low", "auc_high"} <= set(rule) for rule in report["baselines"].values())


def test_the_flat_names_are_the_report_with_dots(found: Evaluation):
    report = found.to_json()
    expected = {f"test.{key}": value for key, value in report["test"].items()} | {
        f"baselines.{rule}.{key}": value
        for rule, values in report["baselines"].items()
        for key, value in values.items()
    }
    assert found.flat() == expected


def test_users_are_counted_whole(found: Evaluation, periods: Training):
    assert found.to_json()["test"]["users"] == len(periods.trained.test.churned)
    assert isinstance(found.to_json()["test"]["users"], int)


def test_rules_and_model_are_measured_on_the_same_users(periods: Training):
    test = periods.trained.test
    by_recency = evaluate(test, test.profiles["days_since_last_event"].to_numpy() / 100, seed=1)
    assert by_recency.auc == by_recency.baselines["recency"]


def test_the_better_rule_is_the_one_with_the_higher_auc():
    rules = {"recency": Interval(0.7, 0.6, 0.8), "frequency": Interval(0.72, 0.5, 0.9)}
    assert Evaluation({}, Interval(0.8, 0.7, 0.9), rules).better_rule == "frequency"


def test_three_pictures_are_drawn(periods: Training, tmp_path: Path):
    test = periods.trained.test
    probability = np.linspace(0.01, 0.99, len(test.churned))
    draw(tmp_path, test, probability=probability, importance={"events_7d": 0.5, "tenure_days": 0.1})
    pictures = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert set(pictures) == {"calibration.png", "gains.png", "importance.png"}
    assert all(content.startswith(b"\x89PNG") and len(content) > 5_000 for content in pictures.values())
