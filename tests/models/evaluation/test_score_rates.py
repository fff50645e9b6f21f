"""The churn rate among users with a score: the curve that labels show, and intervals that hold what they promise."""

from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import expit, logit

from models.evaluation.metrics import Interval
from models.evaluation.score_rates import LabelledScores, ScoreRates
from models.scorers.base_rate import KnownCutoff, Prediction, predict_shift

CERTAIN = Prediction(0.0, "the base rate is known")
Values = NDArray[np.float64]


def drawn(truth: Values, probability: Values, *, random: np.random.Generator) -> LabelledScores:
    """One cutoff, one row a user."""
    rows = len(truth)
    return LabelledScores(
        probability, random.random(rows) < truth, np.arange(rows), np.zeros(rows, dtype=np.int64), np.zeros(1)
    )


def stacked(parts: list[LabelledScores], *, times: Values) -> LabelledScores:
    """Cutoffs with users of their own."""
    probability, churned = (
        np.concatenate([getattr(one, name) for one in parts]) for name in ("probability", "churned")
    )
    sizes = [len(one.users) for one in parts]
    return LabelledScores(probability, churned, np.arange(sum(sizes)), np.repeat(np.arange(len(parts)), sizes), times)


def labelled(truth: Values, probability: Values, *, cutoffs: int = 1) -> LabelledScores:
    """Cutoffs that are a horizon apart."""
    random = np.random.default_rng(1)
    shares = zip(np.array_split(truth, cutoffs), np.array_split(probability, cutoffs), strict=True)
    return stacked([drawn(*one, random=random) for one in shares], times=np.arange(cutoffs, dtype=np.float64))


def users(rows: int, *, seed: int = 0) -> Values:
    return np.random.default_rng(seed).normal(-0.6, 1.2, rows)


def reach_of(interval: Interval) -> float:
    return float(logit(interval.high) - logit(interval.value))


@pytest.mark.parametrize("score", [-2.0, -0.6, 1.0, 1.6])
def test_the_curve_is_the_one_that_was_there(score: float):
    # log-odds of .3 + .7 x + .1 x^2: too extreme, and bent; the level is what the base rate says, so only differences are the curve's
    odds = users(100_000)
    truth = expit(0.3 + 0.7 * odds + 0.1 * odds**2)
    rates = ScoreRates.fit(labelled(truth, expit(odds), cutoffs=4))
    middle = rates.interval(expit(-0.6), shift=CERTAIN).value
    found = rates.interval(expit(score), shift=CERTAIN).value
    expected = 0.7 * (score + 0.6) + 0.1 * (score**2 - 0.36)
    assert logit(found) - logit(middle) == pytest.approx(expected, abs=0.1)


def test_an_interval_is_around_its_value_and_wider_where_less_is_known():
    odds = users(20_000)
    few, many = (ScoreRates.fit(labelled(expit(some), expit(some))) for some in (odds[:800], odds))
    narrow, wide = (one.interval(0.05, shift=CERTAIN) for one in (many, few))
    assert narrow.low < narrow.value < narrow.high
    assert wide.high - wide.low > 1.5 * (narrow.high - narrow.low)
    unsure = many.interval(0.05, shift=replace(CERTAIN, error=0.2))
    assert reach_of(unsure) ** 2 - reach_of(narrow) ** 2 == pytest.approx((1.645 * 0.2) ** 2, rel=0.01)


def test_however_many_rows_another_cutoff_may_differ_and_most_where_nearly_all_stay():
    odds = users(50_000)
    rates = ScoreRates.fit(labelled(expit(odds), expit(odds)))
    low, high = (reach_of(rates.interval(one, shift=CERTAIN)) for one in (0.03, 0.9))
    assert low > 0.2
    assert high < low / 2


def test_a_shift_of_the_base_rate_moves_the_rate_and_not_the_curve():
    odds = users(5_000)
    rates = ScoreRates.fit(labelled(expit(odds), expit(odds)))
    before, after = (rates.interval(0.3, shift=replace(CERTAIN, shift=by)).value for by in (0.0, 0.4))
    assert logit(after) - logit(before) == pytest.approx(0.4)


def test_a_level_that_one_cutoff_has_is_no_part_of_the_curve():
    odds = users(30_000)
    higher = labelled(expit(np.r_[odds, odds + 0.8]), expit(np.r_[odds, odds]))
    two = replace(higher, cutoffs=np.repeat([0, 1], len(odds)), times=np.array([0.0, 1.0]))
    assert ScoreRates.fit(two).interval(0.2, shift=CERTAIN).value == pytest.approx(0.2, abs=0.015)


def test_more_rows_of_the_same_users_make_nothing_more_certain():
    odds = users(2_000)
    once = labelled(expit(odds), expit(odds))
    again = LabelledScores(
        np.tile(once.probability, 4),
        np.tile(once.churned, 4),
        users=np.tile(once.users, 4),
        cutoffs=np.repeat(np.arange(4), 2_000),
        times=np.zeros(4),
    )
    one, four = (ScoreRates.fit(some).interval(0.4, shift=CERTAIN) for some in (once, again))
    assert four.high - four.low == pytest.approx(one.high - one.low, rel=0.05)


@pytest.mark.parametrize("values", [[0.3], [0.2, 0.4], [0.0, 1.0]])
def test_few_different_scores_still_give_a_curve(values: list[float]):
    probability = np.resize(values, 400)
    rates = ScoreRates.fit(labelled(np.clip(probability, 0.1, 0.9), probability))
    found = rates.interval(0.3, shift=CERTAIN)
    assert 0 <= found.low <= found.value <= found.high <= 1


# --- Coverage ------------------------------------------------------------------------------------------------------

FIRST, PURGE = date(2026, 1, 5), 28
SCORES = np.quantile(np.random.default_rng(3).normal(-0.6, 1.2, 100_000), np.linspace(0.05, 0.95, 10))


def _changes(name: str, random: np.random.Generator, cutoffs: int, by: float) -> Values:
    """How something changes from cutoff to cutoff: in ways, and by amounts, that nothing was tuned on."""
    time = np.arange(cutoffs) / 4  # in horizons
    return (
        by
        * {
            "steady": np.zeros(cutoffs),
            "wandering": np.cumsum(random.normal(0, 0.4, cutoffs)),
            "seasonal": np.sin(2 * np.pi * (time / 6 + random.random())),
            "restless": np.convolve(
                random.normal(0, 0.5, cutoffs + 3), np.ones(4), "valid"
            ),  # weeks share three labels of four
        }[name]
    )


def _covered(name: str, *, rows: int, seed: int) -> list[bool]:
    """Whether the interval at each of ten scores has the churn rate of a cutoff whose labels are not known yet."""
    random, cutoffs = np.random.default_rng(seed), 20  # weekly; the horizon is four weeks
    levels, tilts = (_changes(name, random, cutoffs, by) for by in (0.15, 0.1))
    slope, bend = random.uniform(0.7, 1.2), random.uniform(-0.08, 0.08)

    def truth(odds: Values, week: int) -> Values:
        found = levels[week] + (slope + tilts[week]) * odds + bend * odds**2
        return np.asarray(expit(found), dtype=np.float64)

    known, parts = list[KnownCutoff](), list[LabelledScores]()
    days = [FIRST + timedelta(weeks=week) for week in range(cutoffs)]
    closed = [week for week in range(cutoffs) if (days[-1] - days[week]).days >= PURGE]
    for week in closed:
        odds = random.normal(-0.6, 1.2, rows)
        parts.append(drawn(truth(odds, week), expit(odds), random=random))
        known.append(KnownCutoff.of(days[week], probability=expit(odds), churned=parts[-1].churned))
    together = stacked(parts[-5:], times=np.arange(5) / 4)  # those since the training, the test first
    rates, shift = ScoreRates.fit(together), predict_shift(known, at=days[-1], purge_days=PURGE)
    intervals = [rates.interval(float(expit(score)), shift=shift) for score in SCORES]
    return [one.low <= rate <= one.high for one, rate in zip(intervals, truth(SCORES, -1), strict=True)]


@pytest.mark.slow
def test_nine_in_ten_intervals_have_the_rate_overall_and_in_each_decile():
    worlds = [(name, rows) for name in ("steady", "wandering", "seasonal", "restless") for rows in (400, 4_000)]
    found = {one: np.array([_covered(one[0], rows=one[1], seed=seed) for seed in range(25)]) for one in worlds}
    by_decile = np.mean([covered.mean(axis=0) for covered in found.values()], axis=0)
    shown = {one: round(float(covered.mean()), 3) for one, covered in found.items()}
    assert 0.85 <= by_decile.mean() <= 0.95, shown
    assert ((by_decile >= 0.85) & (by_decile <= 0.95)).all(), (by_decile, shown)
