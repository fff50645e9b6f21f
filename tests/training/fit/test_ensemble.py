"""Rounds and the weight of logistic regression are chosen where the future is predicted."""

from dataclasses import replace

import numpy as np
import pytest

from features.profiles.specification import Specification
from models.scorers.trees import Rows, TreeFitter
from models.settings import ModelSettings
from training.fit.ensemble import EnsembleFitter, LinearFitter, choose, is_better
from training.fit.folds import Fold

NAMES = ("face", "noise")
SETTINGS = ModelSettings(max_rounds=80, early_stopping_rounds=10, min_data_in_leaf=20)
FITTER = EnsembleFitter(TreeFitter(SETTINGS, 7, NAMES, ()), LinearFitter(Specification(NAMES, (7,)), 7), None)


def rows(seed: int, *, is_linear: bool, churn: float = 0.0, users: int = 3_000) -> Rows:
    """Users whose log-odds are a line, or a square, of what they show."""
    random = np.random.default_rng(seed)
    face = random.normal(size=users)
    odds = (2 * face if is_linear else 3 * (np.abs(face) - 0.7)) + churn
    return Rows(
        np.column_stack([face, random.normal(size=users)]),
        random.random(users) < 1 / (1 + np.exp(-odds)),
        np.arange(users),
    )


def fold(seed: int, *, is_linear: bool, churn: float = 0.0) -> Fold:
    train = rows(seed, is_linear=is_linear, users=1_000)
    return Fold(
        train, np.full(len(train.users), np.datetime64("2026-01-05")), rows(seed + 1, is_linear=is_linear, churn=churn)
    )


def test_logistic_regression_gets_more_weight_where_it_is_better_and_less_where_it_is_not():
    straight = choose([fold(1, is_linear=True), fold(5, is_linear=True)], FITTER)
    bent = choose([fold(1, is_linear=False), fold(5, is_linear=False)], FITTER)
    assert straight.weight > 0.25
    assert bent.weight == 0
    assert bent.scorer.kinds == ("trees",)


def with_opposites(known: Rows) -> Rows:
    """The same rows again with the opposite label, which weigh nothing."""
    twice = known.take(np.tile(np.arange(len(known.users)), 2))
    nothing = np.repeat([2.0, 0.0], len(known.users))
    return replace(twice, churned=np.concatenate([known.churned, ~known.churned]), weights=nothing)


def test_rows_count_by_their_weight_in_logistic_regression():
    known = rows(1, is_linear=True, users=500)
    plain, weighted = (FITTER.linear(one).raw(known.matrix) for one in (known, with_opposites(known)))
    assert weighted == pytest.approx(plain, abs=1e-3)


def test_rows_count_by_their_weight_in_what_is_chosen():
    one = fold(1, is_linear=True)
    weighted = replace(one, held_out=with_opposites(one.held_out))
    plain, found = (choose([each], replace(FITTER, weight=1.0)).losses.mean() for each in (one, weighted))
    assert found == pytest.approx(plain, rel=1e-3)


def test_a_weight_that_the_settings_name_is_kept():
    found = choose([fold(1, is_linear=True)], replace(FITTER, weight=0.5))
    assert found.weight == 0.5
    assert found.scorer.kinds == ("trees", "line")


def test_the_rounds_are_those_of_a_single_fold_and_the_mean_of_several():
    folds = [fold(1, is_linear=False), fold(5, is_linear=False)]
    alone = [choose([one], FITTER).rounds for one in folds]
    assert choose(folds, FITTER).rounds == round(sum(alone) / 2)


def crossed(seed: int, users: int) -> Rows:
    """Users of whom only both numbers together say anything: no tree of two leaves can."""
    random = np.random.default_rng(seed)
    matrix = random.normal(size=(users, 2))
    odds = 3 * np.sign(matrix[:, 0] * matrix[:, 1])
    return Rows(matrix, random.random(users) < 1 / (1 + np.exp(-odds)), np.arange(users))


def test_trees_are_larger_where_more_of_them_would_be_better_and_larger_ones_are():
    one = Fold(crossed(1, 3_000), np.full(3_000, np.datetime64("2026-01-05")), crossed(2, 3_000))
    small = SETTINGS.model_copy(update={"num_leaves": 3, "max_rounds": 8, "feature_fraction": 1.0})
    fitter = replace(FITTER, trees=replace(FITTER.trees, settings=small))
    kept = replace(fitter, trees=replace(fitter.trees, settings=small.model_copy(update={"max_leaves": 3})))
    found, before = choose([one, one], fitter), choose([one, one], kept)
    assert (found.settings.num_leaves, before.settings) == (31, kept.trees.settings)
    assert found.losses.mean() < before.losses.mean()
    assert "8 trees of 31 leaves" in found.why


def test_trees_stay_small_where_boosting_stops_by_itself():
    assert choose([fold(1, is_linear=False)], FITTER).settings == SETTINGS


def test_another_base_rate_in_the_later_period_decides_nothing():
    same, higher = (choose([fold(1, is_linear=False, churn=churn)], FITTER) for churn in (0.0, 1.0))
    assert higher.rounds == pytest.approx(same.rounds, rel=0.5)
    assert higher.rounds > 10


@pytest.mark.parametrize(("gain", "expected"), [(0.2, True), (0.0, False)])
def test_better_means_by_more_than_the_error_of_the_paired_difference(*, gain: float, expected: bool):
    random = np.random.default_rng(3)
    losses = random.gamma(1.0, size=400)
    assert is_better(losses, losses + random.normal(gain, 1.0, 400), by=1.96) is expected
