"""Worlds for the report: a shop of 12 channels, 40 phones and 10 versions over 26 weeks, into which one thing may be planted.

Channels, phones, versions and tenures differ in how far their users go and how long they stay, and always in the same way
(``has_differences``), or not at all. A user has at most one session a day: view, cart, pay, purchase.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from scipy.stats import norm

from insights.engine.tables import Costs, Spend

STEPS = ("view", "cart", "pay", "purchase")
FIRST, WEEKS = date(2026, 1, 5), 26  # a Monday
DAYS, CHANNELS, PHONES, VERSIONS = 7 * WEEKS, 12, 40, 10
RATES = (0.55, 0.6, 0.7)  # of going on
PLANTED_CHANNEL, PLANTED_PHONE, FADING_PHONE = 3, 0, 10
_SHARE_OF_FIRST_PHONE, _SHARE_OF_FIRST_CHANNEL = 0.25, 0.12
BROKEN_WEEK, CHANNEL_WEEKS, CORE_DAYS, CORE_RATE = 20, (14, 20), 14, 0.7
FADING_WEEKS, FADING, GONE_DAYS = 8, 0.75, 14
COST, CHEAP_COST = 2.0, 1.0  # of a new user

Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class ReportWorld:
    """A world before chance.

    Attributes
    ----------
    users
        Who ever come.
    has_differences
        Whether groups differ.
    planted
        ``""``, ``"version"``: from a week on, sessions of the newest version on one phone convert 4 points less often;
        ``"channel"``: new users of some weeks of one channel stay less often, by 6 points on day 30; ``"core"``: in the last two weeks
        15 % of the users who come nearly daily come much less often; ``"fading"``: in the last eight weeks the users of one phone, 3 %
        of all, come less and less often; ``"cheap"``: new users of one channel stay longer than others, and cost half as much.
    """

    users: int = 6_000
    has_differences: bool = True
    planted: str = ""


@dataclass(frozen=True)
class Sessions:
    """The sessions of a world, a row each.

    Attributes
    ----------
    reached
        How many steps beyond the first.
    """

    user: Ints
    day: Ints
    reached: Ints
    version: Ints
    channel: Ints
    phone: Ints


@dataclass(frozen=True)
class People:
    """Users: their first day, which may be before the log, and what they have."""

    first: Ints
    channel: Ints
    phone: Ints
    rate: NDArray[np.float64]
    life: NDArray[np.float64]


def simulate(world: ReportWorld, *, seed: int) -> tuple[People, Sessions]:
    """Return the users and sessions of a world."""
    chance = np.random.default_rng(seed)
    people = _people(world, chance)
    user, day = np.nonzero(_active(world, people, chance=chance))
    is_newest = chance.random(len(day)) * 1.5 - 0.5  # versions overlap while they spread
    version = np.clip(np.floor(day / DAYS * VERSIONS + is_newest), 0, VERSIONS - 1).astype(np.int64)
    sessions = Sessions(user, day, np.zeros(len(day), np.int64), version, people.channel[user], people.phone[user])
    return people, _with_steps(world, sessions, people=people, chance=chance)


def _people(world: ReportWorld, chance: np.random.Generator) -> People:
    first = chance.integers(-60, DAYS, world.users)
    channel = chance.integers(0, CHANNELS, world.users)
    channel[chance.random(world.users) < _SHARE_OF_FIRST_CHANNEL] = PLANTED_CHANNEL
    phone = np.floor(PHONES * chance.beta(1, 3, world.users)).astype(np.int64)
    phone[chance.random(world.users) < _SHARE_OF_FIRST_PHONE] = PLANTED_PHONE
    regular = chance.random(world.users) < 0.15
    rate = np.where(regular, chance.beta(12, 2, world.users), chance.beta(1, 6, world.users))
    of_channel = chance.normal(0, 0.15, CHANNELS) * world.has_differences
    life = chance.exponential(60, world.users) * np.exp(of_channel[channel]) + 1
    if world.planted == "channel":
        start, stop = (7 * week for week in CHANNEL_WEEKS)
        is_hit = (channel == PLANTED_CHANNEL) & (first >= start) & (first < stop)
        life[is_hit] *= 0.5  # on day 30, of 60 % who are alive 36 % remain, of whom a quarter are active: 6 points
    if world.planted == "cheap":
        life[channel == PLANTED_CHANNEL] *= 2
    return People(first, channel, phone, rate, life)


def _active(world: ReportWorld, people: People, *, chance: np.random.Generator) -> Bools:
    day = np.arange(DAYS)
    rate = np.broadcast_to(people.rate[:, None], (world.users, DAYS)).copy()
    if world.planted == "core":
        is_hit = (people.rate > CORE_RATE) & (chance.random(world.users) < 0.15)
        rate[is_hit, -CORE_DAYS:] *= 0.3
    if world.planted == "fading":
        rate[people.phone == FADING_PHONE] *= FADING ** np.clip((day - DAYS) // 7 + FADING_WEEKS + 1, 0, None)
    is_alive = (day >= people.first[:, None]) & (day < (people.first + people.life)[:, None])
    return is_alive & ((chance.random((world.users, DAYS)) < rate) | (day == people.first[:, None]))


def _with_steps(world: ReportWorld, sessions: Sessions, *, people: People, chance: np.random.Generator) -> Sessions:
    size, differs = len(sessions.day), float(world.has_differences)
    more = (
        chance.normal(0, 0.08, CHANNELS)[sessions.channel] + chance.normal(0, 0.05, PHONES)[sessions.phone]
    ) * differs
    more = more + 0.05 * differs * (sessions.day - people.first[sessions.user] >= 28)
    reached, goes_on = np.zeros(size, np.int64), np.ones(size, np.bool_)
    broken = is_broken(sessions) if world.planted == "version" else np.zeros(size, np.bool_)
    for step, rate in enumerate(RATES):
        chances = np.clip(rate + more, 0.05, 0.95)
        if step == len(RATES) - 1:  # 4 points of all sessions, at the last step
            chances = chances - broken * 0.04 / np.prod(RATES[:-1])
        goes_on &= chance.random(size) < chances
        reached += goes_on
    return Sessions(sessions.user, sessions.day, reached, sessions.version, sessions.channel, sessions.phone)


def is_broken(sessions: Sessions) -> Bools:
    """Tell which sessions the planted version breaks."""
    return (sessions.phone == PLANTED_PHONE) & (sessions.day >= 7 * BROKEN_WEEK)


def write(sessions: Sessions, path: Path) -> Path:
    """Write the events of the sessions as a log."""
    rows = np.repeat(np.arange(len(sessions.day)), sessions.reached + 1)
    starts = np.cumsum(sessions.reached + 1) - sessions.reached - 1
    step = np.arange(len(rows)) - np.repeat(starts, sessions.reached + 1)
    midnight = np.datetime64(FIRST, "us") + np.timedelta64(12, "h")
    table = {
        "user_id": pa.array(np.char.add("u", sessions.user[rows].astype(str))),
        "event_time": pa.array(
            midnight + sessions.day[rows] * np.timedelta64(1, "D") + step * np.timedelta64(1, "m"),
            pa.timestamp("us", "UTC"),
        ),
        "event_type": pa.array(np.array(STEPS)[step]),
        "channel": _named("channel", sessions.channel[rows]),
        "device_model": _named("phone", sessions.phone[rows]),
        "app_version": _named("1.", sessions.version[rows]),
    }
    pq.write_table(pa.table(table), path)
    return path


def _named(prefix: str, values: Ints) -> pa.Array[pa.StringScalar]:
    return pa.array(np.char.add(prefix, values.astype(str)), pa.string())


def oracle(world: ReportWorld, people: People, *, sessions: Sessions) -> float:
    """Return the one-sided p-value of who knows what may be planted, where and when: that share against the same group at other times."""
    if world.planted == "version":
        of_phone = sessions.phone == PLANTED_PHONE
        inside = is_broken(sessions)
        bought = sessions.reached == len(STEPS) - 1
        return _fall(
            (bought & inside).sum(),
            inside.sum(),
            others=((bought & of_phone & ~inside).sum(), (of_phone & ~inside).sum()),
        )
    if world.planted == "core":
        return _less_often(people, sessions)
    if world.planted == "fading":
        return _gone_more_often(people, sessions)
    start, stop = (7 * week for week in CHANNEL_WEEKS)
    is_new = (people.channel == PLANTED_CHANNEL) & (people.first >= 28) & (people.first + 35 <= DAYS)
    inside = (people.first >= start) & (people.first < stop)
    if world.planted == "cheap":
        came = _came_on(people, sessions, days=range(30, 31))
        is_new, inside = (people.first >= 28) & (people.first + 30 < DAYS), people.channel == PLANTED_CHANNEL
        return _fall(
            (is_new & ~inside & came).sum(),
            (is_new & ~inside).sum(),
            others=((is_new & inside & came).sum(), (is_new & inside).sum()),
        )
    came = _came_on(people, sessions, days=range(28, 35))
    return _fall(
        (is_new & inside & came).sum(),
        (is_new & inside).sum(),
        others=((is_new & ~inside & came).sum(), (is_new & ~inside).sum()),
    )


def _less_often(people: People, sessions: Sessions) -> float:
    """Return the p-value of the last two weeks of those who come nearly daily and came the week before, against earlier weeks."""
    active = np.zeros((len(people.first), DAYS), np.int64)
    active[sessions.user, sessions.day] = 1
    active = active[people.rate > CORE_RATE]
    starts = range(DAYS - CORE_DAYS, CORE_DAYS, -CORE_DAYS)
    last, *earlier = (active[active[:, one - 7 : one].any(axis=1), one : one + CORE_DAYS].sum(axis=1) for one in starts)
    before = np.concatenate(earlier)
    error = np.sqrt(before.var() * (1 / len(last) + 1 / len(before)))
    return float(norm.cdf((last.mean() - before.mean()) / error))


def _gone_more_often(people: People, sessions: Sessions) -> float:
    """Return the p-value of how many users of the phone are gone, against all others who were ever here."""
    last = np.full(len(people.first), -1)
    np.maximum.at(last, sessions.user, sessions.day)
    is_here, of_phone, stayed = last >= 0, people.phone == FADING_PHONE, DAYS - last <= GONE_DAYS
    return _fall(
        (is_here & of_phone & stayed).sum(),
        (is_here & of_phone).sum(),
        others=((is_here & ~of_phone & stayed).sum(), (is_here & ~of_phone).sum()),
    )


def _came_on(people: People, sessions: Sessions, *, days: range) -> Bools:
    """Tell which users were active on some day after their first."""
    since = sessions.day - people.first[sessions.user]
    found = np.zeros(len(people.first), np.bool_)
    found[sessions.user[(since >= days.start) & (since < days.stop)]] = True
    return found


def costs_of(people: People) -> Costs:
    """Return what the new users of each channel cost, month by month."""
    starts = sorted({day_of(day).replace(day=1) for day in range(DAYS)})
    months = np.array([starts.index(day_of(day).replace(day=1)) for day in range(DAYS)])
    is_new = people.first >= 0
    return Costs(
        tuple(
            Spend(f"channel{channel}", start, float(number * (CHEAP_COST if channel == PLANTED_CHANNEL else COST)))
            for channel in range(CHANNELS)
            for start, number in zip(
                starts, np.bincount(months[people.first[is_new & (people.channel == channel)]]), strict=False
            )
        )
    )


def _fall(part: int, whole: int, *, others: Sequence[int]) -> float:
    x, n = others
    pooled = (part + x) / (whole + n)
    error = np.sqrt(pooled * (1 - pooled) * (1 / whole + 1 / n))
    return float(norm.cdf((part / whole - x / n) / error))


def day_of(number: int) -> date:
    """Return the date of a day."""
    return FIRST + timedelta(days=number)
