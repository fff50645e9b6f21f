"""Rates of small groups, drawn towards the mean of all groups by as much as chance alone would scatter them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import hypot
from typing import Literal

import numpy as np
from scipy.stats import beta

from models.shares import Share, wilson

Verdict = Literal["above", "below", "alike"]


@dataclass(frozen=True)
class ShrunkRate:
    """A rate after shrinkage, with its 95 % interval, and how it compares with that of all other groups together."""

    value: float
    low: float
    high: float
    verdict: Verdict


def shrunk(parts: Sequence[int], wholes: Sequence[int]) -> list[ShrunkRate]:
    """Return the rates of groups under a beta-binomial model, whose prior is fitted to all of them by moments.

    Groups that differ by no more than chance get nearly the same rate; the prior counts for at most as many users as there are.
    The verdict compares a group with all others, less the error of both: a large group is a large part of the mean of all, which would
    hide in what it differs.

    Source
    ------
    Casella 1985, "An Introduction to Empirical Bayes Data Analysis", The American Statistician 39(2); the moments are those of
    Kleinman 1973, "Proportions with Extraneous Variance", JASA 68(341), with weights by size. The verdict: Zou and Donner 2008,
    "Construction of Confidence Limits About Effect Measures", Statistics in Medicine 27(10), the interval of a difference from those of
    its terms.

    Examples
    --------
    >>> [round(one.value, 3) for one in shrunk([1, 40, 5], [10, 100, 10])]
    [0.273, 0.398, 0.429]
    >>> [one.verdict for one in shrunk([300, 100, 95], [1000, 1000, 1000])]
    ['above', 'below', 'below']
    """
    x, n = np.asarray(parts, float), np.asarray(wholes, float)
    total = n.sum()
    mean = x.sum() / total
    scatter = (n * (x / n - mean) ** 2).sum() - (len(n) - 1) * mean * (1 - mean)
    between = max(0.0, scatter / max(total - (n**2).sum() / total, 1e-12))
    weight = min(total, mean * (1 - mean) / between - 1) if between and 0 < mean < 1 else total
    weight = max(weight, 1e-6)
    a, b = x + mean * weight, n - x + (1 - mean) * weight
    low, high = np.nan_to_num(beta.ppf(0.025, a, b)), np.nan_to_num(beta.ppf(0.975, a, b), nan=1.0)
    others = [wilson(x.sum() - part, int(total - whole)) for part, whole in zip(x, n, strict=True)]
    rates = zip((a / (a + b)).tolist(), low.tolist(), high.tolist(), others, strict=True)
    return [ShrunkRate(rate, low, high, _verdict((rate, low, high), others=rest)) for rate, low, high, rest in rates]


def _verdict(rate: tuple[float, float, float], *, others: Share) -> Verdict:
    value, low, high = rate
    if value > others.value and value - others.value > hypot(value - low, others.high - others.value):
        return "above"
    if value < others.value and others.value - value > hypot(high - value, others.value - others.low):
        return "below"
    return "alike"  # also where there are no others
