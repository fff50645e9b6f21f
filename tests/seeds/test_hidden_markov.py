from __future__ import annotations

from itertools import pairwise, product

import numpy as np
import pytest

from seeds.hidden_markov import Floats, Move, advanced, drawn, next_states, staying_silent, updated

STATES, KINDS, SYMBOLS = 3, 2, 3
SILENT = 0


@pytest.fixture
def chance() -> np.random.Generator:
    return np.random.default_rng(11)


def moves_of(transitions: Floats) -> tuple[Move, ...]:
    """Turn matrices of shape (kinds, states, states) into moves."""
    pairs = product(range(STATES), range(STATES))
    return tuple(Move(here, there, transitions[:, here, there][:, None]) for here, there in pairs if here != there)


def joint_probability(prior: Floats, transitions: Floats, *, emissions: Floats, days: tuple[set[int], ...]) -> float:
    """Sum over every kind and every path: the probability that each day shows one of its symbols."""
    total = 0.0
    for kind, path in product(range(KINDS), product(range(STATES), repeat=len(days))):
        p = prior[path[0], kind]
        for here, there in pairwise(path):
            p *= transitions[kind, here, there]
        for state, symbols in zip(path, days, strict=True):
            p *= sum(emissions[state, kind, symbol] for symbol in symbols)
        total += p
    return total


@pytest.mark.parametrize(("gap", "horizon"), [(0, 1), (0, 3), (2, 2)])
def test_the_filter_and_the_forecast_agree_with_summing_over_every_path(
    chance: np.random.Generator, gap: int, horizon: int
) -> None:
    prior = chance.dirichlet(np.ones(STATES * KINDS)).reshape(STATES, KINDS)
    transitions = chance.dirichlet(np.ones(STATES), (KINDS, STATES))
    emissions = chance.dirichlet(np.ones(SYMBOLS), (STATES, KINDS))
    seen = (1, 0, 2)
    past: tuple[set[int], ...] = tuple({symbol} for symbol in seen)
    future = (set(range(SYMBOLS)),) * gap + ({SILENT},) * horizon
    expected = joint_probability(prior, transitions, emissions=emissions, days=past + future) / joint_probability(
        prior, transitions, emissions=emissions, days=past
    )

    night = moves_of(transitions)
    belief = prior[:, :, None]
    for symbol in seen:
        belief = advanced(updated(belief, emissions[:, :, [symbol]]), night)
    silent = emissions[:, :, SILENT]
    found = staying_silent(belief, [(None, night)] * gap + [(silent, night)] * horizon)

    assert found == pytest.approx([expected], rel=1e-12)


def test_one_night_by_hand() -> None:
    belief = np.array([0.8, 0.2]).reshape(2, 1, 1)
    after = advanced(belief, [Move(0, 1, np.array([[0.25]])), Move(1, 0, np.array([[0.5]]))])
    assert after.ravel() == pytest.approx([0.8 - 0.2 + 0.1, 0.2 + 0.2 - 0.1])


def test_one_day_by_hand() -> None:
    belief = np.array([0.8, 0.2]).reshape(2, 1, 1)
    after = updated(belief, np.array([0.1, 0.4]).reshape(2, 1, 1))
    assert after.ravel() == pytest.approx([0.5, 0.5])


def test_states_move_as_often_as_the_rates_say(chance: np.random.Generator) -> None:
    users = 40_000
    kind = np.repeat([0, 1], users // 2)
    moves = [Move(0, 1, np.array([[0.1], [0.3]])), Move(0, 2, np.array([[0.2], [0.6]])), Move(1, 2, np.ones((2, 1)))]
    after = next_states(np.zeros(users, dtype=np.int64), kind, moves=moves, draws=chance.random(users))
    shares = [[np.mean(after[kind == k] == state) for state in range(3)] for k in (0, 1)]
    assert shares == pytest.approx(np.array([[0.7, 0.1, 0.2], [0.1, 0.3, 0.6]]), abs=0.012)


def test_a_state_without_a_move_stays() -> None:
    after = next_states(np.array([2]), np.array([0]), moves=[Move(0, 1, np.ones((1, 1)))], draws=np.array([0.0]))
    assert after.tolist() == [2]


def test_a_rate_may_differ_from_user_to_user() -> None:
    move = Move(0, 1, np.array([[0.0, 1.0, 0.0]]))
    after = next_states(np.zeros(3, np.int64), np.zeros(3, np.int64), moves=[move], draws=np.full(3, 0.5))
    assert after.tolist() == [0, 1, 0]


def test_symbols_are_drawn_from_the_row_asked_for_and_never_where_the_probability_is_nil() -> None:
    cumulative = np.cumsum([[0.0, 0.5, 0.5, 0.0], [1.0, 0.0, 0.0, 0.0]], axis=1)
    row = np.array([0, 0, 0, 0, 1, 1])
    draws = np.array([0.0, 0.499, 0.5, 0.999, 0.0, 0.999])
    assert drawn(cumulative, row, draws=draws).tolist() == [1, 1, 2, 2, 0, 0]
