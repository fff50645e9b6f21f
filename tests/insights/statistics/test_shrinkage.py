"""Rates of groups, shrunk to their mean."""

import numpy as np
import pytest

from insights.statistics.shrinkage import shrunk


def test_groups_that_differ_by_chance_alone_get_nearly_the_same_rate():
    chance = np.random.default_rng(1)
    sizes = [50] * 20
    found = shrunk(list(chance.binomial(50, 0.3, 20)), sizes)
    assert np.ptp([one.value for one in found]) < 0.06


def test_large_groups_keep_their_own_rate_and_small_ones_do_not():
    large, small = shrunk([500, 1, 100, 300], [1000, 10, 1000, 1000])[:2]
    assert large.value == pytest.approx(0.5, abs=0.01)
    assert 0.1 < small.value < 0.3
    assert small.high - small.low > large.high - large.low


@pytest.mark.parametrize(("parts", "wholes"), [([0, 0], [5, 50]), ([3], [3]), ([5, 50], [5, 50])])
def test_rates_at_the_ends_stay_within_them(parts: list[int], wholes: list[int]):
    for one in shrunk(parts, wholes):
        assert 0 <= one.low <= one.value <= one.high <= 1


def test_where_nothing_or_everything_happened_the_interval_is_as_short_as_the_group_is_large():
    nothing, everything = shrunk([0, 0, 0], [1000, 500, 200]), shrunk([1000, 500], [1000, 500])
    assert [one.low for one in nothing] == [0, 0, 0]
    assert nothing[0].high < nothing[1].high < nothing[2].high < 0.02
    assert [one.high for one in everything] == [1, 1]
    assert min(one.low for one in everything) > 0.99


@pytest.mark.parametrize("sizes", [[100], [900, 60, 40], [50] * 12])
def test_intervals_of_groups_that_are_alike_cover_their_rate(sizes: list[int]):
    chance = np.random.default_rng(6)
    found = [shrunk(list(chance.binomial(sizes, 0.3)), sizes) for _ in range(400)]
    inside = np.array([[one.low <= 0.3 <= one.high for one in groups] for groups in found])
    assert inside.mean(axis=0).min() > 0.92


def test_intervals_cover_the_true_rates():
    chance, inside = np.random.default_rng(2), []
    for _ in range(200):
        truth = chance.beta(20, 60, 12)
        wholes = chance.integers(20, 400, 12)
        found = shrunk(list(chance.binomial(wholes, truth)), list(wholes))
        inside += [one.low <= rate <= one.high for one, rate in zip(found, truth, strict=True)]
    assert 0.9 < np.mean(inside) < 0.99


@pytest.mark.parametrize("groups", [2, 5, 12])
def test_groups_that_do_not_differ_are_called_alike(groups: int):
    chance, other, times = np.random.default_rng(4), 0, 1000
    for _ in range(times):
        wholes = list(chance.integers(100, 2000, groups))
        other += sum(one.verdict != "alike" for one in shrunk(list(chance.binomial(wholes, 0.2)), wholes))
    assert other / (times * groups) < 0.05


def test_a_large_group_is_compared_with_the_others_and_not_with_itself():
    assert [one.verdict for one in shrunk([330, 480], [1000, 1600])] == ["alike", "alike"]
    assert [one.verdict for one in shrunk([330, 400], [1000, 1600])] == ["above", "below"]


def test_one_group_is_like_itself():
    assert [one.verdict for one in shrunk([3], [30])] == ["alike"]
