"""Rates of small groups, drawn towards the mean of all groups by as much as chance alone would scatter them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import beta


@dataclass(frozen=True)
class ShrunkRate:
    """A rate after shrinkage, with its 95 % interval."""

    value: float
    low: float
    high: float


def shrunk(parts: Sequence[int], wholes: Sequence[int]) -> list[ShrunkRate]:
    """Return the rates of groups under a beta-binomial model, whose prior is fitted to all of them by moments.

    Groups that differ by no more than chance get nearly the same rate; the prior counts for at most as many users as there are.

    Source
    ------
    Casella 1985, "An Introduction to Empirical Bayes Data Analysis", The American Statistician 39(2); the moments are those of
    Kleinman 1973, "Proportions with Extraneous Variance", JASA 68(341), with weights by size.

    Examples
    --------
    >>> [round(one.value, 3) for one in shrunk([1, 40, 5], [10, 100, 10])]
    [0.273, 0.398, 0.429]
    """
    x, n = np.asarray(parts, float), np.asarray(wholes, float)
    total = n.sum()
    mean = x.sum() / total
    scatter = (n * (x / n - mean) ** 2).sum() - (len(n) - 1) * mean * (1 - mean)
    between = max(0.0, scatter / max(total - (n**2).sum() / total, 1e-12))
    weight = min(total, mean * (1 - mean) / between - 1) if between and 0 < mean < 1 else total
    weight = max(weight, 1e-6)
    a, b = x + mean * weight, n - x + (1 - mean) * weight
    low, high = beta.ppf(0.025, a, b), beta.ppf(0.975, a, b)
    ends = zip((a / (a + b)).tolist(), np.nan_to_num(low).tolist(), np.nan_to_num(high, nan=1.0).tolist(), strict=True)
    return [ShrunkRate(*one) for one in ends]
