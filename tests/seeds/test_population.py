from __future__ import annotations

from datetime import date

import numpy as np
import pytest

from seeds.behaviour import KINDS, State
from seeds.population import GROUPS, MODELS, OLD_SHARE, SYSTEMS, Population, group_risks, populate, priors

START, USERS, DAYS = date(2026, 1, 5), 4_000, 90


@pytest.fixture(scope="module")
def population() -> Population:
    return populate(USERS, DAYS, start=START, rng=np.random.default_rng(7))


def test_users_come_in_order_of_arrival_and_two_in_five_were_there_before(population: Population) -> None:
    assert (np.diff(population.arrival) >= 0).all()
    assert population.arrived(-1) == OLD_SHARE * USERS == 1_600
    assert population.arrived(DAYS - 1) == USERS
    assert population.arrival.max() == DAYS - 1


def test_newcomers_try_the_app_and_earlier_users_have_settled(population: Population) -> None:
    earlier = population.arrival < 0
    assert set(population.state[~earlier].tolist()) == {State.TRYING}
    assert set(population.state[earlier].tolist()) == {State.ENGAGED, State.FADING, State.QUIET}


def test_a_phone_is_of_the_system_of_its_user(population: Population) -> None:
    systems, of = list(SYSTEMS), [system for system, _ in MODELS.values()]
    for phones in (population.model, population.next_model):
        assert [of[phone] for phone in phones] == [systems[system] for system in population.system]


def test_the_risk_of_a_user_is_that_of_channel_times_system(population: Population) -> None:
    assert group_risks().shape == (GROUPS,)
    assert group_risks().min() == pytest.approx(0.6 * 0.85)  # referral, ios
    assert group_risks().max() == pytest.approx(2.0 * 1.15)  # affiliate, android
    assert set(population.risk) <= set(group_risks())


def test_ids_are_distinct_and_of_one_width(population: Population) -> None:
    ids = population.ids.to_pylist()
    assert len(set(ids)) == USERS
    assert ids[:2] == ["u000000", "u000001"]


def test_a_prior_of_earlier_users_rules_out_gone_and_that_of_newcomers_all_states_but_trying() -> None:
    table = priors(START).reshape(GROUPS + 1, len(State), len(KINDS))
    assert (table[:, State.GONE] == 0).all()
    assert table[GROUPS, State.TRYING].sum() == pytest.approx(1)
