"""A hidden Markov chain for many users at once: live it, watch it, and ask what it will do.

Every user is of one *kind* for good and in one *state* today. A day shows a *symbol* whose probability depends on
both; overnight the state may move. A belief is an array of shape (states, kinds, users) that sums to 1 over the first
two axes: the probability of each state and kind given what was seen.

Source: the forward algorithm of Rabiner (1989), "A tutorial on hidden Markov models", Proceedings of the IEEE 77(2),
with a kind that never changes beside the state. Customers as such a chain: Netzer, Lattin and Srinivasan (2008),
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
class Move:
    """One way out of a state.

    Attributes
    ----------
    source, target
        States.
    rate
        Probability a night, in [0, 1]; shape (kinds, users), or (kinds, 1) where it is the same for all users. The
        rates out of one state sum to at most 1; the rest is the probability of staying.
    """

    source: int
    target: int
    rate: Floats


def next_states(state: Ints, kind: Ints, *, moves: Iterable[Move], draws: Floats) -> Ints:
    """Let every user live through one night.

    Parameters
    ----------
    state, kind
        Of each user, shape (users,).
    moves
        Every way out of every state.
    draws
        Uniform in [0, 1), shape (users,).
    """
    users = np.arange(len(state))
    after, used = state.copy(), np.zeros(len(state))
    for move in moves:
        rate = np.broadcast_to(move.rate, (len(move.rate), len(state)))[kind, users]
        here = state == move.source
        after[here & (used <= draws) & (draws < used + rate)] = move.target
        used += np.where(here, rate, 0.0)
    return after


def drawn(cumulative: Floats, row: Ints, *, draws: Floats) -> Ints:
    """Draw one symbol for each user from the row of a table of cumulative probabilities.

    Parameters
    ----------
    cumulative
        Shape (rows, symbols), each row rising to 1.
    row
        Which row each user draws from, shape (users,).
    draws
        Uniform in [0, 1), shape (users,).
    """
    rows, symbols = cumulative.shape
    ladder = np.minimum(cumulative, 1.0) + np.arange(rows)[:, None]
    ladder[:, -1] = np.arange(1, rows + 1)
    found = np.searchsorted(ladder.ravel(), row + draws, side="right") - row * symbols
    return np.minimum(found, symbols - 1)


def updated(belief: Floats, likelihood: Floats) -> Floats:
    """Take in what a day showed: Bayes' rule, ``likelihood`` being the probability of it in each state and kind."""
    joint = belief * likelihood
    return joint / joint.sum(axis=(0, 1))


def advanced(belief: Floats, moves: Iterable[Move]) -> Floats:
    """Let a night pass: every move carries its share of belief along."""
    after = belief.copy()
    for move in moves:
        flow = belief[move.source] * move.rate
        after[move.source] -= flow
        after[move.target] += flow
    return after


def staying_silent(belief: Floats, future: Iterable[tuple[Floats | None, Sequence[Move]]]) -> Floats:
    """Say how probable it is that none of the coming days shows a thing.

    Parameters
    ----------
    belief
        About the first of the coming days, before it is seen.
    future
        For each coming day the probability of a silent day, shape (states, kinds), or None where the day may show
        anything (the gap); and the moves of the night after it.

    Returns
    -------
    Floats
        Probability in [0, 1], shape (users,).
    """
    for silent, moves in future:
        joint = belief if silent is None else belief * silent[:, :, None]
        belief = advanced(joint, moves)
    return belief.sum(axis=(0, 1))
