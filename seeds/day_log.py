"""One day of the log: from the sessions and minutes of each user to single events.

Sessions of a user never overlap, are more than half an hour apart and end before midnight. The time spent on an event
lasts until the next one. What is sampled here (which pages, at what hour, on which network) is unrelated to churn: it
is the noise that a model has to ignore.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import numpy as np
import pyarrow as pa

from seeds.behaviour import PACE_EDGES, shown
from seeds.hidden_markov import Flags, Floats, Ints
from seeds.population import CHANNELS, MODELS, SYSTEMS, Population

SCHEMA = pa.schema(
    [
        ("user_id", pa.string()),
        ("event_time", pa.timestamp("us", tz="UTC")),
        ("event_type", pa.string()),
        ("session_id", pa.string()),
        ("duration_seconds", pa.float64()),
        ("device_os", pa.string()),
        ("device_model", pa.string()),
        ("app_version", pa.string()),
        ("network", pa.string()),
        ("channel", pa.string()),
        ("amount", pa.float64()),
    ]
)
BROWSING = {"view": 0.62, "search": 0.18, "favourite": 0.07, "share": 0.06, "add_to_cart": 0.07}
EVENT_TYPES = ("app_open", "push_open", "install", *BROWSING, "purchase", "refund")
APP_OPEN, PUSH_OPEN, INSTALL = 0, 1, 2
FIRST_BROWSING = 3
ADD_TO_CART, PURCHASE, REFUND = 7, 8, 9  # in this order at the end of a session with a purchase
FURTHER_EVENTS = 3.2  # mean number of events of a session without its opening and its purchase
REFUND_SHARE = 0.05  # of the purchases
NETWORKS = ("wifi", "5g", "4g", "3g")
MOBILE_SHARES = (0.0, 0.5, 0.42, 0.08)  # of the networks, away from wifi
RELEASE_DAYS = 14  # from one app version to the next
OLD_RELEASES = 6  # releases between the oldest version in use on the first day and the newest

DAY_SECONDS = 86_400.0
APART_SECONDS = 1_860.0  # minimum between two sessions
MICRO = 1e6


@dataclass(frozen=True)
class ActiveDay:
    """The active users of a day, and the symbols they show.

    Attributes
    ----------
    index, date
        Number of the day, 0 being the first day of the log, and its date.
    users
        Positions of the active users in the population, increasing.
    symbols
        Symbol of each, from `seeds.behaviour.symbol`; never silent.
    """

    index: int
    date: date
    users: Ints
    symbols: Ints


@dataclass(frozen=True)
class Sessions:
    """The sessions of one day in order of user and time, one entry each in every array.

    Attributes
    ----------
    visitor
        Position of the user in the `ActiveDay`.
    number
        0 for a user's first session of the day, 1 for the next.
    purchase_events
        Number of last events that are a cart, a purchase and a refund: 0, 2 or 3.
    events
        Number of events.
    """

    visitor: Ints
    number: Ints
    purchase_events: Ints
    events: Ints


def log_of(active: ActiveDay, population: Population, *, rng: np.random.Generator) -> pa.Table:
    """Return the log of a day, sorted by time and user.

    Returns
    -------
    pa.Table
        Columns of `SCHEMA`, text as dictionaries.
    """
    sessions = _sessions(active, rng)
    session, rank = _counted(sessions.events)
    visitor = sessions.visitor[session]
    seconds = _seconds(active, visitor, rng=rng)
    lengths = np.bincount(session, seconds).astype(np.float64)
    starts = _starts(sessions, lengths, hour=population.hour[active.users], rng=rng)
    micros = _micros(active.date, starts[session] + _elapsed(seconds, sessions.events))
    types = _types(sessions, active, population=population, rng=rng)
    order = np.lexsort((rank, visitor, micros))
    columns = {
        "user_id": _text(population.ids.take(active.users), visitor),
        "event_time": pa.array(micros, pa.timestamp("us", tz="UTC")),
        "event_type": _text(EVENT_TYPES, types),
        "session_id": _text(_session_ids(sessions, active, ids=population.ids), session),
        "duration_seconds": pa.array(seconds),
        **{name: column.take(visitor) for name, column in _about_users(active, population).items()},
        "network": _text(NETWORKS, _networks(population.wifi[active.users][sessions.visitor], rng)[session]),
        "amount": _amounts(types, population.basket[active.users][visitor], rng=rng),
    }
    return pa.table({name: columns[name] for name in SCHEMA.names}).take(order)


def _sessions(active: ActiveDay, rng: np.random.Generator) -> Sessions:
    """Sample the number of sessions and events, and the session with the purchase."""
    counts, _, bought = shown(active.symbols)
    visitor, number = _counted(counts)
    chosen = (rng.random(len(counts)) * counts).astype(np.int64)
    purchase_events = np.where((bought == 1)[visitor] & (number == chosen[visitor]), 2, 0)
    purchase_events += (purchase_events > 0) & (rng.random(len(purchase_events)) < REFUND_SHARE)
    events = 1 + rng.poisson(FURTHER_EVENTS, len(purchase_events)) + purchase_events
    return Sessions(visitor, number, purchase_events, events)


def _seconds(active: ActiveDay, visitor: Ints, *, rng: np.random.Generator) -> Floats:
    """Distribute each user's time of the day over the events, in whole milliseconds.

    The mean length of a session stays well inside its bin, so that the log shows exactly what the symbol means.
    """
    counts, pace, _ = shown(active.symbols)
    within = rng.uniform(0.02, 0.98, len(counts))
    total = counts * PACE_EDGES[pace] * (PACE_EDGES[pace + 1] / PACE_EDGES[pace]) ** within
    weight = rng.exponential(1.0, len(visitor)) + 0.05
    return np.round((total / np.bincount(visitor, weight))[visitor] * weight, 3)


def _starts(sessions: Sessions, lengths: Floats, *, hour: Floats, rng: np.random.Generator) -> Floats:
    """Start of each session in seconds of the day: around the user's usual hour, one after the other."""
    sampled = np.mod(rng.normal(hour[sessions.visitor], 0.13), 1.0)
    share = sampled[np.lexsort((sampled, sessions.visitor))]
    taken = lengths + APART_SECONDS
    room = DAY_SECONDS - np.bincount(sessions.visitor, taken)[sessions.visitor]
    counts = np.bincount(sessions.visitor)
    return share * room + _elapsed(taken, counts)


def _types(sessions: Sessions, active: ActiveDay, *, population: Population, rng: np.random.Generator) -> Ints:
    """Type of each event: an opening, then browsing, then perhaps a purchase."""
    session, rank = _counted(sessions.events)
    types = FIRST_BROWSING + rng.choice(len(BROWSING), len(session), p=list(BROWSING.values()))
    purchase_from = (sessions.events - sessions.purchase_events)[session]
    types = np.where(rank >= purchase_from, ADD_TO_CART + rank - purchase_from, types)
    pushed = rng.random(len(sessions.visitor)) < population.pushes[active.users][sessions.visitor]
    new = (population.arrival[active.users] == active.index)[sessions.visitor] & (sessions.number == 0)
    opening = np.where(new, INSTALL, np.where(pushed, PUSH_OPEN, APP_OPEN))
    return np.where(rank == 0, opening[session], types)


def _networks(wifi: Floats, rng: np.random.Generator) -> Ints:
    mobile = rng.choice(len(NETWORKS), len(wifi), p=MOBILE_SHARES)
    return np.where(rng.random(len(wifi)) < wifi, 0, mobile)


def _amounts(types: Ints, basket: Floats, *, rng: np.random.Generator) -> pa.Array[Any]:
    """Price of a purchase, to the cent; a refund returns the full amount of the purchase before it."""
    bought, refunded = types == PURCHASE, types == REFUND
    amount = np.zeros(len(types))
    amount[bought] = np.round(np.exp(rng.normal(basket[bought], 0.5)), 2)
    amount[refunded] = -amount[np.flatnonzero(refunded) - 1]
    return pa.array(amount, mask=~(bought | refunded))


def _about_users(active: ActiveDay, population: Population) -> dict[str, pa.Array[Any]]:
    """Columns of the day that depend on the user only, one entry for each active user."""
    users = active.users
    changed: Flags = population.model_change[users] <= active.index
    return {
        "device_os": _text(tuple(SYSTEMS), population.system[users]),
        "device_model": _text(tuple(MODELS), np.where(changed, population.next_model[users], population.model[users])),
        "app_version": _versions(active, population),
        "channel": _text(tuple(CHANNELS), population.channel[users]),
    }


def _versions(active: ActiveDay, population: Population) -> pa.Array[Any]:
    """The release each user has: the newest on the first visit, later ones with the delay of the user."""
    installed = np.floor(population.arrival[active.users] / RELEASE_DAYS)
    adopted = np.floor((active.index - population.update_lag[active.users]) / RELEASE_DAYS)
    release = (np.maximum(adopted, np.maximum(installed, -OLD_RELEASES)) + OLD_RELEASES).astype(np.int64)
    return _text([f"4.{number}.0" for number in range(release.max() + 1)], release)


def _session_ids(sessions: Sessions, active: ActiveDay, *, ids: pa.StringArray) -> pa.Array[Any]:
    names = ids.take(active.users[sessions.visitor]).to_pylist()
    return pa.array(
        [f"{name}-{active.date:%Y%m%d}-{number}" for name, number in zip(names, sessions.number.tolist(), strict=True)]
    )


def _micros(day: date, seconds: Floats) -> Ints:
    """Microseconds since 1970 of an instant of the day."""
    midnight = datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()
    return np.int64(midnight * MICRO) + np.round(seconds * MICRO).astype(np.int64)


def _counted(counts: Ints) -> tuple[Ints, Ints]:
    """Unroll counts: the entry of each item, and its number there; [2, 1] gives [0, 0, 1] and [0, 1, 0]."""
    entry = np.repeat(np.arange(len(counts)), counts)
    return entry, np.arange(len(entry)) - (np.cumsum(counts) - counts)[entry]


def _elapsed(parts: Floats, counts: Ints) -> Floats:
    """Sum the items before each item of the same entry."""
    before = np.cumsum(parts) - parts
    return before - np.repeat(before[np.cumsum(counts) - counts], counts)


def _text(names: Sequence[str] | pa.Array[Any], codes: Ints) -> pa.Array[Any]:
    return pa.DictionaryArray.from_arrays(pa.array(codes, pa.int32()), pa.array(names, pa.string()))
