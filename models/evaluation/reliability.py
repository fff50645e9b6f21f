"""How much of a calibration error is chance: what a model with true probabilities would show on as many users."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.interpolate import make_interp_spline

from models.arrays import Labels, Values
from models.evaluation.metrics import BINS
from models.evaluation.ranking import RankedUsers, sizes

_DRAWS = 1_000
_MAX_GROUPS = 200  # users of nearly the same probability are drawn together
_HIGH = 95.0  # percent


@dataclass(frozen=True)
class Reliability:
    """A calibration error compared with chance.

    Attributes
    ----------
    error
        Mean absolute difference between churn probability and churn rate, over ten bins of equal count.
    debiased
        The same without what chance adds.
    by_chance, by_chance_95
        What would be found if every probability were true: the mean, and the 95 % point, over draws of labels by the probabilities.
    """

    error: float
    debiased: float
    by_chance: float
    by_chance_95: float

    @classmethod
    def of(cls, churned: Labels, probability: Values, *, seed: int, weights: Values | None = None) -> Reliability:
        """Compare probabilities with labels, both of shape (n,), one row a user.

        Parameters
        ----------
        weights
            For how many users each stands, shape (n,), with mean 1; default: one each. They leave more to chance.

        Notes
        -----
        Debiased is the root of the mean squared difference less that by chance, at most the error itself: 0 where chance explains all.

        Source
        ------
        The squared differences less those by chance: Ferro, Fricker 2012, "A Bias-Corrected Decomposition of the Brier Score",
        Quarterly Journal of the Royal Meteorological Society 138. Draws of labels: Bröcker, Smith 2007, "Increasing the
        Reliability of Reliability Diagrams", Weather and Forecasting 22(3). Effect of weights on a variance: Kish 1965, "Survey
        Sampling", section 11.7.
        """
        ranked = RankedUsers.by_score(churned, probability)
        users, churners, expected = ranked.sample(weights).bins(BINS)
        error, square = _distances(churners - expected, users)
        spread = 1.0 if weights is None else float(np.sqrt(np.mean(weights**2))) / float(np.mean(weights))
        drawn_errors, drawn_squares = _distances(spread * _drawn(ranked, seed=seed), users)
        debiased = min(float(error), max(0.0, float(square - drawn_squares.mean())) ** 0.5)
        return cls(float(error), debiased, float(drawn_errors.mean()), float(np.percentile(drawn_errors, _HIGH)))

    def to_json(self) -> dict[str, float]:
        """By name, without the error itself, which is a metric."""
        return {f"calibration_error_{name}": value for name, value in vars(self).items() if name != "error"}


def _distances(differences: Values, users: Values) -> tuple[Values, Values]:
    """Mean absolute and mean squared difference between probability and churn rate; bins are the last axis."""
    whole = users.sum()
    return np.abs(differences).sum(axis=-1) / whole, (differences**2 / users).sum(axis=-1) / whole


def _drawn(ranked: RankedUsers, *, seed: int) -> Values:
    """Churners less those expected in each bin, for labels drawn at random by the probabilities; shape (draws, bins)."""
    last = np.linspace(-1, len(ranked.ends) - 1, _MAX_GROUPS + 1)[1:].round().astype(np.int64)
    ends = ranked.ends[np.unique(np.maximum(last, 0))]
    users, expected = np.diff(ends, prepend=0), np.diff(np.cumsum(ranked.score)[ends - 1], prepend=0.0)
    drawn = np.random.default_rng(seed).binomial(users, np.clip(expected / users, 0, 1), (_DRAWS, len(users)))
    summed = np.cumsum(drawn - expected, axis=1)
    up_to = make_interp_spline(np.append(0, ends), np.insert(summed, 0, 0.0, axis=1), k=1, axis=1)
    borders = np.append(0, np.cumsum(sizes(int(ends[-1]), BINS)))
    return np.diff(np.asarray(up_to(borders), dtype=np.float64), axis=1)
