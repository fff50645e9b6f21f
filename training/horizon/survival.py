"""How long users stay away, and how many come back: stretches without a qualifying day, counted in SQL, and their curve.

A stretch ends with a return, or the log ends first: then nobody knows, and it is censored. Both kinds are counted by length, so
that a log of any size comes back as a small table.

Stretches of a user are not independent of each other. So a hash deals the users into parts, and an interval redraws whole parts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import pyarrow as pa
from lifelines import KaplanMeierFitter
from numpy.typing import NDArray

from features.activity.store import Activity
from features.eligibility import RECENT, TENURE, Eligibility
from features.settings import ChurnSettings

Counts = NDArray[np.int64]
PARTS = 100
MOST_DAYS = 730  # a longer stretch counts as one whose end nobody saw
_DRAWS, _FEWEST = 200, 30
_SIDES = (2.5, 97.5)


@dataclass(frozen=True)
class Share:
    """A share with its 95 % bootstrap interval over users; None where there are too few of them."""

    value: float
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Curve:
    """The Kaplan-Meier curve of staying away.

    Attributes
    ----------
    away
        Shape (days + 1,): at t, the share that stays away for more than t days.
    drawn
        Shape (draws, days + 1): the same in each redraw of users.
    reached
        Shape (days + 1,): at t, the stretches that were seen to last t whole days.
    reach
        The last day that enough stretches tell of.
    """

    away: NDArray[np.float64]
    drawn: NDArray[np.float64]
    reached: Counts
    reach: int

    @classmethod
    def of(cls, counts: Counts, *, seed: int, minimum: int = _FEWEST) -> Curve:
        """Fit the curve.

        Parameters
        ----------
        counts
            Shape (parts, 2, days + 1): stretches of each length that the log's end cut, and that a return ended.
        minimum
            Stretches that must be under observation on a day for it to be within reach.
        """
        counts = counts[..., : int(np.flatnonzero(counts.any(axis=(0, 1)))[-1]) + 1]  # what is longer costs time
        total = counts.sum(axis=0)
        observed = total.sum(axis=0)[::-1].cumsum()[::-1]
        enough = np.flatnonzero(observed >= minimum)
        return cls(
            away=still_away(total),
            drawn=_redrawn(np.tensordot(draws(counts, seed=seed), counts, axes=1)),
            reached=observed - total[1],
            reach=int(enough[-1]) if len(enough) else 0,
        )

    def still(self, day: int) -> Share:
        """Return the share that stays away for more than ``day`` days."""
        return share(float(self.away[day]), self.drawn[:, day])

    def back(self, after: int, by: int) -> Share:
        """Return the share that is back by one day, of those who were away for more than ``after`` days."""
        return share(float(_back(self.away, after, by=by)), _back(self.drawn, after, by=by))

    def wait(self, after: int, part: float) -> int | None:
        """Return the further days until a part of those who come back within reach is back; None: nobody does."""
        start, end = self.away[after], self.away[self.reach]
        if not end < start:
            return None
        # the curve is a running product: equal shares may differ in the last digit
        return int(np.argmax(self.away <= start - part * (start - end) + 1e-12)) - after


def _back(away: NDArray[np.float64], after: int, *, by: int) -> NDArray[np.float64]:
    start = away[..., after]
    return 1 - np.divide(away[..., by], start, out=np.ones_like(start), where=start > 0)


def share(value: float, drawn: NDArray[np.float64]) -> Share:
    """Put a share and its redraws (shape (draws,)) together."""
    low, high = np.percentile(drawn, _SIDES) if len(drawn) else (None, None)
    return Share(value, None if low is None else float(low), None if high is None else float(high))


def _redrawn(counts: Counts) -> NDArray[np.float64]:
    """Do as :func:`still_away` for all redraws at once, shape (draws, 2, days + 1): one by one they would take seconds."""
    observed = counts.sum(axis=1)[:, ::-1].cumsum(axis=1)[:, ::-1]
    return np.cumprod(1 - counts[:, 1] / np.maximum(observed, 1), axis=1)


def draws(counts: Counts, *, seed: int) -> Counts:
    """Return how often each part is drawn, shape (draws, parts); no draws where too few parts have users."""
    has_users = counts.reshape(PARTS, -1).any(axis=1)
    size = _DRAWS if has_users.sum() >= _FEWEST else 0
    return np.random.default_rng(seed).multinomial(PARTS, np.full(PARTS, 1 / PARTS), size=size)


def still_away(counts: Counts) -> NDArray[np.float64]:
    """Estimate the share that stays away for more than 0, 1, 2, ... days.

    Parameters
    ----------
    counts
        Shape (2, days + 1): stretches of each length that the log's end cut, and that a return ended.

    Source
    ------
    Kaplan and Meier 1958, "Nonparametric Estimation from Incomplete Observations", JASA 53(282), as in ``lifelines``.

    Examples
    --------
    Of four stretches two end after 1 and 2 days; the log's end cuts the others after 1 and 3.

    >>> still_away(np.array([[0, 1, 0, 1], [0, 1, 1, 0]])).round(3).tolist()
    [1.0, 0.75, 0.375, 0.375]
    """
    days, found = np.arange(counts.shape[1]), counts > 0
    if not found.any():
        return np.ones(len(days))
    returned, length = np.nonzero(found)
    fitter = KaplanMeierFitter().fit(length, event_observed=returned, weights=counts[found], timeline=days)
    return fitter.survival_function_.to_numpy()[:, 0]


def count_spells(activity: Activity) -> Counts:
    """Count idle spells: from a qualifying day of a user to the next. Shape (PARTS, 2, MOST_DAYS + 1), as :class:`Curve` takes it.

    A spell that lasts for more than t days has t idle days. The last spell of a user lasts until the log ends.
    """
    until = f"date '{activity.coverage.covered_until}'"
    spells = f"""select user_id, coalesce(next_day - day, {until} - 1 - day) as days, next_day is not null as is_back
        from (select user_id, day, lead(day) over (partition by user_id order by day) as next_day
            from ({_days(activity)}) where is_qualifying)"""
    found = _counted(activity, spells, by="0")
    return _filled(found, ())


def count_waits(activity: Activity, churn: ChurnSettings, *, cutoffs: Sequence[date]) -> Counts:
    """Count the users who are eligible at cutoffs, by how long the horizon waits for their first qualifying day.

    A user who waits for more than t days is labelled churned with a horizon of t days.

    Parameters
    ----------
    cutoffs
        Rising and evenly spaced, as :func:`features.snapshots.cutoffs_between` returns them.

    Returns
    -------
    Shape (cutoffs, PARTS, 2, MOST_DAYS + 1), as :class:`Curve` takes it for each cutoff.
    """
    until, gap = f"date '{activity.coverage.covered_until}'", churn.gap_days
    rule = Eligibility(churn.active_within_days, churn.min_tenure_days).sql()
    eligible = f"select * from ({_around(activity, cutoffs, later=0)}) where {rule}"
    if gap:  # a return in the gap decides nothing: the stretch around the start of the horizon does
        around = _around(activity, cutoffs, later=gap)
        eligible = (
            f"select l.* from ({around}) l semi join ({eligible}) e on l.user_id = e.user_id and l.number = e.number"
        )
    waits = f"""select user_id, number, coalesce(next_day + 1, {until}) - start as days, next_day is not null as is_back
        from ({eligible})"""
    return _filled(_counted(activity, waits, by="number"), (len(cutoffs),))


def _around(activity: Activity, cutoffs: Sequence[date], *, later: int) -> str:
    """Return the SELECT of each user's stretch around some days later than each cutoff: the qualifying days before and from then on.

    A stretch knows by arithmetic which of the evenly spaced days it holds, so no user meets a cutoff twice. The first starts
    with the first day seen, whether that qualifies or not.
    """
    every = (cutoffs[1] - cutoffs[0]).days if len(cutoffs) > 1 else 1
    origin = f"(date '{cutoffs[0]}' + {later})"
    seen = f"select *, min(day) over (partition by user_id) as first_day from ({_days(activity)})"
    stretches = f"""select *, lead(day) over (partition by user_id order by day) as next_day
        from ({seen}) where is_qualifying or day = first_day"""
    held = f"""select *, greatest(0, cast(floor((day - {origin}) / {every}) as integer) + 1) as low,
            least({len(cutoffs)}, coalesce(cast(floor((next_day - {origin}) / {every}) as integer) + 1, {len(cutoffs)})) as high
        from ({stretches})"""
    told = f"select *, unnest(range(low, high)) as number from ({held}) where low < high"
    return f"""select user_id, number, next_day, {origin} + cast(number * {every} as integer) as start,
            start - {later} - first_day as {TENURE}, start - {later} - case when is_qualifying then day end as {RECENT}
        from ({told})"""


def _days(activity: Activity) -> str:
    """Return the SELECT of ``user_id, day, is_qualifying``; ids that are one person by what is known today are one user."""
    days = activity.relation("days")
    if not activity.tables.has_identities:
        return f"select user_id, day, qualifying_events > 0 as is_qualifying from {days}"
    persons = activity.tables.person_today(f"select distinct user_id from {days}")
    return f"""select person as user_id, day, bool_or(qualifying_events > 0) as is_qualifying
        from {days} join {persons} using (user_id) group by person, day"""


def _counted(activity: Activity, stretches: str, *, by: str) -> pa.Table:
    """Count stretches in one grouped query; those of no length tell nothing."""
    return activity.connection.sql(
        f"""select {by} as number, cast(hash(user_id) % {PARTS} as bigint) as part, least(days, {MOST_DAYS}) as length,
            cast(is_back and days <= {MOST_DAYS} as bigint) as returned, count(*) as n
        from ({stretches}) where days > 0 group by all order by all"""
    ).to_arrow_table()


def _filled(found: pa.Table, shape: tuple[int, ...]) -> Counts:
    counts = np.zeros((*shape, PARTS, 2, MOST_DAYS + 1), np.int64)
    place = tuple(
        found.column(name).to_numpy() for name in (*(("number",) if shape else ()), "part", "returned", "length")
    )
    counts[place] = found.column("n").to_numpy()
    return counts
