"""A share of users or sessions, with its interval."""

from __future__ import annotations

from dataclasses import dataclass
from math import nan, sqrt

Z_95 = 1.959963984540054


@dataclass(frozen=True)
class Share:
    """A share with its 95 % interval; not a number where the whole is empty.

    Attributes
    ----------
    part, whole
        Numerator and denominator.
    """

    part: int
    whole: int
    value: float
    low: float
    high: float


def wilson(part: float, whole: int, *, z: float = Z_95) -> Share:
    """Return a share with Wilson's interval, extended to contain the share itself.

    Source
    ------
    Wilson 1927, "Probable Inference, the Law of Succession, and Statistical Inference", JASA 22.

    Examples
    --------
    >>> found = wilson(10, 100)
    >>> round(found.low, 4), found.value, round(found.high, 4)
    (0.0552, 0.1, 0.1744)
    """
    if not whole:
        return Share(0, 0, nan, nan, nan)
    share, scale = part / whole, 1 + z**2 / whole
    centre = (share + z**2 / (2 * whole)) / scale
    margin = z * sqrt(share * (1 - share) / whole + z**2 / (4 * whole**2)) / scale
    return Share(round(part), whole, share, min(share, centre - margin), max(share, centre + margin))
