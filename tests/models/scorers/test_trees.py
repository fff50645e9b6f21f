"""LightGBM: early stopping, seeds, weights, directions, what explaining costs, and scores from folds that never saw the user."""

import re
from dataclasses import replace

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from features.catalogue.catalogue import catalogue
from features.catalogue.fitted import FittedConstants
from features.settings import FeatureSettings
from models.evaluation.metrics import auc
from models.scorers.trees import (
    KNOWN_DIRECTIONS,
    Rows,
    TreeFitter,
    contributions,
    explainable,
    raw_scores,
    recency_weights,
)
from models.settings import ModelSettings

SETTINGS = ModelSettings(num_leaves=4, min_data_in_leaf=5, max_rounds=60, early_stopping_rounds=5, lambda_l2=0.0)
LEARNER = TreeFitter(SETTINGS, 7, ("signal", "noise"), ())


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
    assert fitted.num_trees() < SETTINGS.max_rounds


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


# --- Weights, directions, and what explaining costs ------------------------------------------------------------------


def test_a_snapshot_of_twice_the_half_life_weighs_a_quarter():
    weights = recency_weights(np.array([3.0, 3.0, 17.0]), 7.0)
    assert weights.tolist() == pytest.approx([4 / 3, 4 / 3, 1 / 3])  # one, one and a quarter, brought to mean one


def test_rows_that_weigh_little_hardly_teach():
    known, turned = rows(600, seed=1), rows(600, seed=2)
    both = Rows(
        np.concatenate([known.matrix, -turned.matrix]),
        np.concatenate([known.churned, turned.churned]),
        np.arange(1_200),
    )
    fresh = rows(600, seed=3)
    heavy_first = np.repeat([1.9, 0.1], 600)
    taught = LEARNER.fit(both.with_weights(heavy_first), rounds=40)
    turned_around = LEARNER.fit(both.with_weights(heavy_first[::-1].copy()), rounds=40)
    assert auc(fresh.churned, raw_scores(taught, fresh.matrix)) > 0.7
    assert auc(fresh.churned, raw_scores(turned_around, fresh.matrix)) < 0.3


def test_weights_go_with_their_rows():
    weighed = rows(3, seed=1).with_weights(np.array([0.5, 1.0, 1.5]))
    taken = weighed.take(np.array([2, 0])).weights
    assert taken is not None
    assert taken.tolist() == [1.5, 0.5]


def wavy() -> Rows:
    """The label follows a wave of the first feature, which no rising curve can."""
    random = np.random.default_rng(9)
    matrix = random.uniform(0, 9, size=(3_000, 2))
    return Rows(matrix, random.random(3_000) < 0.5 + 0.4 * np.sin(matrix[:, 0]), np.arange(3_000))


@pytest.mark.parametrize(("name", "sign"), [("days_since_last_event", 1), ("active_days_7d", -1)])
def test_a_feature_of_known_direction_only_pushes_one_way(name: str, sign: int):
    line = np.column_stack([np.linspace(0, 9, 200), np.full(200, 4.5)])
    learner = replace(LEARNER, names=(name, "tenure_days"))
    steps = np.diff(raw_scores(learner.fit(wavy(), rounds=30), line)) * sign
    assert (steps >= 0).all()
    free = replace(learner, settings=SETTINGS.model_copy(update={"monotone": "none"}))
    steps = np.diff(raw_scores(free.fit(wavy(), rounds=30), line)) * sign
    assert (steps < 0).any()


def test_a_category_has_no_direction():
    coded = rows(400, seed=1)
    coded = replace(coded, matrix=np.abs(coded.matrix).round())
    learner = TreeFitter(SETTINGS, 7, ("events_7d", "noise"), ("events_7d",))
    assert learner.fit(coded, rounds=3).num_trees() == 3


def test_every_known_direction_is_of_a_feature_in_the_catalogue():
    names = {feature.name for feature in catalogue(FeatureSettings().windows_days, FittedConstants())}
    stems = {re.sub(r"_\d+d$", "", name) for name in names}
    assert set(KNOWN_DIRECTIONS) <= stems


@pytest.mark.parametrize(
    ("leaves", "rounds", "allowed"),
    [
        (8, 400, (7, 400)),  # 250,000 / (400 * 8) = 78: depth 8 would do, eight leaves never need more than 7
        (15, 400, (6, 400)),  # 41: depth 6
        (31, 400, (5, 322)),  # 20: under depth 5 trees cost the same, so rounds give way: 250,000 / (31 * 25)
        (8, 10_000, (5, 1_250)),
        (255, 400, (8, 15)),  # 255 leaves need depth 8
        (2, 400, (1, 400)),
    ],
)
def test_depth_gives_way_first_and_then_rounds(leaves: int, rounds: int, allowed: tuple[int, int]):
    settings = ModelSettings(num_leaves=leaves, max_rounds=rounds, max_explaining_cost=250_000)
    assert explainable(settings) == allowed


def test_fitted_trees_stay_within_what_explaining_may_cost():
    settings = SETTINGS.model_copy(update={"num_leaves": 31, "max_rounds": 400, "max_explaining_cost": 20_000})
    fitted = replace(LEARNER, settings=settings).fit(rows(2_000, seed=1), rounds=400)
    trees = fitted.trees_to_dataframe()
    depth = int(trees["node_depth"].max()) - 1
    assert fitted.num_trees() * 31 * max(depth, 5) ** 2 <= 20_000
    assert fitted.num_trees() > 20
    assert depth == 5


def test_the_number_of_threads_never_changes_a_byte_of_the_trees():
    texts: set[str] = set()
    for threads in (1, 2, 4):
        with threadpool_limits(threads, user_api="openmp"):
            texts.add(LEARNER.fit(rows(3_000, seed=1), rounds=15).model_to_string())
    assert len(texts) == 1
