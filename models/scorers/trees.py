"""LightGBM behind three operations: fit, raw score, contributions."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace
from typing import Any

import lightgbm as lgb
import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit

from models.arrays import Labels, Matrix, Values
from models.settings import ModelSettings

# Whether a higher value makes churn more likely (+1) or less (-1); by the name of the feature without its window. Only the
# undisputed ones for churn by inactivity: a change, a dispersion or a rate per day of use can mean either.
_RISKIER = (
    *("days_since_last_event", "days_since_last_session", "days_since_last_qualifying_day"),
    *("overdue_ratio", "overdue_ratio_median", "overdue_ratio_max"),
)
_SAFER = (
    *("active_days", "active_days_decayed", "active_day_share", "current_streak_days"),
    *("events", "events_decayed", "sessions", "usage_minutes", "usage_minutes_decayed"),
    *("purchases", "amount", "amount_decayed"),
)
KNOWN_DIRECTIONS = dict.fromkeys(_RISKIER, +1) | dict.fromkeys(_SAFER, -1)
_WINDOW = re.compile(r"_\d+d$")

# The cost of explaining a tree hardly falls below this depth (measured: 8 leaves take .5 us at depth 3 and .6 us at depth 5).
_SHALLOW = 5

_TINY = 1e-12
_NEWTON_STEPS = 3  # from the shift 0; the next one changes the loss by less than 1e-6


@dataclass(frozen=True)
class Rows:
    """Rows to fit on. ``matrix`` (n, features), ``churned`` (n,), ``users`` (n,): one number per user.

    Attributes
    ----------
    weights
        Weight of each row in the fit, (n,), mean one; None: equal. Never by class: that ruins probabilities.
    """

    matrix: Matrix
    churned: Labels
    users: NDArray[np.int64]
    weights: Values | None = None

    def take(self, chosen: NDArray[np.int64] | NDArray[np.bool_]) -> Rows:
        """Return some of the rows."""
        weights = None if self.weights is None else self.weights[chosen]
        return Rows(self.matrix[chosen], self.churned[chosen], self.users[chosen], weights)

    def with_weights(self, weights: Values) -> Rows:
        """Return the rows with other weights, shape (n,)."""
        return replace(self, weights=weights)

    def with_recency_weights(self, cutoffs: NDArray[np.datetime64], half_life_days: float | None) -> Rows:
        """Return the rows with less weight for older cutoffs, shape (n,), on top of their own; unchanged without a half-life."""
        if half_life_days is None:
            return self
        ages = (cutoffs.max() - cutoffs).astype("timedelta64[D]").astype(np.float64)
        weights = recency_weights(ages, half_life_days) * (1.0 if self.weights is None else self.weights)
        return self.with_weights(weights / weights.mean())


def recency_weights(ages_days: NDArray[np.float64], half_life_days: float) -> Values:
    """Weigh rows by the age of their snapshot: half as much for every half-life; the mean is one.

    Examples
    --------
    >>> recency_weights(np.array([0.0, 7.0]), 7.0).round(3).tolist()
    [1.333, 0.667]
    """
    weights = np.exp2(-(ages_days - ages_days.min()) / half_life_days)
    return np.asarray(weights / weights.mean(), dtype=np.float64)


def known_direction(feature: str) -> int:
    """Whether a higher value of a feature makes churn more likely (1), less (-1), or it depends (0).

    Examples
    --------
    >>> known_direction("days_since_last_event"), known_direction("active_days_7d"), known_direction("tenure_days")
    (1, -1, 0)
    """
    return KNOWN_DIRECTIONS.get(_WINDOW.sub("", feature), 0)


def explainable(settings: ModelSettings) -> tuple[int, int]:
    """Return the maximum depth and rounds for which trees x leaves x depth^2 stays within ``max_explaining_cost``.

    Depth is reduced first, as far as the leaves still fit; then rounds are.
    """
    s = settings
    minimum, maximum = math.ceil(math.log2(s.num_leaves)), s.num_leaves - 1
    room = math.isqrt(s.max_explaining_cost // (s.max_rounds * s.num_leaves))
    depth = min(max(room, minimum, _SHALLOW), maximum)
    rounds = s.max_explaining_cost // (s.num_leaves * max(depth, _SHALLOW) ** 2)
    return depth, max(1, min(s.max_rounds, rounds))


@dataclass(frozen=True)
class TreeFitter:
    """Fits boosted trees: with which settings and seed, and which columns are categories."""

    settings: ModelSettings
    seed: int
    names: tuple[str, ...]
    categorical: tuple[str, ...]

    def fit(self, train: Rows, *, validation: Rows | None = None, rounds: int | None = None) -> lgb.Booster:
        """Fit until the validation log loss stops falling, or for a number of rounds.

        The log loss is that of probabilities whose mean is the churn rate of the validation rows: a base rate that differs from the
        training rows' is corrected later, and should not decide how many trees are best.

        Parameters
        ----------
        validation
            Rows for early stopping, equally weighted; without them exactly ``rounds`` trees are fitted, or as many as
            ``max_explaining_cost`` allows.
        """
        data = self._dataset(train, weights=train.weights)
        stop = [lgb.early_stopping(self.settings.early_stopping_rounds, verbose=False)] if validation else []
        _, limit = explainable(self.settings)
        return lgb.train(
            self._parameters(),
            data,
            num_boost_round=min(rounds or limit, limit),
            valid_sets=[self._dataset(validation, reference=data)] if validation else None,
            feval=_log_loss_at_base_rate if validation else None,
            callbacks=stop,
        )

    def _parameters(self) -> dict[str, Any]:
        s = self.settings
        return {
            "objective": "binary",
            "metric": "None",
            "num_leaves": s.num_leaves,
            "max_depth": explainable(s)[0],
            "learning_rate": s.learning_rate,
            "min_data_in_leaf": s.min_data_in_leaf,
            "feature_fraction": s.feature_fraction,
            "bagging_fraction": s.bagging_fraction,
            "bagging_freq": 1,
            "lambda_l2": s.lambda_l2,
            "cat_smooth": 20.0,
            "cat_l2": 20.0,
            "seed": self.seed,
            "deterministic": True,
            "force_row_wise": True,
            "verbose": -1,
            **self._constraints(),
        }

    def _constraints(self) -> dict[str, list[int]]:
        directions = [0 if name in self.categorical else known_direction(name) for name in self.names]
        return {"monotone_constraints": directions} if self.settings.monotone == "known" and any(directions) else {}

    def _dataset(
        self, rows: Rows, *, weights: Values | None = None, reference: lgb.Dataset | None = None
    ) -> lgb.Dataset:
        return lgb.Dataset(
            rows.matrix,
            rows.churned.astype(np.float64),
            weight=weights,
            feature_name=list(self.names),
            categorical_feature=list(self.categorical),
            reference=reference,
        )


def _log_loss_at_base_rate(probability: Values, data: lgb.Dataset) -> tuple[str, float, bool]:
    """Mean log loss once the log-odds are shifted so that the mean probability is the churn rate, by Newton's method."""
    churned, odds = np.asarray(data.get_label(), dtype=np.float64), logit(np.clip(probability, _TINY, 1 - _TINY))
    rate, shift = float(churned.mean()), 0.0
    for _ in range(_NEWTON_STEPS):
        shifted = expit(odds + shift)
        slope = float(np.mean(shifted * (1 - shifted)))
        shift -= float(np.clip((shifted.mean() - rate) / max(slope, _TINY), -1, 1))
    return "log_loss", float(np.mean(np.logaddexp(0, odds + shift) - churned * (odds + shift))), False


def raw_scores(booster: lgb.Booster, matrix: Matrix, *, threads: int = 0) -> Values:
    """Log-odds before calibration, shape (n,); ``threads`` 0 means all cores, and never changes a score."""
    return np.asarray(booster.predict(matrix, raw_score=True, num_threads=threads), dtype=np.float64)


def contributions(booster: lgb.Booster, matrix: Matrix, *, threads: int = 0) -> Matrix:
    """Exact TreeSHAP contributions to the raw score, shape (n, features); without the base value.

    Source: Lundberg et al. 2020, "From local explanations to global understanding with explainable AI for trees",
    Nature Machine Intelligence 2.
    """
    return np.asarray(booster.predict(matrix, pred_contrib=True, num_threads=threads), dtype=np.float64)[:, :-1]
