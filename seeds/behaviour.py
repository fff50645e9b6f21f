"""How users behave: their states, the transitions between states, and a day in each state; with all parameters.

::

              quiet --------+
                ^           |
                v           v
    trying -> engaged ---> gone        at night a user moves along one arrow
       |        ^           ^          or stays in the state
       |        v           |
       |      fading -------+
       +--------------------+

The kind of a user never changes: a persona (what they come for) at a level of keenness (how often). The log does not
hold the kind, but it shows what follows from it: how many days, which weekdays, how many visits, how long, whether
there are purchases.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import IntEnum
from functools import cache
from itertools import product

import numpy as np

from seeds.hidden_markov import Floats, Ints, Transition


class State(IntEnum):
    """Hidden state of a user."""

    TRYING = 0
    ENGAGED = 1
    FADING = 2
    QUIET = 3
    GONE = 4


@dataclass(frozen=True)
class Persona:
    """What a user comes for.

    Attributes
    ----------
    share
        Of the users who arrive, in [0, 1].
    week
        Activity from Monday to Sunday, relative to the mean of the week.
    visits
        Mean number of further sessions on an active day.
    pace
        Usual length of a session, as a position in ``PACE_EDGES``.
    purchases
        Probability of a purchase on an active day.
    fading, quiet
        Probability per night that an engaged user begins to fade, or to take a break.
    """

    share: float
    week: tuple[float, ...]
    visits: float
    pace: float
    purchases: float
    fading: float
    quiet: float


@dataclass(frozen=True)
class Keenness:
    """How often a user comes.

    Attributes
    ----------
    share
        Of the users who arrive, in [0, 1].
    activity
        Daily probability of a visit while engaged, averaged over a week.
    restlessness
        Factor on the hazards of leaving.
    """

    share: float
    activity: float
    restlessness: float


PERSONAS = {
    "commuter": Persona(0.30, (1.25, 1.25, 1.25, 1.25, 1.15, 0.45, 0.40), 1.6, 1.2, 0.03, 0.011, 0.006),
    "student": Persona(0.25, (1.00, 0.95, 0.95, 1.00, 1.10, 1.05, 0.95), 1.2, 2.8, 0.02, 0.015, 0.019),
    "shopper": Persona(0.25, (0.85, 0.80, 0.85, 0.90, 1.10, 1.30, 1.20), 0.7, 2.2, 0.22, 0.008, 0.007),
    "dabbler": Persona(0.20, (0.90, 0.90, 0.95, 1.00, 1.10, 1.15, 1.00), 0.4, 1.4, 0.01, 0.030, 0.010),
}
KEENNESS = (Keenness(0.45, 0.11, 1.2), Keenness(0.25, 0.33, 1.0), Keenness(0.30, 0.80, 0.7))
KINDS = tuple(product(PERSONAS.values(), KEENNESS))
KIND_SHARES: Floats = np.array([persona.share * keenness.share for persona, keenness in KINDS])

ACTIVITY_OF = {State.TRYING: 0.9, State.ENGAGED: 1.0, State.FADING: 0.4, State.QUIET: 0.03, State.GONE: 0.0}
VISITS_OF = {State.TRYING: 0.8, State.ENGAGED: 1.0, State.FADING: 0.25, State.QUIET: 0.5, State.GONE: 1.0}
PACE_SHIFT_OF = {State.TRYING: -0.2, State.ENGAGED: 0.0, State.FADING: -1.5, State.QUIET: -1.0, State.GONE: 0.0}
PURCHASES_OF = {State.TRYING: 0.5, State.ENGAGED: 1.0, State.FADING: 0.4, State.QUIET: 0.2, State.GONE: 0.0}

MAX_SESSIONS = 8
# Seconds of a session of mean length, as half-open bins. A state changes only the number of sessions, their bin and the
# purchase, so a day shows one of few symbols and beliefs stay exact.
PACE_EDGES: Floats = np.array([45.0, 90.0, 180.0, 360.0, 720.0, 1440.0, 2880.0])
PACES = len(PACE_EDGES) - 1
PACE_SPREAD = 0.9
SILENT = 0
SYMBOLS = 1 + MAX_SESSIONS * PACES * 2

HOLIDAYS = (((4, 1), (4, 12)), ((7, 10), (8, 20)), ((12, 20), (12, 31)))  # first and last (month, day)
HOLIDAY_FACTOR = 3.0  # on the rate of going quiet


def symbol(*, sessions: Ints, pace: Ints, bought: Ints) -> Ints:
    """Number an active day by its sessions (1 to 8), pace (position in ``PACE_EDGES``) and purchase (0 or 1)."""
    return 1 + ((sessions - 1) * PACES + pace) * 2 + bought


def shown(symbols: Ints) -> tuple[Ints, Ints, Ints]:
    """Return sessions, pace and purchase of active days: the inverse of `symbol`."""
    rest, bought = np.divmod(symbols - 1, 2)
    sessions, pace = np.divmod(rest, PACES)
    return sessions + 1, pace, bought


def is_holiday(day: date) -> bool:
    """Return whether many users take a break around this day."""
    return any(first <= (day.month, day.day) <= last for first, last in HOLIDAYS)


def transitions(risk: Floats, *, holiday: bool) -> tuple[Transition, ...]:
    """Return all transitions between states.

    Parameters
    ----------
    risk
        Each user's factor on the hazards of leaving, which depends on channel and device, shape (users,).
    holiday
        Whether many users take a break on this day.
    """
    restless = np.array([keenness.restlessness for _, keenness in KINDS])[:, None]
    fading = np.array([persona.fading for persona, _ in KINDS])[:, None]
    quiet = np.array([persona.quiet for persona, _ in KINDS])[:, None]
    return (
        Transition(State.TRYING, State.ENGAGED, _for_all(0.10)),
        Transition(State.TRYING, State.GONE, 0.03 * restless * risk),
        Transition(State.ENGAGED, State.FADING, fading * restless * risk),
        Transition(State.ENGAGED, State.QUIET, quiet * (HOLIDAY_FACTOR if holiday else 1.0)),
        Transition(State.ENGAGED, State.GONE, 0.0005 * restless * risk),
        Transition(State.FADING, State.ENGAGED, _for_all(0.06)),
        Transition(State.FADING, State.GONE, _for_all(0.07)),
        Transition(State.QUIET, State.ENGAGED, _for_all(0.08)),
        Transition(State.QUIET, State.GONE, 0.004 * restless * risk),
    )


@cache
def active_day() -> Floats:
    """Probability of each symbol on a day with any activity, shape (states, kinds, symbols)."""
    table = np.zeros((len(State), len(KINDS), SYMBOLS))
    for state, (kind, (persona, _)) in product(State, enumerate(KINDS)):
        parts = _sessions(persona.visits * VISITS_OF[state]), _paces(persona.pace + PACE_SHIFT_OF[state])
        purchase = persona.purchases * PURCHASES_OF[state]
        table[state, kind, 1:] = np.einsum("i,j,k->ijk", *parts, np.array([1 - purchase, purchase])).ravel()
    return table


@cache
def any_day(weekday: int) -> Floats:
    """Probability of each symbol on a weekday (0 is Monday), silence included, shape (states, kinds, symbols)."""
    active = activity(weekday)
    table = active[:, :, None] * active_day()
    table[:, :, SILENT] = 1.0 - active
    return table


def activity(weekday: int) -> Floats:
    """Probability of any activity on a weekday (0 is Monday), shape (states, kinds)."""
    of_kind = np.array([keenness.activity * persona.week[weekday] for persona, keenness in KINDS])
    return np.minimum(np.array([ACTIVITY_OF[state] for state in State])[:, None] * of_kind, 0.97)


def _for_all(rate: float) -> Floats:
    return np.full((len(KINDS), 1), rate)


def _sessions(further: float) -> Floats:
    """Probabilities of 1 to 8 sessions: one and a truncated Poisson number."""
    steps = np.concatenate([[1.0], np.cumprod(further / np.arange(1, MAX_SESSIONS))])
    return steps / steps.sum()


def _paces(centre: float) -> Floats:
    """Probabilities of the length bins: a normal density around the centre."""
    bell = np.exp(-0.5 * ((np.arange(PACES) - centre) / PACE_SPREAD) ** 2)
    return bell / bell.sum()
