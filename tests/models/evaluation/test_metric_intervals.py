"""How certain a metric is: intervals over users, of one model and of the difference between two."""

from typing import Any

import numpy as np
import pytest
from scipy.optimize import brentq
from scipy.special import expit
from sklearn.linear_model import LogisticRegression

from models.evaluation.metrics import Interval, auc, intervals, paired, summary
from tests.models.conftest import Users

NEAR: dict[str, dict[str, Any]] = {"calibration_slope": {"rel": 0.05}, "calibration_intercept": {"abs": 0.005}}


def test_an_interval_contains_its_metric(users_400: Users):
    found, metrics = intervals(*users_400, seed=1, capacity=40), summary(*users_400, capacity=40)
    assert found.keys() == metrics.keys() - {"users"}
    assert {name: interval.value for name, interval in found.items()} == {name: metrics[name] for name in found}
    for name in (
        "auc",
        "average_precision",
        "log_loss",
        "brier",
        "calibration_slope",
        "calibration_intercept",
        "lift_at_20",
        "recall_at_capacity",
    ):
        assert found[name].low < found[name].value < found[name].high


def test_a_resample_is_what_the_summary_of_the_sampled_rows_is(users_400: Users, monkeypatch: pytest.MonkeyPatch):
    # one resample makes both ends of an interval; the rows it drew, written out, give the same metrics
    monkeypatch.setattr("models.evaluation.metrics._RESAMPLES", 1)
    monkeypatch.setattr("models.evaluation.metrics._MIN_RESAMPLES", 1)
    churned, probability = users_400[0], users_400[1].round(1)
    rows = np.random.default_rng(7).integers(0, 400, 400)
    expected = summary(churned[rows], probability[rows], capacity=40)
    for name, interval in intervals(churned, probability, seed=7, capacity=40).items():
        assert interval.low == interval.high == pytest.approx(expected[name], **NEAR.get(name, {"rel": 1e-9}))


def test_an_interval_is_as_wide_as_theory_says(users_400: Users):
    # Hanley and McNeil 1982: standard error of the AUC from the AUC and the sizes of both classes
    value = auc(*users_400)
    left, stayed = users_400[0].sum(), (~users_400[0]).sum()
    both = value / (2 - value) - value**2, 2 * value**2 / (1 + value) - value**2
    error = np.sqrt((value * (1 - value) + (left - 1) * both[0] + (stayed - 1) * both[1]) / (left * stayed))
    found = intervals(*users_400, seed=1)
    assert found["auc"].high - found["auc"].low == pytest.approx(2 * 1.96 * error, rel=0.25)
    rate = found["churn_rate"]
    assert rate.high - rate.low == pytest.approx(2 * 1.96 * np.sqrt(rate.value * (1 - rate.value) / 400), rel=0.25)


def test_an_interval_depends_on_its_seed(users_400: Users):
    assert intervals(*users_400, seed=1) == intervals(*users_400, seed=1)
    assert intervals(*users_400, seed=1) != intervals(*users_400, seed=2)


def test_the_rows_of_a_user_are_sampled_together(users_400: Users):
    # every user four times over: four times the rows, and no more is known
    churned, probability = np.repeat(users_400[0], 4), np.repeat(users_400[1], 4)
    users = np.repeat(np.arange(400), 4)
    alone, together = intervals(*users_400, seed=1)["auc"], intervals(churned, probability, seed=1, users=users)["auc"]
    assert (together.low, together.high) == pytest.approx((alone.low, alone.high))
    apart = intervals(churned, probability, seed=1)["auc"]
    assert apart.high - apart.low == pytest.approx((alone.high - alone.low) / 2, rel=0.25)


def test_a_figure_that_some_resamples_lack_takes_its_interval_from_the_others():
    churned = np.arange(12) == 0  # one churner: a third of the resamples have none
    found = intervals(churned, np.linspace(0.9, 0.1, 12), seed=0)
    assert found["auc"] == Interval(1, 1, 1)


# --- Weights -------------------------------------------------------------------------------------------------------


def test_a_weight_is_as_many_users_of_the_same_kind(users_400: Users):
    churned, probability = users_400
    times = np.random.default_rng(3).choice([1, 3], 400)
    many, found = (
        summary(np.repeat(churned, times), np.repeat(probability, times)),
        summary(churned, probability, weights=times / times.mean()),
    )
    for name in ("auc", "log_loss", "brier", "churn_rate", "average_precision"):
        assert found[name] == pytest.approx(many[name], rel=1e-9)
    for name in ("calibration_slope", "calibration_intercept"):
        assert found[name] == pytest.approx(many[name], rel=1e-3)
    for name in ("calibration_error", "lift_at_10"):
        assert found[name] == pytest.approx(many[name], rel=0.05, abs=0.01)


def test_the_slope_and_the_intercept_of_weighted_users_are_those_of_their_own_regression():
    # a tenth weighs ten times as much, leaves more often, and depends more on the score
    chance = np.random.default_rng(0)
    odds, is_heavy = chance.normal(size=4000), chance.random(4000) < 0.1
    churned = chance.random(4000) < expit(np.where(is_heavy, 1.5 * odds + 0.6, 0.5 * odds - 1.5))
    weights = np.where(is_heavy, 10.0, 1.0) / np.where(is_heavy, 10.0, 1.0).mean()
    exact = LogisticRegression(C=np.inf, tol=1e-10).fit((odds - 0.5)[:, None], churned, sample_weight=weights)

    def missing(intercept: float) -> float:
        return float(weights @ (churned - expit(intercept + odds - 0.5)))

    names = ("calibration_slope", "calibration_intercept")
    found = intervals(churned, expit(odds - 0.5), seed=1, of=names, weights=weights)
    whole = summary(churned, expit(odds - 0.5), weights=weights)
    assert found["calibration_slope"].value == pytest.approx(exact.coef_[0, 0], abs=1e-4)  # .842
    assert found["calibration_intercept"].value == pytest.approx(brentq(missing, -2, 2), abs=1e-4)  # .001
    assert [found[name].value for name in names] == [whole[name] for name in names]
    assert all(one.low < one.value < one.high for one in found.values())


def test_a_few_heavy_users_make_every_metric_less_certain(users_400: Users):
    heavy = np.where(np.arange(400) % 20 == 0, 20.0, 1.0)
    found = intervals(*users_400, seed=1, of=("auc", "log_loss"), weights=heavy / heavy.mean())
    equal = intervals(*users_400, seed=1, of=("auc", "log_loss"))
    for name, one in found.items():
        assert one.low < one.value < one.high
        assert one.high - one.low > 1.3 * (equal[name].high - equal[name].low)
    ones = intervals(*users_400, seed=1, of=("auc",), weights=np.ones(400))["auc"]
    assert (ones.low, ones.high) == pytest.approx((equal["auc"].low, equal["auc"].high))


def test_a_pair_is_weighted_on_both_sides(users_400: Users):
    churned, first = users_400
    second, weights = np.full(400, 0.5), np.where(churned, 3.0, 1.0) / np.where(churned, 3.0, 1.0).mean()
    found = paired(churned, first, second, of="log_loss", seed=1, weights=weights)
    both = (summary(churned, one, weights=weights)["log_loss"] for one in (first, second))
    assert found.value == pytest.approx(next(both) - next(both))
    assert found.low < found.value < found.high


# --- Pairs ---------------------------------------------------------------------------------------------------------


def test_a_score_against_itself_differs_by_nothing(users_400: Users):
    assert paired(users_400[0], users_400[1], users_400[1], of="log_loss", seed=1) == Interval(0, 0, 0)


def test_a_pair_is_the_difference_of_both_metrics_and_turns_its_sign_with_them(users_400: Users):
    churned, first = users_400
    second = np.random.default_rng(9).permutation(first)
    found, turned = (paired(churned, *pair, of="auc", seed=1) for pair in ((first, second), (second, first)))
    assert found.value == pytest.approx(auc(churned, first) - auc(churned, second))
    assert 0 < found.low < found.value < found.high
    assert (turned.low, turned.high) == pytest.approx((-found.high, -found.low))


@pytest.mark.parametrize("of", ["auc", "brier"])
def test_sampled_together_a_small_difference_is_seen_that_both_intervals_hide(users_400: Users, of: str):
    churned, first = users_400
    second = np.clip(first + np.random.default_rng(9).normal(0, 0.03, 400), 0.01, 0.99)
    alone, pair = intervals(churned, first, seed=1)[of], paired(churned, first, second, of=of, seed=1)
    assert pair.high - pair.low < (alone.high - alone.low) / 2
