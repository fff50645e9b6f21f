"""Did contacting help? The difference in churn rates between the arms, with an interval that may be read every week.

A user counts once per epoch, at the first entry to any list, in the assigned arm whether contacted or not (intention to treat).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from features.errors import InputError
from models.arrays import Labels, Values
from serving.weekly.account.arm_checks import Contamination, Mismatch, contamination
from serving.weekly.account.confidence_sequence import ALPHA, MIN_OUTCOMES, ConfidenceSequence, Outlook, points

Texts = NDArray[np.str_]
Band = Literal["high", "medium", "low"]

BANDS: tuple[Band, ...] = ("high", "medium", "low")
BAND_ALPHA = ALPHA / len(BANDS)  # one-sided 2.5 % overall and 0.83 % in each of three bands: 5 % together
_TINY = 1e-12
_ARMS = 2


@dataclass(frozen=True)
class FirstEntries:
    """One row per user and epoch, at the first entry to any list; every column has shape (n,).

    Attributes
    ----------
    treated
        The assigned arm: False where held out.
    churned
        1 or 0; NaN while the window or its grace is open.
    log_odds
        The model's own, from before the entry.
    band
        "high", "medium" or "low".
    week
        Index of the entry's week from the start of the season, 0 first.
    contacts
        How many there were within the own window.
    value
        What a user is worth; None where that is not known.

    Raises
    ------
    InputError
        If columns differ in length, outcomes are neither 0, 1 nor NaN, log-odds are not finite, or a band is unknown.
    """

    treated: Labels
    churned: Values
    log_odds: Values
    band: Texts
    week: NDArray[np.int64]
    contacts: NDArray[np.int64]
    value: Values | None = None

    def __post_init__(self) -> None:
        columns = [one for one in vars(self).values() if one is not None]
        if {one.shape for one in columns} != {(len(self.treated),)}:
            raise InputError(f"columns of first entries differ in shape: {[one.shape for one in columns]}")
        if not np.isin(self.churned[self.is_known], (0, 1)).all():
            raise InputError("churned must be 1, 0, or NaN while the window is open")
        if not np.isfinite(self.log_odds).all():
            raise InputError("the log-odds at entry must be finite", hint="take the raw score, not the probability")
        unknown = sorted(set(np.unique(self.band).tolist()) - set(BANDS))
        if unknown:
            raise InputError(f'unknown risk band "{unknown[0]}"', hint=f"known are: {', '.join(BANDS)}")

    @property
    def is_known(self) -> Labels:
        """Where the outcome is known."""
        return ~np.isnan(self.churned)

    def seen_after(self, week: int, *, known_after_weeks: int) -> FirstEntries:
        """Return what was known after a number of weeks, for an account of earlier looks; contacts are those known now."""
        entered = self.week < week
        is_open = self.week > week - known_after_weeks
        return FirstEntries(
            self.treated[entered],
            np.where(is_open, np.nan, self.churned)[entered],
            self.log_odds[entered],
            self.band[entered],
            self.week[entered],
            self.contacts[entered],
            None if self.value is None else self.value[entered],
        )

    @property
    def contacted(self) -> Labels:
        """Who was contacted within the own window."""
        return self.contacts > 0

    @property
    def contamination(self) -> Contamination:
        """How many of the held out were contacted all the same."""
        held_out = ~self.treated
        return contamination(self.contacted[held_out], self.is_known[held_out])


# --- The estimate ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Counts:
    """Users and churners by arm and log-odds, for one or many samples at once.

    Attributes
    ----------
    log_odds
        Distinct values, shape (k,).
    users, churners
        Shape (..., 2, k), treated first, then held out; leading axes are samples.
    """

    log_odds: Values
    users: Values
    churners: Values

    @classmethod
    def of(cls, entries: FirstEntries, which: Labels) -> Counts:
        """Count the rows that are asked for; their outcomes must be known."""
        log_odds, place = np.unique(entries.log_odds[which], return_inverse=True)
        cell = place + len(log_odds) * ~entries.treated[which]
        size, shape = _ARMS * len(log_odds), (_ARMS, len(log_odds))
        users = np.bincount(cell, minlength=size).reshape(shape)
        churners = np.bincount(cell, entries.churned[which], minlength=size).reshape(shape)
        return cls(log_odds, users.astype(np.float64), churners.astype(np.float64))

    @property
    def has_enough(self) -> Labels:
        """Whether both arms have 15 users who churned and 15 who did not, shape (...,)."""
        churners, users = self.churners.sum(-1), self.users.sum(-1)
        return np.asarray(np.minimum(churners, users - churners).min(-1) >= MIN_OUTCOMES)


def adjusted_difference(counts: Counts) -> tuple[Values, Values]:
    """Return the adjusted difference in churn rates, treated less held out, and its HC2 standard error, each of shape (...,).

    In each arm, churn is regressed on the log-odds by least squares; the difference is that of the two lines at the mean log-odds
    of all users. This equals the coefficient of ``treated`` in a regression of churn on treated, centred log-odds and their
    product, and its HC2 standard error, which a test compares with statsmodels. Both are NaN where an arm is empty.

    Source
    ------
    Lin 2013, "Agnostic Notes on Regression Adjustments to Experimental Data: Reexamining Freedman's Critique", Annals of Applied
    Statistics 7(1). HC2: MacKinnon, White 1985, "Some Heteroskedasticity-Consistent Covariance Matrix Estimators with Improved
    Finite Sample Properties", Journal of Econometrics 29(3).
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        centre = (counts.users.sum(-2) @ counts.log_odds) / counts.users.sum((-2, -1))
        level, variance = _lines_at(centre[..., np.newaxis], counts)
    return level[..., 0] - level[..., 1], np.sqrt(variance.sum(-1))


def _lines_at(centre: Values, counts: Counts) -> tuple[Values, Values]:
    """Return the height of each arm's line at a value of log-odds, and its HC2 variance, each of shape (..., 2)."""
    total = counts.users.sum(-1, keepdims=True)
    mean = (counts.users @ counts.log_odds)[..., np.newaxis] / total
    distance = counts.log_odds - mean
    squares = (counts.users * distance**2).sum(-1, keepdims=True)
    scaled = np.where(squares > _TINY, distance / squares, 0.0)
    rate = counts.churners.sum(-1, keepdims=True) / total
    slope = (counts.churners * scaled).sum(-1, keepdims=True)
    away = centre[..., np.newaxis] - mean
    fitted = rate + slope * distance
    residuals = counts.churners * (1 - fitted) ** 2 + (counts.users - counts.churners) * fitted**2
    unexplained = np.maximum(1 - 1 / total - distance * scaled, _TINY)
    variance = (residuals / unexplained * (1 / total + away * scaled) ** 2).sum(-1)
    return (rate + slope * away)[..., 0], variance


@dataclass(frozen=True)
class Difference:
    """The difference in churn rates, treated less held out, among users whose outcome is known. Negative is good.

    Attributes
    ----------
    treated, held_out
        Users with a known outcome, by assigned arm.
    estimate, low, high, standard_error
        Shares, as -0.041 for 4.1 points less churn; the interval is anytime-valid. NaN while it is too early.
    status
        "too early" until both arms have 15 users who churned and 15 who did not; then "less churn" or "more churn" where the
        interval excludes 0, else "nothing shown".
    """

    treated: int
    held_out: int
    estimate: float
    low: float
    high: float
    standard_error: float
    status: Literal["too early", "nothing shown", "less churn", "more churn"]

    @property
    def users(self) -> int:
        """Users of both arms with a known outcome."""
        return self.treated + self.held_out


@dataclass(frozen=True)
class Effect:
    """What contacting did so far, in numbers.

    Attributes
    ----------
    bands
        By risk band, those on the list.
    contacted_share
        Of treated users whose window has closed, the share really contacted; NaN without any.
    contacts_per_user
        Contacts within the window, per treated user whose window has closed; NaN without any.
    mean_value
        Of treated users with a known outcome; None where values are not known.
    """

    overall: Difference
    bands: Mapping[str, Difference]
    contacted_share: float
    contacts_per_user: float
    mean_value: float | None


def effect(entries: FirstEntries, *, planned: float) -> Effect:
    """Read the effect off first entries whose outcomes are known, overall and by risk band.

    Parameters
    ----------
    planned
        Users whose outcome will be known at the end of the season, as planned at its start (:attr:`Season.planned`); a band's part
        of it is its part of the entries.

    Raises
    ------
    InputError
        If ``planned`` is not positive.

    Notes
    -----
    Epochs with different shares held out must not be read together: their churn rates may differ for other reasons.

    The overall interval has 95 %, so "less churn" is wrong with a chance of at most 2.5 % in a season; each band's has 98.3 %, so
    that with three bands "overall or in any band" is wrong with one of at most 5 %.
    """
    known = entries.is_known
    overall = _difference(entries, known, sequence=ConfidenceSequence(planned))
    treated = entries.treated & known
    value = None if entries.value is None else float(_mean(entries.value[treated]))
    shares = _mean(entries.contacted[treated]), _mean(entries.contacts[treated])
    return Effect(overall, dict(_by_band(entries, planned)), *shares, value)


def _by_band(entries: FirstEntries, planned: float) -> list[tuple[str, Difference]]:
    on_list = [(band, entries.band == band) for band in BANDS if (entries.band == band).any()]
    return [
        (
            band,
            _difference(
                entries, rows & entries.is_known, sequence=ConfidenceSequence(planned * rows.mean(), BAND_ALPHA)
            ),
        )
        for band, rows in on_list
    ]


def _difference(entries: FirstEntries, which: Labels, *, sequence: ConfidenceSequence) -> Difference:
    counts = Counts.of(entries, which)
    treated, held_out = (int(users) for users in counts.users.sum(-1))
    if not counts.has_enough:
        return Difference(treated, held_out, *[float("nan")] * 4, status="too early")
    estimate, error = (float(one) for one in adjusted_difference(counts))
    reach = error * float(sequence.multiplier(treated + held_out))
    low, high = estimate - reach, estimate + reach
    status = "less churn" if high < 0 else "more churn" if low > 0 else "nothing shown"
    return Difference(treated, held_out, estimate, low, high, error, status)


def _mean(values: NDArray[Any]) -> float:
    return float(values.mean()) if len(values) else float("nan")


# --- The verdict -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Range:
    """An estimate with its interval, in users or in money."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Verdict:
    """What a team may conclude.

    Attributes
    ----------
    status
        "withheld" where the arms are not what they should be; else as that of the overall difference.
    words
        One sentence, by band too where a band shows something.
    fewer_leavers
        Treated users with a known outcome who stayed because their arm is contacted; None where nothing may be concluded yet.
    money
        Their mean value times as many, less the cost of every contact within their windows; None without values. It takes those who
        stay for as valuable as the others.
    """

    status: Literal["withheld", "too early", "nothing shown", "less churn", "more churn"]
    words: str
    fewer_leavers: Range | None = None
    money: Range | None = None


def verdict(found: Effect, *, arms: Mismatch, leaks: Contamination, outlook: Outlook) -> Verdict:
    """Put the effect into words, or say why it is withheld.

    Examples
    --------
    The words are of these kinds: "contacting reduces churn by 4.1 points (1.2 to 7.0)"; "nothing shown yet; 3 more weeks would show
    4 points"; "too early to say: ..."; "withheld: ...".
    """
    reason = _reason_to_withhold(arms, leaks)
    if reason:
        return Verdict("withheld", f"withheld: {reason}")
    overall = found.overall
    words = "; ".join([_overall_words(overall, outlook), *_band_words(found.bands), *_doubts(leaks)])
    if overall.status == "too early":
        return Verdict(overall.status, words)
    leavers = _fewer_leavers(overall)
    return Verdict(overall.status, words, leavers, _money(found, leavers, cost_per_contact=outlook.cost_per_contact))


def _reason_to_withhold(arms: Mismatch, leaks: Contamination) -> str:
    if arms.rings:
        return f"the arms are not as large as planned (p = {arms.p_value:.2g}); users of one arm are lost, or counted twice, on the way"
    if leaks.status == "contaminated":
        return f"held-out users were contacted: {leaks.words}; the limit is 8 %"
    return ""


def _overall_words(overall: Difference, outlook: Outlook) -> str:
    if overall.status == "too early":
        return f"too early to say: each arm needs {MIN_OUTCOMES} users who churned and {MIN_OUTCOMES} who did not"
    return _shown(overall) or f"nothing shown yet; {outlook.words(users=overall.users, error=overall.standard_error)}"


def _band_words(bands: Mapping[str, Difference]) -> list[str]:
    return [f"in the {band} band {_shown(one)}" for band, one in bands.items() if _shown(one)]


def _doubts(leaks: Contamination) -> list[str]:
    return ["too early to say whether held-out users were left alone"] if leaks.status == "too early" else []


def _shown(one: Difference) -> str:
    if one.status == "less churn":
        return f"contacting reduces churn by {points(-one.estimate)} points ({points(-one.high)} to {points(-one.low)})"
    if one.status == "more churn":
        return f"contacting increases churn by {points(one.estimate)} points ({points(one.low)} to {points(one.high)})"
    return ""


def _fewer_leavers(overall: Difference) -> Range:
    return Range(*(-overall.treated * one for one in (overall.estimate, overall.high, overall.low)))


def _money(found: Effect, leavers: Range, *, cost_per_contact: float) -> Range | None:
    if found.mean_value is None:
        return None
    cost = cost_per_contact * found.contacts_per_user * found.overall.treated
    low, high = sorted(found.mean_value * one - cost for one in (leavers.low, leavers.high))
    return Range(found.mean_value * leavers.value - cost, low, high)
