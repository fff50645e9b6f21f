"""The churn rate among users with such a score, with an interval: from rows with known labels that the model was not fitted on.

How the churn rate depends on the score is a smooth curve through these rows; how high it is at another cutoff is what the base rate of
earlier cutoffs lets expect. Both are uncertain, and the interval has both. It says nothing of a single user: of two users with one
score, one may be sure to leave.

Source: flexible calibration curves, Van Calster et al. 2016, "A Calibration Hierarchy for Risk Models Was Defined: From Utopia to
Empirical Data", Journal of Clinical Epidemiology 74; restricted cubic splines: Harrell 2015, "Regression Modeling Strategies", section
2.4.5; the variance where rows of one user depend on each other: Liang, Zeger 1986, "Longitudinal Data Analysis Using Generalized
Linear Models", Biometrika 73(1).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit
from scipy.stats import norm

from models.arrays import Labels, Matrix, Values
from models.evaluation.metrics import Interval
from models.scorers.base_rate import Prediction

LEVEL = 0.9
_KNOTS_AT = (0.05, 0.35, 0.65, 0.95)  # of the scores
_PRIOR = 1.0  # standard deviation of each coefficient, in log-odds: holds a curve through few rows, no other
_MAX_STEPS, _CLOSE = 50, 1e-8
_TINY = 1e-9


@dataclass(frozen=True)
class LabelledScores:
    """Probabilities at cutoffs with known labels, without any shift; each of shape (n,).

    Attributes
    ----------
    users, cutoffs
        A number for each user, and for each cutoff, from 0.
    """

    probability: Values
    churned: Labels
    users: NDArray[np.int64]
    cutoffs: NDArray[np.int64]


@dataclass(frozen=True)
class ScoreRates:
    """How the churn rate differs from the probability, by score: a curve in log-odds around the shift of a cutoff.

    Attributes
    ----------
    knots
        Of the spline, in log-odds; at least two.
    centres, scales
        Of the columns of the spline, shape (m,).
    coefficients, covariance
        Shapes (m,) and (m, m).
    """

    knots: Values
    centres: Values
    scales: Values
    coefficients: Values
    covariance: Matrix

    @classmethod
    def fit(cls, scores: LabelledScores) -> ScoreRates:
        """Fit the curve; each cutoff has its own level, which says nothing of the curve."""
        odds = _odds(scores.probability)
        knots = np.unique(np.quantile(odds, _KNOTS_AT))
        columns, information = _spline(odds, knots), expit(odds) * expit(-odds)
        centres = np.average(columns, axis=0, weights=information)
        scales = np.maximum(columns.std(axis=0), _TINY)
        levels = np.eye(scores.cutoffs.max() + 1)[scores.cutoffs]
        coefficients, covariance = _regression(np.hstack([(columns - centres) / scales, levels]), scores)
        own = columns.shape[1]
        return cls(knots, centres, scales, coefficients[:own], covariance[:own, :own])

    def interval(self, probability: float, *, shift: Prediction) -> Interval:
        """Return the churn rate among users with a probability, with its 90 % interval.

        Parameters
        ----------
        probability
            Without any shift.
        shift
            Of the base rate at the cutoff that is meant.
        """
        odds = _odds(np.array([probability]))
        row = ((_spline(odds, self.knots) - self.centres) / self.scales)[0]
        middle = float(odds[0] + row @ self.coefficients + shift.shift)
        error = float(np.sqrt(row @ self.covariance @ row + shift.error**2))
        reach = float(norm.ppf((1 + LEVEL) / 2)) * error
        return Interval(*(float(expit(one)) for one in (middle, middle - reach, middle + reach)))


def _odds(probability: Values) -> Values:
    return np.asarray(logit(np.clip(probability, _TINY, 1 - _TINY)), dtype=np.float64)


def _spline(odds: Values, knots: Values) -> Matrix:
    """Return the columns of a cubic spline that is linear beyond its outer knots; shape (n, knots - 1), at least one."""
    *inner, before, last = knots if len(knots) > 1 else (knots[0], knots[0])

    def cubic(knot: float) -> Values:
        return np.maximum(odds - knot, 0.0) ** 3

    def column(knot: float) -> Values:
        ends = cubic(before) * (last - knot) - cubic(last) * (before - knot)
        return (cubic(knot) - ends / (last - before)) / (last - knots[0]) ** 2

    return np.column_stack([odds, *(column(knot) for knot in inner)])


def _regression(columns: Matrix, scores: LabelledScores) -> tuple[Values, Matrix]:
    """Fit logistic regression to what the probabilities miss; return its coefficients, and their covariance over users."""
    odds, penalty = _odds(scores.probability), np.eye(columns.shape[1]) / _PRIOR**2
    coefficients, information = np.zeros(columns.shape[1]), penalty
    for _ in range(_MAX_STEPS):
        fitted = expit(odds + columns @ coefficients)
        information = (columns * (fitted * (1 - fitted))[:, None]).T @ columns + penalty
        step = np.linalg.solve(information, columns.T @ (scores.churned - fitted) - penalty @ coefficients)
        coefficients = coefficients + np.clip(step, -1, 1)
        if np.abs(step).max() < _CLOSE:
            break
    residuals = columns * (scores.churned - expit(odds + columns @ coefficients))[:, None]
    by_user = np.stack([np.bincount(scores.users, one) for one in residuals.T], axis=1)
    inverse = np.linalg.inv(information)
    return coefficients, inverse @ (by_user.T @ by_user) @ inverse
