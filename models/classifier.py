"""LightGBM behind three verbs: fit, raw score, contributions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import lightgbm as lgb
import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import GroupKFold

from models.encoding import Matrix
from models.settings import ModelSettings

Labels = NDArray[np.bool_]
Scores = NDArray[np.float64]


@dataclass(frozen=True)
class Rows:
    """What is learnt from. ``matrix`` (n, features), ``churned`` (n,), ``users`` (n,): one number per user."""

    matrix: Matrix
    churned: Labels
    users: NDArray[np.int64]

    def take(self, chosen: NDArray[np.int64] | NDArray[np.bool_]) -> Rows:
        """Return some of the rows."""
        return Rows(self.matrix[chosen], self.churned[chosen], self.users[chosen])


@dataclass(frozen=True)
class Learner:
    """How to fit: settings, seed, and which columns are categories."""

    settings: ModelSettings
    seed: int
    names: tuple[str, ...]
    categorical: tuple[str, ...]

    def fit(self, train: Rows, *, validation: Rows | None = None, rounds: int | None = None) -> lgb.Booster:
        """Fit until the validation log loss stops falling, or for a number of rounds.

        Parameters
        ----------
        validation
            Rows for early stopping; without them exactly ``rounds`` trees are fitted.
        """
        s = self.settings
        parameters = {
            "objective": "binary",
            "metric": "binary_logloss",
            "num_leaves": s.num_leaves,
            "learning_rate": s.learning_rate,
            "min_data_in_leaf": s.min_rows_in_leaf,
            "feature_fraction": s.feature_share,
            "bagging_fraction": s.row_share,
            "bagging_freq": 1,
            "lambda_l2": s.l2,
            "cat_smooth": 20.0,
            "cat_l2": 20.0,
            "seed": self.seed,
            "deterministic": True,
            "force_row_wise": True,
            "verbose": -1,
        }
        data = self._dataset(train)
        stop = [lgb.early_stopping(s.early_stopping_rounds, verbose=False)] if validation else []
        return lgb.train(
            parameters,
            data,
            num_boost_round=rounds or s.max_rounds,
            valid_sets=[self._dataset(validation, reference=data)] if validation else None,
            callbacks=stop,
        )

    def _dataset(self, rows: Rows, reference: lgb.Dataset | None = None) -> lgb.Dataset:
        return lgb.Dataset(
            rows.matrix,
            rows.churned.astype(np.float64),
            feature_name=list(self.names),
            categorical_feature=list(self.categorical),
            reference=reference,
        )

    def fit_by_folds(self, rows: Rows, *, folds: int = 5) -> tuple[lgb.Booster, Scores]:
        """Fit on all rows, with rounds and out-of-fold scores found on folds of users.

        Returns
        -------
        The booster of all rows, fitted for the mean of the folds' best rounds; and, shape (n,), the raw score that each
        row got from the fold that never saw its user.
        """
        scores = np.empty(len(rows.churned))
        best: list[int] = []
        for train, held_out in _folds_of_users(rows.users, folds):
            booster = self.fit(rows.take(train), validation=rows.take(held_out))
            scores[held_out] = raw_scores(booster, rows.matrix[held_out])
            best.append(booster.best_iteration)
        return self.fit(rows, rounds=max(1, round(float(np.mean(best))))), scores


def _folds_of_users(users: NDArray[np.int64], folds: int) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    yield from GroupKFold(n_splits=folds).split(users, groups=users)


def raw_scores(booster: lgb.Booster, matrix: Matrix, *, threads: int = 0) -> Scores:
    """Log-odds before calibration, shape (n,); ``threads`` 0 means all cores, and never changes a score."""
    return np.asarray(booster.predict(matrix, raw_score=True, num_threads=threads), dtype=np.float64)


def contributions(booster: lgb.Booster, matrix: Matrix, *, threads: int = 0) -> Matrix:
    """Exact TreeSHAP contributions to the raw score, shape (n, features); the base value is left out.

    Source: Lundberg et al. 2020, "From local explanations to global understanding with explainable AI for trees",
    Nature Machine Intelligence 2.
    """
    return np.asarray(booster.predict(matrix, pred_contrib=True, num_threads=threads), dtype=np.float64)[:, :-1]
