"""Every metric against values worked out by hand, and against scikit-learn's on random ones."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import logit
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, brier_score_loss, log_loss, roc_auc_score

from models.evaluation.metrics import METRICS, auc, calibration_error, equal_count_bins, lift, summary
from tests.models.conftest import Users

CHURNED = np.array([True, False, True, False, False, False, False, False, False, False])
PROBABILITY = np.array([0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1, 0.05])

scored = st.lists(
    st.tuples(st.booleans(), st.sampled_from([0.1, 0.25, 0.5, 0.5001, 0.9])), min_size=2, max_size=60
).filter(lambda rows: len({churned for churned, _ in rows}) == 2)


def split(rows: list[tuple[bool, float]]) -> tuple[np.ndarray, np.ndarray]:
    return np.array([churned for churned, _ in rows]), np.array([score for _, score in rows])


# --- AUC and what is taken from scikit-learn -----------------------------------------------------------------------


def test_auc_is_the_share_of_pairs_that_stand_right():
    # 2 churners x 8 retained; only the pair (.7, .8) stands wrong
    assert auc(CHURNED, PROBABILITY) == pytest.approx(15 / 16)


def test_auc_counts_a_tie_as_half_a_pair():
    assert auc(np.array([True, False]), np.array([0.3, 0.3])) == 0.5


def test_auc_of_a_rule_needs_no_probabilities():
    assert auc(np.array([True, True, False]), np.array([-1.0, -5.0, -9.0])) == 1.0


def test_the_summary_says_what_scikit_learn_says():
    random = np.random.default_rng(3)
    probability = random.uniform(0.01, 0.99, 500)
    churned = random.random(500) < probability
    found = summary(churned, probability)
    assert found["auc"] == pytest.approx(roc_auc_score(churned, probability))
    assert found["average_precision"] == pytest.approx(average_precision_score(churned, probability))
    assert found["log_loss"] == pytest.approx(log_loss(churned, probability))
    assert found["brier"] == pytest.approx(brier_score_loss(churned, probability))
    assert (found["users"], found["churn_rate"]) == (500, churned.mean())


def test_the_summary_by_hand():
    found = summary(CHURNED, PROBABILITY)
    assert found["average_precision"] == pytest.approx((1 / 1 + 2 / 3) / 2)
    squares = [0.01, 0.64, 0.09, 0.36, 0.25, 0.16, 0.09, 0.04, 0.01, 0.0025]
    assert found["brier"] == pytest.approx(sum(squares) / 10)
    losses = -np.log([0.9, 0.2, 0.7, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95])
    assert found["log_loss"] == pytest.approx(losses.mean())
    assert found["lift_at_10"] == pytest.approx(1.0 / 0.2)


# --- Calibration error ---------------------------------------------------------------------------------------------


def test_calibration_error_weighs_each_bin_by_its_users():
    # bins of 2, 2 and 1: |.15 - 0| * 2, |.45 - .5| * 2, |.9 - 1| * 1
    probability = np.array([0.1, 0.2, 0.4, 0.5, 0.9])
    churned = np.array([False, False, True, False, True])
    assert calibration_error(churned, probability, bins=3) == pytest.approx((0.3 + 0.1 + 0.1) / 5)


def test_calibration_error_takes_ten_bins_of_equal_count():
    probability = np.repeat(np.arange(10) / 10 + 0.05, 20)  # ten groups of 20
    churned = np.tile(np.arange(20) < 10, 10)  # half of each left
    assert calibration_error(churned, probability) == pytest.approx(np.abs(np.arange(10) / 10 + 0.05 - 0.5).mean())


def test_calibration_error_is_zero_where_every_bin_keeps_its_word():
    probability = np.array([0.5, 0.5, 1.0, 1.0])
    assert calibration_error(np.array([True, False, True, True]), probability, bins=2) == 0


def test_calibration_error_does_not_forgive_errors_of_opposite_sign():
    probability = np.array([0.2, 0.8])
    assert calibration_error(np.array([True, False]), probability, bins=2) == pytest.approx(0.8)


def test_fewer_users_than_bins_are_a_bin_each():
    assert len(equal_count_bins(CHURNED[:3], PROBABILITY[:3], bins=10)) == 3


@given(rows=scored)
def test_calibration_error_lies_between_zero_and_one(rows: list[tuple[bool, float]]):
    assert 0 <= calibration_error(*split(rows)) <= 1


@given(rows=scored)
def test_bins_hold_every_user_once_and_rise(rows: list[tuple[bool, float]]):
    bins = equal_count_bins(*split(rows), bins=10)
    assert sum(len(probability) for probability, _ in bins) == len(rows)
    assert max(len(p) for p, _ in bins) - min(len(p) for p, _ in bins) <= 1
    assert all(low.max() <= high.min() for (low, _), (high, _) in itertools.pairwise(bins))


def test_calibration_error_does_not_depend_on_the_order_of_tied_users():
    # two bins of two, three users tied across the border: each of the three counts as a third of a churner
    churned, probability = np.array([True, False, False, True]), np.array([0.5, 0.5, 0.5, 0.9])
    expected = (abs(1.0 - 2 / 3) + abs(1.4 - (1 / 3 + 1))) / 4
    for order in itertools.permutations(range(4)):
        found = calibration_error(churned[list(order)], probability[list(order)], bins=2)
        assert found == pytest.approx(expected)


def test_tied_users_share_their_churn_rate_in_the_bins():
    found = equal_count_bins(np.array([True, False, False, True]), np.array([0.5, 0.5, 0.5, 0.9]), bins=2)
    assert [probability.tolist() for probability, _ in found] == [[0.5, 0.5], [0.5, 0.9]]
    assert found[0][1] == pytest.approx([1 / 3, 1 / 3])
    assert found[1][1] == pytest.approx([1 / 3, 1])


# --- The Brier score and the slope ---------------------------------------------------------------------------------


def test_the_brier_score_falls_into_three_parts_by_hand():
    # ten bins of one: .25 four times, of whom two left; .75 six times, of whom five left
    probability = np.repeat([0.25, 0.75], [4, 6])
    churned = np.array([True, True, False, False, True, True, True, True, True, False])
    found = summary(churned, probability)
    assert found["brier_reliability"] == pytest.approx(0.4 * (0.25 - 0.5) ** 2 + 0.6 * (0.75 - 5 / 6) ** 2)
    assert found["brier_resolution"] == pytest.approx(0.4 * (0.5 - 0.7) ** 2 + 0.6 * (5 / 6 - 0.7) ** 2)
    assert found["brier_uncertainty"] == pytest.approx(0.7 * 0.3)


@given(sizes=st.lists(st.integers(0, 8), min_size=10, max_size=10).filter(lambda many: 0 < sum(many) < 80))
def test_where_a_bin_has_one_probability_the_parts_add_up_exactly(sizes: list[int]):
    probability = np.repeat(np.arange(1, 11) / 11, 8)  # ten bins of eight, so many of whom left
    churned = np.concatenate([np.arange(8) < left for left in sizes])
    found = summary(churned, probability)
    parts = found["brier_reliability"] - found["brier_resolution"] + found["brier_uncertainty"]
    assert found["brier"] == pytest.approx(parts)


def test_what_the_parts_leave_is_the_spread_within_the_bins_less_twice_the_covariance(users_400: Users):
    churned, probability = users_400
    found = summary(churned, probability)
    rest = sum(
        len(p) * (p.var() - 2 * np.mean((p - p.mean()) * (c - c.mean())))
        for p, c in equal_count_bins(churned, probability, bins=10)
    )
    parts = found["brier_reliability"] - found["brier_resolution"] + found["brier_uncertainty"]
    assert found["brier"] == pytest.approx(parts + rest / len(churned))


def test_the_slope_is_that_of_logistic_regression_on_the_log_odds(users_400: Users):
    churned, probability = users_400
    bold = 1 / (1 + ((1 - probability) / probability) ** 2)  # log odds doubled
    log_odds = np.log(bold / (1 - bold)).reshape(-1, 1)
    expected = LogisticRegression(C=np.inf, tol=1e-8).fit(log_odds, churned).coef_[0, 0]
    assert summary(churned, bold)["calibration_slope"] == pytest.approx(expected, rel=1e-3)
    assert summary(churned, bold)["calibration_slope"] == pytest.approx(0.5, abs=0.1)


def test_the_calibration_intercept_is_the_shift_that_the_probabilities_lack():
    # half of four users churned: expit(logit .3 + b) + expit(logit .6 + b) = 1, so logit .3 + b = -(logit .6 + b)
    churned, probability = np.array([True, False, True, False]), np.array([0.3, 0.3, 0.6, 0.6])
    found = summary(churned, probability)["calibration_intercept"]
    assert found == pytest.approx(-(logit(0.3) + logit(0.6)) / 2, rel=1e-2)
    everybody = summary(np.ones(4, dtype=np.bool_), probability)["calibration_intercept"]
    assert np.isfinite(everybody)
    assert everybody > 5


def test_a_probability_that_is_the_same_for_all_or_sure_still_has_finite_metrics():
    for probability in (np.full(10, 0.3), CHURNED.astype(float)):
        assert np.isfinite(list(summary(CHURNED, probability).values())).all()


# --- Lift ----------------------------------------------------------------------------------------------------------


def test_lift_is_the_rate_at_the_top_over_the_rate_of_all():
    assert lift(CHURNED, PROBABILITY, share=0.2) == pytest.approx((1 / 2) / 0.2)
    assert lift(CHURNED, PROBABILITY, share=0.3) == pytest.approx((2 / 3) / 0.2)


def test_users_tied_at_the_border_of_the_top_share_their_rate():
    # top 2 of 4: the first surely, and one of three tied users of whom one left
    churned, score = np.array([True, True, False, False]), np.array([0.9, 0.5, 0.5, 0.5])
    assert lift(churned, score, share=0.5) == pytest.approx(((1 + 1 / 3) / 2) / 0.5)


def test_a_score_that_tells_nobody_apart_has_no_lift():
    assert lift(CHURNED, np.full(10, 0.3), share=0.1) == pytest.approx(1)


def test_the_top_is_at_least_one_user():
    assert lift(np.array([True, False]), np.array([0.9, 0.1]), share=0.1) == pytest.approx(2)


def test_recall_is_the_share_of_the_churners_in_the_top():
    found = summary(CHURNED, PROBABILITY, capacity=3)
    assert found["recall_at_10"] == 0.5
    assert found["recall_at_20"] == 0.5
    assert (found["recall_at_capacity"], found["lift_at_capacity"]) == pytest.approx((1.0, (2 / 3) / 0.2))


def test_a_capacity_for_more_than_all_users_reaches_all():
    found = summary(CHURNED, PROBABILITY, capacity=1_000)
    assert (found["recall_at_capacity"], found["lift_at_capacity"]) == pytest.approx((1, 1))


def test_without_a_capacity_there_are_no_figures_at_it():
    assert set(METRICS) - set(summary(CHURNED, PROBABILITY)) == {"lift_at_capacity", "recall_at_capacity"}


@given(rows=scored, seed=st.integers(0, 5))
def test_no_figure_depends_on_the_order_of_users(rows: list[tuple[bool, float]], seed: int):
    churned, score = split(rows)
    order = np.random.default_rng(seed).permutation(len(rows))
    assert summary(churned[order], score[order], capacity=3) == pytest.approx(summary(churned, score, capacity=3))


@given(rows=scored)
def test_the_ranking_figures_are_those_of_scikit_learn_with_ties_too(rows: list[tuple[bool, float]]):
    found = summary(*split(rows))
    assert found["auc"] == pytest.approx(roc_auc_score(*split(rows)))
    assert found["average_precision"] == pytest.approx(average_precision_score(*split(rows)))


def test_a_figure_that_does_not_exist_is_not_a_number():
    found = summary(np.array([True, True]), np.array([0.3, 0.4]))
    assert np.isnan(found["auc"])
    assert found["brier"] == pytest.approx((0.49 + 0.36) / 2)


@pytest.mark.parametrize("name", METRICS)
def test_every_figure_says_in_a_sentence_what_it_means(name: str):
    assert METRICS[name].name == name
    assert METRICS[name].meaning.endswith(".")
