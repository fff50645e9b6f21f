from __future__ import annotations

from itertools import pairwise, product

import numpy as np
import pytest

from seeds.hidden_markov import Floats, Transition, advance, next_states, sample_symbols, silence_probability, update

STATES, KINDS, SYMBOLS = 3, 2, 3
SILENT = 0


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(11)


def transitions_of(matrices: Floats) -> tuple[Transition, ...]:
    """Turn matrices of shape (kinds, states, states) into transitions."""
    pairs = product(range(STATES), range(STATES))
    return tuple(Transition(here, there, matrices[:, here, there][:, None]) for here, there in pairs if here != there)


def joint_probability(prior: Floats, matrices: Floats, *, emissions: Floats, days: tuple[set[int], ...]) -> float:
    """Sum over every kind and every path: the probability that each day shows one of its symbols."""
    total = 0.0
    for kind, path in product(range(KINDS), product(range(STATES), repeat=len(days))):
        p = prior[path[0], kind]
        for here, there in pairwise(path):
            p *= matrices[kind, here, there]
        for state, symbols in zip(path, days, strict=True):
            p *= sum(emissions[state, kind, symbol] for symbol in symbols)
        total += p
    return total


@pytest.mark.parametrize(("gap", "horizon"), [(0, 1), (0, 3), (2, 2)])
def test_the_filter_and_the_forecast_agree_with_summing_over_every_path(
    rng: np.random.Generator, gap: int, horizon: int
) -> None:
    prior = rng.dirichlet(np.ones(STATES * KINDS)).reshape(STATES, KINDS)
    matrices = rng.dirichlet(np.ones(STATES), (KINDS, STATES))
    emissions = rng.dirichlet(np.ones(SYMBOLS), (STATES, KINDS))
    seen = (1, 0, 2)
    past: tuple[set[int], ...] = tuple({symbol} for symbol in seen)
    future = (set(range(SYMBOLS)),) * gap + ({SILENT},) * horizon
    expected = joint_probability(prior, matrices, emissions=emissions, days=past + future) / joint_probability(
        prior, matrices, emissions=emissions, days=past
    )

    night = transitions_of(matrices)
    belief = prior[:, :, None]
    for symbol in seen:
        belief = advance(update(belief, emissions[:, :, [symbol]]), night)
    silent = emissions[:, :, SILENT]
    found = silence_probability(belief, [(None, night)] * gap + [(silent, night)] * horizon)

    assert found == pytest.approx([expected], rel=1e-12)


def test_one_night_by_hand() -> None:
    belief = np.array([0.8, 0.2]).reshape(2, 1, 1)
    after = advance(belief, [Transition(0, 1, np.array([[0.25]])), Transition(1, 0, np.array([[0.5]]))])
    assert after.ravel() == pytest.approx([0.8 - 0.2 + 0.1, 0.2 + 0.2 - 0.1])


def test_one_day_by_hand() -> None:
    belief = np.array([0.8, 0.2]).reshape(2, 1, 1)
    after = update(belief, np.array([0.1, 0.4]).reshape(2, 1, 1))
    assert after.ravel() == pytest.approx([0.5, 0.5])


def test_states_move_as_often_as_the_rates_say(rng: np.random.Generator) -> None:
    users = 40_000
    kind = np.repeat([0, 1], users // 2)
    transitions = [
        Transition(0, 1, np.array([[0.1], [0.3]])),
        Transition(0, 2, np.array([[0.2], [0.6]])),
        Transition(1, 2, np.ones((2, 1))),
    ]
    after = next_states(np.zeros(users, dtype=np.int64), kind, transitions=transitions, draws=rng.random(users))
    shares = [[np.mean(after[kind == k] == state) for state in range(3)] for k in (0, 1)]
    assert shares == pytest.approx(np.array([[0.7, 0.1, 0.2], [0.1, 0.3, 0.6]]), abs=0.012)


def test_a_state_without_a_move_stays() -> None:
    after = next_states(
        np.array([2]), np.array([0]), transitions=[Transition(0, 1, np.ones((1, 1)))], draws=np.array([0.0])
    )
    assert after.tolist() == [2]


def test_a_rate_may_differ_from_user_to_user() -> None:
    transition = Transition(0, 1, np.array([[0.0, 1.0, 0.0]]))
    after = next_states(np.zeros(3, np.int64), np.zeros(3, np.int64), transitions=[transition], draws=np.full(3, 0.5))
    assert after.tolist() == [0, 1, 0]


def test_symbols_are_sampled_from_their_row_and_never_where_the_probability_is_zero() -> None:
    cumulative = np.cumsum([[0.0, 0.5, 0.5, 0.0], [1.0, 0.0, 0.0, 0.0]], axis=1)
    row = np.array([0, 0, 0, 0, 1, 1])
    draws = np.array([0.0, 0.499, 0.5, 0.999, 0.0, 0.999])
    assert sample_symbols(cumulative, row, draws=draws).tolist() == [1, 1, 2, 2, 0, 0]
