"""Did contacting help, by the past lists: users at their first entry in an epoch, by assigned arm, read week by week."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from math import ceil
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from features.snapshots import instant
from serving.weekly.account.arm_checks import ArmCounts, Contamination, Mismatch, mismatch
from serving.weekly.account.confidence_sequence import SEASON_WEEKS, Outlook, Season
from serving.weekly.account.effect import Difference, Effect, FirstEntries, Verdict, effect, verdict
from serving.weekly.account.model_account import is_listed
from serving.weekly.account.outcomes import GIVEN, OWN, ScoredWeek
from serving.weekly.arms import HELD_OUT, TREATED

DEFAULT_EFFECT = 0.05  # points that a team is taken to want to see
ANOTHER_TOOL = (
    "arms of another tool"  # the epoch of users whose arm was assigned outside: it holds as long as that tool says
)
_WEEK_DAYS = 7


@dataclass(frozen=True)
class Contacts:
    """Who was contacted, as the team's tool recorded it, or as the lists would have it.

    Attributes
    ----------
    at
        User to the instants of the contacts, in UTC.
    cost
        Mean cost of one; None where it is not known.
    """

    at: Mapping[str, Sequence[datetime]]
    cost: float | None = None

    @classmethod
    def of_lists(cls, weeks: Sequence[ScoredWeek], *, zone: str) -> Contacts:
        """Return who was to be contacted: once with each week on whose lists the user is."""
        at: dict[str, list[datetime]] = {}
        for week in weeks:
            for user in week.column("user_id")[is_listed(week) & (week.column("arm") == TREATED)]:
                at.setdefault(user, []).append(instant(week.cutoff, zone))
        return cls(at)

    def users_within(self, window: tuple[datetime, datetime]) -> frozenset[str]:
        """Return who was contacted within a half-open window."""
        return frozenset(user for user in self.at if self.within(window, user=user))

    def within(self, window: tuple[datetime, datetime], *, user: str) -> int:
        """Count the contacts of a user within a half-open window."""
        return sum(window[0] <= one < window[1] for one in self.at.get(user, ()))


@dataclass(frozen=True)
class Reading:
    """How the effect is read.

    Attributes
    ----------
    as_of
        The day of the reading.
    contacts
        None where nobody says who was contacted: then who was to be contacted counts as contacted, by each list once.
    zone
        Of cutoffs.
    smallest_effect
        The reduction of the churn rate that the team wants to see, as a share.
    cost_per_contact
        In the unit of values, where contacts do not say.
    """

    as_of: date
    contacts: Contacts | None = None
    zone: str = "UTC"
    smallest_effect: float = DEFAULT_EFFECT
    cost_per_contact: float = 0.0


@dataclass(frozen=True)
class Look:
    """The overall effect as it was known on a day."""

    day: date
    difference: Difference


@dataclass(frozen=True)
class EffectAccount:
    """The effect in all epochs that have the same share held out.

    Attributes
    ----------
    words
        The verdict in a sentence, with the epochs that it is about.
    first_entries
        Users at their first entry; each counts once in an epoch.
    not_counted
        Users on a list whose arm is that of an earlier epoch, where they count, or of several ids.
    planned
        Users whose outcome is expected to be known after 26 weeks, by the entries before the first outcome is known.
    looks
        After each week since outcomes are known; the last is that of the day of the reading.
    """

    epochs: tuple[str, ...]
    share: float
    started: date
    words: str
    verdict: Verdict
    effect: Effect
    mismatch: Mismatch
    contamination: Contamination
    first_entries: int
    not_counted: int
    planned: float
    looks: tuple[Look, ...]


def effect_accounts(weeks: Sequence[ScoredWeek], reading: Reading) -> tuple[EffectAccount, ...]:
    """Read the effect off the past lists, apart for each share held out; the share of the latest epoch comes first.

    Epochs with different shares are never read together: their churn rates may differ for other reasons. Users whose arm another tool
    assigned are an epoch of their own, with the share that it holds out, whatever that of the lists.
    """
    share_given = _given_share(weeks)
    parts = [part for week in weeks for part in _by_assignment(week, share_given)]
    listed = [week for week in parts if 0 < week.share < 1 and is_listed(week).any()]
    shares = list(dict.fromkeys(week.share for week in reversed(listed)))
    contacts = reading.contacts or Contacts.of_lists(
        weeks, zone=reading.zone
    )  # a window may reach into weeks of another share
    found = [_account([week for week in parts if week.share == share], reading, contacts=contacts) for share in shares]
    return tuple(one for one in found if one)


def _given_share(weeks: Sequence[ScoredWeek]) -> float:
    """Return the share held out of the users whose arm another tool assigned, each once."""
    arms: dict[str, str] = {}
    for week in weeks:
        is_given = week.column("arm_from") == GIVEN
        arms |= dict(zip(week.column("user_id")[is_given], week.column("arm")[is_given], strict=True))
    return sum(arm == HELD_OUT for arm in arms.values()) / len(arms) if arms else 0.0


def _by_assignment(week: ScoredWeek, share_given: float) -> Iterator[ScoredWeek]:
    """Return the users of a week whose arm another tool assigned, if there are any, and then all others."""
    is_given = week.column("arm_from") == GIVEN
    if is_given.any():
        given = week.users.filter(pa.array(is_given))
        yield replace(week, epoch=ANOTHER_TOOL, share=share_given, users=given)
        week = replace(week, users=week.users.filter(pa.array(~is_given)))
    yield week


def _account(weeks: Sequence[ScoredWeek], reading: Reading, *, contacts: Contacts) -> EffectAccount | None:
    rows = _FirstRows.of(weeks)
    if not len(rows.users):
        return None
    listed = [week for week in weeks if is_listed(week).any()]
    epochs, started = tuple(dict.fromkeys(week.epoch for week in listed)), listed[0].cutoff
    known_after = ceil(max((week.final_on - week.cutoff).days for week in listed) / _WEEK_DAYS)
    entries = rows.entries(contacts, zone=reading.zone, started=started)
    season = planned_season(entries, rows.probability, known_after_weeks=known_after)
    over = max((reading.as_of - started).days // _WEEK_DAYS, 1)
    found, arms = effect(entries, planned=season.planned), _mismatch(weeks)
    cost = reading.cost_per_contact if contacts.cost is None else contacts.cost
    wanted = min(reading.smallest_effect, season.churn_rate)
    outlook = Outlook(season, wanted, over, cost)
    said = verdict(found, arms=arms, leaks=entries.contamination, outlook=outlook)
    looks = tuple(
        Look(
            started + timedelta(weeks=week),
            effect(entries.seen_after(week, known_after_weeks=known_after), planned=season.planned).overall,
        )
        for week in range(known_after, over)
    )
    share = weeks[0].share
    words = f"{' and '.join(epochs)}, {share:.0%} held out: {said.words}"
    counts = (len(rows.users), rows.not_counted, season.planned)
    return EffectAccount(
        epochs,
        share,
        started,
        words,
        said,
        found,
        arms,
        entries.contamination,
        *counts,
        (*looks, Look(reading.as_of, found.overall)),
    )


def planned_season(entries: FirstEntries, probability: NDArray[np.float64], *, known_after_weeks: int) -> Season:
    """Expect 26 weeks like those before the first outcome is known: the first has everybody on the list, later ones who is new.

    Parameters
    ----------
    probability
        Churn probability at entry, shape (n,): their mean is the churn rate that is expected of users who are left alone.
    """
    first = int(entries.week.min())  # late where users had arms of an earlier epoch at first
    weeks = entries.week - first if first >= known_after_weeks else entries.week
    early = np.bincount(weeks, minlength=1)[:known_after_weeks].astype(np.float64)
    later = early[1:].mean() if len(early) > 1 else early[0]
    expected = np.concatenate([early, np.full(max(SEASON_WEEKS, known_after_weeks) - len(early), later)])
    rate = float(probability[weeks < known_after_weeks].mean())
    return Season(expected, rate, known_after_weeks)


# --- First entries ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _FirstRows:
    """A row per user and epoch: the first entry to any list, with the arm of the epoch; columns of shape (n,)."""

    users: NDArray[Any]
    weeks: tuple[ScoredWeek, ...]
    columns: dict[str, NDArray[Any]]
    not_counted: int

    @classmethod
    def of(cls, weeks: Sequence[ScoredWeek]) -> _FirstRows:
        listed = [(week, is_listed(week)) for week in weeks]
        counted = [(week, on & np.isin(week.column("arm_from").astype(str), (OWN, GIVEN))) for week, on in listed]
        names = ("user_id", "arm", "raw_score", "churn_probability", "risk_band", "value", "churned")
        columns = {name: _stacked([week.column(name)[on] for week, on in counted]) for name in names}
        place = _stacked([np.full(int(on.sum()), index) for index, (_, on) in enumerate(counted)]).astype(np.int64)
        epoch = np.array([weeks[index].epoch for index in place], dtype=object)
        keys = np.array([f"{of}\0{user}" for of, user in zip(epoch, columns["user_id"], strict=True)], dtype=object)
        first = np.sort(np.unique(keys.astype(str), return_index=True)[1])
        chosen = {name: values[first] for name, values in columns.items()} | {"place": place[first]}
        entered = {(week.epoch, user) for week, on in listed for user in week.column("user_id")[on]}
        return cls(chosen["user_id"], tuple(weeks), chosen, len(entered) - len(first))

    @property
    def probability(self) -> NDArray[np.float64]:
        return self.columns["churn_probability"].astype(np.float64)

    def entries(self, contacts: Contacts, *, zone: str, started: date) -> FirstEntries:
        """Return them as the estimate reads them."""
        columns = self.columns
        days = np.array([(week.cutoff - started).days for week in self.weeks])
        return FirstEntries(
            columns["arm"] == TREATED,
            np.array([np.nan if one is None else float(one) for one in columns["churned"]]),
            columns["raw_score"].astype(np.float64),
            columns["risk_band"].astype(np.str_),
            days[columns["place"]] // _WEEK_DAYS,
            self._counted(contacts, zone=zone),
            self._value(),
        )

    def _counted(self, contacts: Contacts, *, zone: str) -> NDArray[np.int64]:
        windows = [(instant(week.cutoff, zone), instant(week.ends_on, zone)) for week in self.weeks]
        pairs = zip(self.users, self.columns["place"], strict=True)
        return np.array([contacts.within(windows[place], user=user) for user, place in pairs], dtype=np.int64)

    def _value(self) -> NDArray[np.float64] | None:
        """Return what users are worth: nothing where that is not known of one, None where it is known of nobody."""
        value = self.columns["value"].astype(np.float64)
        return None if np.isnan(value).all() else np.nan_to_num(value)


def _stacked(parts: Sequence[NDArray[Any]]) -> NDArray[Any]:
    return np.concatenate(parts) if parts else np.zeros(0)


def _mismatch(weeks: Sequence[ScoredWeek]) -> Mismatch:
    """Test the arms of all scored users, each once in an epoch, as far as the hash of user and epoch decided."""
    counts = [_arm_counts(epoch, weeks) for epoch in dict.fromkeys(week.epoch for week in weeks)]
    return (
        mismatch(counts)
        if any(one.users for one in counts)
        else Mismatch(1.0, rings=False, detectable_loss=float("nan"))
    )


def _arm_counts(epoch: str, weeks: Sequence[ScoredWeek]) -> ArmCounts:
    arms: dict[str, str] = {}
    for week in weeks:
        if week.epoch == epoch:
            own = week.column("arm_from") == OWN
            arms |= dict(zip(week.column("user_id")[own], week.column("arm")[own], strict=True))
    return ArmCounts(sum(arm == HELD_OUT for arm in arms.values()), len(arms), weeks[0].share)
