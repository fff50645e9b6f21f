"""Derived features computed again, compared with those of the build."""

import pytest
from hypothesis import given

from features.catalogue.definition import Derived
from features.errors import InputError
from features.profiles.build import build_profiles
from features.profiles.derived import DerivedFeatures, check_not_derived
from features.profiles.specification import Specification
from tests.builders import passing_world
from tests.features.profiles.test_oracle import is_same
from tests.worlds import FITTED, TWO_WINDOWS, RandomLog, examples, random_logs

SMALL = Specification(
    (
        "events_7d",
        "events_28d",
        "active_days_7d",
        "events_per_active_day_7d",
        "events_trend_7d",
        "tenure_days",
        "is_in_first_week",
    ),
    (7, 28),
)
ANNA = dict(zip(SMALL.feature_names, (6.0, 12.0, 3.0, 2.0, 2.0, 40.0, 0.0), strict=True))


@examples(3, 30)
@given(random_logs())
def test_of_a_profile_of_a_log_the_same_is_computed_to_the_bit(log: RandomLog):
    with passing_world(log.rows, **log.settings()) as world:
        specification = world.specification(fitted=FITTED, windows=TWO_WINDOWS)
        profiles = build_profiles(world.activity(), specification, cutoffs=log.cutoffs).to_pylist()
    derived = {one.name for one in specification.features if isinstance(one, Derived)}
    given_ones = [name for name in specification.feature_names if name not in derived]
    features = DerivedFeatures(specification)
    for profile in profiles:
        found = features.recompute(profile, changed=given_ones)
        assert {
            name: (value, profile[name]) for name, value in found.items() if not is_same(value, profile[name])
        } == {}
        assert found.keys() <= derived


def test_what_depends_on_a_change_follows_it_and_nothing_else_does():
    found = DerivedFeatures(SMALL).recompute(ANNA | {"events_7d": 3.0}, changed=["events_7d"])
    assert found == {"events_per_active_day_7d": 1.0, "events_trend_7d": 1.0}
    assert DerivedFeatures(SMALL).recompute(ANNA, changed=[]) == {}


def test_a_division_by_nothing_is_not_known():
    found = DerivedFeatures(SMALL).recompute(ANNA | {"active_days_7d": 0.0}, changed=["active_days_7d"])
    assert found == {"events_per_active_day_7d": None}


def test_a_profile_that_lacks_what_a_derived_feature_is_made_of_is_refused():
    incomplete = {name: value for name, value in ANNA.items() if name != "events_28d"}
    with pytest.raises(InputError, match="derived features cannot be computed"):
        DerivedFeatures(SMALL).recompute(incomplete, changed=["events_7d"])


@pytest.mark.parametrize(("name", "said"), [("events_trend_7d", "it is derived"), ("events_8d", "an unknown feature")])
def test_what_follows_from_others_is_not_changed_by_itself(name: str, said: str):
    check_not_derived(SMALL, ["events_7d"])
    with pytest.raises(InputError, match=said):
        check_not_derived(SMALL, [name])
