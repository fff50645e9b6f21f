"""A hidden Markov model of many users at once: simulation, filter and forecast.

Each user has a *kind* that never changes and a *state* today. A day shows a *symbol* whose probability depends on
both; overnight the state may change. A belief is an array of shape (states, kinds, users) that sums to 1 over the first
two axes: the probability of each state and kind given what was seen.

Source: the forward algorithm of Rabiner (1989), "A tutorial on hidden Markov models", Proceedings of the IEEE 77(2),
with a kind that never changes in addition to the state. Customers as such a model: Netzer, Lattin and Srinivasan (2008),
Marketing Science 27(2).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Floats: TypeAlias = npt.NDArray[np.float64]
Ints: TypeAlias = npt.NDArray[np.int64]
Flags: TypeAlias = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Transition:
    """A transition from one state to another.

    Attributes
    ----------
    source, target
        States.
    rate
        Probability per night, in [0, 1]; shape (kinds, users), or (kinds, 1) where it is the same for all users. The
        rates out of one state sum to at most 1; the rest is the probability of staying.
    """

    source: int
    target: int
    rate: Floats


def next_states(state: Ints, kind: Ints, *, transitions: Iterable[Transition], draws: Floats) -> Ints:
    """Simulate one night of every user.

    Parameters
    ----------
    state, kind
        Of each user, shape (users,).
    transitions
        All transitions between states.
    draws
        Uniform in [0, 1), shape (users,).
    """
    users = np.arange(len(state))
    after, used = state.copy(), np.zeros(len(state))
    for transition in transitions:
        rate = np.broadcast_to(transition.rate, (len(transition.rate), len(state)))[kind, users]
        here = state == transition.source
        after[here & (used <= draws) & (draws < used + rate)] = transition.target
        used += np.where(here, rate, 0.0)
    return after


def sample_symbols(cumulative: Floats, row: Ints, *, draws: Floats) -> Ints:
    """Sample one symbol for each user from a row of a table of cumulative probabilities.

    Parameters
    ----------
    cumulative
        Shape (rows, symbols), each row increasing to 1.
    row
        Row of each user, shape (users,).
    draws
        Uniform in [0, 1), shape (users,).
    """
    rows, symbols = cumulative.shape
    ladder = np.minimum(cumulative, 1.0) + np.arange(rows)[:, None]
    ladder[:, -1] = np.arange(1, rows + 1)
    found = np.searchsorted(ladder.ravel(), row + draws, side="right") - row * symbols
    return np.minimum(found, symbols - 1)


def update(belief: Floats, likelihood: Floats) -> Floats:
    """Update a belief by Bayes' rule; ``likelihood`` is the probability of the day's symbol in each state and kind."""
    joint = belief * likelihood
    return joint / joint.sum(axis=(0, 1))


def advance(belief: Floats, transitions: Iterable[Transition]) -> Floats:
    """Advance a belief by one night: each transition moves its share."""
    after = belief.copy()
    for transition in transitions:
        flow = belief[transition.source] * transition.rate
        after[transition.source] -= flow
        after[transition.target] += flow
    return after


def silence_probability(belief: Floats, future: Iterable[tuple[Floats | None, Sequence[Transition]]]) -> Floats:
    """Return the probability that none of the coming days shows activity.

    Parameters
    ----------
    belief
        Belief about the first of the coming days, before it is observed.
    future
        For each coming day the probability of a silent day, shape (states, kinds), or None where the day may show
        anything (the gap); and the transitions of the night after it.

    Returns
    -------
    Floats
        Probability in [0, 1], shape (users,).
    """
    for silent, transitions in future:
        joint = belief if silent is None else belief * silent[:, :, None]
        belief = advance(joint, transitions)
    return belief.sum(axis=(0, 1))
