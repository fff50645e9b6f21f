"""Curves by hand: anchored, monotone, with the day in the middle."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.scorers.hazard import Curves, with_interval

LN2 = float(np.log(2))


def curves(*hazards: float, is_event: bool = False) -> Curves:
    return Curves((10, 20, 40), np.array([hazards]), is_event)


def test_staying_away_becomes_less_likely_and_an_event_more_likely_with_every_day():
    hazards = (LN2, 2 * LN2, 3 * LN2)
    assert curves(*hazards).probabilities[0] == pytest.approx([1 / 2, 1 / 4, 1 / 8])
    assert curves(*hazards, is_event=True).probabilities[0] == pytest.approx([1 / 2, 3 / 4, 7 / 8])


def test_between_two_days_the_hazard_is_constant():
    found = curves(LN2, 3 * LN2, 3.5 * LN2)
    assert found.churn_probability(5)[0] == pytest.approx(2**-0.5)
    assert found.churn_probability(15)[0] == pytest.approx(2**-2)
    assert found.churn_probability(40)[0] == pytest.approx(2**-3.5)


@pytest.mark.parametrize(("hazards", "days"), [((LN2, 1, 2), 10), ((0, LN2 * 2, 2), 15), ((0.1, 0.2, LN2), 40)])
def test_the_day_in_the_middle_is_where_both_are_as_likely(hazards: tuple[float, ...], days: float):
    found = curves(*hazards)
    assert found.median_days[0] == pytest.approx(days)
    assert found.churn_probability(days)[0] == pytest.approx(0.5)


def test_a_curve_that_stays_above_one_half_has_no_day_in_the_middle():
    assert np.isnan(curves(0.1, 0.2, 0.69).median_days[0])


@pytest.mark.parametrize("is_event", [False, True])
def test_anchored_curves_have_the_given_probability_at_the_horizon(is_event: bool):
    found = curves(0.2, 0.6, 1.0, is_event=is_event).anchored(np.array([0.9]), at=20)
    assert found.churn_probability(20)[0] == pytest.approx(0.9, abs=1e-12)
    none = 0.1 if is_event else 0.9
    assert found.cumulative[0] == pytest.approx(-np.log(none) * np.array([1 / 3, 1, 5 / 3]))


@given(
    st.lists(st.floats(1e-12, 20), min_size=3, max_size=3),
    st.floats(0, 1),
    st.booleans(),
    st.sampled_from([10, 20, 40]),
)
def test_every_curve_is_monotone_and_within_zero_and_one(
    steps: list[float], probability: float, is_event: bool, at: int
):
    found = (
        curves(*np.cumsum(steps).tolist(), is_event=is_event).anchored(np.array([probability]), at=at).probabilities[0]
    )
    assert ((found >= 0) & (found <= 1)).all()
    assert (np.diff(found) >= 0).all() if is_event else (np.diff(found) <= 0).all()


def test_the_interval_is_a_feature_more():
    assert with_interval(np.array([[1.0], [2.0]]), 7).tolist() == [[1, 7], [2, 7]]
    assert with_interval(np.array([[1.0], [2.0]]), np.array([7.0, 14.0])).tolist() == [[1, 7], [2, 14]]
