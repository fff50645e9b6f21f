"""Users living on, day by day: the hidden side of the world."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np

from seeds.behaviour import KINDS, SYMBOLS, State, active_day, any_day, is_holiday, moves
from seeds.hidden_markov import Flags, Floats, Ints, drawn, next_states
from seeds.population import Population


class Lives:
    """Everybody's hidden state, and its way through the days.

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

    def live(self, day: int, rng: np.random.Generator) -> Ints:
        """Let everyone who has arrived live a day and the night after it.

        Returns
        -------
        Ints
            The symbol each of them showed, in the order of arrival; the first day of newcomers is always active.
        """
        n = self._population.arrived(day)
        today = self._start + timedelta(days=day)
        kind, state = self._population.kind[:n], self.state[:n]
        symbols = self._show(day, weekday=today.weekday(), draws=rng.random(n))
        night = moves(self._risk[:n], holiday=is_holiday(today))
        self.state[:n] = next_states(state, kind, moves=night, draws=rng.random(n))
        return symbols

    def _show(self, day: int, *, weekday: int, draws: Floats) -> Ints:
        known = self._population.arrived(day - 1)
        cell = self.state[: len(draws)] * len(KINDS) + self._population.kind[: len(draws)]
        return np.concatenate(
            [
                drawn(_cumulative(any_day(weekday)), cell[:known], draws=draws[:known]),
                drawn(_cumulative(active_day()), cell[known:], draws=draws[known:]),
            ]
        )

    def gone(self) -> Flags:
        """Who has left for good, shape (users,)."""
        return self.state == State.GONE


def _cumulative(table: Floats) -> Floats:
    return table.reshape(-1, SYMBOLS).cumsum(axis=1)
