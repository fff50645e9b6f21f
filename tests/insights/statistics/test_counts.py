"""Intervals of numbers of things."""

from math import inf

import pytest
from scipy.stats import poisson

from insights.statistics.counts import cost_each, count_interval


@pytest.mark.parametrize("n", [1, 7, 300])
def test_the_ends_are_the_means_under_which_so_many_are_too_many_or_too_few(n: int):
    low, high = count_interval(n)
    assert poisson.sf(n - 1, low) == pytest.approx(0.025)
    assert poisson.cdf(n, high) == pytest.approx(0.025)


def test_what_nobody_came_for_has_no_cost_each():
    assert cost_each(100.0, 0)[0] == cost_each(100.0, 0)[2] == inf
    each, low, high = cost_each(100.0, 10)
    assert low < each == 10.0 < high
