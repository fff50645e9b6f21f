"""The churn rate among users with such a score, with an interval: from rows with known labels that the model was not fitted on.

Three things are uncertain, and the interval has all of them. How the churn rate depends on the score is a smooth curve that these rows
show. This curve differs from cutoff to cutoff, as around a holiday: most where nearly all users stay, since who has left already does not
come back for it. How high the churn rate of the next cutoff is, the base rates of earlier ones let expect. The interval says nothing of
a single user: of two users with one score, one may be sure to leave.

Source: the curve is a Gaussian process over the rank of the score, with Laplace's approximation, Rasmussen, Williams 2006, "Gaussian
Processes for Machine Learning", algorithms 3.1 and 3.2; a part of its own for each cutoff: random effects, Laird, Ware 1982,
"Random-Effects Models for Longitudinal Data", Biometrics 38(4); rows of one user depend on each other, and count less by their design
effect: Kish 1965, "Survey Sampling", section 8.2.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit
from scipy.stats import norm

from models.arrays import Labels, Matrix, Values
from models.evaluation.metrics import Interval
from models.scorers.base_rate import Prediction, overlaps, shift_between

LEVEL = 0.9
_BINS = 20  # of the scores, each with about as many rows
_CURVE = 1.0  # standard deviations, in log-odds: of the curve that all cutoffs share from the probability,
_OWN = 0.22  # and of what a cutoff of its own adds, among users who all stay; chosen on worlds that the benchmark does not have
_LEVELS = 1.0  # and of the level of each cutoff, which its shift has not got right where the curve is far from the probability
_LENGTH = 0.25  # ranks, from 0 to 1, over which either changes
_MAX_STEPS, _MAX_STEP, _CLOSE = 100, 1.0, 1e-8
_TINY = 1e-9


@dataclass(frozen=True)
class LabelledScores:
    """Probabilities at cutoffs with known labels, without any shift; each of shape (n,).

    Attributes
    ----------
    users, cutoffs
        A number for each user, and for each cutoff, from 0.
    times
        Of each cutoff, in horizons, shape (cutoffs,): cutoffs less than one apart share labels.
    """

    probability: Values
    churned: Labels
    users: NDArray[np.int64]
    cutoffs: NDArray[np.int64]
    times: Values


@dataclass(frozen=True)
class ScoreRates:
    """How the churn rate differs from the probability, by score, around the shift of a cutoff; linear between bins of the score.

    Attributes
    ----------
    places
        Mean score of each bin in log-odds, increasing, shape (m,).
    means, covariance
        What is added to the log-odds there, at a cutoff whose labels are not known; shapes (m,) and (m, m).
    """

    places: Values
    means: Values
    covariance: Matrix

    @classmethod
    def fit(cls, scores: LabelledScores) -> ScoreRates:
        """Fit the curve; each cutoff has its own level, which says nothing of the curve."""
        bins, odds = _Bins.of(scores.probability), _odds(scores.probability)
        places = bins.mean_of(odds)
        curve = bins.covariance(np.full(bins.count, _CURVE)) + bins.line(
            _CURVE * places / max(float(odds.std()), _TINY)
        )
        own = bins.covariance(_OWN * (1 - bins.mean_of(scores.probability)))
        cutoffs = len(scores.times)
        levels = np.kron(np.eye(cutoffs), np.full(own.shape, _LEVELS**2))
        prior = np.kron(np.ones((cutoffs, cutoffs)), curve) + np.kron(overlaps(scores.times), own) + levels
        weights, reduction = _posterior(scores, cell=scores.cutoffs * bins.count + bins.of_row, prior=prior)
        shared = np.tile(curve, cutoffs)
        return cls(places, shared @ weights, curve + own - shared @ reduction @ shared.T)

    def interval(self, probability: float, *, shift: Prediction) -> Interval:
        """Return the churn rate among users with a probability, with its 90 % interval.

        Parameters
        ----------
        probability
            Without any shift.
        shift
            Of the base rate at the cutoff that is meant.
        """
        odds = float(_odds(np.array([probability]))[0])
        row = self._row(odds)
        middle = odds + float(row @ self.means) + shift.shift
        error = float(np.sqrt(max(float(row @ self.covariance @ row), 0.0) + shift.error**2))
        reach = float(norm.ppf((1 + LEVEL) / 2)) * error
        return Interval(*(float(expit(one)) for one in (middle, middle - reach, middle + reach)))

    def _row(self, odds: float) -> Values:
        """Return the weight of each bin: the line through the two nearest ones, and beyond the outer ones no further than once as far."""
        row = np.zeros(len(self.places))
        if len(row) == 1:
            return row + 1
        right = int(np.clip(np.searchsorted(self.places, odds), 1, len(row) - 1))
        left, apart = self.places[right - 1], self.places[right] - self.places[right - 1]
        share = float(np.clip((odds - left) / apart, -1, 2))
        row[right - 1], row[right] = 1 - share, share
        return row


@dataclass(frozen=True)
class _Bins:
    """Bins of the score, as far as there are different scores.

    Attributes
    ----------
    of_row
        Shape (n,).
    ranks
        Middle of each bin, between 0 and 1.
    information
        Share of each bin in what labels say of the level of the churn rate.
    """

    of_row: NDArray[np.int64]
    ranks: Values
    information: Values

    @classmethod
    def of(cls, probability: Values) -> _Bins:
        edges = np.quantile(probability, np.linspace(0, 1, _BINS + 1)[1:-1])
        of_row = np.unique(np.searchsorted(edges, probability), return_inverse=True)[1]
        rows, spread = np.bincount(of_row), np.bincount(of_row, np.maximum(probability * (1 - probability), _TINY))
        return cls(of_row, (np.cumsum(rows) - rows / 2) / len(probability), spread / spread.sum())

    @property
    def count(self) -> int:
        return len(self.ranks)

    def mean_of(self, values: Values) -> Values:
        """Return the mean of each bin, shape (m,)."""
        return np.bincount(self.of_row, values) / np.bincount(self.of_row)

    def covariance(self, deviations: Values) -> Matrix:
        """Return that of smooth curves with such deviations."""
        smooth = np.exp(-0.5 * (np.subtract.outer(self.ranks, self.ranks) / _LENGTH) ** 2)
        return self._centred(smooth * np.outer(deviations, deviations))

    def line(self, deviations: Values) -> Matrix:
        """Return the covariance of lines with such deviations: what is too extreme is so everywhere."""
        return self._centred(np.outer(deviations, deviations))

    def _centred(self, covariance: Matrix) -> Matrix:
        """Make the mean of curves 0, weighted by information: the level is not theirs."""
        centred = np.eye(self.count) - self.information
        return np.asarray(centred @ covariance @ centred.T, dtype=np.float64)


def _own_level(scores: LabelledScores) -> Values:
    """Return the log-odds of each row with the shift of its own cutoff, shape (n,)."""
    odds = _odds(scores.probability)
    for cutoff in range(len(scores.times)):
        at = scores.cutoffs == cutoff
        odds[at] += shift_between(scores.probability[at], scores.churned[at])
    return odds


def _posterior(scores: LabelledScores, *, cell: NDArray[np.int64], prior: Matrix) -> tuple[Values, Matrix]:
    """Add what labels say of each cell, of a cutoff and a bin, to a prior of shape (cells, cells).

    Returns
    -------
    Shapes (cells,) and (cells, cells): where ``shared`` is the prior covariance of other values with the cells, their mean is ``shared``
    times the first, and their covariance is less by ``shared`` times the second times the transpose of ``shared``.
    """
    cells, odds = len(prior), _own_level(scores)
    design, found = _design_effect(scores, expit(odds)), np.zeros(cells)
    weights, reduction = np.zeros(cells), prior
    for _ in range(_MAX_STEPS):
        rate = expit(odds + found[cell])
        gradient = np.bincount(cell, scores.churned - rate, cells) / design
        root = np.sqrt(np.bincount(cell, rate * (1 - rate), cells) / design)
        inverse = np.linalg.inv(np.eye(cells) + np.outer(root, root) * prior)
        reduction = np.asarray(np.outer(root, root) * inverse, dtype=np.float64)
        towards = root**2 * found + gradient
        weights = towards - reduction @ (prior @ towards)
        step = np.clip(prior @ weights - found, -_MAX_STEP, _MAX_STEP)
        found = found + step
        if np.abs(step).max() < _CLOSE:
            break
    return weights, reduction


def _design_effect(scores: LabelledScores, expected: Values) -> float:
    """Return by how much the rows of a user, who has one at each of several cutoffs, make the churn rate less certain; at least 1."""
    residuals = scores.churned - expected
    by_user = np.bincount(scores.users, residuals)
    return max(1.0, float(by_user @ by_user) / max(float(residuals @ residuals), _TINY))


def _odds(probability: Values) -> Values:
    return np.asarray(logit(np.clip(probability, _TINY, 1 - _TINY)), dtype=np.float64)
