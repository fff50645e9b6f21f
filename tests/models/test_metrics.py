"""Every figure against values worked out by hand, and against scikit-learn's on random ones."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, brier_score_loss, log_loss, roc_auc_score

from models.metrics import auc, calibration_error, equal_count_bins, interval, lift, summary

CHURNED = np.array([True, False, True, False, False, False, False, False, False, False])
PROBABILITY = np.array([0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1, 0.05])

scored = st.lists(
    st.tuples(st.booleans(), st.sampled_from([0.1, 0.25, 0.5, 0.5001, 0.9])), min_size=2, max_size=60
).filter(lambda rows: len({churned for churned, _ in rows}) == 2)


def split(rows: list[tuple[bool, float]]) -> tuple[np.ndarray, np.ndarray]:
    return np.array([churned for churned, _ in rows]), np.array([score for _, score in rows])


# --- AUC and what is taken from scikit-learn -----------------------------------------------------------------------


def test_auc_is_the_share_of_pairs_that_stand_right():
    # 2 churners x 8 stayers; only the pair (.7, .8) stands wrong
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


@given(rows=scored, seed=st.integers(0, 5))
def test_no_figure_of_the_ranking_depends_on_the_order_of_users(rows: list[tuple[bool, float]], seed: int):
    churned, score = split(rows)
    order = np.random.default_rng(seed).permutation(len(rows))
    assert lift(churned[order], score[order], share=0.1) == pytest.approx(lift(churned, score, share=0.1))
    assert auc(churned[order], score[order]) == pytest.approx(auc(churned, score))


# --- Intervals -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def drawn() -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(5)
    probability = random.uniform(0.05, 0.95, 400)
    return random.random(400) < probability, probability


def test_an_interval_holds_its_figure(drawn: tuple[np.ndarray, np.ndarray]):
    found = interval(*drawn, of=auc, seed=1)
    assert found.value == auc(*drawn)
    assert found.low < found.value < found.high


def test_an_interval_is_as_wide_as_theory_says(drawn: tuple[np.ndarray, np.ndarray]):
    # Hanley and McNeil 1982: standard error of the AUC from the AUC and the sizes of both classes
    value = auc(*drawn)
    left, stayed = drawn[0].sum(), (~drawn[0]).sum()
    both = value / (2 - value) - value**2, 2 * value**2 / (1 + value) - value**2
    error = np.sqrt((value * (1 - value) + (left - 1) * both[0] + (stayed - 1) * both[1]) / (left * stayed))
    found = interval(*drawn, of=auc, seed=1)
    assert found.high - found.low == pytest.approx(2 * 1.96 * error, rel=0.25)


def test_an_interval_is_drawn_by_its_seed(drawn: tuple[np.ndarray, np.ndarray]):
    assert interval(*drawn, of=auc, seed=1) == interval(*drawn, of=auc, seed=1)
    assert interval(*drawn, of=auc, seed=1) != interval(*drawn, of=auc, seed=2)
