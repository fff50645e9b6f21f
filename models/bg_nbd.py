"""BG/NBD: how often people buy, and when they stop for good. Four parameters describe all buyers of a log.

While alive, a buyer buys at random at a rate of their own (gamma: ``r``, ``alpha``), and after every purchase stops for good with
a probability of their own (beta: ``a``, ``b``). The probability of being alive, which follows from the four, is a feature of the
profile (``alive_probability``).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import betaln, gammaln

from features.learnt import BgNbd

FEWEST = 100  # buyers who came back, below which there is nothing to fit
_BOUNDS = (-7.0, 9.0)  # of the logarithms: a flat likelihood must not run away


@dataclass(frozen=True)
class Buyers:
    """Buyers with the same history, and how many they are; all of shape (n,).

    Attributes
    ----------
    repeats
        Days with a purchase after the first one.
    last
        Days from the first to the last of them.
    known
        Days from the first of them to the cutoff.
    """

    repeats: NDArray[np.float64]
    last: NDArray[np.float64]
    known: NDArray[np.float64]
    how_many: NDArray[np.float64]


def log_likelihood(fitted: BgNbd, buyers: Buyers) -> float:
    """Return the log-likelihood of all buyers.

    Source
    ------
    Fader, Hardie, Lee 2005, "Counting Your Customers" the Easy Way, Marketing Science 24(2), equation (6), with its two
    terms added up as logarithms.
    """
    r, alpha, a, b = fitted.r, fitted.alpha, fitted.a, fitted.b
    x = buyers.repeats
    both = gammaln(r + x) - gammaln(r) + r * np.log(alpha) - betaln(a, b)
    alive = betaln(a, b + x) - (r + x) * np.log(alpha + buyers.known)
    stopped = betaln(a + 1, b + np.maximum(x, 1) - 1) - (r + x) * np.log(alpha + buyers.last)
    either = np.logaddexp(alive, np.where(x > 0, stopped, -np.inf))
    return float(np.dot(buyers.how_many, both + either))


def fit(buyers: Buyers) -> BgNbd | None:
    """Find the parameters of the greatest likelihood, with time in days; None where too few buyers came back."""
    if buyers.how_many[buyers.repeats > 0].sum() < FEWEST:
        return None
    unit = float(buyers.known.max()) or 1.0  # times near one make alpha as easy to find as the others
    scaled = Buyers(buyers.repeats, buyers.last / unit, buyers.known / unit, buyers.how_many)
    total = float(buyers.how_many.sum())

    def loss(logarithms: NDArray[np.float64]) -> float:
        return -log_likelihood(_of(logarithms), scaled) / total

    found = minimize(loss, np.zeros(4), method="L-BFGS-B", bounds=[_BOUNDS] * 4, options={"ftol": 1e-13, "gtol": 1e-8})
    best = _of(found.x)
    return BgNbd(best.r, best.alpha * unit, best.a, best.b)


def _of(logarithms: NDArray[np.float64]) -> BgNbd:
    r, alpha, a, b = (float(value) for value in np.exp(logarithms))
    return BgNbd(r, alpha, a, b)
