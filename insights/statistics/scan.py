"""Whether a rate has changed: the largest deviation over all runs of weeks, groups and steps, against what chance alone would give.

The chance of *any* false alarm is that of the maximum, so that it holds however many groups and weeks are looked through.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import xlogy

Counts = NDArray[np.int64]
Values = NDArray[np.float64]
Windows = dict[tuple[int, int], Values]  # a run of weeks, half-open, and the deviations in it
SIMULATIONS, MIN_VARIANCE = 999, 4.0
ANY = {-1: 1.0, 1: 1.0}
_AT_ONCE = 37


@dataclass(frozen=True)
class Deviation:
    """The run of weeks in which a group deviates most.

    Attributes
    ----------
    row
        The group and step, as a row of the counts.
    start, stop
        Weeks, half-open.
    z
        Standardised; below zero where fewer went on than expected.
    p_value
        Chance that the largest fall, or rise, over all rows and runs is as large with constant rates.
    """

    row: int
    start: int
    stop: int
    z: float
    p_value: float


def largest_deviations(
    reached: Counts, converted: Counts, *, limits: Mapping[int, float] = ANY, seed: int = 0
) -> tuple[Deviation, ...]:
    """Find the run of at most half of the weeks, or to the end, that falls most against the rest, and the one that rises most.

    Parameters
    ----------
    reached, converted
        Shape (rows, weeks, strata): users of a group who reached a step, and those who went on. Every row and stratum has a rate of its
        own, so that neither standing differences nor a changing mixture of strata is a deviation.
    limits
        Highest p-value of a fall (-1) and of a rise (1) that is returned: samples are drawn until neither can have it.

    Source
    ------
    The scan statistic of Kulldorff 1997, "A Spatial Scan Statistic", Communications in Statistics 26(6); single-step maxT of Westfall and
    Young 1993, "Resampling-Based Multiple Testing"; stopping early as in Besag and Clifford 1991, "Sequential Monte Carlo p-values",
    Biometrika 78(2).
    """
    rates = _rates(reached, converted)
    found = {window: values[0] for window, values in _windows(reached, converted[None]).items()}
    if not found:
        return ()
    largest = {sign: _largest(found, sign=sign) for sign in limits}
    samples = _samples(reached, rates, chance=np.random.default_rng(seed))
    p_values = _p_values(samples, {sign: sign * one[-1] for sign, one in largest.items()}, limits=limits)
    return tuple(Deviation(*one, p_values[sign]) for sign, one in largest.items() if p_values[sign] <= limits[sign])


def _largest(found: Windows, *, sign: int) -> tuple[int, int, int, float]:
    """Return row, start, stop and deviation of the largest fall (-1) or rise (1)."""
    window = max(found, key=lambda one: (float((sign * found[one]).max()), -one[0], -one[1]))
    row = int((sign * found[window]).argmax())
    return row, *window, float(found[window][row])


def _samples(reached: Counts, rates: Values, *, chance: np.random.Generator) -> Iterator[Windows]:
    """Yield the deviations of some samples with constant rates at a time, :data:`SIMULATIONS` in all."""
    for _ in range(SIMULATIONS // _AT_ONCE):
        yield _windows(reached, chance.binomial(reached, rates, size=(_AT_ONCE, *reached.shape)))


def _p_values(
    samples: Iterator[Windows], found: Mapping[int, float], *, limits: Mapping[int, float]
) -> dict[int, float]:
    """Return the share of samples that fall, or rise, as much as what was found, which counts as one; above its limit, a part of it."""
    above = dict.fromkeys(found, 1)
    while (signs := [sign for sign in found if _p_value(above[sign]) <= limits[sign]]) and (drawn := next(samples, {})):
        for sign in signs:
            highest = np.max([(sign * values).max(axis=1) for values in drawn.values()], axis=0)
            above[sign] += int((highest >= found[sign]).sum())
    return {sign: _p_value(n) for sign, n in above.items()}


def _p_value(above: int) -> float:
    return above / (SIMULATIONS + 1)


def _rates(reached: Counts, converted: Counts) -> Values:
    total = reached.sum(axis=-2, keepdims=True)
    part = converted.sum(axis=-2, keepdims=True)
    return np.divide(part, total, out=np.zeros(part.shape), where=total > 0)


def _windows(reached: Counts, converted: Counts) -> Windows:
    """Return the standardised deviation of each run of weeks, shape (samples, rows); zero where there are too few users.

    Parameters
    ----------
    converted
        Shape (samples, rows, weeks, strata).
    """
    rates = _rates(reached, converted)
    expected = reached * rates
    surplus = _cumulated((converted - expected).sum(axis=-1))
    variance = _cumulated((expected * (1 - rates)).sum(axis=-1))
    total, weeks = variance[..., -1], reached.shape[-2]
    found: Windows = {}
    for start in range(weeks):
        for stop in range(start + 1, weeks + 1):
            length = stop - start
            if length < weeks and (length <= weeks // 2 or stop == weeks):
                own = variance[..., stop] - variance[..., start]
                spread = own * (total - own) / np.maximum(total, 1e-12)
                is_enough = np.minimum(own, total - own) >= MIN_VARIANCE
                deviation = surplus[..., stop] - surplus[..., start]
                found[start, stop] = np.where(is_enough, deviation / np.sqrt(np.maximum(spread, 1e-12)), 0.0)
    return found


def _cumulated(values: Values | Counts) -> Values:
    return np.concatenate([np.zeros((*values.shape[:-1], 1)), np.cumsum(values, axis=-1, dtype=np.float64)], axis=-1)


def expected_inside(reached: Counts, converted: Counts, *, days: tuple[int, int]) -> float:
    """Return how many would have gone on in some days, half-open, at each stratum's rate on the other ones.

    A stratum that nobody is in on other days has no rate to compare with: its users are expected to do as they did.

    Parameters
    ----------
    reached, converted
        Shape (strata, days).

    Examples
    --------
    Half of the first stratum go on outside, a quarter of the second; inside there are two and four of them:

    >>> reached, converted = np.array([[2, 10], [4, 40]]), np.array([[0, 5], [0, 10]])
    >>> expected_inside(reached, converted, days=(0, 1))
    2.0
    """
    n, x = (one[:, slice(*days)].sum(axis=1) for one in (reached, converted))
    return _expected((n, x), (reached.sum(axis=1) - n, converted.sum(axis=1) - x))


def _expected(inside: tuple[Values | Counts, ...], outside: tuple[Values | Counts, ...]) -> float:
    (n, x), (others, went_on) = inside, outside
    usual = np.divide(went_on, others, out=x / np.maximum(n, 1), where=others > 0)
    return float((n * usual).sum())


def dated(reached: Counts, converted: Counts, *, around: tuple[int, int], within: int, sign: int) -> tuple[int, int]:
    """Return the days, half-open, between which the rates differ most clearly, near the ends of a run that a test has found.

    Parameters
    ----------
    reached, converted
        Shape (strata, days): every stratum has a rate of its own, as in the test.
    around
        First day of the run, and the day after its last.
    within
        Days by which each end may move.
    sign
        -1 for a fall, 1 for a rise: days in which it is the other way round are not the ones.
    """
    days = reached.shape[-1]
    n, x = (_cumulated(one) for one in (reached, converted))
    best, found = -np.inf, around
    for start in range(max(0, around[0] - within), min(days, around[0] + within) + 1):
        for stop in range(max(start + 1, around[1] - within), min(days, around[1] + within) + 1):
            inside = (n[:, stop] - n[:, start], x[:, stop] - x[:, start])
            outside = (n[:, -1] - inside[0], x[:, -1] - inside[1])
            likelihood = _likelihood(*inside) + _likelihood(*outside)
            is_so = sign * (inside[1].sum() - _expected(inside, outside)) > 0
            if is_so and likelihood > best + 1e-9:
                best, found = likelihood, (start, stop)
    return found


def _likelihood(n: Values, x: Values) -> float:
    """Return the largest logarithm of the likelihood of some counts, each of a stratum with a rate of its own."""
    return float(sum(xlogy(part, part / np.maximum(n, 1)).sum() for part in (x, n - x)))
