"""The benchmark of lists that are cut by profit: what a list earns is told apart from what it could."""

import numpy as np

from benchmarks.weekly.profit import Cut, cut_of
from tests.serving.weekly.list_builder import profile_table, score_rows

USERS = 20


def cut(*, truth_of_the_scores: float) -> Cut:
    raw = np.linspace(2, -4, USERS)
    scores = score_rows(raw.tolist())
    profiles = profile_table(user_id=scores.column("user_id").to_pylist(), amount_90d=[100.0] * USERS)
    return cut_of(profiles, scores, truth=truth_of_the_scores / (1 + np.exp(-raw)), seed=3)


def test_a_model_that_knows_the_truth_ends_its_list_at_the_best_place():
    found = cut(truth_of_the_scores=1.0)
    users, listed, best = found.users
    assert 0 < listed == best < users == USERS
    assert found.expected == found.earned == found.possible > 0


def test_a_model_that_promises_too_much_ends_its_list_too_late():
    found = cut(truth_of_the_scores=0.7)
    _, listed, best = found.users
    assert listed > best
    assert found.expected > found.possible > found.earned
    assert found.share < 1
