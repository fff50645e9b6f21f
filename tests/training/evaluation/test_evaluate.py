"""The report on the test cutoff: the model compared with the baselines, under the names that machines read."""

import json

import numpy as np
import pytest

from models.evaluation.metrics import paired, summary
from models.evaluation.results import Evaluation
from tests.training.conftest import Training
from tests.training.tested import made_up, rule_baselines
from training.evaluation.evaluate import evaluate


@pytest.fixture(scope="module")
def made() -> Evaluation:
    test, truth = made_up()
    return evaluate(test, truth, baselines=rule_baselines(test), seed=1, capacity=50)


def test_the_report_holds_what_was_promised(periods: Training):
    report = periods.trained.evaluation.to_json()
    promised = {"auc", "average_precision", "log_loss", "calibration_error", "lift_at_10", "users", "churn_rate"}
    assert promised <= set(report["test"])
    assert {"recency", "frequency"} <= set(report["baselines"])
    metrics = ("auc", "log_loss", "calibration_error", "difference_auc", "difference_log_loss")
    ends = {f"{name}{end}" for name in metrics for end in ("", "_low", "_high")}
    assert all(ends == set(rule) for rule in report["baselines"].values())
    assert {"device", "tenure", "activity"} <= {part["dimension"] for part in report["slices"]}
    assert set(report["grade"]) == {"name", "rule", "why"}


def test_the_flat_names_are_the_report_with_dots(made: Evaluation):
    report = made.to_json()
    expected = {f"test.{key}": value for key, value in report["test"].items()} | {
        f"baselines.{rule}.{key}": value
        for rule, values in report["baselines"].items()
        for key, value in values.items()
    }
    assert made.flat() == expected


def test_the_report_is_json_without_inventions(made: Evaluation):
    assert json.loads(json.dumps(made.to_json(), allow_nan=False)) == made.to_json()


def test_users_are_counted_whole(made: Evaluation):
    assert made.to_json()["test"]["users"] == 1_000
    assert isinstance(made.to_json()["test"]["users"], int)


def test_the_figures_are_those_of_the_metrics(made: Evaluation):
    test, truth = made_up()
    assert made.metric_values == pytest.approx(summary(test.churned, truth, capacity=50))
    assert made.metrics["auc"].low < made.auc.value < made.metrics["auc"].high


def test_the_capacity_of_the_team_is_one_more_place_to_look(made: Evaluation):
    # 50 of 1,000 users are 5 %
    assert made.metrics["lift_at_capacity"] == made.metrics["lift_at_5"]
    test, truth = made_up()
    assert "lift_at_capacity" not in evaluate(test, truth, baselines=(), seed=1).metrics


def test_baselines_and_model_are_measured_on_the_same_users(made: Evaluation):
    test, _ = made_up()
    rules = rule_baselines(test)
    same = evaluate(test, rules[0].probability(test.profiles), baselines=rules, seed=1)
    itself = same.baselines["recency"]
    assert itself.auc == same.auc
    assert vars(itself.difference_auc) == vars(itself.difference_log_loss) == {"value": 0, "low": 0, "high": 0}
    assert same.grade.name == "no better than a rule"


def test_a_difference_is_the_model_less_the_baseline(made: Evaluation):
    test, truth = made_up()
    recency = rule_baselines(test)[0].probability(test.profiles)
    found = made.baselines["recency"]
    assert found.difference_auc == paired(test.churned, truth, recency, of="auc", seed=1)
    assert found.difference_auc.value == pytest.approx(made.auc.value - found.auc.value)
    assert found.difference_log_loss.value < 0 < found.difference_auc.low


def test_the_better_rule_is_the_one_with_the_higher_auc(made: Evaluation):
    aucs = {name: found.auc.value for name, found in made.baselines.items()}
    assert aucs[made.better_rule] == max(aucs.values())


def test_a_fitted_baseline_is_not_a_rule(periods: Training):
    found = periods.trained.evaluation
    assert "logistic" in found.baselines
    assert not found.baselines["logistic"].is_rule
    assert found.baselines[found.better_rule].is_rule


def test_without_baselines_there_is_no_better_rule():
    test, truth = made_up(200)
    assert evaluate(test, truth, baselines=(), seed=1).better_rule == ""


def test_the_same_seed_gives_the_same_report_and_another_one_other_intervals():
    test, truth = made_up(200)
    first, again, other = (evaluate(test, truth, baselines=(), seed=seed) for seed in (1, 1, 2))
    assert first == again
    assert other.auc.value == first.auc.value
    assert other.auc != first.auc


def test_a_perfect_score_is_suspicious():
    test, _ = made_up(400)
    leaked = np.where(test.churned, 0.97, 0.03)
    assert evaluate(test, leaked, baselines=rule_baselines(test), seed=1).grade.name == "suspicious (likely leak)"
