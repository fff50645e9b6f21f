from collections.abc import Callable

import numpy as np
import pytest
from scipy.optimize import minimize_scalar

from features.errors import InputError
from serving.weekly.account.confidence_sequence import (
    ConfidenceSequence,
    Outlook,
    Season,
    detectable,
    holdout_share,
)

STEADY = Season.steady(220, 0.4)  # 220 * 22 weeks = 4,840 known in week 26
SMALL = Season(np.array([10.0, 1, 1, 1, 1, 1]), 0.5, known_after_weeks=3)


def test_the_multiplier_is_the_papers_boundary():
    sequence = ConfidenceSequence(planned=1_000, alpha=0.05)
    rho, users, deviation = np.sqrt(sequence.rho_squared), 400, 0.5
    boundary = deviation * np.sqrt(
        2 * (users * rho**2 + 1) / (users**2 * rho**2) * np.log(np.sqrt(users * rho**2 + 1) / 0.05)
    )
    assert float(sequence.multiplier(users)) * deviation / np.sqrt(users) == pytest.approx(boundary)


@pytest.mark.parametrize("alpha", [0.05, 0.0167])
def test_no_other_rho_is_tighter_at_the_planned_number_of_users(alpha: float):
    x = minimize_scalar(lambda x: (x + 1) / x * np.log((x + 1) / alpha**2), bounds=(0.1, 100), method="bounded").x
    assert ConfidenceSequence(planned=1_000, alpha=alpha).rho_squared * 1_000 == pytest.approx(x, rel=1e-4)


def test_the_price_of_weekly_looks_is_within_the_targets():
    fixed = 1.959964
    right, wrong = ConfidenceSequence(1_000), [ConfidenceSequence(1_000 * factor) for factor in (0.25, 4)]
    assert float(right.multiplier(1_000)) / fixed < 1.60
    assert max(float(one.multiplier(1_000)) for one in wrong) / fixed < 1.67


def test_nobody_known_is_an_infinite_interval():
    assert np.isinf(ConfidenceSequence(1_000).multiplier([0, 0])).all()


def test_outcomes_are_known_weeks_after_the_entry():
    assert SMALL.known.tolist() == [0, 0, 10, 11, 12, 13]
    assert SMALL.planned == 13
    assert STEADY.planned == 4_840


def test_the_standard_error_is_that_of_two_proportions():
    # 100 users with a churn rate of 50 %, 900 with one of 40 %
    error = SMALL.standard_error(share=0.1, effect=0.1, users=1_000)
    assert float(error) == pytest.approx(np.sqrt(0.0025 + 0.24 / 900))


def test_the_share_held_out_has_the_power_that_was_asked_for():
    share = holdout_share(STEADY, 0.08)
    assert 0.05 < share < 0.5
    assert STEADY.power(share=share, effect=0.08) == pytest.approx(0.8)
    assert holdout_share(STEADY, 0.08, power=0.9) > share


def test_the_share_held_out_is_never_below_5_or_above_50_percent():
    assert holdout_share(Season.steady(100_000, 0.4), 0.05) == 0.05
    assert holdout_share(Season.steady(10, 0.4), 0.05) == 0.5


def test_what_can_be_shown_in_the_last_week_is_what_the_share_was_chosen_for():
    by_week = detectable(STEADY, holdout_share(STEADY, 0.08))
    assert np.isnan(by_week[:4]).all()
    assert by_week[-1] == pytest.approx(0.08)
    assert (np.diff(by_week[~np.isnan(by_week)]) < 0).all()


def test_nothing_can_be_shown_before_fifteen_of_each_kind_are_expected():
    # held out and churned: 5 % of 40 % of 220 users a week, 15 of them once 750 users are known, so with the fourth week's entries
    by_week = detectable(Season.steady(220, 0.4), 0.05)
    assert np.isnan(by_week[:7]).all()
    assert not np.isnan(by_week[7])


def test_the_control_group_costs_the_leavers_that_contacts_would_have_kept():
    assert SMALL.lost(0.2, effect=0.1) == pytest.approx(0.3)  # 15 entries, 3 held out


def test_the_outlook_counts_the_weeks_until_the_effect_would_be_shown():
    outlook = Outlook(STEADY, 0.05, week=15)
    later = outlook.later(users=2_420, error=0.017)
    weeks = int(np.flatnonzero(later <= 0.05)[0])
    assert later[weeks] <= 0.05 < later[weeks - 1]
    # (multiplier + .8416) * error, after 220 more users each week
    after = 2_420 + 220 * weeks
    expected = (float(ConfidenceSequence(4_840).multiplier(after)) + 0.841621) * 0.017 * np.sqrt(2_420 / after)
    assert later[weeks] == pytest.approx(expected, rel=1e-6)
    assert outlook.words(users=2_420, error=0.017) == f"{weeks} more weeks would show 5 points"


def test_the_outlook_says_when_it_is_over_or_hopeless():
    assert (
        Outlook(STEADY, 0.05, week=15).words(users=2_420, error=0.005)
        == "5 points would probably have been shown by now"
    )
    assert (
        Outlook(STEADY, 0.01, week=26).words(users=4_840, error=0.02)
        == "at the end of the season 7.8 points would be shown"
    )
    assert (
        Outlook(STEADY, 0.01, week=40).words(users=4_840, error=0.02)
        == "at the end of the season 7.8 points would be shown"
    )


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: ConfidenceSequence(0), "planned number of users must be positive"),
        (lambda: ConfidenceSequence(10, alpha=1), "alpha must be between 0 and 1"),
        (lambda: Season(np.array([1.0, -1.0]), 0.4), "must not be negative"),
        (lambda: Season(np.zeros(3), 0.4), "not all 0"),
        (lambda: Season.steady(10, 0.0), "churn rate must be between 0 and 1"),
        (lambda: Season.steady(10, 0.4, known_after_weeks=0), "at least 1 week"),
        (lambda: Season(np.ones(3), 0.4, known_after_weeks=5).planned, "no outcome would be known after 3 weeks"),
        (lambda: holdout_share(STEADY, 0.5), "at most the churn rate"),
        (lambda: holdout_share(STEADY, 0.05, power=1), "power must be between 0 and 1"),
        (lambda: detectable(STEADY, 0), "share held out must be between 0 and 1"),
        (lambda: Outlook(STEADY, 0.05, week=0), "after the first week at the earliest"),
    ],
)
def test_bad_input_is_refused(make: Callable[[], object], words: str):
    with pytest.raises(InputError, match=words):
        make()
