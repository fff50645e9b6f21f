"""The benchmark of the model of new users: what it calls met is what was asked for."""

from __future__ import annotations

import pytest

from benchmarks.accuracy.new_users import page, verdict
from models.evaluation.metrics import Interval
from models.evaluation.results import BaselineResults, Evaluation, Grade
from seeds.simulate import World

ANY = Interval(0.5, 0.4, 0.6)


def rule(auc: float, above: float, *, is_rule: bool = True) -> BaselineResults:
    return BaselineResults(
        "", is_rule, Interval(auc, auc, auc), ANY, ANY, Interval(0.04, above, 0.05), difference_log_loss=ANY
    )


def found(users: int, error: float, above: float) -> Evaluation:
    baselines = {"recency": rule(0.7, above), "overdue": rule(0.6, 0.09), "logistic": rule(0.8, -0.1, is_rule=False)}
    metrics = {"auc": Interval(0.74, 0.73, 0.75), "calibration_error": Interval(error, 0.0, 1.0)}
    return Evaluation(users, metrics, baselines, (), Grade("", "", ""))


@pytest.mark.parametrize(
    ("users", "error", "above", "word"),
    [
        (5_000, 0.029, 0.001, "met"),
        (4_999, 0.029, 0.001, "missed"),
        (5_000, 0.030, 0.001, "missed"),
        (5_000, 0.029, 0.0, "missed"),
    ],
)
def test_all_three_have_to_hold_against_the_best_rule(users: int, error: float, above: float, word: str):
    said = verdict(found(users, error, above))
    assert said.endswith(f": {word}.")
    assert "above recency by" in said


def test_the_page_shows_every_baseline_and_the_limit_of_what_is_possible():
    rows = page(found(5_000, 0.02, 0.01), world=World(), possible=0.7512).splitlines()
    assert [row.split("|")[1].strip() for row in rows if row.startswith("| ")] == [
        *("", "the model", "recency", "overdue", "logistic", "who knows the world's parameters")
    ]
    assert rows[-1] == "| who knows the world's parameters | 0.751 | | |"
