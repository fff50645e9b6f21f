"""How good scores and probabilities are, with intervals."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import bootstrap
from sklearn.metrics import average_precision_score, brier_score_loss, log_loss, roc_auc_score

Labels = NDArray[np.bool_]
Values = NDArray[np.float64]


@dataclass(frozen=True)
class Interval:
    """A figure with its 95 % bootstrap interval over users."""

    value: float
    low: float
    high: float


def summary(churned: Labels, probability: Values) -> dict[str, float]:
    """Every figure of a model on one test cutoff; ``probability`` is calibrated, in (0, 1)."""
    return {
        "users": float(len(churned)),
        "churn_rate": float(churned.mean()),
        "auc": auc(churned, probability),
        "average_precision": float(average_precision_score(churned, probability)),
        "log_loss": float(log_loss(churned, probability)),
        "brier": float(brier_score_loss(churned, probability)),
        "calibration_error": calibration_error(churned, probability),
        "lift_at_10": lift(churned, probability, share=0.1),
    }


def auc(churned: Labels, score: Values) -> float:
    """Area under the ROC curve: the chance that a random churner scores above a random stayer."""
    return float(roc_auc_score(churned, score))


def calibration_error(churned: Labels, probability: Values, *, bins: int = 10) -> float:
    """Weighted mean of the absolute differences between mean probability and churn rate, bins of equal count.

    Examples
    --------
    >>> calibration_error(np.array([True, False]), np.array([0.75, 0.25]), bins=2)
    0.25
    """
    return float(
        sum(abs(p.mean() - c.mean()) * len(p) for p, c in equal_count_bins(churned, probability, bins=bins))
    ) / len(churned)


def equal_count_bins(churned: Labels, probability: Values, *, bins: int) -> list[tuple[Values, Labels]]:
    """Split (probability, churned) into bins of equal count, by rising probability; empty bins are left out."""
    order = np.argsort(probability, kind="stable")
    parts = np.array_split(order, bins)
    return [(probability[part], churned[part]) for part in parts if len(part)]


def lift(churned: Labels, score: Values, *, share: float) -> float:
    """Churn rate among the top share of users (at least one) over the overall rate; ties at the border share their rate."""
    top = max(1, round(share * len(score)))
    border = np.partition(score, -top)[-top]
    above, at_border = score > border, score == border
    expected = churned[above].sum() + churned[at_border].mean() * (top - above.sum())
    return float(expected / top / churned.mean())


def interval(churned: Labels, score: Values, *, of: Callable[[Labels, Values], float], seed: int) -> Interval:
    """Bootstrap a figure over users (200 resamples, percentiles)."""
    found = bootstrap(
        (churned, score), of, paired=True, vectorized=False, n_resamples=200, method="percentile", rng=seed
    ).confidence_interval
    return Interval(of(churned, score), float(found.low), float(found.high))
