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
    """Return the rates of groups under a beta-binomial model, whose prior is fitted by moments.

    The prior of a group is the rate of the others, and counts for at most as many users as they are; how far rates scatter is estimated
    from all. As that is uncertain where groups are few, the prior counts for less there, and for nothing among three or fewer. Intervals
    add half a user to both outcomes (Jeffreys' prior).
    The verdict compares a group with all others, less the error of both: a large group is a large part of the mean of all, which would
    hide in what it differs.

    Source
    ------
    Casella 1985, "An Introduction to Empirical Bayes Data Analysis", The American Statistician 39(2); the moments are those of
    Kleinman 1973, "Proportions with Extraneous Variance", JASA 68(341), with weights by size; the factor (k - 3) / (k - 1) for k groups
    is that of Morris 1983, "Parametric Empirical Bayes Inference", JASA 78(381). The verdict: Zou and Donner 2008,
    "Construction of Confidence Limits About Effect Measures", Statistics in Medicine 27(10), the interval of a difference from those of
    its terms.

    Examples
    --------
    >>> [round(one.value, 3) for one in shrunk([1, 40, 5, 30, 28], [10, 100, 10, 100, 100])]
    [0.201, 0.38, 0.422, 0.307, 0.293]
    >>> [one.verdict for one in shrunk([300, 100, 95], [1000, 1000, 1000])]
    ['above', 'below', 'below']
    """
    x, n = np.asarray(parts, float), np.asarray(wholes, float)
    total = n.sum()
    mean = x.sum() / total
    scatter = (n * (x / n - mean) ** 2).sum() - (len(n) - 1) * mean * (1 - mean)
    between = max(0.0, scatter / max(total - (n**2).sum() / total, 1e-12))
    others = [wilson(x.sum() - part, int(total - whole)) for part, whole in zip(x, n, strict=True)]
    prior = np.array([one.value if one.whole else 0.0 for one in others])
    weight = total - n
    if between:
        weight = np.clip(prior * (1 - prior) / between - 1, 0, weight)
    share = max(0.0, 1 - 2 / max(1, len(n) - 1)) * weight / (weight + n)  # of the prior in a rate
    weight = share * n / (1 - share)
    a, b = x + prior * weight, n - x + (1 - prior) * weight
    rates = a / (a + b)
    low = np.minimum(rates, beta.ppf(0.025, a + 0.5, b + 0.5))
    high = np.maximum(rates, beta.ppf(0.975, a + 0.5, b + 0.5))
    found = zip(rates.tolist(), low.tolist(), high.tolist(), others, strict=True)
    return [
        ShrunkRate(rate, least, most, _verdict((rate, least, most), others=rest)) for rate, least, most, rest in found
    ]


def _verdict(rate: tuple[float, float, float], *, others: Share) -> Verdict:
    value, low, high = rate
    if value > others.value and value - others.value > hypot(value - low, others.high - others.value):
        return "above"
    if value < others.value and others.value - value > hypot(high - value, others.value - others.low):
        return "below"
    return "alike"  # also where there are no others
