"""Platt scaling: the likelihood's own conditions, the rank, and what happens to a model that ranks upside down."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.calibration import Calibration, fit_platt


def drawn(slope: float, intercept: float, *, users: int = 4_000) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(11)
    raw = random.normal(0, 1.5, users)
    return raw, random.random(users) < 1 / (1 + np.exp(-(slope * raw + intercept)))


def test_the_probability_is_the_logistic_of_slope_times_raw_plus_intercept():
    found = Calibration(slope=2, intercept=-1).probability(np.array([0.0, 0.5, 2.0]))
    assert found == pytest.approx([1 / (1 + np.e), 0.5, 1 / (1 + np.exp(-3))])


def test_it_recovers_the_line_that_made_the_labels():
    found = fit_platt(*drawn(0.7, -1.2, users=40_000))
    assert (found.slope, found.intercept) == pytest.approx((0.7, -1.2), abs=0.05)


@pytest.mark.parametrize(("slope", "intercept"), [(1.0, 0.0), (0.3, -2.0), (3.0, 1.0)])
def test_it_is_the_maximum_of_the_likelihood(slope: float, intercept: float):
    # there the residuals sum to nothing, and so do the residuals times the raw score
    raw, churned = drawn(slope, intercept)
    residual = fit_platt(raw, churned).probability(raw) - churned
    assert residual.mean() == pytest.approx(0, abs=1e-4)
    assert (residual * raw).mean() == pytest.approx(0, abs=1e-4)


def test_the_mean_probability_is_the_churn_rate_it_was_fitted_on():
    raw, churned = drawn(1.0, -1.5)
    assert fit_platt(raw, churned).probability(raw).mean() == pytest.approx(churned.mean(), abs=1e-4)


FITTED = fit_platt(*drawn(0.5, -1.0, users=500))


@given(raw=st.lists(st.floats(-8, 8).map(lambda value: round(value, 3)), min_size=2, max_size=30, unique=True))
def test_it_keeps_the_rank_and_makes_no_ties(raw: list[float]):
    found = FITTED.probability(np.sort(np.array(raw)))
    assert (np.diff(found) > 0).all()
    assert ((found > 0) & (found < 1)).all()


def test_a_model_that_ranks_upside_down_is_not_turned_around():
    raw, churned = drawn(-1.0, 0.0)
    found = fit_platt(raw, churned)
    assert found.slope > 0
    assert (np.diff(found.probability(np.array([-1.0, 0.0, 1.0]))) > 0).all()


def test_a_model_that_tells_nobody_apart_still_gives_finite_probabilities():
    found = fit_platt(np.full(400, 0.2), np.arange(400) % 4 == 0)
    assert np.isfinite([found.slope, found.intercept]).all()
    assert found.slope > 0


def test_fitting_twice_gives_the_same_bits():
    assert fit_platt(*drawn(0.7, -1.2)) == fit_platt(*drawn(0.7, -1.2))
