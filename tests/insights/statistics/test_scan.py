"""The scan finds a planted run of weeks, and errs about as seldom as it says."""

from functools import cache

import numpy as np

from insights.statistics.scan import Deviation, dated, expected_inside, largest_deviations


def constant(seed: int) -> tuple[np.ndarray[tuple[int, ...], np.dtype[np.int64]], ...]:
    chance = np.random.default_rng(seed)
    reached = chance.integers(0, 60, (6, 20, 2))
    rates = chance.uniform(0.2, 0.8, (6, 1, 2))
    return reached, chance.binomial(reached, rates)


@cache
def of_constant(seed: int) -> tuple[Deviation, ...]:
    return largest_deviations(*constant(seed))


def test_a_run_of_weeks_is_found_in_its_group():
    reached, converted = constant(1)
    converted[3, 8:12] = converted[3, 8:12] // 3
    found, _ = largest_deviations(reached, converted)
    assert (found.row, found.start, found.stop) == (3, 8, 12)
    assert found.z < -5
    assert found.p_value == 1 / 1000


def test_p_values_of_constant_rates_are_about_uniform():
    values = [one.p_value for seed in range(2, 14) for one in of_constant(seed)]
    assert len(values) == 24
    assert sum(value <= 0.05 for value in values) <= 4
    assert 0.3 < np.mean(values) < 0.7


def test_of_the_deviations_those_within_their_limits_are_returned():
    """Sampling ends early where none can be, and changes no p-value of those that are."""
    for seed in range(2, 14):
        fall, rise = of_constant(seed)
        limits = {-1: 0.5, 1: 0.2}
        within = [one for one, limit in zip((fall, rise), limits.values(), strict=True) if one.p_value <= limit]
        assert largest_deviations(*constant(seed), limits=limits) == tuple(within)
    reached, converted = constant(1)
    converted[3, 8:12] = converted[3, 8:12] // 3
    assert [one.row for one in largest_deviations(reached, converted, limits={-1: 0.001, 1: 0.0})] == [3]


def test_nothing_is_said_of_too_few_users():
    reached = np.ones((1, 10, 1), np.int64)
    assert all(one.p_value == 1.0 for one in largest_deviations(reached, reached * 0))


def test_a_single_week_has_no_runs():
    assert largest_deviations(np.full((1, 1, 1), 9), np.full((1, 1, 1), 4)) == ()


def test_days_are_those_between_which_the_rate_differs():
    reached = np.full((1, 60), 20)
    converted = np.full((1, 60), 16)
    converted[0, 23:37] = 4
    assert dated(reached, converted, around=(21, 35), within=7, sign=-1) == (23, 37)
    assert dated(reached, converted, around=(21, 35), within=7, sign=1) == (21, 35)  # no run of days has a rise


def test_days_are_not_those_in_which_only_the_mixture_of_strata_differs():
    reached, converted = np.full((2, 60), 20), np.full((2, 60), [[12], [4]])
    converted[0, 23:37] = 6
    reached[1, 18:40], converted[1, 18:40] = 0, 0  # the stratum with the low rate stays away for longer
    assert dated(reached, converted, around=(21, 35), within=7, sign=-1) == (23, 37)


def test_the_rate_outside_is_that_of_each_stratum():
    reached, converted = np.array([[10, 10, 20], [0, 50, 0], [5, 0, 0]]), np.array([[6, 3, 12], [0, 5, 0], [2, 0, 0]])
    # of the first, 15 of 30 go on outside; the second is not inside, and of the third nothing else is known
    assert expected_inside(reached, converted, days=(0, 1)) == 10 * 15 / 30 + 2
