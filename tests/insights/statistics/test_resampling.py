"""Intervals of ratios, by resampling parts of the users."""

import numpy as np
import pytest

from insights.statistics.resampling import ratio_interval


def test_the_interval_of_a_mean_is_near_that_of_its_standard_error():
    part = np.random.default_rng(1).normal(5, 1, 100)
    low, high = ratio_interval(part, np.ones(100))
    error = part.std() / 10
    assert (low, high) == pytest.approx((part.mean() - 1.96 * error, part.mean() + 1.96 * error), abs=0.05)


def test_the_same_seed_gives_the_same_interval():
    part = np.arange(100.0)
    assert ratio_interval(part, np.ones(100)) == ratio_interval(part, np.ones(100))


def test_too_few_parts_have_no_interval():
    whole = np.zeros(100)
    whole[:19] = 1
    assert np.isnan(ratio_interval(whole, whole)).all()
