"""Metrics of scores and probabilities, with intervals.

An undefined metric (the AUC of churners only) is NaN. No metric depends on the order of tied users.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from models.arrays import Labels, Values
from models.evaluation.ranking import RankedUsers, Sample, sizes
from models.weights import weighted

BINS, _SHARES = 10, (0.01, 0.05, 0.10, 0.20)
_RESAMPLES, _MIN_RESAMPLES, _MAX_RESAMPLED_ROWS = 200, 50, 200_000_000


@dataclass(frozen=True)
class Interval:
    """A metric with its 95 % bootstrap interval over users."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Metric:
    """One metric: its meaning, and how to compute it.

    Attributes
    ----------
    better
        Which direction is better; "none" where neither is.
    of
        Computes it.
    """

    name: str
    meaning: str
    better: Literal["higher", "lower", "none"]
    unit: str
    of: Callable[[Sample], float]


# --- Metrics -------------------------------------------------------------------------------------------------------


def _log_loss(of: Sample) -> float:
    return of.mean(of.ranked.logarithmic_losses)


def _brier(of: Sample) -> float:
    return of.mean(of.ranked.square_losses)


def _reliability(of: Sample) -> float:
    users, churners, expected = of.bins(BINS)
    return float(np.sum((expected - churners) ** 2 / users) / of.users)


def _resolution(of: Sample) -> float:
    users, churners, _ = of.bins(BINS)
    return float(weighted(users, (churners / users - of.churn_rate) ** 2) / of.users)


def _uncertainty(of: Sample) -> float:
    return float(of.churn_rate * (1 - of.churn_rate))


def _calibration_error(of: Sample, bins: int = BINS) -> float:
    _, churners, expected = of.bins(bins)
    return float(np.abs(expected - churners).sum() / of.users)


def _calibration_slope(of: Sample) -> float:
    return of.ranked.recalibrated.slope_of(of.weights)


def _calibration_intercept(of: Sample) -> float:
    return of.ranked.shifted.intercept_of(of.weights)


def _lift(of: Sample, top: float) -> float:
    return float(of.in_top(top) / top / of.churn_rate)


def _recall(of: Sample, top: float) -> float:
    return float(of.in_top(top) / of.churners[-1])


def _at(words: str, name: str, *, top: Callable[[Sample], float]) -> tuple[Metric, Metric]:
    return (
        Metric(
            f"lift_at_{name}",
            f"Churn rate among {words} over the churn rate of all.",
            "higher",
            "times",
            lambda of: _lift(of, top(of)),
        ),
        Metric(
            f"recall_at_{name}",
            f"Share of all churners who are among {words}.",
            "higher",
            "share",
            lambda of: _recall(of, top(of)),
        ),
    )


def _at_share(share: float) -> tuple[Metric, Metric]:
    percent = f"{100 * share:.0f}"
    return _at(f"the riskiest {percent} %", percent, top=lambda of: of.top_of(share))


_AT_CAPACITY = _at("the riskiest users, as many as the team can contact", "capacity", top=lambda of: of.at_capacity())
_TOPS = [_at_share(share) for share in _SHARES]
_LIST = (
    Metric("users", "Users that were scored.", "none", "users", lambda of: float(of.users)),
    Metric("churn_rate", "Share of the users that churned.", "none", "share", lambda of: float(of.churn_rate)),
    Metric("auc", "Chance that a random churner scores above a random retained user.", "higher", "share", Sample.auc),
    Metric(
        "average_precision",
        "Mean, over all churners, of the churn rate among those who score at least as high.",
        "higher",
        "share",
        Sample.average_precision,
    ),
    Metric(
        "log_loss",
        "Mean negative log-likelihood of the outcomes: confident mistakes cost the most.",
        "lower",
        "nats",
        _log_loss,
    ),
    Metric(
        "brier", "Mean squared difference between churn probability and outcome (1 or 0).", "lower", "square", _brier
    ),
    Metric(
        "brier_reliability",
        "Part of the Brier score from bins (ten) whose churn rate differs from the predicted one.",
        "lower",
        "square",
        _reliability,
    ),
    Metric(
        "brier_resolution",
        "Part of the Brier score saved by bins (ten) whose churn rates differ from the overall one.",
        "higher",
        "square",
        _resolution,
    ),
    Metric(
        "brier_uncertainty",
        "Brier score of predicting the overall churn rate for every user.",
        "none",
        "square",
        _uncertainty,
    ),
    Metric(
        "calibration_error",
        "Mean absolute difference between churn probability and churn rate, over ten bins of equal count.",
        "lower",
        "share",
        _calibration_error,
    ),
    Metric(
        "calibration_slope",
        "1 is ideal; below 1 the probabilities are too extreme.",
        "none",
        "ratio",
        _calibration_slope,
    ),
    Metric(
        "calibration_intercept",
        "0 is ideal; above 0 more users churn than the probabilities say. In log-odds, at a slope of 1.",
        "none",
        "log-odds",
        _calibration_intercept,
    ),
    *(lifts for lifts, _ in _TOPS),
    *(recalls for _, recalls in _TOPS),
    *_AT_CAPACITY,
)
METRICS = {metric.name: metric for metric in _LIST}


def _known(capacity: float | None) -> list[Metric]:
    return [metric for metric in _LIST if capacity or metric not in _AT_CAPACITY]


# --- Of one model, or two ------------------------------------------------------------------------------------------


def summary(
    churned: Labels, probability: Values, *, capacity: float | None = None, weights: Values | None = None
) -> dict[str, float]:
    """Compute every metric of a model on one test cutoff.

    Parameters
    ----------
    churned, probability
        Shape (n,); the probability is calibrated, in (0, 1).
    capacity
        How many users the team can contact; without it there are no metrics at capacity.
    weights
        For how many users each stands, shape (n,), with mean 1; default: one each.

    Notes
    -----
    ``brier = brier_reliability - brier_resolution + brier_uncertainty`` exactly where all users of a bin have one probability.
    Otherwise there is a remainder: the variance of the probabilities within the bins, less twice their covariance with outcomes.

    Source
    ------
    Murphy 1973, "A New Vector Partition of the Probability Score", Journal of Applied Meteorology 12(4); remainder: Stephenson,
    Coelho, Jolliffe 2008, "Two Extra Components in the Brier Score Decomposition", Weather and Forecasting 23(4). Calibration
    slope and intercept: Cox 1958, "Two Further Applications of a Model for Binary Regression", Biometrika 45.
    """
    sample = RankedUsers.by_score(churned, probability, capacity=capacity, weights=weights).sample(weights)
    with np.errstate(divide="ignore", invalid="ignore"):
        return {metric.name: metric.of(sample) for metric in _known(capacity)}


def intervals(  # noqa: PLR0913
    churned: Labels,
    probability: Values,
    *,
    seed: int,
    users: NDArray[np.int64] | None = None,
    capacity: float | None = None,
    of: Collection[str] = (),
    weights: Values | None = None,
) -> dict[str, Interval]:
    """Compute every metric of :func:`summary` except the number of users, with its interval.

    Parameters
    ----------
    of
        Only these.
    users
        One number per user, shape (n,), where users have several rows: all rows of a user are resampled together.
    weights
        As of :func:`summary`.
    """
    ranked = RankedUsers.by_score(churned, probability, capacity=capacity, weights=weights)
    metrics = [metric for metric in _known(capacity) if metric.name != "users" and (not of or metric.name in of)]
    samples = (ranked.sample(counts) for counts in _resamples(len(churned), users, seed=seed, weights=weights))
    with np.errstate(divide="ignore", invalid="ignore"):
        points = [metric.of(ranked.sample(weights)) for metric in metrics]
        resampled = np.array([[metric.of(sample) for metric in metrics] for sample in samples])
    found = zip(metrics, points, resampled.T, strict=True)
    return {metric.name: _interval(point, column) for metric, point, column in found}


def paired(  # noqa: PLR0913, PLR0917
    churned: Labels,
    first: Values,
    second: Values,
    *,
    of: str,
    seed: int,
    users: NDArray[np.int64] | None = None,
    weights: Values | None = None,
) -> Interval:
    """Compute metric ``of`` of the first score less that of the second, on the same resampled users."""
    metric = METRICS[of].of
    scores = [RankedUsers.by_score(churned, score, weights=weights) for score in (first, second)]

    def difference(counts: Values | None) -> float:
        return metric(scores[0].sample(counts)) - metric(scores[1].sample(counts))

    with np.errstate(divide="ignore", invalid="ignore"):
        resampled = [difference(counts) for counts in _resamples(len(churned), users, seed=seed, weights=weights)]
        return _interval(difference(weights), np.array(resampled))


def _resamples(
    rows: int, users: NDArray[np.int64] | None, *, seed: int, weights: Values | None = None
) -> Iterator[Values]:
    """Resample users with replacement: how often each row occurs, shape (n,). Fewer resamples of very many rows."""
    random = np.random.default_rng(seed)
    owners = np.arange(rows) if users is None else np.unique(users, return_inverse=True)[1]
    people = int(owners.max()) + 1
    for _ in range(int(np.clip(_MAX_RESAMPLED_ROWS // rows, _MIN_RESAMPLES, _RESAMPLES))):
        counts = np.bincount(random.integers(0, people, people), minlength=people).astype(np.float64)
        found = counts if users is None else counts[owners]
        yield found if weights is None else found * weights * (rows / float(found @ weights))


def _interval(value: float, resampled: Values) -> Interval:
    """Take the percentiles of the resamples in which the metric is defined."""
    defined = resampled[np.isfinite(resampled)]
    low, high = np.percentile(defined, [2.5, 97.5]) if len(defined) else (np.nan, np.nan)
    return Interval(value, float(low), float(high))


def auc(churned: Labels, score: Values, *, weights: Values | None = None) -> float:
    """Area under the ROC curve: the probability that a random churner scores above a random retained user; a tie counts half.

    Parameters
    ----------
    weights
        As of :func:`summary`.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        return RankedUsers.by_score(churned, score).sample(weights).auc()


def calibration_error(churned: Labels, probability: Values, *, bins: int = BINS) -> float:
    """Weighted mean of the absolute differences between mean probability and churn rate, bins of equal count.

    Examples
    --------
    >>> calibration_error(np.array([True, False]), np.array([0.75, 0.25]), bins=2)
    0.25
    """
    return _calibration_error(RankedUsers.by_score(churned, probability).sample(), bins)


def equal_count_bins(churned: Labels, probability: Values, *, bins: int) -> list[tuple[Values, Values]]:
    """Split (probability, churned) into bins of equal count, by increasing probability; empty bins are dropped.

    Returns
    -------
    Tied users share their churn rate, whichever bin they fall into: ``churned`` is 0, 1 or the rate of the tied users.
    """
    ranked = RankedUsers.by_score(churned, probability)
    groups = np.diff(ranked.ends, prepend=0)
    shared = np.repeat(np.diff(ranked.sample().churners) / groups, groups)
    borders = np.cumsum(sizes(len(churned), bins))[:-1]
    return list(zip(np.split(ranked.score, borders), np.split(shared, borders), strict=True))


def lift(churned: Labels, score: Values, *, share: float) -> float:
    """Churn rate among the top share of users (at least one) over the overall rate; ties at the border share their rate."""
    sample = RankedUsers.by_score(churned, score).sample()
    with np.errstate(divide="ignore", invalid="ignore"):
        return _lift(sample, sample.top_of(share))
