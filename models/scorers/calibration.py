"""Values scores to probabilities: three increasing curves, and the choice between them.

Platt scaling has two parameters, beta calibration three, isotonic regression as many as the data needs. The simplest one that
predicts unseen rows as well as the best one is chosen; none of them changes the ranking.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Protocol, cast

import msgspec
import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq, minimize
from scipy.special import expit, log_expit, logit
from sklearn.isotonic import IsotonicRegression
from threadpoolctl import ThreadpoolController

from models.arrays import Labels, Values
from models.scorers.user_folds import folds_of_users, users_of_classes
from models.weights import weighted

_FLAT = 1e-12
_FOLDS = 5
_DIGITS = 12  # of a rate: weighted means of one step may differ in the last ones


class Platt(msgspec.Struct, frozen=True, tag="platt"):
    """``probability = 1 / (1 + exp(-(slope * raw + intercept)))``, slope above zero.

    Source: Platt 1999, "Probabilistic Outputs for Support Vector Machines".
    """

    slope: float
    intercept: float

    def probability(self, raw: Values) -> Values:
        """Calibrated churn probability in (0, 1), shape of ``raw``."""
        return np.asarray(expit(self.slope * raw + self.intercept), dtype=np.float64)


class Beta(msgspec.Struct, frozen=True, tag="beta"):
    """``log odds = a * ln(p) - b * ln(1 - p) + c`` with p = 1 / (1 + exp(-raw)); a and b not below zero, not both zero.

    Source: Kull, Silva Filho, Flach 2017, "Beyond Sigmoids: How to Obtain Well-Calibrated Probabilities from Binary
    Classifiers with Beta Calibration", Electronic Journal of Statistics 11(2).
    """

    a: float
    b: float
    c: float

    def probability(self, raw: Values) -> Values:
        """Calibrated churn probability in (0, 1), shape of ``raw``."""
        return np.asarray(expit(_both_logarithms(raw) @ np.array([self.a, self.b]) + self.c), dtype=np.float64)


class Isotonic(msgspec.Struct, frozen=True, tag="isotonic"):
    """Isotonic regression, made strictly increasing: log odds are linear from the middle of a step to that of the next.

    Beyond the outer middles they continue with Platt's slope. So calibration adds no ties.

    Source: Zadrozny, Elkan 2002, "Transforming Classifier Scores into Accurate Multiclass Probability Estimates"; steps joined
    at their middles: Oron, Flournoy 2017, "Centered Isotonic Regression", Statistics in Biopharmaceutical Research 9(3).

    Attributes
    ----------
    raw, probability_at
        Middle of each step and the probability there; both increasing.
    slope
        Of the log odds beyond the first and the last middle; above zero.
    """

    raw: tuple[float, ...]
    probability_at: tuple[float, ...]
    slope: float

    def probability(self, raw: Values) -> Values:
        """Calibrated churn probability in (0, 1), shape of ``raw``."""
        middles, odds = np.array(self.raw), logit(np.array(self.probability_at))
        beyond = raw - np.clip(raw, middles[0], middles[-1])
        return np.asarray(expit(np.interp(raw, middles, odds) + self.slope * beyond), dtype=np.float64)


Calibration = Platt | Beta | Isotonic


@dataclass(frozen=True)
class CalibrationFit:
    """The chosen calibration, and the cross-validated log loss of each candidate."""

    calibration: Calibration
    log_losses: dict[str, float]


class _Fitter(Protocol):
    def __call__(self, raw: Values, churned: Labels, *, weights: Values | None = None) -> Calibration: ...


def fit_calibration(
    raw: Values,
    churned: Labels,
    *,
    seed: int,
    users: NDArray[np.int64] | None = None,
    weights: Values | None = None,
) -> CalibrationFit:
    """Fit the simplest calibration that predicts unseen rows as well as the best one.

    "As well" means within one standard error of the difference in log loss, over five parts of the users with about the same churn
    rate, assigned by ``seed``, each predicted from the others.

    Parameters
    ----------
    raw, churned
        Shape (n,): rows that the model was not fitted on.
    users
        One number per user, shape (n,), where a user has several rows; default: one row per user.
    weights
        For how many users each row stands, shape (n,), with mean 1; None: one each. They weigh the fits and the log loss. The age of a
        snapshot is no such weight: how old a row is does not make it another share of the users.
    """
    groups = np.arange(len(raw)) if users is None else users
    folds = min(_FOLDS, *users_of_classes(groups, churned))
    if folds < 2:  # noqa: PLR2004
        return CalibrationFit(fit_platt(raw, churned, weights=weights), {})
    fold = folds_of_users(groups, churned, folds=folds, seed=seed)
    parts = [(np.flatnonzero(fold != held_out), np.flatnonzero(fold == held_out)) for held_out in range(folds)]
    losses = {
        name: _unseen_losses(fit, raw, churned=churned, parts=parts, weights=weights) for name, fit in _KINDS.items()
    }
    best = min(losses.values(), key=lambda values: float(values.mean()))
    chosen = next(name for name, values in losses.items() if _is_as_good(values, best))
    fitted = _KINDS[chosen](raw, churned, weights=weights)
    return CalibrationFit(fitted, {name: float(values.mean()) for name, values in losses.items()})


def _unseen_losses(
    fit: _Fitter,
    raw: Values,
    *,
    churned: Labels,
    parts: list[tuple[NDArray[np.int64], NDArray[np.int64]]],
    weights: Values | None,
) -> Values:
    """Return the log loss of each row, times its weight, by the fit on the parts that do not have it."""
    losses = np.empty(len(raw))
    for seen, unseen in parts:
        known = None if weights is None else weights[seen]
        probability = fit(raw[seen], churned[seen], weights=known).probability(raw[unseen])
        losses[unseen] = -np.log(np.clip(np.where(churned[unseen], probability, 1 - probability), 1e-15, 1))
    return losses if weights is None else losses * weights


def _is_as_good(losses: Values, best: Values) -> bool:
    worse = losses - best
    return bool(worse.mean() <= worse.std() / np.sqrt(len(worse)))


def fit_platt(raw: Values, churned: Labels | Values, *, weights: Values | None = None) -> Platt:
    """Fit slope and intercept by maximum likelihood; the mean probability is then within 1 / n of the churn rate.

    Parameters
    ----------
    raw, churned
        Shape (n,); where no label is known, ``churned`` may hold probabilities instead. A slope that is not above zero
        would reverse the ranking, or make all users equal; it falls back to 1, with the intercept that makes the mean
        probability the churn rate.
    weights
        As of :func:`fit_calibration`.
    """
    (slope,), intercept = _logistic(raw[:, None], churned, weights=weights)
    return Platt(slope, intercept) if slope > 0 else _matching_churn_rate(raw, churned, weights=weights)


def _matching_churn_rate(raw: Values, churned: Labels | Values, *, weights: Values | None) -> Platt:
    few = 1 / (len(raw) + 2)
    rate = float(np.clip(np.average(churned, weights=weights), few, 1 - few))
    bound = float(np.abs(raw).max()) + abs(float(logit(rate))) + 1

    def excess(shift: float) -> float:
        return float(np.average(expit(raw + shift), weights=weights)) - rate

    return Platt(1.0, cast("float", brentq(excess, -bound, bound)))


def fit_beta(raw: Values, churned: Labels, *, weights: Values | None = None) -> Beta | Platt:
    """Fit beta calibration by maximum likelihood; where neither power is above zero, as :func:`fit_platt` does."""
    (a, b), c = _logistic(_both_logarithms(raw), churned, weights=weights)
    return Beta(a, b, c) if max(a, b) > 0 else _matching_churn_rate(raw, churned, weights=weights)


def _both_logarithms(raw: Values) -> Values:
    """Return ln(p) and -ln(1 - p), shape (n, 2)."""
    return np.stack([log_expit(raw), -log_expit(-raw)], axis=-1)


def fit_isotonic(raw: Values, churned: Labels, *, weights: Values | None = None) -> Isotonic | Platt:
    """Fit isotonic regression; where all rows fall into one step, as :func:`fit_platt` does."""
    platt = fit_platt(raw, churned, weights=weights)
    fitted = IsotonicRegression(out_of_bounds="clip").fit(raw, churned, sample_weight=weights).predict(raw)
    steps = fitted if weights is None else fitted.round(_DIGITS)
    _, step = np.unique(steps, return_inverse=True)
    users = np.bincount(step, weights)
    if len(users) == 1:
        return platt
    by_row = 1.0 if weights is None else weights
    middles, rates = (np.bincount(step, values * by_row) / users for values in (raw, churned.astype(np.float64)))
    few = 1 / (len(raw) + 2)  # nobody is certain to leave or to stay
    return Isotonic(tuple(middles.tolist()), tuple(np.clip(rates, few, 1 - few).tolist()), platt.slope)


_KINDS: dict[str, _Fitter] = {
    "platt": fit_platt,
    "beta": fit_beta,
    "isotonic": fit_isotonic,
}


def _targets(churned: Labels | Values, weights: Values | None) -> Values:
    """Platt's targets instead of 0 and 1: they keep curves finite where the raw score separates the classes."""
    if churned.dtype != np.bool_:
        return np.asarray(churned, dtype=np.float64)
    if weights is None:
        churners, retained = int(churned.sum()), int((churned == 0).sum())
    else:
        churners, retained = float(weights[churned == 1].sum()), float(weights[churned == 0].sum())
    return np.where(churned, (churners + 1) / (churners + 2), 1 / (retained + 2))


def _logistic(columns: Values, churned: Labels | Values, *, weights: Values | None) -> tuple[tuple[float, ...], float]:
    """Fit logistic regression with coefficients not below zero.

    Returns
    -------
    The coefficients of the columns, and the intercept.
    """
    targets = _targets(churned, weights)
    centres, scales = columns.mean(axis=0), columns.std(axis=0)
    scales[scales < _FLAT] = np.inf  # a constant column carries no information
    scaled = (columns - centres) / scales

    def loss(numbers: Values) -> tuple[float, Values]:
        odds = np.einsum("ij,j->i", scaled, numbers[:-1]) + numbers[-1]
        residual = (expit(odds) - targets) * (1.0 if weights is None else weights)
        slopes = np.append(weighted(residual, scaled), residual.sum())
        return float(np.average(np.logaddexp(0, odds) - targets * odds, weights=weights)), slopes / total

    total = len(targets) if weights is None else float(weights.sum())
    start = np.append(np.zeros(columns.shape[1]), logit(np.average(targets, weights=weights)))
    bounds = [(0, None)] * columns.shape[1] + [(None, None)]
    options = {"ftol": 1e-14, "gtol": 1e-9}
    # for two or three numbers, threads that wait for each other take several times as long
    with _thread_pools().limit(limits=1, user_api="blas"):
        found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds, options=options).x
    coefficients = found[:-1] / scales
    return tuple(coefficients.tolist()), float(found[-1] - coefficients @ centres)


@cache
def _thread_pools() -> ThreadpoolController:
    """Return those of the libraries that are loaded; finding them takes longer than a fit."""
    return ThreadpoolController()
