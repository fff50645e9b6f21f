"""What contradicts itself in a profile: nothing of a log does, and each rule finds what breaks it."""

from typing import Any

import pytest
from hypothesis import given

from features.catalogue.catalogue import CUSTOM, catalogue
from features.catalogue.consistency import contradictions
from features.catalogue.custom import CustomFeature
from features.catalogue.definition import Unit
from features.catalogue.fitted import FittedConstants
from features.profiles.build import build_profiles
from tests.builders import passing_world
from tests.worlds import FITTED, TWO_WINDOWS, RandomLog, examples, random_logs

NAMES = (
    "events_7d",
    "events_28d",
    "active_days_7d",
    "active_days_28d",
    "sessions_7d",
    "days_since_last_event",
    "tenure_days",
)
KNOWN = {one.name: one for one in catalogue((7, 28), FittedConstants())}
FEATURES = [KNOWN[name] for name in NAMES]
ANNA: dict[str, Any] = dict(zip(NAMES, (5.0, 9.0, 2.0, 3.0, 2.0, 1.5, 40.0), strict=True))


@examples(4, 30)
@given(random_logs())
def test_no_profile_of_a_log_contradicts_itself(log: RandomLog):
    with passing_world(log.rows, **log.settings()) as world:
        specification = world.specification(fitted=FITTED, windows=TWO_WINDOWS)
        profiles = build_profiles(world.activity(), specification, cutoffs=log.cutoffs).to_pylist()
    names = specification.feature_names
    assert [one for profile in profiles for one in contradictions(specification.features, profile, changed=names)] == []


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"events_7d": -1.0}, "events_7d is at least 0"),
        ({"events_7d": 5.5}, "events_7d is a whole number"),
        ({"active_days_7d": 8.0, "active_days_28d": 8.0}, "active_days_7d is at least 0 and at most 7"),
        ({"events_7d": 10.0}, "events_7d is at most events_28d: the last 28 days hold the last 7"),
        ({"active_days_28d": 1.0}, "active_days_7d is at most active_days_28d: the last 28 days hold the last 7"),
        (
            {"events_7d": 0.0, "active_days_7d": 0.0, "days_since_last_event": 9.0},
            "sessions_7d is 0 where active_days_7d is 0",
        ),
        ({"events_7d": 1.0}, "events_7d is at least active_days_7d"),
        ({"days_since_last_event": 7.1}, "active_days_7d is 0 where the last event is 7.1 days ago"),
        (
            {"active_days_7d": 0.0, "events_7d": 0.0, "sessions_7d": 0.0},
            "active_days_7d is above 0 where the last event is 1.5 days ago",
        ),
        ({"tenure_days": 1.0}, "active_days_7d is at most tenure_days"),
        ({"tenure_days": 1.0}, "days_since_last_event is at most tenure_days"),
    ],
)
def test_what_contradicts_itself_is_found(changes: dict[str, Any], why: str):
    assert why in [one.why for one in contradictions(FEATURES, ANNA | changes, changed=changes)]


def test_what_is_not_changed_is_not_held_against_anybody():
    odd = ANNA | {"events_7d": 5.5}
    assert contradictions(FEATURES, odd, changed=["tenure_days"]) == []
    assert contradictions(FEATURES, ANNA, changed=NAMES) == []


def test_a_day_on_which_clocks_change_is_no_contradiction():
    last = ANNA | {"days_since_last_event": 7 + 1 / 24}
    assert contradictions(FEATURES, last, changed=["days_since_last_event"]) == []


def test_nothing_is_known_of_a_custom_feature():
    net = CustomFeature("windowed", "net", Unit.MONEY, "Net revenue.", "{value} of revenue", daily="sum(amount)")
    half = CustomFeature(
        "windowed", "taps", Unit.EVENTS, "Pairs of taps.", "{value} pairs", daily="count(*)", scale=0.5
    )
    features = [one for one in catalogue((7, 28), FittedConstants(), custom=(net, half)) if one.family == CUSTOM]
    profile = {"net_7d": 90.0, "net_28d": 40.0, "taps_7d": 1.5, "taps_28d": 2.5}  # a refund in the third week
    assert contradictions(features, profile, changed=tuple(profile)) == []
    assert len(features) == 4
