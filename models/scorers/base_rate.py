"""The base rate changes after training, and probabilities follow it: a shift in log-odds, estimated at cutoffs whose labels are known.

At each such cutoff, the shift that makes the mean probability the churn rate is observed with an error of chance. What it is at a
later cutoff is predicted by a level that wanders with time, which is measured in horizons, with or without a slope; how fast, and
whether with a slope, is chosen by how well earlier shifts would have been predicted from those known by then. Cutoffs whose horizons
overlap share labels, and so their errors, by the share of days that they have in common: ten weekly cutoffs of a horizon of ten weeks
say little more than one. A horizon that is not whole weeks has more weekends from one weekday on than from another: each weekday then has a
shift of its own, the smaller the longer the horizon. Nothing else of the model moves: the ranking, and so percentiles and bands, stay.

Source: structural time series, Harvey 1989, "Forecasting, Structural Time Series Models and the Kalman Filter", chapter 2; the
prediction here is the same as the Kalman filter's, in the form of a Gaussian process.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from itertools import product
from typing import cast

import msgspec
import numpy as np
from scipy.optimize import brentq
from scipy.special import expit, logit

from models.arrays import Labels, Values

MAX_SHIFT = 1.5  # in log-odds: at most from 20 % to 53 %; whatever needs more needs a new model
MAX_CUTOFFS = 26
_LEVEL_PRIOR = 0.5  # standard deviations before anything is known: of the shift,
_SLOPES = (0.0, 0.07, 0.2)  # of its change per horizon,
_WANDERINGS = (0.0, 0.02, 0.09, 0.22)  # of its random change within a horizon,
_NOISES = (0.03, 0.1, 0.2)  # and of what one horizon shows beyond chance
_USUAL = (0.0, 0.09, 0.03)  # of each; chosen on the worlds of benchmarks/accuracy/shifting_worlds.py
_WEEK = 7  # days
_WEEKDAY = 0.6  # standard deviation of what a weekday adds, for each day of a horizon that is not whole weeks
_TINY = 1e-9
_FEWEST = 2  # cutoffs to predict from: one says nothing of how shifts change
_MIN_PREDICTED = 4  # cutoffs that were predicted from earlier ones, to choose by
_LESS_USUAL, _TREND = 1.0, 3.0  # nats by which another choice, or a trend, must have predicted better in all


def shifted(probability: Values, by: float) -> Values:
    """Shift probabilities in log-odds; exactly the same ones where the shift is 0."""
    return np.asarray(expit(logit(probability) + by), dtype=np.float64) if by else probability


def shift_between(probability: Values, churned: Labels, *, weights: Values | None = None) -> float:
    """Return the shift that makes the mean probability the churn rate; with half a churner and half a retained user more, so finite.

    Parameters
    ----------
    probability, churned
        Shape (n,).
    weights
        For how many users each row stands, shape (n,), with mean 1; None: one each.
    """
    churners = float((churned if weights is None else weights[churned]).sum())
    odds, rate = _odds(probability), (churners + 0.5) / (len(churned) + 1)
    reach = float(np.abs(odds).max(initial=0.0)) + abs(float(logit(rate))) + 1
    return cast("float", brentq(lambda by: float(np.average(expit(odds + by), weights=weights)) - rate, -reach, reach))


def overlaps(times: Values) -> Values:
    """Return the share of the days that the horizons of two cutoffs have in common, shape (n, n); ``times`` are in horizons."""
    return np.asarray(np.maximum(0.0, 1 - np.abs(np.subtract.outer(times, times))), dtype=np.float64)


def _odds(probability: Values) -> Values:
    return np.asarray(logit(np.clip(probability, _TINY, 1 - _TINY)), dtype=np.float64)


class KnownCutoff(msgspec.Struct, frozen=True):
    """How far off a model was at a cutoff whose labels are known, on rows that it was not fitted on.

    Attributes
    ----------
    shift
        In log-odds: added to every probability's, it makes the mean probability the churn rate.
    error
        Its standard error by chance.
    """

    cutoff: date
    rows: int
    churn_rate: float
    shift: float
    error: float

    @classmethod
    def of(cls, cutoff: date, *, probability: Values, churned: Labels, weights: Values | None = None) -> KnownCutoff:
        """Compare probabilities, shape (n,), with labels; ``weights``: for how many users each row stands, shape (n,), None: one each.

        Rows that stand for several users are no more evidence than one: with weights, the error is that of a weighted mean.
        """
        weights = None if weights is None else weights / weights.mean()
        shift = shift_between(probability, churned, weights=weights)
        fitted = expit(_odds(probability) + shift)
        variances = fitted * (1 - fitted)
        information = float(np.sum(variances))
        if weights is not None:
            information = float(np.sum(weights * variances) ** 2 / np.sum(weights**2 * variances))
        rate = float(np.average(churned, weights=weights))
        return cls(cutoff, len(churned), rate, shift, 1 / float(np.sqrt(information)))


@dataclass(frozen=True)
class Prediction:
    """The shift to expect at a cutoff, and why.

    Attributes
    ----------
    error
        Standard error of the shift that the cutoff will show, in log-odds; at least the usual one, as a calm stretch is no promise.
    """

    shift: float
    why: str
    error: float = 0.0


UNSHIFTED = Prediction(0.0, "no cutoff with known labels", _LEVEL_PRIOR)


@dataclass(frozen=True)
class _Series:
    """Shifts in order of time: the time of each cutoff in horizons, the shift and its error, each of shape (n,).

    Attributes
    ----------
    horizon
        Days from a cutoff until its label is known.
    """

    times: Values
    shifts: Values
    errors: Values
    horizon: int

    @classmethod
    def of(cls, known: Sequence[KnownCutoff], *, purge_days: int) -> _Series:
        """Take the numbers out of cutoffs in order of time."""
        rows = [(one.cutoff.toordinal() / purge_days, one.shift, one.error) for one in known]
        times, shifts, errors = np.array(rows, dtype=np.float64).T
        return cls(times, shifts, errors, purge_days)

    @property
    def known_before(self) -> list[int]:
        """For each, how many are a horizon or more before it."""
        found: list[int] = np.searchsorted(self.times, self.times - 1 + _TINY, side="right").tolist()
        return found

    def first(self, count: int) -> _Series:
        """Return the earliest ones."""
        return _Series(self.times[:count], self.shifts[:count], self.errors[:count], self.horizon)

    def of_weekdays(self, *, at: float) -> Values:
        """Return the covariance of what the weekdays of the cutoffs add, and of that of a time, shape (n + 1, n + 1)."""
        days = np.rint(np.append(self.times, at) * self.horizon)
        deviation = _WEEKDAY / self.horizon if self.horizon % _WEEK else 0.0
        return np.asarray(deviation**2 * (np.subtract.outer(days, days) % _WEEK == 0), dtype=np.float64)


@dataclass(frozen=True)
class _Way:
    """Standard deviations: of the slope and the random change per horizon, and of the noise of one cutoff."""

    slope: float
    wandering: float
    noise: float

    def predict(self, series: _Series, *, at: float) -> tuple[float, float]:
        """Return mean and variance of the level at a time, given shifts observed before it."""
        elapsed = np.append(series.times, at) - series.times[0]
        covariance = (
            _LEVEL_PRIOR**2
            + self.slope**2 * np.outer(elapsed, elapsed)
            + self.wandering**2 * np.minimum.outer(elapsed, elapsed)
            + series.of_weekdays(at=at)
        )
        errors = overlaps(series.times) * (np.outer(series.errors, series.errors) + self.noise**2)
        known = covariance[:-1, :-1] + errors + _TINY * np.eye(len(errors))
        weights = np.linalg.solve(known, covariance[:-1, -1])
        return float(weights @ series.shifts), float(covariance[-1, -1] - weights @ covariance[:-1, -1])

    def error(self, series: _Series, *, at: float) -> float:
        """Return the standard error of the shift that a time will show."""
        _, variance = self.predict(series, at=at)
        return float(np.sqrt(variance + self.noise**2))

    def log_score(self, series: _Series) -> float:
        """Return the log likelihood of the shifts that were predicted from those known at their cutoff; those that overlap share one."""
        score, shares = 0.0, 1 / overlaps(series.times).sum(axis=1)
        for place, before in enumerate(series.known_before):
            if before < _FEWEST:
                continue
            mean, variance = self.predict(series.first(before), at=float(series.times[place]))
            spread = variance + series.errors[place] ** 2 + self.noise**2
            score -= float(shares[place]) * 0.5 * float(np.log(spread) + (series.shifts[place] - mean) ** 2 / spread)
        return score


def predict_shift(known: Sequence[KnownCutoff], *, at: date, purge_days: int) -> Prediction:
    """Predict the shift at a cutoff from those whose labels are known by then.

    Parameters
    ----------
    known
        In any order; cutoffs less than ``purge_days`` (gap and horizon) before ``at`` are ignored.

    Returns
    -------
    A shift of 0 where no cutoff is known; at most :data:`MAX_SHIFT` either way.
    """
    by_cutoff = {one.cutoff: one for one in known if (at - one.cutoff).days >= purge_days}
    usable = [by_cutoff[cutoff] for cutoff in sorted(by_cutoff)][-MAX_CUTOFFS:]
    if not usable:
        return UNSHIFTED
    series = _Series.of(usable, purge_days=purge_days)
    way = _best_way(series)
    mean, _ = way.predict(series, at=at.toordinal() / purge_days)
    how, latest = "level and trend" if way.slope else "level", usable[-1]
    why = (
        f"{how} of {len(usable)} cutoffs with known labels, the latest {latest.cutoff} (churn rate {latest.churn_rate:.1%}, "
        f"shift {latest.shift:+.3f})"
    )
    limited = "" if abs(mean) <= MAX_SHIFT else f"; limited to {MAX_SHIFT:g}: train again"
    error = max(one.error(series, at=at.toordinal() / purge_days) for one in (way, _Way(*_USUAL)))
    return Prediction(float(np.clip(mean, -MAX_SHIFT, MAX_SHIFT)), why + limited, error)


def _best_way(series: _Series) -> _Way:
    """Choose by how likely each observed shift was; the usual way unless another is clearly better."""
    usual = _Way(*_USUAL)
    if sum(before >= _FEWEST for before in series.known_before) < _MIN_PREDICTED:
        return usual
    ways = [_Way(*values) for values in product(_SLOPES, _WANDERINGS, _NOISES)]
    less = [0.0 if way == usual else _TREND if way.slope else _LESS_USUAL for way in ways]
    return max(zip(ways, less, strict=True), key=lambda one: one[0].log_score(series) - one[1])[0]
