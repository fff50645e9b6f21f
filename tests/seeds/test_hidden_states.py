from __future__ import annotations

from dataclasses import replace
from datetime import date

import numpy as np
import pytest

from seeds.behaviour import SILENT, SYMBOLS, State
from seeds.hidden_states import HiddenStates
from seeds.population import Population, populate

START = date(2026, 1, 5)


@pytest.fixture
def population() -> Population:
    return populate(2_000, 30, start=START, rng=np.random.default_rng(7))


def test_a_day_has_one_symbol_for_each_user_who_has_arrived(population: Population) -> None:
    states = HiddenStates(population, START)
    for day in range(3):
        symbols = states.pass_day(day, np.random.default_rng(day))
        assert len(symbols) == population.arrived(day)
        assert 0 <= symbols.min() <= symbols.max() < SYMBOLS


def test_newcomers_are_active_on_their_first_day(population: Population) -> None:
    symbols = HiddenStates(population, START).pass_day(0, np.random.default_rng(1))
    assert (symbols[population.arrival[: len(symbols)] == 0] != SILENT).all()
    assert (symbols[population.arrival[: len(symbols)] < 0] == SILENT).any()


def test_users_who_are_gone_stay_gone_and_silent(population: Population) -> None:
    gone = replace(population, state=np.full(len(population.state), int(State.GONE)), arrival=np.full(2_000, -1))
    states = HiddenStates(gone, START)
    assert (states.pass_day(0, np.random.default_rng(1)) == SILENT).all()
    assert states.gone().all()


def test_users_who_have_not_arrived_keep_their_state(population: Population) -> None:
    states = HiddenStates(population, START)
    states.pass_day(0, np.random.default_rng(1))
    later = population.arrived(0)
    assert (states.state[later:] == population.state[later:]).all()
    assert (states.state[:later] != population.state[:later]).any()


def test_the_population_is_not_changed_by_a_simulation(population: Population) -> None:
    before = population.state.copy()
    HiddenStates(population, START).pass_day(0, np.random.default_rng(1))
    assert (population.state == before).all()
