"""Results of an evaluation: their names in JSON and in MLflow, which older runs share."""

from models.evaluation.metrics import Interval
from models.evaluation.results import BaselineResults, Evaluation, Grade, Slice

AUC = Interval(0.8, 0.75, 0.85)


def baseline(auc: float, *, is_rule: bool) -> BaselineResults:
    found = Interval(auc, auc, auc)
    return BaselineResults(
        description="a rule",
        is_rule=is_rule,
        auc=found,
        log_loss=found,
        calibration_error=found,
        difference_auc=found,
        difference_log_loss=found,
    )


EVALUATION = Evaluation(
    users=120,
    metrics={"auc": AUC},
    baselines={"recency": baseline(0.7, is_rule=True), "overdue": baseline(0.72, is_rule=True)},
    slices=(Slice("device", "ios", 120, {"auc": AUC}), Slice("device", "web", 3, {})),
    grade=Grade("good", "everything else", "AUC 0.800"),
    mean_probability=0.31,
)


def test_the_better_rule_has_the_highest_auc_of_the_rules_alone():
    baselines = EVALUATION.baselines | {"logistic": baseline(0.79, is_rule=False)}
    assert Evaluation(120, {}, baselines, (), EVALUATION.grade).better_rule == "overdue"
    assert Evaluation(120, {}, {"logistic": baseline(0.79, is_rule=False)}, (), EVALUATION.grade).better_rule == ""


def test_the_json_has_each_metric_with_its_interval():
    found = EVALUATION.to_json()
    assert found["test"] == {"users": 120, "mean_probability": 0.31, "auc": 0.8, "auc_low": 0.75, "auc_high": 0.85}
    assert found["slices"][0] == {
        "dimension": "device",
        "value": "ios",
        "users": 120,
        "auc": 0.8,
        "auc_low": 0.75,
        "auc_high": 0.85,
    }
    assert found["slices"][1] == {"dimension": "device", "value": "web", "users": 3}
    assert found["grade"] == {"name": "good", "rule": "everything else", "why": "AUC 0.800"}


def test_the_flat_names_are_those_of_mlflow():
    found = EVALUATION.flat()
    assert (found["test.users"], found["test.auc_low"]) == (120.0, 0.75)
    assert found["baselines.overdue.difference_auc"] == 0.72
    assert len(found) == 2 + 3 + 2 * 5 * 3


def test_the_values_without_intervals_have_the_number_of_users():
    assert EVALUATION.metric_values == {"users": 120.0, "auc": 0.8}
