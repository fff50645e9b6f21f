"""Folds of users in which both classes are: each user is in one fold, with all rows."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from models.arrays import Labels


def users_of_classes(users: NDArray[np.int64], churned: Labels) -> tuple[int, int]:
    """Return the number of users with a row that churned, and of those with a row that did not; a user may count for both."""
    churners, retained = (len(np.unique(users[churned == kind])) for kind in (True, False))
    return churners, retained


def folds_of_users(users: NDArray[np.int64], churned: Labels, *, folds: int, seed: int) -> NDArray[np.int64]:
    """Assign users to folds in random order: who never churned first, then who did at some of their rows, then who did at all of them.

    Each class is a run in this order, so that every fold has users of both, if there are as many users of either as folds.
    scikit-learn's loop over groups takes minutes.

    Parameters
    ----------
    users
        One number per user, shape (n,).

    Returns
    -------
    The fold of each row, shape (n,).
    """
    groups = np.unique(users, return_inverse=True)[1]
    has_churned, has_stayed = (np.bincount(groups, weights=rows) > 0 for rows in (churned, ~churned))
    kind = has_churned.astype(np.int64) + (has_churned & ~has_stayed)
    order = np.random.default_rng(seed).permutation(len(kind))
    fold = np.empty(len(kind), dtype=np.int64)
    fold[order[np.argsort(kind[order], kind="stable")]] = np.arange(len(kind)) % folds
    return fold[groups]
