"""Worlds in which something changes over time, so that probabilities learned before it may no longer be true after it.

A user arrives, is active on random days at a rate of their own, at some point begins to fade, and is gone ten days later without a word.
What changes is in :data:`WORLDS`: how fast all users leave, versions of four products, how long the log is, a campaign that
brings users who leave soon, days on which the shop is closed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

TEST = date(2025, 6, 2)  # the test cutoff of every world: a Monday
WEEKS_AFTER = (0, 1, 2, 4)
FADING_DAYS = 10
BEFORE = 400  # days before the log in which users arrived
CHANNELS = ("organic", "ads", "referral", "partner")
_HAZARD = 1 / 90  # per day, of a user of the middle
_HAZARD_OF = np.array([0.8, 1.5, 0.6, 1.1])
_RELEASE_EVERY_DAYS = np.array([45, 60, 33, 75])  # of each product
_WEEKEND = (5, 6)
_PURCHASES = 0.1  # of all events

Values = NDArray[np.float64]
Days = NDArray[np.int64]


def constant(days: Days) -> Values:
    """Every day like the others; days are counted from the test cutoff."""
    return np.ones(len(days))


def step(factor: float, *, day: int) -> Callable[[Days], Values]:
    """From one day on, users leave faster or slower by a factor."""
    return lambda days: np.where(days >= day, factor, 1.0)


def growth(factor: float, *, days_each: int, since: int = -10_000, until: int = 10_000) -> Callable[[Days], Values]:
    """Users leave faster by a factor for every so many days, within a period."""
    return lambda days: factor ** ((np.clip(days, since, until) - max(since, -150)) / days_each)


@dataclass(frozen=True)
class ShiftingWorld:
    """One world.

    Attributes
    ----------
    hazard
        Days from the test cutoff to a factor on how fast users leave.
    history_days
        Days of the log before the test cutoff.
    has_versions
        Whether each channel is a product with releases of its own.
    campaign
        Days from the test cutoff on which many users arrive who leave soon.
    closed
        Days from the test cutoff without any event.
    """

    says: str
    hazard: Callable[[Days], Values] = constant
    horizon_days: int = 14
    history_days: int = 150
    has_versions: bool = False
    campaign: tuple[int, int] | None = None
    closed: tuple[int, ...] = ()
    seed: int = 5
    is_steady: bool = field(default=False)


WORLDS = {
    "steady": ShiftingWorld("nothing changes", is_steady=True),
    "step_up": ShiftingWorld("users leave twice as fast from a week before the test on", step(2.0, day=-7)),
    "step_down": ShiftingWorld("users leave half as fast from a week before the test on", step(0.5, day=-7)),
    "doubling": ShiftingWorld(
        "twice as fast within ten weeks before the test", growth(2.0, days_each=70, since=-70, until=0)
    ),
    "trend": ShiftingWorld("faster by a quarter every four weeks, all along", growth(1.25, days_each=28)),
    "versions": ShiftingWorld(
        "four products, each with a new version every few weeks", has_versions=True, is_steady=True
    ),
    "young": ShiftingWorld("16 days of log before the test", horizon_days=7, history_days=16, is_steady=True),
    "one_snapshot": ShiftingWorld("history for one training snapshot", history_days=28, is_steady=True),
    "three_days": ShiftingWorld(
        "a horizon of three days, with fewer visits at weekends", horizon_days=3, is_steady=True
    ),
    "campaign": ShiftingWorld(
        "many users of one channel arrive within three weeks, and leave soon", campaign=(-40, -19)
    ),
    "holidays": ShiftingWorld(
        "a shop that is closed on holidays", closed=(-131, -96, -95, -94, -60, -59, -30), is_steady=True
    ),
}


@dataclass(frozen=True)
class Simulated:
    """A world as it was simulated.

    Attributes
    ----------
    first
        Day of the first column of ``active``, from the test cutoff.
    active
        Whether a user was active on a day, shape (users, days).
    """

    first: int
    active: NDArray[np.bool_]
    users: list[str]

    def churned(self, users: list[str], *, cutoff: int, horizon_days: int) -> NDArray[np.bool_]:
        """Whether each user has no active day in the horizon from a cutoff on, in days from the test cutoff."""
        place = {user: row for row, user in enumerate(self.users)}
        rows = np.array([place[user] for user in users])
        start = cutoff - self.first
        return ~np.any(self.active[rows, start : start + horizon_days], axis=1)


def simulate(world: ShiftingWorld, folder: Path, *, people: int) -> Simulated:
    """Write the log and the ``churn.toml`` of a world into a folder: up to the last label of four weeks after the test."""
    random = np.random.default_rng(world.seed)
    days = np.arange(-world.history_days - BEFORE, max(WEEKS_AFTER) * 7 + world.horizon_days)
    population = _Population.of(world, random, days=days, people=people)
    shown = days[days >= -world.history_days]
    active = population.activity(world, random, days=shown)
    users = [f"u{number:07d}" for number in range(people)]
    folder.mkdir(parents=True)
    log = _log(world, random, active=active, channel=population.channel)
    pq.write_table(log.set_column(0, "user_id", pa.array(users).take(log["user_id"])), folder / "events.parquet")
    (folder / "churn.toml").write_text(_config(world))
    return Simulated(int(shown[0]), active, users)


@dataclass(frozen=True)
class _Population:
    """Each of shape (people,): day of arrival, channel, the day on which a user begins to fade, and visits per day before it."""

    arrival: Days
    channel: Days
    fading: Days
    rate: Values

    @classmethod
    def of(cls, world: ShiftingWorld, random: np.random.Generator, *, days: Days, people: int) -> _Population:
        """Sample who comes when, and how long they stay: until the cumulative hazard since the arrival passes a random threshold."""
        arrival = random.integers(days[0], days[-1], people)
        channel = random.choice(len(CHANNELS), people, p=[0.4, 0.3, 0.2, 0.1])
        hazard = _HAZARD * random.gamma(2.0, 0.5, people)
        if world.campaign:
            brought = slice(people - people // 5, None)
            arrival[brought] = random.integers(*world.campaign, people // 5)
            channel[brought], hazard[brought] = 1, 4 * hazard[brought]
        cumulative = np.concatenate([[0.0], np.cumsum(world.hazard(days))])
        threshold = random.exponential(1.0, people) / (hazard * _HAZARD_OF[channel])
        fading = days[0] + np.searchsorted(cumulative, threshold + cumulative[arrival - days[0]])
        return cls(arrival, channel, fading, random.gamma(0.9, 0.45, people) + 0.02)

    def activity(self, world: ShiftingWorld, random: np.random.Generator, *, days: Days) -> NDArray[np.bool_]:
        """Whether each user is active on each day, shape (people, days): always on the day of the arrival."""
        found = np.zeros((len(self.arrival), len(days)), dtype=np.bool_)
        for place, day in enumerate(days.tolist()):
            if day in world.closed:
                continue
            share = np.where(day < self.fading, 1.0, np.where(day < self.fading + FADING_DAYS, 0.35, 0.0))
            weekend = 0.7 if (TEST + timedelta(days=day)).weekday() in _WEEKEND else 1.0
            visits = random.random(len(share)) < -np.expm1(-self.rate * share * weekend)
            found[:, place] = visits & (day >= self.arrival) | (day == self.arrival)
        return found


def _log(world: ShiftingWorld, random: np.random.Generator, *, active: NDArray[np.bool_], channel: Days) -> pa.Table:
    """One to a few events for each active day, in order of time; users are numbers."""
    users, places = np.nonzero(active)
    repeats = 1 + random.poisson(0.7, len(users))
    users, days = np.repeat(users, repeats), np.repeat(places, repeats) - world.history_days
    seconds = random.integers(7 * 3600, 23 * 3600, len(users)).astype("timedelta64[s]")
    device = random.choice(["ios", "android", "web"], len(active))
    columns: dict[str, NDArray[Any]] = {
        "user_id": users,
        "event_time": (np.datetime64(TEST, "us") + days.astype("timedelta64[D]") + seconds),
        "event_type": np.where(random.random(len(users)) < _PURCHASES, "purchase", "visit"),
        "device_os": device[users],
        "channel": np.array(CHANNELS)[channel[users]],
    }
    if world.has_versions:
        lag = random.integers(0, 20, len(active))[users]  # days until a user installs a release
        release = (days + 600 - lag) // _RELEASE_EVERY_DAYS[channel[users]]
        columns["app_version"] = np.char.add(np.char.add(columns["channel"], "-"), release.astype(str))
    return pa.table({name: pa.array(values) for name, values in columns.items()}).sort_by("event_time")


def _config(world: ShiftingWorld) -> str:
    version = 'app_version = "app_version"\n' if world.has_versions else ""
    return f"""# {world.says}
[events]
path = "events.parquet"

[events.columns]
user_id = "user_id"
event_time = "event_time"
event_type = "event_type"
device_os = "device_os"
channel = "channel"
{version}
[churn]
horizon_days = {world.horizon_days}
active_within_days = {world.horizon_days}

[training]
test_cutoff = {TEST}
"""
