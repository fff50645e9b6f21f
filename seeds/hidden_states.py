"""The hidden states of the users, simulated day by day."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np

from seeds.behaviour import KINDS, SYMBOLS, State, active_day, any_day, is_holiday, transitions
from seeds.hidden_markov import Flags, Floats, Ints, next_states, sample_symbols
from seeds.population import Population


class HiddenStates:
    """The hidden state of every user, day by day.

    Attributes
    ----------
    state
        Of each user on the coming day (for those yet to arrive: on the day they do), shape (users,).
    """

    def __init__(self, population: Population, start: date) -> None:
        self._population = population
        self._risk = population.risk
        self._start = start
        self.state: Ints = population.state.copy()

    def pass_day(self, day: int, rng: np.random.Generator) -> Ints:
        """Simulate a day, and the night after it, of all users who have arrived.

        Returns
        -------
        Ints
            The symbol of each of them, in the order of arrival; the first day of newcomers is always active.
        """
        n = self._population.arrived(day)
        today = self._start + timedelta(days=day)
        kind, state = self._population.kind[:n], self.state[:n]
        symbols = self._symbols(day, weekday=today.weekday(), draws=rng.random(n))
        night = transitions(self._risk[:n], holiday=is_holiday(today))
        self.state[:n] = next_states(state, kind, transitions=night, draws=rng.random(n))
        return symbols

    def _symbols(self, day: int, *, weekday: int, draws: Floats) -> Ints:
        known = self._population.arrived(day - 1)
        cell = self.state[: len(draws)] * len(KINDS) + self._population.kind[: len(draws)]
        return np.concatenate(
            [
                sample_symbols(_cumulative(any_day(weekday)), cell[:known], draws=draws[:known]),
                sample_symbols(_cumulative(active_day()), cell[known:], draws=draws[known:]),
            ]
        )

    def gone(self) -> Flags:
        """Return who has left for good, shape (users,)."""
        return self.state == State.GONE


def _cumulative(table: Floats) -> Floats:
    return table.reshape(-1, SYMBOLS).cumsum(axis=1)
