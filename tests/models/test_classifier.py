"""LightGBM: early stopping, seeds, and scores from folds that never saw the user."""

from dataclasses import replace

import numpy as np
import pytest

from models.classifier import Learner, Rows, contributions, raw_scores
from models.metrics import auc
from models.settings import ModelSettings

KNOBS = ModelSettings(num_leaves=4, min_rows_in_leaf=5, max_rounds=60, early_stopping_rounds=5, l2=0.0)
LEARNER = Learner(KNOBS, 7, ("signal", "noise"), ())


def rows(users: int, *, seed: int, strength: float = 1.5) -> Rows:
    random = np.random.default_rng(seed)
    matrix = random.normal(size=(users, 2))
    churned = random.random(users) < 1 / (1 + np.exp(-strength * matrix[:, 0]))
    return Rows(matrix, churned, np.arange(users))


def test_it_finds_what_there_is_to_find():
    booster = LEARNER.fit(rows(600, seed=1), validation=rows(300, seed=2))
    fresh = rows(600, seed=3)
    assert auc(fresh.churned, raw_scores(booster, fresh.matrix)) > 0.75


def test_boosting_stops_when_the_validation_loss_does():
    fitted = LEARNER.fit(rows(300, seed=1, strength=0.0), validation=rows(300, seed=2, strength=0.0))
    assert fitted.num_trees() < KNOBS.max_rounds


def test_without_validation_exactly_the_asked_rounds_are_fitted():
    assert LEARNER.fit(rows(300, seed=1), rounds=9).num_trees() == 9


def test_raw_scores_are_log_odds():
    fitted, fresh = LEARNER.fit(rows(600, seed=1), rounds=20), rows(50, seed=3)
    odds = raw_scores(fitted, fresh.matrix)
    assert 1 / (1 + np.exp(-odds)) == pytest.approx(np.asarray(fitted.predict(fresh.matrix)))


def test_class_rates_are_kept_as_they_are():
    # reweighting would move the mean probability to one half
    random = np.random.default_rng(4)
    rare = Rows(random.normal(size=(2_000, 2)), random.random(2_000) < 0.1, np.arange(2_000))
    mean = (1 / (1 + np.exp(-raw_scores(LEARNER.fit(rare, rounds=5), rare.matrix)))).mean()
    assert mean == pytest.approx(rare.churned.mean(), abs=0.005)


def test_the_same_seed_gives_the_same_trees_and_another_seed_others():
    found, again = LEARNER.fit(rows(300, seed=1), rounds=9), LEARNER.fit(rows(300, seed=1), rounds=9)
    other = replace(LEARNER, seed=8).fit(rows(300, seed=1), rounds=9)
    assert found.model_to_string() == again.model_to_string()
    assert found.model_to_string() != other.model_to_string()


def test_threads_never_change_a_score():
    fitted, fresh = LEARNER.fit(rows(300, seed=1), rounds=9), rows(1_000, seed=3).matrix
    assert raw_scores(fitted, fresh, threads=1).tobytes() == raw_scores(fitted, fresh, threads=2).tobytes()


def test_a_row_scores_the_same_alone_and_among_others():
    fitted, fresh = LEARNER.fit(rows(300, seed=1), rounds=9), rows(40, seed=3).matrix
    alone = np.concatenate([raw_scores(fitted, fresh[[place]]) for place in range(len(fresh))])
    assert alone.tobytes() == raw_scores(fitted, fresh).tobytes()


def test_contributions_and_one_base_value_add_up_to_the_raw_score():
    fitted, fresh = LEARNER.fit(rows(300, seed=1), rounds=9), rows(40, seed=3).matrix
    found = contributions(fitted, fresh)
    assert found.shape == (40, 2)
    base = raw_scores(fitted, fresh) - found.sum(axis=1)
    assert base == pytest.approx(np.full(40, base[0]), abs=1e-9)


# --- Folds of users ------------------------------------------------------------------------------------------------


def users_with_a_face() -> Rows:
    """Ten rows a user: the label is a coin of the user, the features only tell who it is."""
    random = np.random.default_rng(6)
    coin = random.random(80) < 0.5
    users = np.repeat(np.arange(80), 10)
    face = random.normal(size=80)[users]
    return Rows(np.column_stack([face, random.normal(size=800)]), coin[users], users)


def test_the_score_of_a_row_comes_from_a_fold_that_never_saw_its_user():
    known = users_with_a_face()
    settings = KNOBS.model_copy(update={"num_leaves": 64, "min_rows_in_leaf": 2, "max_rounds": 40})
    booster, unseen = replace(LEARNER, settings=settings).fit_by_folds(known)
    fitted_long = replace(LEARNER, settings=settings).fit(known, rounds=40)
    assert auc(known.churned, raw_scores(fitted_long, known.matrix)) > 0.95  # who has seen the user knows the coin
    assert auc(known.churned, unseen) < 0.65
    assert booster.num_trees() >= 1


def test_every_row_gets_a_score_from_folds():
    _, unseen = LEARNER.fit_by_folds(rows(200, seed=1))
    assert np.isfinite(unseen).all()
    assert len(unseen) == 200


def test_folds_are_reproducible():
    first, again = (LEARNER.fit_by_folds(rows(200, seed=1)) for _ in range(2))
    assert first[0].model_to_string() == again[0].model_to_string()
    assert first[1].tobytes() == again[1].tobytes()
