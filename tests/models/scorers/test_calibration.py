"""The three calibrations: the likelihood's own conditions, the rank, the choice, and what happens to a model that ranks upside down."""

from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.arrays import Labels, Values
from models.scorers.calibration import (
    Beta,
    Calibration,
    Isotonic,
    Platt,
    fit_beta,
    fit_calibration,
    fit_isotonic,
    fit_platt,
)

Fit = Callable[[Values, Labels], Calibration]
FITS: list[Fit] = [fit_platt, fit_beta, fit_isotonic]


def simulated(slope: float, intercept: float, *, users: int = 4_000) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(11)
    raw = random.normal(0, 1.5, users)
    return raw, random.random(users) < 1 / (1 + np.exp(-(slope * raw + intercept)))


def stepped(users: int) -> tuple[np.ndarray, np.ndarray]:
    """Churn rates that no line in log odds follows: .1 up to a raw score of 1, .5 up to 2, .95 above."""
    random = np.random.default_rng(5)
    raw = random.uniform(0, 3, users)
    return raw, random.random(users) < np.select([raw < 1, raw < 2], [0.1, 0.5], 0.95)


# --- Weights -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fit", [fit_platt, fit_beta, fit_isotonic])
def test_rows_count_by_their_weight(fit: Any):
    raw, churned = simulated(0.7, -1.2)
    twice, labels = np.tile(raw, 2), np.concatenate([churned, ~churned])
    weighted = fit(twice, labels, weights=np.repeat([1.9, 0.1], len(raw)))
    repeated = fit(np.tile(raw, 20), np.concatenate([np.tile(churned, 19), ~churned]))
    assert weighted.probability(raw) == pytest.approx(repeated.probability(raw), abs=0.002)


def test_the_mean_probability_is_the_churn_rate_of_the_users_that_rows_stand_for():
    raw, churned = simulated(0.7, -1.2)
    weights = np.where(churned, 0.5, 1.5)
    found = fit_calibration(raw, churned, seed=0, weights=weights / weights.mean()).calibration.probability(raw)
    assert np.average(found, weights=weights) == pytest.approx(np.average(churned, weights=weights), abs=0.01)


# --- Platt ---------------------------------------------------------------------------------------------------------


def test_the_probability_is_the_logistic_of_slope_times_raw_plus_intercept():
    found = Platt(slope=2, intercept=-1).probability(np.array([0.0, 0.5, 2.0]))
    assert found == pytest.approx([1 / (1 + np.e), 0.5, 1 / (1 + np.exp(-3))])


def test_it_recovers_the_line_that_made_the_labels():
    found = fit_platt(*simulated(0.7, -1.2, users=40_000))
    assert (found.slope, found.intercept) == pytest.approx((0.7, -1.2), abs=0.05)


@pytest.mark.parametrize(("slope", "intercept"), [(1.0, 0.0), (0.3, -2.0), (3.0, 1.0)])
def test_it_is_the_maximum_of_the_likelihood_of_the_targets_of_platt(slope: float, intercept: float):
    # there the residuals sum to nothing, and so do the residuals times the raw score
    raw, churned = simulated(slope, intercept)
    targets = np.where(churned, (churned.sum() + 1) / (churned.sum() + 2), 1 / ((~churned).sum() + 2))
    residual = fit_platt(raw, churned).probability(raw) - targets
    assert residual.mean() == pytest.approx(0, abs=1e-6)
    assert (residual * raw).mean() == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("fit", FITS)
def test_the_mean_probability_is_the_churn_rate_it_was_fitted_on(fit: Fit):
    raw, churned = simulated(1.0, -1.5)
    assert fit(raw, churned).probability(raw).mean() == pytest.approx(churned.mean(), abs=2e-3)


def test_a_score_that_separates_the_classes_wholly_still_gives_finite_numbers():
    raw = np.arange(200, dtype=np.float64) - 99.5
    found = fit_platt(raw, raw > 0)
    assert np.isfinite([found.slope, found.intercept]).all()
    assert 0.95 < found.probability(np.array([30.0]))[0] < 1


# --- Beta ----------------------------------------------------------------------------------------------------------


def test_beta_bends_the_log_odds_by_hand():
    # p = .8 has raw log 4: log odds 2 ln .8 - 3 ln .2 + .5
    odds = 2 * np.log(0.8) - 3 * np.log(0.2) + 0.5
    assert Beta(2, 3, 0.5).probability(np.log([4.0])) == pytest.approx(1 / (1 + np.exp(-odds)))


def test_beta_with_equal_powers_is_platt():
    raw = np.linspace(-5, 5, 11)
    assert Beta(1.5, 1.5, -0.3).probability(raw) == pytest.approx(Platt(1.5, -0.3).probability(raw))


def test_beta_recovers_the_curve_that_made_the_labels():
    random = np.random.default_rng(3)
    raw, truth = random.normal(0, 1.5, 60_000), Beta(0.4, 2.0, -0.5)
    found = fit_beta(raw, random.random(60_000) < truth.probability(raw))
    assert isinstance(found, Beta)
    assert (found.a, found.b, found.c) == pytest.approx((0.4, 2.0, -0.5), abs=0.1)


# --- Isotonic ------------------------------------------------------------------------------------------------------


def test_isotonic_joins_the_middles_of_the_steps_straight_in_log_odds():
    # steps: raw 0..3 with one of four (middle 1.5), raw 4..7 with three of four (middle 5.5)
    raw, churned = np.arange(8.0), np.array([0, 1, 0, 0, 1, 1, 0, 1], dtype=bool)
    churned[1], churned[0] = False, True  # the churner first, so that the four are one step
    churned[6], churned[7] = True, False
    found = fit_isotonic(raw, churned)
    assert isinstance(found, Isotonic)
    assert found.raw == pytest.approx((1.5, 5.5))
    assert found.probability_at == pytest.approx((0.25, 0.75))
    assert found.slope == pytest.approx(fit_platt(raw, churned).slope)
    beyond = np.log(3) + 2 * found.slope
    assert found.probability(np.array([3.5, 7.5])) == pytest.approx([0.5, 1 / (1 + np.exp(-beyond))])


def test_isotonic_is_sure_of_nobody():
    raw = np.arange(20.0)
    found = fit_isotonic(raw, raw > 9)
    assert isinstance(found, Isotonic)
    assert found.probability_at == pytest.approx((1 / 22, 21 / 22))


# --- All -----------------------------------------------------------------------------------------------------------

CURVES = [fit(*simulated(0.5, -1.0, users=500)) for fit in FITS]


@pytest.mark.parametrize("curve", CURVES, ids=["platt", "beta", "isotonic"])
@given(raw=st.lists(st.floats(-8, 8).map(lambda value: round(value, 3)), min_size=2, max_size=30, unique=True))
def test_every_calibration_keeps_the_rank_and_makes_no_ties(curve: Calibration, raw: list[float]):
    found = curve.probability(np.sort(np.array(raw)))
    assert (np.diff(found) > 0).all()
    assert ((found > 0) & (found < 1)).all()


@settings(max_examples=30)
@given(labels=st.lists(st.booleans(), min_size=4, max_size=40).filter(lambda labels: len(set(labels)) == 2))
def test_no_calibration_of_any_labels_turns_two_users_around(labels: list[bool]):
    raw = np.linspace(-2, 2, len(labels))
    for fit in FITS:
        assert (np.diff(fit(raw, np.array(labels)).probability(raw)) > 0).all()


@pytest.mark.parametrize("fit", FITS)
def test_a_model_that_ranks_upside_down_is_not_turned_around_and_still_says_the_churn_rate(fit: Fit):
    raw = np.linspace(-3, 1, 400)
    churned = np.arange(400) < 100  # the lowest scores left
    found = fit(raw, churned)
    assert isinstance(found, Platt)
    assert found.slope == 1
    assert found.probability(raw).mean() == pytest.approx(0.25)


@pytest.mark.parametrize("fit", FITS)
def test_a_model_that_tells_nobody_apart_gives_everybody_the_churn_rate(fit: Fit):
    assert fit(np.full(400, 0.2), np.arange(400) % 4 == 0).probability(np.array([0.2])) == pytest.approx([0.25])


@pytest.mark.parametrize("saved", [Platt(2, -1), Beta(1, 0, 3), Isotonic((0.0, 1.0), (0.2, 0.6), 0.5)])
def test_a_calibration_survives_json(saved: Calibration):
    assert msgspec.json.decode(msgspec.json.encode(saved), type=Calibration) == saved


# --- The choice ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("users", [300, 8_000])
def test_where_a_line_is_the_truth_the_simplest_is_chosen(users: int):
    found = fit_calibration(*simulated(1.0, -1.0, users=users), seed=0)
    assert isinstance(found.calibration, Platt)
    assert found.log_losses.keys() == {"platt", "beta", "isotonic"}


def test_where_the_truth_is_bent_beta_is_chosen():
    random = np.random.default_rng(3)
    raw = random.normal(0, 2, 8_000)
    found = fit_calibration(raw, random.random(8_000) < Beta(0.1, 2.5, 0.0).probability(raw), seed=0)
    assert isinstance(found.calibration, Beta)
    assert found.log_losses["beta"] < found.log_losses["platt"]


def test_where_the_truth_has_steps_and_rows_abound_isotonic_is_chosen():
    found = fit_calibration(*stepped(8_000), seed=0)
    assert isinstance(found.calibration, Isotonic)
    assert min(found.log_losses, key=lambda name: found.log_losses[name]) == "isotonic"


def test_the_log_losses_are_of_rows_that_were_not_fitted():
    # labels by chance: on the rows it was fitted on Platt beats the entropy of the churn rate, on others it cannot on average
    random = np.random.default_rng(2)
    beyond: list[float] = []
    for _ in range(10):
        raw, churned = random.normal(0, 1, 200), random.random(200) < 0.3
        raw *= np.sign(np.corrcoef(raw, churned)[0, 1])  # luck that looks like skill
        rate = churned.mean()
        entropy = -(rate * np.log(rate) + (1 - rate) * np.log(1 - rate))
        own = fit_platt(raw, churned).probability(raw)
        assert -np.log(np.where(churned, own, 1 - own)).mean() <= entropy + 1e-4
        beyond.append(fit_calibration(raw, churned, seed=0).log_losses["platt"] - entropy)
    assert np.mean(beyond) > 0.002


def test_a_hundred_churners_are_enough():
    raw, churned = simulated(1.0, -3.5, users=2_500)
    assert 80 < churned.sum() < 260
    found = fit_calibration(raw, churned, seed=0).calibration
    assert found.probability(raw).mean() == pytest.approx(churned.mean(), abs=0.01)


def test_one_churner_cannot_be_held_out_and_platt_is_taken():
    found = fit_calibration(np.arange(10.0), np.arange(10) == 9, seed=0)
    assert isinstance(found.calibration, Platt)
    assert found.log_losses == {}


def test_fitting_twice_gives_the_same_bits():
    assert fit_calibration(*simulated(0.7, -1.2), seed=4) == fit_calibration(*simulated(0.7, -1.2), seed=4)
