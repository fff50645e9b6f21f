"""What a calibration error means on so many users: chance alone, or more than that."""

import numpy as np
import pytest
from scipy.special import expit, logit

from models.evaluation.metrics import calibration_error, summary
from models.evaluation.reliability import Reliability
from tests.models.conftest import Users


def of_truth(users: int, *, seed: int, shift: float = 0.0) -> Reliability:
    """Users who churn with other probabilities than those that are judged, by a shift in log-odds."""
    random = np.random.default_rng(seed)
    truth = expit(random.normal(-0.8, 1.0, users))
    return Reliability.of(random.random(users) < truth, expit(logit(truth) + shift), seed=seed)


def test_the_error_is_the_metric(users_400: Users):
    assert Reliability.of(*users_400, seed=1).error == calibration_error(*users_400)


def test_what_chance_shows_is_what_theory_says():
    # everybody at .5: ten bins of 100 are off by sqrt(2 / pi) * sqrt(.25 / 100) = .0399 each, less for the discreteness of counts;
    # ties share their rate, so the users get probabilities that differ a little
    probability = np.linspace(0.499, 0.501, 1_000)
    found = Reliability.of(np.arange(1_000) % 2 == 0, probability, seed=1)
    assert found.by_chance == pytest.approx(0.0399, rel=0.02)
    # the standard deviation of the mean of ten half-normal variables is .603 * .05 / sqrt(10) = .0095
    assert found.by_chance_95 == pytest.approx(0.0399 + 1.645 * 0.0095, rel=0.05)


def test_true_probabilities_exceed_the_95_percent_point_once_in_twenty():
    above = [one.error > one.by_chance_95 for one in (of_truth(600, seed=seed) for seed in range(150))]
    assert 0.01 <= np.mean(above) <= 0.10


def test_tied_users_are_drawn_together(users_400: Users):
    # one probability for all: bins are parts of one tie, whose error is the distance of two rates
    churned = users_400[0]
    found = Reliability.of(churned, np.full(400, 0.3), seed=1)
    assert found.error == pytest.approx(abs(churned.mean() - 0.3))
    assert found.by_chance == pytest.approx(np.sqrt(2 / np.pi * 0.21 / 400), rel=0.05)


def test_the_debiased_error_is_near_the_true_one_and_never_above_the_error():
    # the true error of a shift by .3 in log-odds, from so many users that nothing is left to chance
    true = of_truth(400_000, seed=0, shift=0.3).error
    shifted = [of_truth(1_500, seed=seed, shift=0.3) for seed in range(25)]
    assert np.mean([one.debiased for one in shifted]) == pytest.approx(true, rel=0.12)
    honest = [of_truth(1_500, seed=seed) for seed in range(25)]
    assert np.mean([one.debiased for one in honest]) < 0.5 * np.mean([one.error for one in honest])
    assert all(0 <= one.debiased <= one.error for one in (*shifted, *honest))


def test_many_users_leave_little_to_chance_and_few_leave_much():
    many, few = of_truth(20_000, seed=1), of_truth(400, seed=1)
    assert many.by_chance < 0.01
    assert few.by_chance > 0.04
    assert many.debiased <= many.error


def test_weights_leave_more_to_chance(users_400: Users):
    equal = Reliability.of(*users_400, seed=1)
    assert Reliability.of(*users_400, seed=1, weights=np.ones(400)) == equal
    heavy = np.where(np.arange(400) % 10 == 0, 10.0, 1.0)
    weights = heavy / heavy.mean()
    found = Reliability.of(*users_400, seed=1, weights=weights)
    assert found.by_chance == pytest.approx(equal.by_chance * np.sqrt(np.mean(weights**2)), rel=1e-6)
    assert found.error == pytest.approx(summary(*users_400, weights=weights)["calibration_error"])


def test_the_same_seed_gives_the_same_numbers(users_400: Users):
    assert Reliability.of(*users_400, seed=1) == Reliability.of(*users_400, seed=1)
    assert Reliability.of(*users_400, seed=1) != Reliability.of(*users_400, seed=2)


def test_the_names_in_json_are_those_of_the_metric(users_400: Users):
    found = Reliability.of(*users_400, seed=1)
    assert found.to_json() == {
        "calibration_error_debiased": found.debiased,
        "calibration_error_by_chance": found.by_chance,
        "calibration_error_by_chance_95": found.by_chance_95,
    }
