"""Intervals of ratios and of money: whole users are resampled, since a user's days are not independent.

Users are hashed into parts, and parts are resampled: a log of any size costs the same.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]
RESAMPLES, MIN_PARTS = 1000, 20


def ratio_interval(part: Values, whole: Values, *, seed: int = 0) -> tuple[float, float]:
    """Return the 95 % percentile interval of ``sum(part) / sum(whole)``; not a number where too few parts have users.

    Parameters
    ----------
    part, whole
        Shape (parts,): sums over the users of each part.

    Source
    ------
    Efron and Tibshirani 1993, "An Introduction to the Bootstrap", chapter 13.
    """
    if np.count_nonzero(whole) < MIN_PARTS:
        return float("nan"), float("nan")
    size = len(whole)
    times = np.random.default_rng(seed).multinomial(size, np.full(size, 1 / size), size=RESAMPLES)
    top, bottom = times @ part, times @ whole
    low, high = np.percentile(top[bottom > 0] / bottom[bottom > 0], (2.5, 97.5))
    return float(low), float(high)
