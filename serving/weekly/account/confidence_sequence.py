"""An interval that stays valid however often somebody reads it, and the control group that it needs.

Everything that plans (the share held out, what a list can show and by when) uses the multiplier of the very interval that later
decides, so that what is promised and what is shown never differ by their bounds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import brentq
from scipy.special import lambertw
from scipy.stats import norm

from features.errors import InputError
from models.arrays import Values

ALPHA = 0.05  # two-sided, so 2.5 % for "contacting reduces churn"
SEASON_WEEKS = 26
SMALLEST_SHARE, LARGEST_SHARE = 0.05, 0.5
POWER = 0.8
MIN_OUTCOMES = 15  # users who churned, and users who did not, in each arm; before that it is too early to say


@dataclass(frozen=True)
class ConfidenceSequence:
    """Intervals around an estimate after each look that together cover its target with probability ``1 - alpha``.

    After n users, the interval is the estimate plus or minus its standard error times::

        sqrt((x + 1) / x * log((x + 1) / alpha^2)),    x = n * rho^2

    With rho^2 = y / planned, y + 1 = -W(-alpha^2 / e) on the lower branch of Lambert's W, it is the tightest at ``planned`` users;
    there the multiplier is sqrt(y + 1).

    Attributes
    ----------
    planned
        Users at whom the interval is to be the tightest, those known in week 26; chosen before outcomes are known.
    alpha
        In (0, 1), for both sides together; each side errs half as often.

    Raises
    ------
    InputError
        If ``planned`` is not positive or ``alpha`` is outside (0, 1).

    Source
    ------
    Waudby-Smith, Arbour, Sinha, Kennedy, Ramdas 2024, "Time-uniform central limit theory and asymptotic confidence sequences",
    Annals of Statistics 52(6): theorem 2.2 (with the estimated standard deviation, here the standard error times sqrt(n)) and
    its appendix on the choice of rho; proposition 2.5 is the same boundary for effects that differ between users.

    Examples
    --------
    >>> round(float(ConfidenceSequence(planned=5_000).multiplier(5_000)), 3)
    3.035
    """

    planned: float
    alpha: float = ALPHA

    def __post_init__(self) -> None:
        if not self.planned > 0:
            raise InputError(f"the planned number of users must be positive, got {self.planned}")
        if not 0 < self.alpha < 1:
            raise InputError(f"alpha must be between 0 and 1, got {self.alpha}")

    @property
    def rho_squared(self) -> float:
        """The rho^2 with which the interval is the tightest at the planned number of users."""
        return float(-lambertw(-(self.alpha**2) / np.e, k=-1).real - 1) / self.planned

    def multiplier(self, users: ArrayLike) -> Values:
        """Return half of the interval in standard errors; infinite at 0 users."""
        x = np.asarray(users, dtype=np.float64) * self.rho_squared
        with np.errstate(divide="ignore"):
            return np.sqrt((x + 1) / x * np.log((x + 1) / self.alpha**2))


# --- What a season can show ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Season:
    """What is expected of a list, so that the control group can be planned.

    Attributes
    ----------
    first_entries
        Shape (weeks,): users expected to enter any list for the first time within their epoch, by week of entry. The first week
        of an epoch has all users of the list, later weeks only those who are new on it.
    churn_rate
        Of listed users who are left alone, in (0, 1).
    known_after_weeks
        Weeks from an entry until its outcome is known: horizon and grace for late events.

    Raises
    ------
    InputError
        If no entries are expected, some are negative, or the churn rate is outside (0, 1).
    """

    first_entries: Values
    churn_rate: float
    known_after_weeks: int = 5

    def __post_init__(self) -> None:
        if not (self.first_entries.min(initial=0) >= 0 and self.first_entries.sum() > 0):
            raise InputError("expected first entries must not be negative, and not all 0")
        if self.known_after_weeks < 1:
            raise InputError(f"outcomes are known after at least 1 week, got {self.known_after_weeks}")
        if not 0 < self.churn_rate < 1:
            raise InputError(f"the expected churn rate must be between 0 and 1, got {self.churn_rate}")

    @classmethod
    def steady(cls, per_week: float, churn_rate: float, *, known_after_weeks: int = 5) -> Season:
        """Expect the same number of first entries in each of the 26 weeks."""
        return cls(np.full(SEASON_WEEKS, float(per_week)), churn_rate, known_after_weeks)

    @property
    def weeks(self) -> int:
        """How long it lasts."""
        return len(self.first_entries)

    def lost(self, share: float, *, effect: float) -> float:
        """Return how many users holding out a share loses at most, if contacts reduce the churn rate by an effect (a share, too)."""
        return share * float(self.first_entries.sum()) * effect

    @property
    def known(self) -> Values:
        """Users whose outcome is known at the end of each week, shape (weeks,)."""
        entered = np.cumsum(self.first_entries)
        missing = min(self.known_after_weeks - 1, len(entered))
        return np.concatenate([np.zeros(missing), entered[: len(entered) - missing]])

    @property
    def planned(self) -> float:
        """Users whose outcome is known at the end.

        Raises
        ------
        InputError
            If there are none.
        """
        users = float(self.known[-1])
        if not users:
            hint = "a season must last longer than horizon and grace together"
            raise InputError(f"no outcome would be known after {len(self.known)} weeks", hint=hint)
        return users

    def standard_error(self, *, share: float, effect: float, users: ArrayLike) -> Values:
        """Return that of the difference in churn rates, without what adjustment gains: points / 100, shape of ``users``."""
        treated_rate = max(self.churn_rate - effect, 0)
        variance = self.churn_rate * (1 - self.churn_rate) / share + treated_rate * (1 - treated_rate) / (1 - share)
        with np.errstate(divide="ignore"):
            return np.sqrt(variance / np.asarray(users, dtype=np.float64))

    def power(self, *, share: float, effect: float) -> float:
        """Return the chance that the last look shows an effect; that any look does is a little higher."""
        error = float(self.standard_error(share=share, effect=effect, users=self.planned))
        return float(norm.cdf(effect / error - ConfidenceSequence(self.planned).multiplier(self.planned)))


def holdout_share(season: Season, smallest_effect: float, *, power: float = POWER) -> float:
    """Return the smallest share to hold out with which an effect is shown by the end of a season.

    Parameters
    ----------
    smallest_effect
        The reduction of the churn rate that the team wants to see, as a share: 0.05 is five points.
    power
        Chance with which it is to be shown.

    Returns
    -------
    Between 5 and 50 %; 50 % also where that is not enough: :func:`detectable` says what can be shown then.

    Raises
    ------
    InputError
        If the effect is not between 0 and the churn rate, or the power is outside (0, 1).

    Notes
    -----
    In 1,000 simulated seasons each of lists of 762, 5,000 and 15,000 users (``benchmarks/weekly_effect.md``), effects planned with
    a power of 80 % were shown in 89 to 90 %: earlier looks count too, and adjustment by the log-odds gains.
    """
    if not 0 < smallest_effect <= season.churn_rate:
        got = f"got {smallest_effect} at a churn rate of {season.churn_rate}"
        raise InputError(f"the smallest effect must be above 0 and at most the churn rate, {got}")
    _check_power(power)

    def missing(share: float) -> float:
        return season.power(share=share, effect=smallest_effect) - power

    if missing(SMALLEST_SHARE) >= 0:
        return SMALLEST_SHARE
    if missing(LARGEST_SHARE) <= 0:
        return LARGEST_SHARE
    return cast("float", brentq(missing, SMALLEST_SHARE, LARGEST_SHARE))


def detectable(season: Season, share: float, *, power: float = POWER) -> Values:
    """Return the smallest effect that each week's look would show, shape (weeks,), as a share.

    NaN in weeks in which not even contacts that save everybody would be shown, or in which it is too early: an arm is expected to have
    fewer than 15 users who churned, or who did not.

    Raises
    ------
    InputError
        If the share held out or the power is outside (0, 1).
    """
    if not 0 < share < 1:
        raise InputError(f"the share held out must be between 0 and 1, got {share}")
    _check_power(power)
    known = season.known
    needed = ConfidenceSequence(season.planned).multiplier(known) + norm.ppf(power)
    return np.array([_smallest(season, share, users=n, errors=m) for n, m in zip(known, needed, strict=True)])


def _smallest(season: Season, share: float, *, users: float, errors: float) -> float:
    """Return the effect that is so many standard errors large."""

    def excess(effect: float) -> float:
        return effect - errors * float(season.standard_error(share=share, effect=effect, users=users))

    rarer = min(season.churn_rate, 1 - season.churn_rate) * min(share, 1 - share)
    if users * rarer < MIN_OUTCOMES or excess(season.churn_rate) < 0:
        return float("nan")
    return cast("float", brentq(excess, 0, season.churn_rate))


def _check_power(power: float) -> None:
    if not 0 < power < 1:
        raise InputError(f"the power must be between 0 and 1, got {power}")


@dataclass(frozen=True)
class Outlook:
    """What the rest of a season would show.

    Attributes
    ----------
    smallest_effect
        The reduction of the churn rate that the team wants to see, as a share.
    week
        Weeks of the season that are over, at least 1.
    cost_per_contact
        In the unit of values.

    Raises
    ------
    InputError
        If the week is before the first.
    """

    season: Season
    smallest_effect: float
    week: int
    cost_per_contact: float = 0.0

    def __post_init__(self) -> None:
        if self.week < 1:
            raise InputError(f"an effect is read after the first week at the earliest, got week {self.week}")

    def later(self, *, users: int, error: float) -> Values:
        """Return the effect shown with a power of 80 % now and after each week to come, from users known now and their error."""
        known = self.season.known[min(self.week, len(self.season.known)) - 1 :]
        after = users + known - known[0]
        needed = ConfidenceSequence(self.season.planned).multiplier(after) + norm.ppf(POWER)
        return np.asarray(needed * error * np.sqrt(users / after), dtype=np.float64)

    def words(self, *, users: int, error: float) -> str:
        """Say when the effect that the team wants to see would be shown."""
        effects = self.later(users=users, error=error)
        enough = np.flatnonzero(effects <= self.smallest_effect)
        if not len(enough):
            return f"at the end of the season {points(float(effects[-1]))} points would be shown"
        if weeks := int(enough[0]):
            return f"{weeks} more week{'s' * (weeks > 1)} would show {points(self.smallest_effect)} points"
        return f"{points(self.smallest_effect)} points would probably have been shown by now"


def points(share: float) -> str:
    """Return a share in percentage points, with one decimal where it needs one.

    Examples
    --------
    >>> points(0.041), points(0.04)
    ('4.1', '4')
    """
    return f"{100 * share:.1f}".removesuffix(".0")
