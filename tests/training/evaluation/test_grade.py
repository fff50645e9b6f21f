"""Each grade at its borders."""

from typing import Any

import pytest

from models.evaluation.metrics import Interval
from models.evaluation.results import BaselineResults
from training.evaluation.grade import RULES, by_chance, grade

MANY = 1_000_000  # so many users that nothing is left to chance


def graded(*, auc: float = 0.8, gain: float = 0.02, error: float = 0.0, users: int = MANY, rule: float = 0.7) -> str:
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
    return grade(metrics, users=users, better=better).name


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
    assert graded(**metrics) == name


def test_a_small_test_may_show_what_chance_alone_shows():
    # 1,000 users of churn rate .5: sqrt(2 / pi * .25 * 10 / 1000) = .0399, times 1.5 = .0598
    assert by_chance(0.25, users=1000) == pytest.approx(0.0399, abs=1e-4)
    assert graded(error=0.0598, users=1000) == "strong"
    assert graded(error=0.0599, users=1000) == "weak"


def test_without_a_rule_the_model_is_measured_against_chance():
    metrics = {name: Interval(value, value, value) for name, value in (("calibration_error", 0.0), ("churn_rate", 0.5))}
    assert grade(metrics | {"auc": Interval(0.61, 0.505, 0.7)}, users=MANY, better=None).name == "good"
    assert grade(metrics | {"auc": Interval(0.61, 0.5, 0.7)}, users=MANY, better=None).name == "no better than a rule"


def test_the_rule_and_the_metrics_come_with_the_grade():
    exact = Interval(0.8124, 0.8, 0.82)
    found = grade({"auc": exact, "calibration_error": exact, "churn_rate": exact}, users=MANY, better=None)
    assert found.rule == RULES[found.name]
    assert "0.812" in found.why
    assert "+0.312" in found.why


def test_no_rule_is_of_no_grade():
    assert set(RULES) == {graded(), graded(gain=0.001), graded(auc=0.5), graded(gain=0), graded(auc=0.9)}
