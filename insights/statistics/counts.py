"""The interval of a number of things that happen one by one, such as new customers."""

from __future__ import annotations

from math import inf

from scipy.stats import chi2


def count_interval(n: int) -> tuple[float, float]:
    """Return the exact 95 % interval of a Poisson mean of which ``n`` were counted.

    Source
    ------
    Garwood 1936, "Fiducial Limits for the Poisson Distribution", Biometrika 28.

    Examples
    --------
    >>> [round(end, 2) for end in count_interval(10)]
    [4.8, 18.39]
    """
    low = float(chi2.ppf(0.025, 2 * n)) / 2 if n else 0.0
    return low, float(chi2.ppf(0.975, 2 * n + 2)) / 2


def cost_each(cost: float, n: int) -> tuple[float, float, float]:
    """Return a cost per thing with its interval; the upper end is infinite where there may be none."""
    low, high = count_interval(n)
    return cost / n if n else inf, cost / high, cost / low if low else inf
