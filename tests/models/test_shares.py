"""Wilson's interval, compared with statsmodels'."""

import math

import pytest
from statsmodels.stats.proportion import proportion_confint

from models.shares import wilson


@pytest.mark.parametrize(("part", "whole"), [(0, 5), (1, 7), (50, 100), (9_999, 10_000), (3, 3)])
def test_it_is_the_interval_of_statsmodels(part: int, whole: int):
    found = wilson(part, whole)
    assert (found.low, found.high) == pytest.approx(proportion_confint(part, whole, method="wilson"), abs=1e-12)
    assert 0 <= found.low <= found.value <= found.high <= 1


def test_a_share_of_nothing_is_not_known():
    assert math.isnan(wilson(0, 0).value)
