"""Each grade at its borders."""

from typing import Any

import pytest

from models.evaluation.metrics import Interval
from models.evaluation.results import BaselineResults, Grade
from training.evaluation.grade import RULES, grade


def graded(
    *, auc: float = 0.8, gain: float = 0.02, error: float = 0.0, chance: float = 0.0, rule: float = 0.7
) -> Grade:
    exact = Interval(rule, rule, rule)
    better = BaselineResults(
        description="", is_rule=True, auc=exact, log_loss=exact, calibration_error=exact, difference_log_loss=exact,
        difference_auc=Interval(gain + 0.01, gain, gain + 0.02),
    )  # fmt: skip
    metrics = {
        "auc": Interval(auc, auc, auc),
        "calibration_error": Interval(error, error, error),
        "churn_rate": Interval(0.5, 0.5, 0.5),
    }
    return grade(metrics, better=better, by_chance=chance)


@pytest.mark.parametrize(
    ("metrics", "name"),
    [
        ({"auc": 0.8999}, "strong"),
        ({"auc": 0.90}, "suspicious (likely leak)"),
        ({"auc": 0.95, "gain": -0.1}, "suspicious (likely leak)"),
        ({"auc": 0.95, "rule": 0.91}, "strong"),  # a rule is that good itself
        ({"auc": 0.961, "rule": 0.91}, "suspicious (likely leak)"),
        ({"gain": 0.0}, "no better than a rule"),
        ({"gain": -0.01}, "no better than a rule"),
        ({"gain": 0.0001}, "good"),
        ({"gain": 0.0099}, "good"),
        ({"gain": 0.01}, "strong"),
        ({"error": 0.03}, "strong"),
        ({"error": 0.0301}, "good"),
        ({"error": 0.05}, "good"),
        ({"error": 0.0501}, "weak"),
        ({"auc": 0.60}, "strong"),
        ({"auc": 0.5999}, "weak"),
    ],
)
def test_each_grade_begins_where_its_rule_says(metrics: dict[str, Any], name: str):
    assert graded(**metrics).name == name


def test_a_small_test_may_show_what_chance_alone_shows():
    assert graded(error=0.0598, chance=0.0598).name == "strong"
    assert graded(error=0.0599, chance=0.0598).name == "weak"
    assert graded(error=0.0301, chance=0.0299).name == "good"


def test_the_sentence_names_the_allowance_that_was_applied():
    assert graded(error=0.03).why.endswith("calibration error 0.030, where 0.03 is allowed")
    assert graded(error=0.04).why.endswith("calibration error 0.040, where 0.05 is allowed")
    assert "where 0.060 is allowed: true probabilities show as much by chance" in graded(error=0.055, chance=0.06).why


def test_without_a_rule_the_model_is_measured_against_chance():
    metrics = {name: Interval(value, value, value) for name, value in (("calibration_error", 0.0), ("churn_rate", 0.5))}
    assert grade(metrics | {"auc": Interval(0.61, 0.505, 0.7)}, better=None, by_chance=0.0).name == "good"
    assert (
        grade(metrics | {"auc": Interval(0.61, 0.5, 0.7)}, better=None, by_chance=0.0).name == "no better than a rule"
    )


def test_the_rule_and_the_metrics_come_with_the_grade():
    exact = Interval(0.8124, 0.8, 0.82)
    found = grade({"auc": exact, "calibration_error": exact, "churn_rate": exact}, better=None, by_chance=0.0)
    assert found.rule == RULES[found.name]
    assert "0.812" in found.why
    assert "+0.312" in found.why


def test_no_rule_is_of_no_grade():
    assert set(RULES) == {
        one.name for one in (graded(), graded(gain=0.001), graded(auc=0.5), graded(gain=0), graded(auc=0.9))
    }
