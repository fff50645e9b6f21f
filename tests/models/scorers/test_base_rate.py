"""The shift of the base rate: observed at cutoffs with known labels, predicted for later ones."""

from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit, logit

from models.scorers.base_rate import MAX_SHIFT, KnownCutoff, predict_shift, shifted

FIRST = date(2026, 1, 5)
PURGE = 14
ODDS = np.random.default_rng(1).normal(-1.5, 1.2, 20_000)


def day(number: int) -> date:
    return FIRST + timedelta(days=number)


def series(*shifts: float, error: float = 0.02) -> list[KnownCutoff]:
    """A cutoff for each week, with its shift."""
    return [KnownCutoff(day(7 * week), 5_000, 0.2, shift, error) for week, shift in enumerate(shifts)]


def predicted(known: list[KnownCutoff], *, weeks_after: int = 2) -> float:
    return predict_shift(known, at=known[-1].cutoff + timedelta(weeks=weeks_after), purge_days=PURGE).shift


def test_a_shift_of_zero_changes_no_bit():
    probability = expit(ODDS)
    assert shifted(probability, 0.0) is probability
    assert logit(shifted(probability, 0.7)) == pytest.approx(ODDS + 0.7)


@given(by=st.floats(-2, 2))
def test_the_observed_shift_is_the_one_that_was_there(by: float):
    churned = np.random.default_rng(2).random(len(ODDS)) < expit(ODDS + by)
    found = KnownCutoff.of(FIRST, probability=expit(ODDS), churned=churned)
    assert abs(found.shift - by) < 4 * found.error + 1e-4
    assert shifted(expit(ODDS), found.shift).mean() == pytest.approx(churned.mean(), abs=1e-4)


def test_rows_with_weights_shift_to_the_weighted_rate_and_are_no_more_evidence_than_rows():
    churned = np.random.default_rng(2).random(len(ODDS)) < expit(ODDS)
    weights = np.where(np.arange(len(ODDS)) % 3 == 0, 5.0, 1.0) * np.where(churned, 2.0, 1.0)
    plain = KnownCutoff.of(FIRST, probability=expit(ODDS), churned=churned)
    found = KnownCutoff.of(FIRST, probability=expit(ODDS), churned=churned, weights=weights)
    assert found.churn_rate == pytest.approx(np.average(churned, weights=weights))
    assert np.average(shifted(expit(ODDS), found.shift), weights=weights) == pytest.approx(found.churn_rate, abs=1e-4)
    assert found.error > 1.1 * plain.error
    equal = KnownCutoff.of(FIRST, probability=expit(ODDS), churned=churned, weights=np.full(len(ODDS), 3.0))
    assert (equal.shift, equal.error) == pytest.approx((plain.shift, plain.error))


def test_the_error_is_that_of_chance():
    found = [
        KnownCutoff.of(
            FIRST, probability=expit(ODDS[:500]), churned=np.random.default_rng(seed).random(500) < expit(ODDS[:500])
        )
        for seed in range(400)
    ]
    assert np.std([one.shift for one in found]) == pytest.approx(np.mean([one.error for one in found]), rel=0.15)


@pytest.mark.parametrize("churned", [True, False])
def test_where_all_or_none_churned_the_shift_is_finite(*, churned: bool):
    found = KnownCutoff.of(FIRST, probability=np.array([0.2, 1.0, 0.0]), churned=np.full(3, churned))
    assert np.isfinite([found.shift, found.error]).all()


def test_where_nothing_is_known_nothing_is_shifted():
    assert predict_shift([], at=FIRST, purge_days=PURGE).shift == 0
    open_label = series(0.9)
    assert predict_shift(open_label, at=day(PURGE - 1), purge_days=PURGE).shift == 0
    assert predict_shift(open_label, at=day(PURGE), purge_days=PURGE).shift > 0.5


def test_labels_that_are_not_known_at_the_cutoff_change_nothing():
    known = series(0.1, 0.2, 0.1, 0.2, 0.9, 0.9)
    at = day(7 * 5)
    assert predict_shift(known, at=at, purge_days=PURGE) == predict_shift(known[:4], at=at, purge_days=PURGE)


def test_the_order_of_the_cutoffs_does_not_matter():
    known = series(0.1, -0.2, 0.1, 0.3)
    assert predicted(known) == pytest.approx(
        predict_shift(known[::-1], at=known[-1].cutoff + timedelta(14), purge_days=PURGE).shift
    )


def test_a_step_is_followed_and_what_chance_explains_is_not():
    assert predicted(series(0, 0, 0, 0, 0.5, 0.5)) == pytest.approx(0.5, abs=0.1)
    uncertain = series(0, 0, 0, 0, 0.5, error=0.5)
    assert predicted(uncertain) < 0.15


def test_cutoffs_whose_horizons_overlap_say_little_more_than_one():
    def after(every: int) -> float:
        known = [KnownCutoff(day(every * number), 500, 0.2, 0.6, 0.5) for number in range(10)]
        return predict_shift(known, at=known[-1].cutoff + timedelta(70), purge_days=70).shift

    alone = predict_shift(series(0.6, error=0.5), at=day(70), purge_days=70).shift
    assert alone < after(1) < alone + 0.05
    assert after(70) > 0.5


def test_a_lasting_trend_is_continued_and_a_short_one_is_not():
    rising = [0.05 * week for week in range(20)]
    assert predicted(series(*rising), weeks_after=4) == pytest.approx(0.05 * 23, abs=0.06)
    assert predicted(series(*rising[:5]), weeks_after=4) <= rising[4]


def test_a_shift_is_limited_and_says_so():
    found = predict_shift(series(3.0, 3.0, 3.0), at=day(28), purge_days=PURGE)
    assert found.shift == MAX_SHIFT
    assert "train again" in found.why


def test_a_prediction_says_how_sure_it_is():
    calm, moving = series(*[0.0] * 12, error=0.01), series(*[0.0, 0.0, 0.6, 0.6] * 3, error=0.01)
    at = calm[-1].cutoff + timedelta(weeks=4)
    near, far = (predict_shift(calm, at=at + timedelta(days), purge_days=PURGE) for days in (0, 60))
    assert near.error < far.error
    # a horizon on: at least a wandering of .09 and a noise of .03
    assert near.error >= np.hypot(0.09, 0.03)
    assert predict_shift(moving, at=at, purge_days=PURGE).error > near.error
    assert predict_shift([], at=at, purge_days=PURGE).error == 0.5


def test_shifts_fall_within_their_error_as_often_as_they_should():
    random, inside = np.random.default_rng(4), list[bool]()
    for _ in range(60):
        shifts = np.cumsum(random.normal(0, 0.09 / np.sqrt(2), 16)) + random.normal(0, 0.03, 16)
        found = predict_shift(series(*shifts[:-2], error=0.03), at=FIRST + timedelta(weeks=15), purge_days=PURGE)
        inside.append(bool(abs(shifts[-1] - found.shift) < 1.645 * found.error))
    assert 0.8 <= np.mean(inside) <= 0.99


def test_under_a_horizon_of_part_of_a_week_a_weekday_follows_its_own():
    rhythm = [-0.3, 0.1, 0.1, 0.1, 0.1, 0.2, -0.3]  # the first day of the week and the last are low
    daily = [KnownCutoff(day(number), 5_000, 0.3, rhythm[number % 7], 0.03) for number in range(21)]
    for weekday in range(7):
        found = predict_shift(daily, at=day(28 + weekday), purge_days=3).shift
        assert found == pytest.approx(rhythm[weekday], abs=0.08)
    without_own = [one for one in daily if one.cutoff.weekday() in {1, 2, 3, 4}][-4:]
    mean_of_others = predict_shift(without_own, at=day(28), purge_days=3).shift
    assert abs(mean_of_others) < 0.1


def test_the_weekday_matters_less_the_longer_the_horizon():
    found = []
    for horizon in (3, 10, 30):
        known = [KnownCutoff(day(7 * week + 3), 5_000, 0.3, 0.3, 0.03) for week in range(8)]
        found.append(0.3 - predict_shift(known, at=day(7 * 13), purge_days=horizon).shift)
    assert found[0] > found[1] > found[2] > 0
