"""Folds of the training rows: a later period, predicted from cutoffs whose labels were known by then; or users, predicted from others."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from features.errors import TooFewUsers
from models.scorers.trees import Rows
from models.scorers.user_folds import folds_of_users, users_of_classes

Cutoffs = NDArray[np.datetime64]

_MAX_FOLDS = 3
_MIN_FOLDS = 2


@dataclass(frozen=True)
class Fold:
    """Rows to train on, with their cutoffs, and rows to measure on."""

    train: Rows
    cutoffs: Cutoffs
    held_out: Rows

    @property
    def smallest_class(self) -> int:
        """Number of rows of the rarer class, in the part that has fewer."""
        parts = (self.train.churned, self.held_out.churned)
        return int(min(min(labels.sum(), (~labels).sum()) for labels in parts))


@dataclass(frozen=True)
class Folds:
    """Folds, the latest first, and how they were chosen; ``purge_days`` is gap + horizon."""

    parts: tuple[Fold, ...]
    purge_days: int
    why: str

    @classmethod
    def of(cls, rows: Rows, cutoffs: Cutoffs, *, purge_days: int, seed: int) -> Folds:
        """Make folds in time, or where history is too short for one, folds of users.

        Parameters
        ----------
        rows, cutoffs
            Training rows, and the cutoff of each, shape (n,).

        Raises
        ------
        TooFewUsers
            As :func:`split_users`.
        """
        in_time = folds_in_time(rows, cutoffs, purge_days=purge_days)
        if not in_time.parts:
            return cls(tuple(_of_users(rows, cutoffs, seed=seed)), purge_days, f"folds of users: {in_time.why}")
        return in_time


def folds_in_time(rows: Rows, cutoffs: Cutoffs, *, purge_days: int, maximum: int = _MAX_FOLDS) -> Folds:
    """Train on cutoffs whose labels are known at a later one, and measure there; none where no two cutoffs are that far apart."""
    distinct = np.unique(cutoffs)
    measured = [cutoff for cutoff in distinct if cutoff - purge_days >= distinct[0]]
    if not measured:
        return Folds((), purge_days, f"no training cutoff is {purge_days} days, gap and horizon, after another")
    chosen = measured[:: -max(1, len(measured) // maximum)][:maximum]
    why = f"folds in time: measured on {', '.join(map(str, chosen))}, trained on cutoffs {purge_days} days before or earlier"
    parts = (_before(rows, cutoffs, known_until=cutoff - purge_days, at=cutoff) for cutoff in chosen)
    return Folds(tuple(parts), purge_days, why)


def _before(rows: Rows, cutoffs: Cutoffs, *, known_until: np.datetime64, at: np.datetime64) -> Fold:
    known = cutoffs <= known_until
    return Fold(rows.take(known), cutoffs[known], rows.take(cutoffs == at))


def _of_users(rows: Rows, cutoffs: Cutoffs, *, seed: int) -> Iterator[Fold]:
    for seen, unseen in split_users(rows, maximum=_MAX_FOLDS, seed=seed):
        yield Fold(rows.take(seen), cutoffs[seen], rows.take(unseen))


def split_users(rows: Rows, *, maximum: int, seed: int) -> Iterator[tuple[NDArray[np.bool_], NDArray[np.bool_]]]:
    """Yield which rows are seen and which are held out, each shape (n,), fold by fold; both have users of both classes.

    There are as many folds as allowed, or as there are users of the rarer class.

    Raises
    ------
    TooFewUsers
        When there are fewer than two users of a class.
    """
    churners, retained = users_of_classes(rows.users, rows.churned)
    folds = min(maximum, churners, retained)
    if folds < _MIN_FOLDS:
        raise TooFewUsers(
            f"folds of users: {churners} users churned and {retained} were retained, expected at least {_MIN_FOLDS} of each",
            hint="each fold is predicted from the others, which needs both classes on both sides: use rows of more users or of more time",
        )
    fold = folds_of_users(rows.users, rows.churned, folds=folds, seed=seed)
    yield from ((fold != held_out, fold == held_out) for held_out in range(folds))
