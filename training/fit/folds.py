"""Folds of the training rows: a later period, predicted from cutoffs whose labels were known by then; or users, predicted from others."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import GroupKFold

from models.scorers.trees import Rows

Cutoffs = NDArray[np.datetime64]

_MAX_FOLDS = 3


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
    def of(cls, rows: Rows, cutoffs: Cutoffs, *, purge_days: int) -> Folds:
        """Make folds in time, or where history is too short for one, folds of users.

        Parameters
        ----------
        rows, cutoffs
            Training rows, and the cutoff of each, shape (n,).
        """
        in_time = folds_in_time(rows, cutoffs, purge_days=purge_days)
        if not in_time.parts:
            return cls(tuple(_of_users(rows, cutoffs)), purge_days, f"folds of users: {in_time.why}")
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


def _of_users(rows: Rows, cutoffs: Cutoffs) -> Iterator[Fold]:
    for seen, unseen in GroupKFold(n_splits=_MAX_FOLDS).split(rows.users, groups=rows.users):
        yield Fold(rows.take(seen), cutoffs[seen], rows.take(unseen))
