"""Checks that come before an effect is read: whether users were split as planned, and the held out left alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import brentq
from scipy.special import betaln, lambertw, xlog1py, xlogy
from scipy.stats import beta, binom, norm

from features.errors import InputError
from models.arrays import Values

Flags = NDArray[np.bool_]

MISMATCH_ALPHA = 0.005  # at most 5 of 1,000 clean seasons
SHARPEST_LOSS = 0.1  # the loss of one arm at which the test is the sharpest
DETECTED = 0.95  # share of seasons in which a "detectable" loss is found

MAX_CONTAMINATED = 0.08
TOLERATED = 0.05  # contamination that is not flagged
MIN_HELD_OUT = 447  # in closed windows: from here on, 10 % contamination is flagged with a chance of at least 95 %
LOW_LEVEL, HIGH_LEVEL = 0.99, 0.95  # of the one-sided bounds; the lower one is read every week


# --- Sample-ratio mismatch -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class ArmCounts:
    """All scored users of an epoch, each once, whether listed or not.

    Attributes
    ----------
    held_out, users
        How many are held out, of how many.
    share
        The planned share of users held out, in (0, 1).

    Raises
    ------
    InputError
        If the counts contradict each other or the share is outside (0, 1).
    """

    held_out: int
    users: int
    share: float

    def __post_init__(self) -> None:
        if not 0 <= self.held_out <= self.users:
            raise InputError(f"of {self.users} scored users, {self.held_out} cannot be held out")
        if not 0 < self.share < 1:
            raise InputError(f"the planned share held out must be between 0 and 1, got {self.share}")


@dataclass(frozen=True)
class Mismatch:
    """Whether the arms have the sizes that were planned.

    Attributes
    ----------
    p_value
        Anytime-valid, in (0, 1].
    rings
        Whether it is at most 0.005.
    detectable_loss
        The share of one arm whose loss would be found in 95 % of cases, whichever the arm; NaN if not even the loss of all would.
    """

    p_value: float
    rings: bool
    detectable_loss: float


def mismatch(arms: Sequence[ArmCounts]) -> Mismatch:
    """Test the sizes of the arms, of one or more epochs.

    Epochs with the same planned share are counted together; the evidence of different shares is multiplied. A loss of 10 % of one
    arm is found in 95 % of cases from 10,628 arms on where half are held out, from 58,699 on where 5 % are.

    Raises
    ------
    InputError
        If there are no users.
    """
    pooled = [_pooled(share, arms) for share in sorted({one.share for one in arms})]
    if not sum(one.users for one in pooled):
        raise InputError("the arms have no users to test")
    evidence = sum(float(log_evidence(one.held_out, one.users, share=one.share)) for one in pooled)
    p_value = float(np.exp(-max(evidence, 0)))
    losses = [detectable_loss(one.users, share=one.share) for one in pooled]
    return Mismatch(p_value, p_value <= MISMATCH_ALPHA, float(np.fmin.reduce(losses)))


def _pooled(share: float, arms: Sequence[ArmCounts]) -> ArmCounts:
    same = [one for one in arms if one.share == share]
    return ArmCounts(sum(one.held_out for one in same), sum(one.users for one in same), share)


def log_evidence(held_out: ArrayLike, users: ArrayLike, *, share: float) -> Values:
    """Return the log Bayes factor of any other share against the planned one, in nats, shape of the counts.

    The other share has a beta prior with mean ``share``. Under the planned share, the Bayes factor is a martingale with
    expectation 1, so it ever reaches ``1 / alpha`` with a chance of at most ``alpha``.

    Source
    ------
    Lindon, Malek 2022, "Anytime-Valid Inference For Multinomial Count Data", NeurIPS 35, equation of the Bayes factor with a
    Dirichlet prior; for two arms it is a beta prior. Ville's inequality.
    """
    held, treated = np.asarray(held_out, dtype=np.float64), np.subtract(users, held_out, dtype=np.float64)
    first, second = concentration(share) * share, concentration(share) * (1 - share)
    other = betaln(first + held, second + treated) - betaln(first, second)
    return np.asarray(other - xlogy(held, share) - xlog1py(treated, -share), dtype=np.float64)


def concentration(share: float) -> float:
    """Return how many users the prior is worth: so many that the test is the sharpest where a loss of 10 % is just detectable.

    For a share near the planned one the Bayes factor is that of a normal mixture (the confidence sequence of this package), with
    the prior worth ``users / y`` for the test to be the sharpest at ``users``, and ``y + 1 = -W(-alpha^2 / e)``. A loss l moves the
    share by about ``share (1 - share) l``, which makes it detectable from
    ``(sqrt(y + 1) + 1.645)^2 / (share (1 - share) l^2)`` users on.
    """
    edge = float(-lambertw(-(MISMATCH_ALPHA**2) / np.e, k=-1).real)
    errors = np.sqrt(edge) + norm.ppf(DETECTED)
    return float(errors**2 / (share * (1 - share) * SHARPEST_LOSS**2) / (edge - 1))


def detectable_loss(users: int, *, share: float) -> float:
    """Return the share of one arm whose loss is found in 95 % of cases by one look, for the arm in which it is harder to find.

    Parameters
    ----------
    users
        Scored users of both arms that are left.

    Returns
    -------
    In (0, 1); NaN if not even the loss of almost all is found.
    """
    low, high = _edges(users, share)

    def found(held: float) -> float:
        return float(binom.cdf(np.floor(low), users, held) + binom.sf(np.ceil(high) - 1, users, held))

    def missing(loss: float) -> float:
        left = 1 - loss
        shares = (share * left / (share * left + 1 - share), share / (share + (1 - share) * left))
        return min(found(one) for one in shares) - DETECTED

    almost_all = 1 - 1e-6
    return cast("float", brentq(missing, 0, almost_all)) if missing(almost_all) > 0 else float("nan")


def _edges(users: int, share: float) -> tuple[float, float]:
    """Return the counts of held-out users at and beyond which the test rings; outside 0 to users where it never does."""

    def excess(held: float) -> float:
        return float(log_evidence(held, users, share=share)) + np.log(MISMATCH_ALPHA)

    expected = users * share
    low = brentq(excess, 0, expected) if users and excess(0) > 0 else -1.0
    high = brentq(excess, expected, users) if users and excess(users) > 0 else users + 1.0
    return cast("float", low), cast("float", high)


# --- Contamination ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Contamination:
    """How many held-out users were contacted all the same.

    Attributes
    ----------
    held_out, contacted
        Users whose window has closed, each once, and those of them who were contacted within it.
    low, high
        One-sided bounds of the contaminated share, 99 % and 95 %.
    entered, entered_contacted
        All who entered, those whose window is open among them, and those of them who were contacted so far.
    """

    held_out: int
    contacted: int
    low: float
    high: float
    status: Literal["clean", "contaminated", "too early"]
    entered: int = 0
    entered_contacted: int = 0

    @property
    def words(self) -> str:
        """The counts that decided: of closed windows, or where all who entered had to count for it, of those."""
        if self.status == "contaminated" and not is_contaminated(self.contacted, self.held_out):
            low = float(bounds(self.entered_contacted, self.entered)[0])
            return f"{self.entered_contacted:,} of {self.entered:,} who have entered, {low:.1%} or more"
        return f"{self.contacted:,} of {self.held_out:,} in closed windows, up to {self.high:.1%}"


def contamination(contacted: Flags, is_closed: Flags) -> Contamination:
    """Say whether the control group is still one.

    Parameters
    ----------
    contacted, is_closed
        Of held-out users at their first entry, shape (n,): contacted within the own window; whether that window has closed.

    Returns
    -------
    From 447 held-out users in closed windows on, "contaminated" as :func:`is_contaminated` says. Before that "too early", unless
    the lower bound among all who entered is above 8 % already: a campaign that went to everybody is noticed in its week.

    Raises
    ------
    InputError
        If the shapes differ.
    """
    if contacted.shape != is_closed.shape:
        raise InputError(f"contacts of {contacted.shape} users, windows of {is_closed.shape}")
    held_out, leaks = int(is_closed.sum()), int(contacted[is_closed].sum())
    low, high = bounds(leaks, held_out)
    entered, of_entered = len(contacted), int(contacted.sum())
    obvious = float(bounds(of_entered, entered)[0]) > MAX_CONTAMINATED
    flagged = obvious or bool(is_contaminated(leaks, held_out))
    clean = "clean" if held_out >= MIN_HELD_OUT else "too early"
    status = "contaminated" if flagged else clean
    return Contamination(held_out, leaks, float(low), float(high), status, entered, of_entered)


def is_contaminated(contacted: ArrayLike, held_out: ArrayLike) -> Flags:
    """Say where the upper bound is above 8 % and the lower one above 5 %; nowhere with less than 447 held-out users.

    By the exact binomial distribution, for 447 to 2,500 users: 10 % contamination is flagged with a chance of at least 95 % at one
    look, 5 % with one of at most 1 %, and in at most 2.9 % of 20,000 simulated seasons of 26 looks (10 to 160 more users at each).
    The upper bound alone flags 5 % in more than 5 % up to 770 users; no rule keeps to 5 and 95 % at one look below 298.
    """
    low, high = bounds(contacted, held_out)
    return np.asarray((low > TOLERATED) & (high > MAX_CONTAMINATED) & (np.asarray(held_out) >= MIN_HELD_OUT))


def bounds(contacted: ArrayLike, held_out: ArrayLike) -> tuple[Values, Values]:
    """Return the exact one-sided bounds of a share, 99 % below and 95 % above, shape of the counts; 0 and 1 without users.

    Source
    ------
    Clopper, Pearson 1934, "The Use of Confidence or Fiducial Limits Illustrated in the Case of the Binomial", Biometrika 26(4).
    """
    some, none = np.asarray(contacted, dtype=np.float64), np.subtract(held_out, contacted, dtype=np.float64)
    low = np.where(some > 0, beta.ppf(1 - LOW_LEVEL, np.maximum(some, 1), none + 1), 0.0)
    high = np.where(none > 0, beta.ppf(HIGH_LEVEL, some + 1, np.maximum(none, 1)), 1.0)
    return low, high
