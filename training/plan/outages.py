"""Days whose volume collapsed: a tracking outage looks like mass churn, so no label window should contain one.

A day is compared with the same weekday of the four weeks before and after it, so that a trend, a season or a shrinking
cohort does not matter. Its events and its active users must both have collapsed: when an event type is switched off, the users
stay.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from features.activity.store import Activity
from features.errors import SettingsError
from features.snapshots import LabelWindow
from models.arrays import Values
from training.plan.persons import days_of_persons
from training.plan.splits import WEEK
from training.settings import OutagesSettings

_WEEKS = 4
_MIN_PEERS = 2
_MIN_USERS = 20  # below that, an empty day may be chance
_FAR = -5.0
_MIN_SPREAD = 0.1  # of the log of a volume: a tenth more or less is usual anywhere
SIGMA_PER_MAD = 1.4826  # standard deviations per median absolute deviation of a normal distribution
_NOTHING = 0.5  # the volume of an empty day, as zero has no logarithm
_HOURS_SHORT = 2
_HOURS = 12
_LONGEST_CURVE = 90  # days of the longest window of a curve, whatever the horizon
_BITS = 5  # for each hour, in the packed hours of a day


class Kind(StrEnum):
    """What is wrong with a day."""

    MISSING = "missing"
    COLLAPSED = "collapsed"
    PARTIAL = "partial"


@dataclass(frozen=True)
class Outage:
    """A day that does not show who was active.

    Attributes
    ----------
    usual
        Median events of the same weekday around it.
    z
        Standard deviations from it, on a log scale, of events or of active users, whichever fell less.
    kind
        Partial is the first or last day of a log that starts later, or ends earlier, than its other days do.
    days_active
        For windows of one day, two, and so on, each as long as its place: the share of users by their active days within such a window,
        from one day on, among those who were active at all. It tells how many labels a missing day can change.
    """

    day: date
    events: int
    usual: int
    z: float
    kind: Kind
    days_active: tuple[tuple[float, ...], ...] = ((1.0,),)


@dataclass(frozen=True)
class _Days:
    """The days that a log covers, in order; each array of shape (days,)."""

    first: date
    events: Values
    users: Values
    first_hour: Values
    last_hour: Values


def find_outages(activity: Activity, settings: OutagesSettings, *, horizon_days: int) -> tuple[Outage, ...]:
    """Find the days whose volume collapsed, in order.

    At least two other days of the same weekday are needed to judge one, and 20 active users on a usual day. Low days at the
    very start mean that the log was still growing, unless only the first is low. Days that the settings name as closed are no
    outages, nor are those that were low in other years on the same date.

    Source
    ------
    Robust z: Iglewicz and Hoaglin 1993, "How to Detect and Handle Outliers", section 3.3, with the pooled spread, the chance
    of counts and a tenth as floors.
    """
    days = _read(activity)
    usual_events, usual_users = _usual(days.events), _usual(days.users)
    z = np.maximum(
        _deviations(days.events, usual_events, users=usual_users),
        _deviations(days.users, usual_users, users=usual_users),
    )
    limit = settings.below_share
    is_low = (days.events < limit * usual_events) & (days.users < limit * usual_users)
    is_judged = usual_users >= _MIN_USERS
    is_outage = _without_a_slow_start(is_judged & is_low & (z < _FAR))
    is_partial = is_judged & _partial(days) & ~is_outage
    closed = (*settings.closed, *_public_holidays(settings.holidays, days))
    is_closed = _closed(days, closed) | _low_every_year(days, is_outage)
    is_outage, is_partial = is_outage & ~is_closed, is_partial & ~is_closed
    if not (is_outage | is_partial).any():
        return ()
    days_active = _days_active(activity, longest=max(horizon_days, _LONGEST_CURVE))
    return tuple(
        Outage(
            days.first + timedelta(days=int(place)),
            int(days.events[place]),
            round(float(usual_events[place])),
            round(float(z[place]), 2),
            Kind.PARTIAL if is_partial[place] else Kind.COLLAPSED if days.events[place] else Kind.MISSING,
            days_active,
        )
        for place in np.flatnonzero(is_outage | is_partial)
    )


def _closed(days: _Days, closed: Iterable[date]) -> NDArray[np.bool_]:
    found = np.zeros(len(days.events), dtype=np.bool_)
    places = [(day - days.first).days for day in closed]
    found[[place for place in places if 0 <= place < len(found)]] = True
    return found


def _public_holidays(place: str, days: _Days) -> tuple[date, ...]:
    """Return the public holidays of a country, or part of one, in the years of the log; none where no place is named."""
    if not place:
        return ()
    try:
        import holidays  # noqa: PLC0415 -- an extra
    except ImportError as error:
        raise SettingsError(
            "[outages] holidays: the package that knows public holidays is not installed",
            hint='install the extra "holidays", or name the days in [outages] closed',
        ) from error
    country, _, part = place.upper().partition("-")
    last = days.first + timedelta(days=len(days.events))
    try:
        return tuple(holidays.country_holidays(country, part or None, years=range(days.first.year, last.year + 1)))
    except NotImplementedError as error:
        raise SettingsError(
            f'[outages] holidays: got "{place}", expected a country, or part of one, whose holidays are known',
            hint="as DE, or DE-BY: ISO 3166 codes; other days go into [outages] closed",
        ) from error


def _low_every_year(days: _Days, is_low: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Find low days whose date is low in every other year that the log covers, such as Christmas."""
    dates = [days.first + timedelta(days=place) for place in range(len(is_low))]
    by_date: dict[tuple[int, int], list[int]] = {}
    for place, day in enumerate(dates):
        by_date.setdefault((day.month, day.day), []).append(place)
    found = np.zeros(len(is_low), dtype=np.bool_)
    for places in by_date.values():
        found[places] = len(places) > 1 and bool(is_low[places].all())
    return found


def _days_active(activity: Activity, *, longest: int) -> tuple[tuple[float, ...], ...]:
    """Return, for the last day, the last two and so on, the share of users with one active day, two, ..., among those active there.

    A user has at least k active days within a window where the k-th latest of them is in it, so one count serves all windows.
    """
    end = activity.coverage.covered_until
    rows = activity.connection.execute(
        f"""select nth, days_ago, count(*) from (
            select $end - day as days_ago, row_number() over (partition by user_id order by day desc) as nth
            from (select distinct user_id, day from {days_of_persons(activity, ["qualifying_events"])}
                where day >= $first and day < $end and qualifying_events > 0)) group by all""",
        {"first": end - timedelta(days=longest), "end": end},
    ).fetchall()
    counts = np.zeros((longest + 2, longest + 1))  # by place of the active day from the latest, and by days ago
    for nth, days_ago, users in rows:
        counts[nth, days_ago] = users
    at_least = counts.cumsum(axis=1)
    exactly = at_least[1:-1] - at_least[2:]
    return tuple(_shares(exactly[:days, days], at_least[1, days]) for days in range(1, longest + 1))


def _shares(counts: Values, users: float) -> tuple[float, ...]:
    return tuple((counts / users).tolist()) if users else (1.0,)


def _read(activity: Activity) -> _Days:
    """Sum up each day that the log covers; days without events have zeros."""
    coverage = activity.coverage
    found = activity.connection.sql(
        f"""select day, cast(sum(events) as double) as events, cast(count(distinct user_id) as double) as users,
            bit_or(hours_before_noon) as before_noon, bit_or(hours_after_noon) as after_noon
        from {activity.relation("days")} group by day order by day"""
    ).fetchall()
    length = (coverage.covered_until - coverage.first_day).days
    values = np.zeros((4, length))
    values[2:] = np.nan
    for day, events, users, before_noon, after_noon in found:
        hours = _hours(before_noon, after_noon)
        values[:, (day - coverage.first_day).days] = events, users, hours[0], hours[-1]
    return _Days(coverage.first_day, *values)


def _hours(before_noon: int, after_noon: int) -> list[int]:
    """Return the hours of a day in which anybody was active; see the packed columns of :mod:`features.catalogue.families.rhythm`."""
    halves = ((0, before_noon), (_HOURS, after_noon))
    return [start + hour for start, packed in halves for hour in range(_HOURS) if packed >> (_BITS * hour) & 1]


def _peers(values: Values) -> Values:
    """Return the same weekday of the weeks around each day, NaN beyond the log. Shape (days, 8)."""
    reach = WEEK * _WEEKS
    padded = np.pad(values, reach, constant_values=np.nan)
    steps = [week * WEEK for week in range(-_WEEKS, _WEEKS + 1) if week]
    return np.stack([padded[reach + step : reach + step + len(values)] for step in steps], axis=1)


def _without_empty_days(values: Values) -> Values:
    """Replace zeros by NaN, because empty days do not show what is usual; not on a weekday that is mostly empty."""
    weekday = np.arange(len(values)) % WEEK
    is_quiet = np.array([np.median(values[weekday == day]) == 0 for day in range(min(WEEK, len(values)))])
    return np.where((values == 0) & ~is_quiet[weekday], np.nan, values)


def _usual(values: Values) -> Values:
    """Return the median of the same weekday around each day; inside a long outage, of the whole log. NaN: too few."""
    known = _without_empty_days(values)
    weekday = np.arange(len(values)) % WEEK
    whole = _medians(np.where(weekday[:WEEK, None] == weekday, known, np.nan))
    around = _medians(_peers(known))
    return np.where(np.isnan(around) & np.isnan(known), whole[weekday], around)


def _medians(peers: Values) -> Values:
    few = (~np.isnan(peers)).sum(axis=1) < _MIN_PEERS
    return np.where(few, np.nan, np.nanmedian(np.where(few[:, None], 0.0, peers), axis=1))


def _deviations(values: Values, usual: Values, *, users: Values) -> Values:
    """Return how many standard deviations the log of each day's volume is from usual; NaN where the usual volume is unknown."""
    known, expected = np.log(np.maximum(_without_empty_days(values), _NOTHING)), np.log(np.maximum(usual, _NOTHING))
    own = SIGMA_PER_MAD * _medians(np.abs(_peers(known) - expected[:, None]))
    residuals = np.abs(known - expected)
    pooled = SIGMA_PER_MAD * float(np.nanmedian(residuals)) if not np.isnan(residuals).all() else 0.0
    floor = np.maximum(1 / np.sqrt(np.maximum(users, 1)), max(_MIN_SPREAD, pooled))
    return (np.log(np.maximum(values, _NOTHING)) - expected) / np.fmax(own, floor)


def _without_a_slow_start(is_outage: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Ignore low days at the very start, unless only the first is low: half a day, or the day of the first delivery."""
    start = int(np.argmin(is_outage)) if not is_outage.all() else len(is_outage)
    found = is_outage.copy()
    found[:start] = start == 1
    return found


def _partial(days: _Days) -> NDArray[np.bool_]:
    """Find a first day that starts two hours later, or a last day that ends two hours earlier, than any day of the nearest four weeks."""
    near = WEEK * _WEEKS
    found = np.zeros(len(days.events), dtype=np.bool_)
    found[0] = _is_short(-days.first_hour[0], -days.first_hour[1 : near + 1])
    found[-1] |= _is_short(days.last_hour[-1], days.last_hour[-near - 1 : -1])
    return found


def _is_short(hour: float, others: Values) -> bool:
    known = others[~np.isnan(others)]
    return len(known) >= WEEK and bool(hour <= known.min() - _HOURS_SHORT)


def touching(
    outages: Iterable[Outage], cutoff: date, *, window: LabelWindow, settings: OutagesSettings
) -> tuple[Outage, ...]:
    """Return the outages that make a snapshot unusable; empty: it may be used.

    They affect the label, where more than ``tolerated_share`` of the labels are expected to be wrong; and eligibility and recency,
    where one is in the ``recent_days`` before the cutoff. An outage further back is one low day among many, and does no harm.
    """
    outages = tuple(outages)
    recent = _within(outages, first=cutoff - timedelta(days=settings.recent_days), end=cutoff)
    labelling = _within(outages, first=window.start(cutoff), end=window.end(cutoff))
    return recent + (labelling if _changed_labels(labelling, window) > settings.tolerated_share else ())


def _changed_labels(missing: Sequence[Outage], window: LabelWindow) -> float:
    """Share of the labels that missing days change: of users whose active days all fall on them, were these spread at random."""
    if not missing:
        return 0.0
    share, by_length = len(missing) / window.horizon_days, missing[0].days_active
    length = min(window.horizon_days, len(by_length))  # users come more rarely in the longest than in a longer one
    return sum(users * share**active for active, users in enumerate(by_length[length - 1], 1))


def _within(outages: Sequence[Outage], *, first: date, end: date) -> tuple[Outage, ...]:
    return tuple(outage for outage in outages if first <= outage.day < end)


def warning(outages: Iterable[Outage], *, cutoff: date, settings: OutagesSettings) -> str | None:
    """Warn of scores at a cutoff where the days right before it are an outage; None: there is nothing to warn of."""
    recent = _within(tuple(outages), first=cutoff - timedelta(days=settings.recent_days), end=cutoff)
    if not recent:
        return None
    return (
        f"the days before the cutoff {cutoff} are incomplete: {describe_outages(recent)}; "
        "users who were active on them look inactive, so scores are too high and some users are missing"
    )


def describe_outages(outages: Sequence[Outage]) -> str:
    """Describe outages in words, consecutive days together.

    Examples
    --------
    >>> days = [Outage(date(2026, 3, day), 0, 900, -20.0, Kind.MISSING) for day in (2, 3, 9)]
    >>> describe_outages(days)
    '2026-03-02 to 2026-03-03 (0 events where 1,800 are usual), 2026-03-09 (0 events where 900 are usual)'
    """
    return ", ".join(_run_in_words(run) for run in _runs(outages))


def _runs(outages: Sequence[Outage]) -> list[list[Outage]]:
    runs: list[list[Outage]] = []
    for outage in outages:
        follows = runs and outage.day == runs[-1][-1].day + timedelta(days=1)
        runs[-1].append(outage) if follows and outage.kind is not Kind.PARTIAL else runs.append([outage])
    return runs


def _run_in_words(run: Sequence[Outage]) -> str:
    first, last = run[0], run[-1]
    events, usual = sum(outage.events for outage in run), sum(outage.usual for outage in run)
    days = f"{first.day}" if len(run) == 1 else f"{first.day} to {last.day}"
    volume = f"{events:,} events where {usual:,} are usual"
    return f"{days} (part of a day, {volume})" if first.kind is Kind.PARTIAL else f"{days} ({volume})"
