"""The engine against the oracle: every feature, on random small logs."""

import math
from typing import Any

import pytest
from hypothesis import given

from features.catalogue.catalogue import catalogue
from tests.builders import WINDOWS, passing_world
from tests.features.oracle import FEATURES, OF_A_TYPE, WINDOWED, Past, Rules, oracle_of
from tests.worlds import EVENT_TYPES, FITTED, RandomLog, examples, random_logs

RELATIVE = 1e-9
BG_NBD = (0.25, 30.5, 0.8, 2.4)
CATALOGUE = catalogue(WINDOWS, FITTED)


def profiles_of(log: RandomLog) -> dict[tuple[str, str], dict[str, Any]]:
    with passing_world(log.rows, **log.settings()) as world:
        found = world.profiles(*map(str, log.cutoffs), fitted=FITTED)
    return {(profile.pop("user_id"), str(profile.pop("cutoff"))): profile for profile in found}


def pasts_of(log: RandomLog) -> dict[tuple[str, str], Past]:
    """The users that a cutoff knows."""
    rules = Rules(
        zone=log.zone,
        observation_days=log.observation_days,
        has_session_ids="session_id" in log.rows[0],
        has_durations="duration_seconds" in log.rows[0],
        is_qualifying=lambda row: row["event_type"] == "open",
        is_leaving=lambda row: row["event_type"] == "rare",
        versions=FITTED.versions,
        bg_nbd=BG_NBD,
    )
    pasts = {
        (user, str(cutoff)): Past([row for row in log.rows if row["user_id"] == user], cutoff, rules)
        for user in log.users
        for cutoff in log.cutoffs
    }
    return {key: past for key, past in pasts.items() if past.events}


def is_same(found: Any, expected: Any) -> bool:
    if isinstance(found, float) and isinstance(expected, int | float):
        return math.isclose(found, expected, rel_tol=RELATIVE, abs_tol=1e-12)
    return found == expected and type(found) is type(expected)


def differences(profile: dict[str, Any], past: Past) -> dict[str, tuple[Any, Any]]:
    """Feature to (engine, oracle) where they disagree."""
    pairs = {name: (found, expected_of(name, past)) for name, found in profile.items()}
    return {name: pair for name, pair in pairs.items() if not is_same(*pair)}


def expected_of(name: str, past: Past) -> Any:
    oracle = oracle_of(name, EVENT_TYPES)
    assert oracle is not None, f"{name} has no oracle: write one in tests/features/oracles"
    return oracle(past)


@pytest.mark.parametrize("name", [feature.name for feature in CATALOGUE])
def test_every_feature_has_an_oracle(name: str):
    assert oracle_of(name, EVENT_TYPES) is not None, f"{name} has no oracle: write one in tests/features/oracles"


def test_no_oracle_outlives_its_feature():
    names = {feature.name for feature in CATALOGUE}
    windowed = {f"{measure}_{WINDOWS[0]}d" for measure in WINDOWED}
    of_a_type = {form.format("open") for form in OF_A_TYPE}
    assert {*FEATURES, *windowed, *of_a_type} - names == set()


@examples(10, 120)
@given(random_logs())
def test_every_feature_is_what_plain_python_says(log: RandomLog):
    found, pasts = profiles_of(log), pasts_of(log)
    assert found.keys() == pasts.keys()
    wrong = {key: differences(profile, pasts[key]) for key, profile in found.items()}
    assert {key: names for key, names in wrong.items() if names} == {}
