"""Users by increasing score, with weights: what every metric of :mod:`models.evaluation.metrics` is computed from.

A bootstrap resample only changes the weights, so that nothing is sorted twice. Tied users share their churn rate: no metric
depends on their order.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit

from models.arrays import Labels, Values
from models.weights import weighted

_EPSILON = float(np.finfo(np.float64).eps)  # the smallest probability in a logarithm
_RIDGE = 1e-3  # keeps the slope finite where a score separates churners and retained users perfectly
_MAX_STEPS, _CLOSE = 100, 1e-9


@dataclass(frozen=True)
class RankedUsers:
    """Users by increasing score, all of shape (n,); ``ends`` (groups,): the index after each group of ties.

    Attributes
    ----------
    weights
        For how many users each stands, with mean 1; None: one each. What is fitted is fitted to them; a sample has weights of its own.
    """

    order: NDArray[np.int64]
    churned: Values
    score: Values
    ends: NDArray[np.int64]
    capacity: float = 0
    weights: Values | None = None

    @classmethod
    def by_score(
        cls, churned: Labels, score: Values, *, capacity: float | None = None, weights: Values | None = None
    ) -> RankedUsers:
        """Sort users by score, once; ``capacity`` is how many of them the team can contact. NaN is one value, the highest."""
        order = np.argsort(score, kind="stable")
        ordered = np.asarray(score, dtype=np.float64)[order]
        is_new = (ordered[1:] != ordered[:-1]) & ~np.isnan(ordered[:-1])  # infinity ties too
        ends = np.append(np.flatnonzero(is_new) + 1, len(ordered))
        known = None if weights is None else weights[order]
        return cls(order, np.asarray(churned, dtype=np.float64)[order], ordered, ends, capacity or 0, known)

    def total(self, rows: Values) -> Values:
        """Sum of one row per user, shape (n, m), each as often as it weighs; shape (m,)."""
        return rows.sum(axis=0) if self.weights is None else weighted(self.weights, rows)

    @cached_property
    def logarithmic_losses(self) -> Values:
        """Log loss of each user, in nats."""
        right = np.where(self.churned > 0, self.score, 1 - self.score)
        return -np.log(np.clip(right, _EPSILON, 1))

    @cached_property
    def square_losses(self) -> Values:
        """Squared error of each user."""
        return (self.score - self.churned) ** 2

    @cached_property
    def recalibrated(self) -> _Slope:
        """Logistic regression of the label on the logit of the score."""
        return _Slope.fit(self)

    @cached_property
    def shifted(self) -> _Shift:
        """The same with a slope of 1: what is missing in the log-odds of all."""
        return _Shift.fit(self)

    def sample(self, weights: Values | None = None) -> Sample:
        """Weight the users, in their original order; without weights each counts once."""
        return Sample(self, np.ones(len(self.order)) if weights is None else weights[self.order])


@dataclass(frozen=True)
class Sample:
    """The users of :class:`RankedUsers` with a weight each, shape (n,): how often each occurs in a resample."""

    ranked: RankedUsers
    weights: Values

    def _summed(self, values: Values) -> Values:
        """Weighted sums over the users up to the end of each group of ties, from zero; shape (groups + 1,)."""
        return np.append(0.0, np.cumsum(values)[self.ranked.ends - 1])

    @cached_property
    def ranks(self) -> Values:
        """Users up to each group of ties, starting from zero."""
        return self._summed(self.weights)

    @cached_property
    def churners(self) -> Values:
        """Churners up to each group of ties."""
        return self._summed(self.weights * self.ranked.churned)

    @cached_property
    def expected(self) -> Values:
        """Sum of the probabilities up to each group of ties."""
        return self._summed(self.weights * self.ranked.score)

    @property
    def users(self) -> np.float64:
        """Number of users."""
        return self.ranks[-1]

    @property
    def churn_rate(self) -> np.float64:
        """Share of them that churned."""
        return self.churners[-1] / self.users

    def mean(self, values: Values) -> float:
        """Weighted mean of one value per user, shape (n,), by increasing score."""
        return float(weighted(self.weights, values) / self.users)

    def auc(self) -> float:
        """Share of the pairs of a churner and a retained user that are ranked correctly; a tie counts half."""
        retained = self.ranks - self.churners
        below = (retained[1:] + retained[:-1]) / 2
        return float(weighted(np.diff(self.churners), below) / (self.churners[-1] * retained[-1]))

    def average_precision(self) -> float:
        """Mean precision at each churner; tied users are one step, as in scikit-learn."""
        users, churners = self.users - self.ranks[:-1], self.churners[-1] - self.churners[:-1]
        precision = np.divide(churners, users, out=np.zeros_like(users), where=users > 0)
        return float(weighted(np.diff(self.churners), precision) / self.churners[-1])

    def in_top(self, top: float) -> np.float64:
        """Churners among the ``top`` users with the highest scores; ties at the border share their rate."""
        return self.churners[-1] - np.interp(self.users - top, self.ranks, self.churners)

    def top_of(self, share: float) -> float:
        """Number of users in a share of all; at least one."""
        return float(max(1, round(share * self.users)))

    def at_capacity(self) -> float:
        """Number of users that the team can contact, at most all."""
        return float(min(self.ranked.capacity, self.users))

    def bins(self, bins: int) -> tuple[Values, Values, Values]:
        """Users, churners and sum of the probabilities of each bin of equal count, by increasing probability."""
        borders = np.append(0.0, np.cumsum(sizes(round(float(self.users)), bins)))
        users, churners = np.diff(borders), np.diff(np.interp(borders, self.ranks, self.churners))
        return users, churners, np.diff(np.interp(borders, self.ranks, self.expected))


def sizes(users: int, bins: int) -> NDArray[np.int64]:
    """Sizes of bins of equal count; the first ones take the remainder, and none is empty."""
    sizes = np.full(bins, users // bins)
    sizes[: users % bins] += 1
    return sizes[sizes > 0]


@dataclass(frozen=True)
class _Slope:
    """Logistic regression of the label on the logit of the probability: its slope, and its score and information by user."""

    slope: float
    rows: Values  # (n, 5)

    @classmethod
    def fit(cls, ranked: RankedUsers) -> _Slope:
        logits = logit(np.clip(ranked.score, _EPSILON, 1 - _EPSILON))
        intercept, slope = 0.0, 0.0
        for _ in range(_MAX_STEPS):
            rows = _newton_rows(logits, ranked.churned, fitted=expit(intercept + slope * logits))
            step = _newton_step(ranked.total(rows), slope)
            intercept, slope = intercept + step[0], slope + step[1]
            if max(abs(step[0]), abs(step[1])) < _CLOSE:
                break
        return cls(slope, _newton_rows(logits, ranked.churned, fitted=expit(intercept + slope * logits)))

    def slope_of(self, weights: Values) -> float:
        """Slope of resampled users, by one Newton step from the slope of all users: the error is of order 1 / n."""
        return self.slope + _newton_step(weighted(weights, self.rows), self.slope)[1]


@dataclass(frozen=True)
class _Shift:
    """The intercept of that regression where the slope is 1, with its score and information by user."""

    intercept: float
    rows: Values  # (n, 2)

    @classmethod
    def fit(cls, ranked: RankedUsers) -> _Shift:
        logits, intercept = logit(np.clip(ranked.score, _EPSILON, 1 - _EPSILON)), 0.0
        for _ in range(_MAX_STEPS):
            step = _shift_step(ranked.total(_shift_rows(ranked.churned, fitted=expit(intercept + logits))))
            intercept += step
            if abs(step) < _CLOSE:
                break
        return cls(intercept, _shift_rows(ranked.churned, fitted=expit(intercept + logits)))

    def intercept_of(self, weights: Values) -> float:
        """Intercept of resampled users, by one Newton step from that of all users."""
        return self.intercept + _shift_step(weighted(weights, self.rows))


def _shift_rows(churned: Values, *, fitted: Values) -> Values:
    return np.column_stack([churned - fitted, fitted * (1 - fitted)])


def _shift_step(sums: Values) -> float:
    residual, spread = (float(value) for value in sums)
    return float(np.clip(residual / (spread + _RIDGE), -2, 2))


def _newton_rows(logits: Values, churned: Values, *, fitted: Values) -> Values:
    residual, spread = churned - fitted, fitted * (1 - fitted)
    return np.column_stack([residual, residual * logits, spread, spread * logits, spread * logits**2])


def _newton_step(sums: Values, slope: float) -> tuple[float, float]:
    first, second, spread, mixed, square = (float(value) for value in sums)
    second, spread, square = second - _RIDGE * slope, spread + _RIDGE, square + _RIDGE
    determinant = spread * square - mixed**2
    step = (square * first - mixed * second) / determinant, (spread * second - mixed * first) / determinant
    return float(np.clip(step[0], -2, 2)), float(np.clip(step[1], -1, 1))
