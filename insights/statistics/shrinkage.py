"""Rates of small groups, drawn towards the mean of all groups by as much as chance alone would scatter them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import hypot
from typing import Literal

import numpy as np
from scipy.stats import beta

from models.shares import wilson

Verdict = Literal["above", "below", "alike"]


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


def verdicts(parts: Sequence[int], wholes: Sequence[int]) -> list[Verdict]:
    """Compare each group with all others together: its shrunk rate with theirs, less the error of both.

    A large group is a large part of the mean of all, which would hide in what it differs.

    Source
    ------
    Zou and Donner 2008, "Construction of Confidence Limits About Effect Measures", Statistics in Medicine 27(10): the interval of a
    difference from those of its terms.

    Examples
    --------
    >>> verdicts([300, 100, 95], [1000, 1000, 1000])
    ['above', 'below', 'below']
    """
    x, n = sum(parts), sum(wholes)
    return [
        _verdict(rate, part, whole=whole, total=(x, n))
        for rate, part, whole in zip(shrunk(parts, wholes), parts, wholes, strict=True)
    ]


def _verdict(rate: ShrunkRate, part: int, *, whole: int, total: tuple[int, int]) -> Verdict:
    others = wilson(total[0] - part, total[1] - whole)
    if rate.value > others.value and rate.value - others.value > hypot(
        rate.value - rate.low, others.high - others.value
    ):
        return "above"
    if rate.value < others.value and others.value - rate.value > hypot(
        rate.high - rate.value, others.value - others.low
    ):
        return "below"
    return "alike"  # also where there are no others
