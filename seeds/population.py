"""The users: when they arrive, through which channel, on which device, and with which habits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import pyarrow as pa

from seeds.behaviour import KIND_SHARES, KINDS, State, is_holiday, transitions
from seeds.hidden_markov import Floats, Ints, advance, sample_symbols

# name: (share of the users, factor on the hazards of leaving)
CHANNELS = {
    "organic": (0.28, 0.8),
    "app_store": (0.20, 0.9),
    "referral": (0.12, 0.6),
    "search_ads": (0.16, 1.1),
    "social_ads": (0.16, 1.6),
    "affiliate": (0.08, 2.0),
}
SYSTEMS = {"android": (0.56, 1.15), "ios": (0.44, 0.85)}
# name: (system, share within the system)
MODELS = {
    "Galaxy A15": ("android", 0.26),
    "Galaxy S24": ("android", 0.18),
    "Moto G54": ("android", 0.12),
    "Pixel 8": ("android", 0.10),
    "Redmi Note 13": ("android", 0.34),
    "iPhone 12": ("ios", 0.18),
    "iPhone 13": ("ios", 0.30),
    "iPhone 15": ("ios", 0.34),
    "iPhone SE": ("ios", 0.18),
}
GROUPS = len(CHANNELS) * len(SYSTEMS)

OLD_SHARE = 0.4  # of the users, who were there before the first day
SETTLING_DAYS = 150  # how long before it they began, which decides their mix of kinds and states
MODEL_DAYS = 400.0  # mean number of days until a user changes phones
LAG_DAYS = 8.0  # mean number of days until a release is adopted ...
NEVER_UPDATES = 0.04  # ... but by this share of users, who never do


@dataclass(frozen=True)
class Population:
    """Users in order of arrival, one entry each in every array.

    Attributes
    ----------
    ids
        Names in the log.
    arrival
        Day of the first visit, 0 being the first day of the log; -1 for those who were there before.
    channel, system
        Positions in ``CHANNELS`` and ``SYSTEMS``; every event shows them.
    kind, state
        Hidden: position in ``KINDS``, and the state on the first simulated day.
    model, next_model, model_change
        Positions in ``MODELS``, and the day on which the second replaces the first.
    update_lag
        Days until this user adopts a release.
    hour, basket, wifi, pushes
        Habits that are unrelated to churn: usual time of a visit as a share of the day, mean logarithm of the amount
        of a purchase, share of visits on wifi, share of visits that begin with a push message.
    """

    ids: pa.StringArray
    arrival: Ints
    channel: Ints
    system: Ints
    kind: Ints
    state: Ints
    model: Ints
    next_model: Ints
    model_change: Floats
    update_lag: Floats
    hour: Floats
    basket: Floats
    wifi: Floats
    pushes: Floats

    @property
    def risk(self) -> Floats:
        """Each user's factor on the hazards of leaving, shape (users,)."""
        return group_risks()[_group(self.channel, self.system)]

    @property
    def origin(self) -> Ints:
        """Row of `priors` of each user, shape (users,)."""
        return np.where(self.arrival < 0, _group(self.channel, self.system), GROUPS)

    def arrived(self, day: int) -> int:
        """How many users arrived on this day or before; they come first."""
        return int(np.searchsorted(self.arrival, day, side="right"))


def populate(users: int, days: int, *, start: date, rng: np.random.Generator) -> Population:
    """Sample the users of a world that begins on ``start`` and lasts ``days``."""
    old = round(OLD_SHARE * users)
    arrival = np.concatenate([np.full(old, -1), np.sort(rng.integers(0, days, users - old))])
    channel, system = _picked(CHANNELS, users, rng=rng), _picked(SYSTEMS, users, rng=rng)
    origin = np.where(arrival < 0, _group(channel, system), GROUPS)
    state, kind = np.divmod(sample_symbols(priors(start).cumsum(axis=1), origin, draws=rng.random(users)), len(KINDS))
    return Population(
        ids=_names(users),
        arrival=arrival,
        channel=channel,
        system=system,
        kind=kind,
        state=state,
        model=_models(system, rng),
        next_model=_models(system, rng),
        model_change=rng.exponential(MODEL_DAYS, users),
        update_lag=np.where(rng.random(users) < NEVER_UPDATES, np.inf, rng.exponential(LAG_DAYS, users)),
        hour=rng.choice([0.35, 0.52, 0.72, 0.86], users, p=[0.2, 0.2, 0.35, 0.25]),
        basket=rng.normal(3.0, 0.5, users),
        wifi=rng.beta(3.0, 2.0, users),
        pushes=rng.beta(1.2, 8.0, users),
    )


def priors(start: date) -> Floats:
    """Return the belief about a user before the first simulated day.

    Returns
    -------
    Floats
        Probability of each state and kind, shape (GROUPS + 1, states * kinds). One row for each channel and system of
        users who were there before ``start``: they installed the app long ago and have not left. The last row is
        for newcomers.
    """
    newcomer = np.zeros((len(State), len(KINDS), 1))
    newcomer[State.TRYING, :, 0] = KIND_SHARES
    settled = np.repeat(newcomer, GROUPS, axis=2)
    for ago in range(SETTLING_DAYS, 0, -1):
        settled = advance(settled, transitions(group_risks(), holiday=is_holiday(start - timedelta(days=ago))))
    settled[State.GONE] = 0.0
    table = np.concatenate([settled / settled.sum(axis=(0, 1)), newcomer], axis=2)
    return table.reshape(len(State) * len(KINDS), GROUPS + 1).T


def group_risks() -> Floats:
    """Factor on the hazards of leaving of every channel and system, shape (GROUPS,)."""
    return np.outer([risk for _, risk in CHANNELS.values()], [risk for _, risk in SYSTEMS.values()]).ravel()


def _group(channel: Ints, system: Ints) -> Ints:
    return channel * len(SYSTEMS) + system


def _picked(shares: Mapping[str, tuple[float, float]], users: int, *, rng: np.random.Generator) -> Ints:
    return rng.choice(len(shares), users, p=[share for share, _ in shares.values()])


def _models(system: Ints, rng: np.random.Generator) -> Ints:
    """Sample a phone for each user, of the system of the user."""
    table = np.array([[share * (of == name) for of, share in MODELS.values()] for name in SYSTEMS])
    return sample_symbols(table.cumsum(axis=1), system, draws=rng.random(len(system)))


def _names(users: int) -> pa.StringArray:
    width = max(6, len(str(users - 1)))
    return pa.array([f"u{number:0{width}d}" for number in range(users)], pa.string())
