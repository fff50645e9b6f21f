"""BG/NBD: how often people buy, and when they stop for good. Four parameters describe all buyers of a log.

Where a log has no amounts, each active day counts as a purchase.

While alive, a buyer buys at random at a rate of their own (gamma: ``r``, ``alpha``), and after every purchase stops for good with
a probability of their own (beta: ``a``, ``b``). The probability of being alive, which follows from the four, is a feature of the
profile (``alive_probability``); that of no purchase in the horizon is a baseline on purchase logs.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import betaln, expit, gammaln, hyp2f1

from features.catalogue.fitted import BgNbd

# the profile's features that BG/NBD reads: number of days, days since the first of them, days since the last
VISIT_FEATURES = ("active_days", "tenure_days", "days_since_last_qualifying_day")
PURCHASE_FEATURES = ("purchase_days", "days_since_first_purchase", "days_since_last_purchase")
MIN_REPEAT_BUYERS = 100  # users with a second purchase; with fewer there is nothing to fit
_CLOSE_TO_ONE = 1e-6
_BOUNDS = (-7.0, 9.0)  # of the logarithms: a flat likelihood must not run away
_MIN_EXPECTED = 1e-12  # purchases; below that, a logarithm only adds noise


def repeat_features(names: Collection[str]) -> tuple[str, str, str]:
    """Return the features that BG/NBD reads: of purchases where there are any, else of active days."""
    return PURCHASE_FEATURES if set(PURCHASE_FEATURES) & set(names) else VISIT_FEATURES


@dataclass(frozen=True)
class Buyers:
    """Buyers grouped by equal history, all of shape (n,).

    Attributes
    ----------
    repeats
        Days with a purchase after the first one.
    last
        Days from the first to the last of them.
    known
        Days from the first of them to the cutoff.
    counts
        Buyers with that history.
    """

    repeats: NDArray[np.float64]
    last: NDArray[np.float64]
    known: NDArray[np.float64]
    counts: NDArray[np.float64]

    @classmethod
    def of(cls, known: NDArray[np.float64]) -> Buyers:
        """Read them from the values of :func:`repeat_features`, shape (n, 3), one row a buyer; NaN stays NaN."""
        days, first, last = known.T
        return cls(np.maximum(days - 1, 0), np.maximum(first - last, 0), first, np.ones(len(known)))


def log_likelihood(fitted: BgNbd, buyers: Buyers) -> float:
    """Return the log-likelihood of all buyers.

    Source
    ------
    Fader, Hardie, Lee 2005, "Counting Your Customers" the Easy Strategy, Marketing Science 24(2), equation (6), with its two
    terms added as logarithms.
    """
    r, alpha, a, b = fitted.r, fitted.alpha, fitted.a, fitted.b
    x = buyers.repeats
    both = gammaln(r + x) - gammaln(r) + r * np.log(alpha) - betaln(a, b)
    alive = betaln(a, b + x) - (r + x) * np.log(alpha + buyers.known)
    stopped = betaln(a + 1, b + np.maximum(x, 1) - 1) - (r + x) * np.log(alpha + buyers.last)
    either = np.logaddexp(alive, np.where(x > 0, stopped, -np.inf))
    return float(np.dot(buyers.counts, both + either))


def fit(buyers: Buyers) -> BgNbd | None:
    """Fit the parameters by maximum likelihood, with time in days; None where too few users have a second purchase."""
    if buyers.counts[buyers.repeats > 0].sum() < MIN_REPEAT_BUYERS:
        return None
    unit = float(buyers.known.max()) or 1.0  # times near one make alpha as easy to find as the others
    scaled = Buyers(buyers.repeats, buyers.last / unit, buyers.known / unit, buyers.counts)
    total = float(buyers.counts.sum())

    def loss(logarithms: NDArray[np.float64]) -> float:
        return -log_likelihood(_of(logarithms), scaled) / total

    found = minimize(loss, np.zeros(4), method="L-BFGS-B", bounds=[_BOUNDS] * 4, options={"ftol": 1e-13, "gtol": 1e-8})
    best = _of(found.x)
    return BgNbd(best.r, best.alpha * unit, best.a, best.b)


def alive_probability(fitted: BgNbd, buyers: Buyers) -> NDArray[np.float64]:
    """Probability of not having stopped before the cutoff, shape (n,); 1 before the first repeat purchase.

    Source
    ------
    Fader, Hardie 2008, "Computing P(alive) Using the BG/NBD Model", equation (1).
    """
    x = buyers.repeats
    longer = np.log((fitted.alpha + buyers.known) / (fitted.alpha + buyers.last))
    stopped = np.log(fitted.a) - np.log(fitted.b + np.maximum(x, 1) - 1) + (fitted.r + x) * longer
    return np.where(x > 0, expit(-stopped), 1.0)


def no_purchase_probability(
    fitted: BgNbd, buyers: Buyers, *, gap_days: float, horizon_days: float
) -> NDArray[np.float64]:
    """Probability of no purchase in the horizon, shape (n,); purchases, and the last one, may fall into the gap before it.

    Notes
    -----
    Given a rate l and a probability p to stop, one who is alive at the cutoff is so after the gap g with exp(-l p g), because
    purchases that stop come at the rate l p; and then buys in the horizon h with 1 - exp(-l h). At the cutoff l is
    gamma(r + x, alpha + T) and p is beta(a, b + x). The mean over l leaves powers of 1 + p g / (alpha + T), whose mean over p is
    Euler's integral of Gauss's hypergeometric function. Without a gap it is 1, and the result is
    ``1 - alive * (1 - ((alpha + T) / (alpha + T + h)) ^ (r + x))``.

    Source
    ------
    Fader, Hardie, Lee 2005 (as above), section 4: rates and stopping, and the posterior of one who is alive; the gap follows.
    """
    until = fitted.alpha + buyers.known
    none = (until / (until + horizon_days)) ** (fitted.r + buyers.repeats)
    bought = _not_stopped(fitted, buyers, gap=gap_days / until)
    bought -= none * _not_stopped(fitted, buyers, gap=gap_days / (until + horizon_days))
    return 1 - alive_probability(fitted, buyers) * bought


def _not_stopped(fitted: BgNbd, buyers: Buyers, *, gap: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the mean of (1 + p * gap) ^ -(r + x) over p: 2F1(r + x, a; a + b + x; -gap).

    Computed by Pfaff's transformation (NIST Digital Library of Mathematical Functions, 15.8.1): no numerator parameter grows
    with x, and the argument is between 0 and 1.
    """
    a, b, r = fitted.a, fitted.b, fitted.r
    return (1 + gap) ** -a * hyp2f1(a + b - r, a, a + b + buyers.repeats, gap / (1 + gap))


def expected_purchases(fitted: BgNbd, buyers: Buyers, *, gap_days: float, horizon_days: float) -> NDArray[np.float64]:
    """Expected number of days with a purchase in the horizon, shape (n,).

    Source
    ------
    Fader, Hardie, Lee 2005 (as above), equation (10), here after Euler's transformation (NIST Digital Library of Mathematical
    Functions, 15.8.1), so that no numerator parameter grows with x: up to the end of the horizon, less up to the end of the gap.
    """
    end = _expected_until(fitted, buyers, days=gap_days + horizon_days)
    return end - _expected_until(fitted, buyers, days=gap_days)


def purchase_risk(fitted: BgNbd, buyers: Buyers, *, gap_days: float, horizon_days: float) -> NDArray[np.float64]:
    """Negative logarithm of the purchases expected in the horizon, shape (n,); higher means riskier.

    It ranks better than the probability of no purchase, which ignores how many purchases would follow the next one.
    """
    expected = expected_purchases(fitted, buyers, gap_days=gap_days, horizon_days=horizon_days)
    return -np.log(np.maximum(expected, _MIN_EXPECTED))


def _expected_until(fitted: BgNbd, buyers: Buyers, *, days: float) -> NDArray[np.float64]:
    a, b, r, x = fitted.a, fitted.b, fitted.r, buyers.repeats
    a = a if abs(a - 1) > _CLOSE_TO_ONE else 1 + _CLOSE_TO_ONE  # continuous there: its neighbours have the same limit
    share = days / (fitted.alpha + buyers.known + days)
    left = (1 - share) ** (a - 1) * hyp2f1(a + b - 1 - r, a - 1, a + b + x - 1, share)
    return (a + b + x - 1) / (a - 1) * (1 - left) * alive_probability(fitted, buyers)


def _of(logarithms: NDArray[np.float64]) -> BgNbd:
    r, alpha, a, b = (float(value) for value in np.exp(logarithms))
    return BgNbd(r, alpha, a, b)
