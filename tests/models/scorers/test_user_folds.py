"""Folds of users: whole users, by a seed, with both classes in every fold."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from models.scorers.user_folds import folds_of_users, users_of_classes

# user 3 churned at one of two cutoffs: one of the churners, and one of the retained
USERS = np.array([0, 1, 2, 3, 3, 4])
CHURNED = np.array([False, True, False, True, False, False])


def test_who_churned_at_some_cutoff_and_stayed_at_another_is_of_both_classes():
    assert users_of_classes(USERS, CHURNED) == (2, 4)


def test_every_fold_has_both_classes_where_few_churned():
    fold = folds_of_users(USERS, CHURNED, folds=2, seed=0)
    assert [users_of_classes(USERS[fold == place], CHURNED[fold == place])[0] for place in (0, 1)] == [1, 1]


def test_another_seed_assigns_other_folds():
    users = np.arange(100)
    one, again, other = (folds_of_users(users, users % 4 == 0, folds=5, seed=seed) for seed in (1, 1, 2))
    assert one.tolist() == again.tolist() != other.tolist()
    assert np.bincount(one).tolist() == [20] * 5


@given(
    st.lists(st.tuples(st.integers(0, 12), st.booleans()), min_size=2, max_size=60),
    st.integers(2, 5),
    st.integers(0, 3),
)
def test_users_are_whole_and_both_classes_are_in_every_fold(rows: list[tuple[int, bool]], maximum: int, seed: int):
    users, churned = np.array([user for user, _ in rows]), np.array([label for _, label in rows])
    folds = min(maximum, *users_of_classes(users, churned))
    if folds:
        fold = folds_of_users(users, churned, folds=folds, seed=seed)
        assert len({*zip(users.tolist(), fold.tolist(), strict=True)}) == len(set(users.tolist()))
        assert all(set(churned[fold == place].tolist()) == {True, False} for place in range(folds))
