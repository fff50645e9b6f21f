"""How long users stay inactive, and how many return: idle spells, counted in SQL, and their survival curve.

A spell ends with a return, or is censored by the end of the log. Both kinds are counted by length, so that a log of any size
yields a small table.

Spells of one user are not independent. So users are hashed into parts, and intervals come from resampling entire parts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from features.activity.store import Activity
from features.eligibility import RECENT, TENURE, Eligibility
from features.settings import ChurnSettings
from training.plan.persons import days_of_persons

Counts = NDArray[np.int64]
PARTS = 100
MAX_DAYS = 730  # longer spells count as censored
_RESAMPLES, _MIN_SPELLS = 200, 30
_PERCENTILES = (2.5, 97.5)


@dataclass(frozen=True)
class Share:
    """A share with its 95 % bootstrap interval over users; None where there are too few of them."""

    value: float
    low: float | None
    high: float | None


@dataclass(frozen=True)
class SurvivalCurve:
    """The Kaplan-Meier curve of staying inactive.

    Attributes
    ----------
    survival
        Shape (days + 1,): at t, the share that stays inactive for more than t days.
    resampled
        Shape (resamples, days + 1): the same in each resample of users.
    lasted
        Shape (days + 1,): at t, the spells that were observed to last t full days.
    reach
        The last day with enough observed spells.
    """

    survival: NDArray[np.float64]
    resampled: NDArray[np.float64]
    lasted: Counts
    reach: int

    @classmethod
    def of(cls, counts: Counts, *, seed: int, minimum: int = _MIN_SPELLS) -> SurvivalCurve:
        """Fit the curve.

        Parameters
        ----------
        counts
            Shape (parts, 2, days + 1): spells of each length, censored and ended by a return.
        minimum
            Spells that must be under observation on a day for it to be within reach.
        """
        counts = counts[..., : int(np.flatnonzero(counts.any(axis=(0, 1)))[-1]) + 1]  # the empty tail costs time
        total = counts.sum(axis=0)
        observed = total.sum(axis=0)[::-1].cumsum()[::-1]
        enough = np.flatnonzero(observed >= minimum)
        return cls(
            survival=survival_function(total),
            resampled=_resampled_curves(np.tensordot(resampling_counts(counts, seed=seed), counts, axes=1)),
            lasted=observed - total[1],
            reach=int(enough[-1]) if len(enough) else 0,
        )

    def survival_after(self, day: int) -> Share:
        """Return the share that stays inactive for more than ``day`` days."""
        return share(float(self.survival[day]), self.resampled[:, day])

    def return_share(self, after: int, by: int) -> Share:
        """Return the share that is back by a day, of those who were inactive for more than ``after`` days."""
        return share(float(_return_share(self.survival, after, by=by)), _return_share(self.resampled, after, by=by))

    def days_until_return(self, after: int, part: float) -> int | None:
        """Return the further days until a part of those who return within reach is back; None: nobody does."""
        start, end = self.survival[after], self.survival[self.reach]
        if not end < start:
            return None
        # the curve is a cumulative product: equal shares may differ in the last digit
        return int(np.argmax(self.survival <= start - part * (start - end) + 1e-12)) - after


def _return_share(away: NDArray[np.float64], after: int, *, by: int) -> NDArray[np.float64]:
    start = away[..., after]
    return 1 - np.divide(away[..., by], start, out=np.ones_like(start), where=start > 0)


def share(value: float, resampled: NDArray[np.float64]) -> Share:
    """Return a share with the interval of its resamples, shape (resamples,)."""
    low, high = np.percentile(resampled, _PERCENTILES) if len(resampled) else (None, None)
    return Share(value, None if low is None else float(low), None if high is None else float(high))


def _resampled_curves(counts: Counts) -> NDArray[np.float64]:
    """Apply :func:`survival_function` to all resamples at once, shape (resamples, 2, days + 1): one by one they take seconds."""
    observed = counts.sum(axis=1)[:, ::-1].cumsum(axis=1)[:, ::-1]
    return np.cumprod(1 - counts[:, 1] / np.maximum(observed, 1), axis=1)


def resampling_counts(counts: Counts, *, seed: int) -> Counts:
    """Return how often each part occurs, shape (resamples, parts); no resamples where too few parts have users."""
    has_users = counts.reshape(PARTS, -1).any(axis=1)
    size = _RESAMPLES if has_users.sum() >= _MIN_SPELLS else 0
    return np.random.default_rng(seed).multinomial(PARTS, np.full(PARTS, 1 / PARTS), size=size)


def survival_function(counts: Counts) -> NDArray[np.float64]:
    """Estimate the share that stays inactive for more than 0, 1, 2, ... days.

    Parameters
    ----------
    counts
        Shape (2, days + 1): spells of each length, censored and ended by a return.

    Source
    ------
    Kaplan and Meier 1958, "Nonparametric Estimation from Incomplete Observations", JASA 53(282).

    Examples
    --------
    Of four spells two end after 1 and 2 days; the others are censored after 1 and 3.

    >>> survival_function(np.array([[0, 1, 0, 1], [0, 1, 1, 0]])).round(3).tolist()
    [1.0, 0.75, 0.375, 0.375]
    """
    cut, returned = counts
    at_risk = np.cumsum((cut + returned)[::-1])[::-1]
    hazard = np.divide(returned, at_risk, out=np.zeros(len(at_risk)), where=at_risk > 0)
    return np.asarray(np.cumprod(1.0 - hazard), dtype=np.float64)


def count_spells(activity: Activity) -> Counts:
    """Count idle spells: from a qualifying day of a user to the next. Shape (PARTS, 2, MAX_DAYS + 1), as :class:`SurvivalCurve` takes it.

    A spell that lasts for more than t days has t idle days. The last spell of a user lasts until the log ends.
    """
    until = f"date '{activity.coverage.covered_until}'"
    spells = f"""select user_id, coalesce(next_day - day, {until} - 1 - day) as days, next_day is not null as is_back
        from (select user_id, day, lead(day) over (partition by user_id order by day) as next_day
            from ({_days(activity)}) where is_qualifying)"""
    found = _counted(activity, spells, by="0")
    return _filled(found, ())


def count_waits(activity: Activity, churn: ChurnSettings, *, cutoffs: Sequence[date]) -> Counts:
    """Count the users who are eligible at cutoffs, by the wait from the start of the horizon to their first qualifying day.

    A user who waits for more than t days is labelled churned with a horizon of t days.

    Parameters
    ----------
    cutoffs
        Increasing and evenly spaced, as :func:`features.snapshots.cutoffs_between` returns them.

    Returns
    -------
    Shape (cutoffs, PARTS, 2, MAX_DAYS + 1), as :class:`SurvivalCurve` takes it for each cutoff.
    """
    until, gap = f"date '{activity.coverage.covered_until}'", churn.gap_days
    rule = Eligibility(churn.active_within_days, churn.min_tenure_days, max_tenure_days=churn.max_tenure_days).sql()
    eligible = f"select * from ({_around(activity, cutoffs, later=0)}) where {rule}"
    if gap:  # a return in the gap is irrelevant: the spell around the start of the horizon decides
        around = _around(activity, cutoffs, later=gap)
        eligible = (
            f"select l.* from ({around}) l semi join ({eligible}) e on l.user_id = e.user_id and l.number = e.number"
        )
    waits = f"""select user_id, number, coalesce(next_day + 1, {until}) - start as days, next_day is not null as is_back
        from ({eligible})"""
    return _filled(_counted(activity, waits, by="number"), (len(cutoffs),))


def _around(activity: Activity, cutoffs: Sequence[date], *, later: int) -> str:
    """Return the SELECT of each user's spell around some days later than each cutoff: the qualifying days before and from then on.

    The evenly spaced days inside a spell follow by arithmetic, so users and cutoffs are not joined. The first spell starts with
    the first day seen, whether that qualifies or not.
    """
    every = (cutoffs[1] - cutoffs[0]).days if len(cutoffs) > 1 else 1
    origin = f"(date '{cutoffs[0]}' + {later})"
    seen = f"select *, min(day) over (partition by user_id) as first_day from ({_days(activity)})"
    stretches = f"""select *, lead(day) over (partition by user_id order by day) as next_day
        from ({seen}) where is_qualifying or day = first_day"""
    held = f"""select *, greatest(0, cast(floor((day - {origin}) / {every}) as integer) + 1) as low,
            least({len(cutoffs)}, coalesce(cast(floor((next_day - {origin}) / {every}) as integer) + 1, {len(cutoffs)})) as high
        from ({stretches})"""
    spells = f"select *, unnest(range(low, high)) as number from ({held}) where low < high"
    return f"""select user_id, number, next_day, {origin} + cast(number * {every} as integer) as start,
            start - {later} - first_day as {TENURE}, start - {later} - case when is_qualifying then day end as {RECENT}
        from ({spells})"""


def _days(activity: Activity) -> str:
    """Return the SELECT of ``user_id, day, is_qualifying``; ids that are known today to be one person are one user."""
    days = days_of_persons(activity, ["qualifying_events"])
    return f"select user_id, day, qualifying_events > 0 as is_qualifying from {days}"


def _counted(activity: Activity, stretches: str, *, by: str) -> pa.Table:
    """Count spells in one grouped query; those of length zero carry no information."""
    return activity.connection.sql(
        f"""select {by} as number, cast(hash(user_id) % {PARTS} as bigint) as part, least(days, {MAX_DAYS}) as length,
            cast(is_back and days <= {MAX_DAYS} as bigint) as returned, count(*) as n
        from ({stretches}) where days > 0 group by all order by all"""
    ).to_arrow_table()


def _filled(found: pa.Table, shape: tuple[int, ...]) -> Counts:
    counts = np.zeros((*shape, PARTS, 2, MAX_DAYS + 1), np.int64)
    place = tuple(
        found.column(name).to_numpy() for name in (*(("number",) if shape else ()), "part", "returned", "length")
    )
    counts[place] = found.column("n").to_numpy()
    return counts
