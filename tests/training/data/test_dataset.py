"""Stacked snapshots: who is in, with which label, and what is frozen from which days."""

from collections.abc import Iterable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from features.activity.store import Activity
from features.eligibility import Eligibility
from features.errors import SettingsError
from features.profiles.build import build_profiles
from features.profiles.specification import Specification
from features.settings import FeatureSettings
from tests.builders import World, values_of, world_of
from tests.features.users.test_identities import joined
from training.data.dataset import PERSON, Dataset, build_dataset, sample_condition
from training.data.specification import freeze, main_event_types, with_categories

CUTOFF, LATER = date(2026, 3, 10), date(2026, 3, 17)
CHURN: dict[str, Any] = {"horizon_days": 7, "active_within_days": 7}

# who          last seen     in the horizon     at the cutoff
# anna         the day before  yes               eligible, stays
# bob          the day before  no                eligible, leaves
# carl         7 days before   no                eligible, leaves
# dora         8 days before   yes               not eligible
# emil         at the cutoff   yes               not seen yet
LINES = [
    "anna 2026-03-01T10:00",
    "anna 2026-03-09T23:59",
    "anna 2026-03-12T10:00",
    "bob 2026-03-09T10:00",
    "bob 2026-03-17T00:00",
    "carl 2026-03-03T00:00",
    "dora 2026-03-02T23:59",
    "dora 2026-03-12T10:00",
    "emil 2026-03-10T00:00",
]


SOME = ("tenure_days", "days_since_last_event", "days_since_last_qualifying_day", "active_days_7d", "events_28d")


def stacked(world: World, *cutoffs: date, where: str = "true", only: tuple[str, ...] = SOME) -> Dataset:
    return build_dataset(
        world.activity(),
        world.specification(only=only),
        cutoffs=cutoffs or (CUTOFF,),
        churn=world.settings.churn,
        where=where,
    )


def labels(dataset: Dataset) -> dict[tuple[str, str], bool]:
    keys = zip(values_of(dataset.profiles, "user_id"), map(str, values_of(dataset.profiles, "cutoff")), strict=True)
    return dict(zip(keys, dataset.churned.tolist(), strict=True))


# --- Who is in, with which label -----------------------------------------------------------------------------------


def test_only_the_eligible_are_in_and_each_has_the_label_of_its_own_days(tmp_path: Path):
    found = labels(stacked(world_of(tmp_path, LINES, churn=CHURN)))
    assert found == {("anna", "2026-03-10"): False, ("bob", "2026-03-10"): True, ("carl", "2026-03-10"): True}


def test_every_cutoff_has_its_own_users_and_labels(tmp_path: Path):
    found = labels(stacked(world_of(tmp_path, LINES, churn=CHURN), CUTOFF, LATER))
    assert {key: churned for key, churned in found.items() if key[1] == "2026-03-17"} == {
        ("anna", "2026-03-17"): True,
        ("dora", "2026-03-17"): True,
        ("emil", "2026-03-17"): True,
    }
    assert ("bob", "2026-03-17") not in found  # seen again at the cutoff itself: that is the horizon's


def test_with_a_named_event_those_to_whom_it_happened_have_churned(tmp_path: Path):
    lines = ["anna 2026-03-09T10:00", "anna 2026-03-11T10:00 cancel", "bob 2026-03-09T10:00"]
    churn = CHURN | {"event": "event_type = 'cancel'"}
    assert labels(stacked(world_of(tmp_path, lines, churn=churn), only=())) == {
        ("anna", "2026-03-10"): True,
        ("bob", "2026-03-10"): False,
    }


def test_eligibility_counts_qualifying_days_only(tmp_path: Path):
    lines = ["anna 2026-03-09T10:00 open", "anna 2026-02-01T10:00 buy", "bob 2026-03-05T10:00 buy"]
    churn = CHURN | {"qualifying": "event_type = 'buy'"}
    assert set(labels(stacked(world_of(tmp_path, lines, churn=churn)))) == {("bob", "2026-03-10")}


def test_who_left_before_the_cutoff_is_not_asked_whether_they_leave(tmp_path: Path):
    lines = [
        "gone 2026-03-07T09:00 open", "gone 2026-03-08T10:00 cancel", "gone 2026-03-12T10:00 cancel",
        "back 2026-03-08T10:00 cancel", "back 2026-03-09T10:00 open", "back 2026-03-12T10:00 cancel",
        "here 2026-03-09T10:00 open",
    ]  # fmt: skip
    found = labels(stacked(world_of(tmp_path, lines, churn=CHURN | {"event": "event_type = 'cancel'"}), only=()))
    assert found == {("back", "2026-03-10"): True, ("here", "2026-03-10"): False}


def test_tenure_keeps_newcomers_out(tmp_path: Path):
    found = labels(stacked(world_of(tmp_path, LINES, churn=CHURN | {"min_tenure_days": 7})))
    assert {user for user, _ in found} == {"anna", "carl"}


def test_of_new_users_nobody_is_in_who_was_first_seen_before(tmp_path: Path):
    # anna was first seen 9 days before, carl 7, dora 8, bob 1, and emil only at the cutoff
    world = world_of(tmp_path, LINES, churn=CHURN | {"min_tenure_days": 1, "max_tenure_days": 7})
    assert labels(stacked(world)) == {("bob", "2026-03-10"): True, ("carl", "2026-03-10"): True}
    # two rows: they fit where two are allowed, though other users were active too
    allowed = [
        sample_condition(world.activity(), [CUTOFF], churn=world.settings.churn, maximum=n, seed=7) for n in (1, 2)
    ]
    assert (allowed[0] != "true", allowed[1]) == (True, "true")


def test_without_a_limit_everybody_seen_before_the_cutoff_is_in(tmp_path: Path):
    found = labels(stacked(world_of(tmp_path, LINES, churn=CHURN | {"active_within_days": 0})))
    assert {user for user, _ in found} == {"anna", "bob", "carl", "dora"}


def test_whoever_is_scored_is_whoever_would_be_trained_on(tmp_path: Path):
    world = world_of(tmp_path, LINES, churn=CHURN)
    profiles = build_profiles(world.activity(), world.specification(only=SOME), cutoffs=[CUTOFF])
    rule = Eligibility(active_within_days=7, min_tenure_days=0)
    recent, tenure = (profiles[name].to_numpy() for name in ("days_since_last_qualifying_day", "tenure_days"))
    scored = profiles.filter(pa.array(rule.mask(recent, tenure)))
    assert scored["user_id"].to_pylist() == stacked(world).profiles["user_id"].to_pylist()


def test_rows_come_by_cutoff_and_user_however_the_log_lies(tmp_path: Path):
    ways = (
        stacked(world_of(tmp_path / name, lines, churn=CHURN), LATER, CUTOFF)
        for name, lines in (("a", LINES), ("b", LINES[::-1]))
    )
    first, second = ways
    assert first.profiles.equals(second.profiles)
    assert first.churned.tolist() == second.churned.tolist()
    keys = list(labels(first))
    assert keys == sorted(keys, key=lambda key: (key[1], key[0]))


def test_without_eligible_users_there_are_no_rows(tmp_path: Path):
    found = stacked(world_of(tmp_path, ["anna 2026-01-01T10:00"], churn=CHURN))
    assert (found.profiles.num_rows, len(found.churned)) == (0, 0)


# --- Parts of it ---------------------------------------------------------------------------------------------------


def test_some_cutoffs_can_be_taken_out(tmp_path: Path):
    both = stacked(world_of(tmp_path, LINES, churn=CHURN), CUTOFF, LATER)
    assert labels(both.at([CUTOFF])) | labels(both.at([LATER])) == labels(both)
    assert labels(both.at([CUTOFF])) == labels(stacked(world_of(tmp_path / "one", LINES, churn=CHURN)))
    assert len(both.at([]).churned) == 0


def test_rows_of_one_user_bear_one_number(tmp_path: Path):
    both = stacked(world_of(tmp_path, LINES, churn=CHURN), CUTOFF, LATER)
    rows = both.rows(
        with_categories(world_of(tmp_path / "b", LINES, churn=CHURN).specification(only=SOME), both.profiles, maximum=5)
    )
    users = both.profiles["user_id"].to_pylist()
    assert len({*zip(users, rows.users.tolist(), strict=True)}) == len(set(users)) == len(set(rows.users.tolist()))


def test_rows_of_one_person_bear_one_number_whatever_the_id_was_at_the_cutoff(tmp_path: Path):
    lines = ["cookie 2026-03-09T10:00", "cookie 2026-03-12T10:00", "anna 2026-03-16T10:00", "bob 2026-03-09T10:00"]
    world = world_of(tmp_path, lines, churn=CHURN, covered_until=date(2026, 3, 24))
    activity = joined(world, ["cookie anna 2026-03-12T12:00"])
    settings: dict[str, Any] = {"cutoffs": (CUTOFF, LATER), "churn": world.settings.churn}
    found = build_dataset(activity, world.specification(only=SOME), **settings)
    assert found.profiles["user_id"].to_pylist() == ["bob", "cookie", "anna"]  # nobody knew who the cookie was
    assert found.users.tolist() == [0, 1, 1]
    assert found.at([LATER]).concatenated(found.at([CUTOFF])).users.tolist() == [0, 1, 0]
    assert build_dataset(activity, world.specification(only=SOME), where="false", **settings).users.tolist() == []
    apart = stacked(world, CUTOFF, LATER)  # without identities nothing is added
    assert apart.users.tolist() == [0, 1, 2, 1]
    assert PERSON not in apart.profiles.column_names


# --- Sampling ------------------------------------------------------------------------------------------------------


def crowd(users: int) -> Iterable[str]:
    for user in range(users):
        yield f"u{user} 2026-03-09T10:00"
        if user % 4:
            yield f"u{user} 2026-03-16T10:00"


@pytest.fixture(scope="module")
def crowded(tmp_path_factory: pytest.TempPathFactory) -> World:
    return world_of(tmp_path_factory.mktemp("crowd"), list(crowd(1_500)), churn=CHURN)


def condition(world: World, *, maximum: int, seed: int = 7) -> str:
    return sample_condition(world.activity(), [CUTOFF, LATER], churn=world.settings.churn, maximum=maximum, seed=seed)


def test_a_log_that_fits_is_not_sampled(crowded: World):
    assert condition(crowded, maximum=10_000) == "true"


def test_a_sample_is_about_as_large_as_asked_and_keeps_the_churn_rate(crowded: World):
    everybody, some = (
        stacked(crowded, CUTOFF, LATER, where=condition(crowded, maximum=rows)) for rows in (10_000, 1_300)
    )
    assert len(some.churned) == pytest.approx(1_300, rel=0.1)
    assert some.churned.mean() == pytest.approx(everybody.churned.mean(), abs=0.05)


def test_a_sample_takes_whole_users(crowded: World):
    found = labels(stacked(crowded, CUTOFF, LATER, where=condition(crowded, maximum=1_300)))
    everybody = labels(stacked(crowded, CUTOFF, LATER))
    users = {user for user, _ in found}
    assert set(found) == {key for key in everybody if key[0] in users}


def test_a_sample_depends_on_its_seed(crowded: World):
    assert condition(crowded, maximum=1_300) == condition(crowded, maximum=1_300)
    one, other = (set(labels(stacked(crowded, where=condition(crowded, maximum=1_300, seed=seed)))) for seed in (7, 8))
    assert one != other


# --- Frozen --------------------------------------------------------------------------------------------------------


def frozen(world: World, *training_cutoffs: date, **settings: Any) -> tuple[Specification, dict[str, str]]:
    return freeze(
        world.activity(), FeatureSettings(**settings), churn=world.settings.churn, training_cutoffs=training_cutoffs
    )


def test_event_types_are_those_that_most_users_did_before_a_day(tmp_path: Path):
    lines = [
        "a 2026-03-01 view",
        "b 2026-03-01 view",
        "a 2026-03-01 buy count=99",
        "c 2026-03-05 new",
        "d 2026-03-05 new",
        "e 2026-03-05 new",
    ]
    activity: Activity = world_of(tmp_path, lines).activity()
    assert main_event_types(activity, before=date(2026, 3, 5), maximum=9) == ("view", "buy")
    assert main_event_types(activity, before=date(2026, 3, 6), maximum=2) == ("new", "view")


def test_types_that_read_alike_are_both_main_types(tmp_path: Path):
    lines = ["a 2026-03-01 add-cart", "b 2026-03-01 add-cart", "a 2026-03-01 add_cart"]
    assert main_event_types(world_of(tmp_path, lines).activity(), before=date(2026, 3, 2), maximum=9) == (
        "add-cart",
        "add_cart",
    )


def test_what_comes_after_the_learning_is_not_frozen(tmp_path: Path):
    world = world_of(tmp_path, ["a 2026-01-01 view", "a 2026-03-10T00:00 new"])
    assert frozen(world, CUTOFF)[0].fitted.event_types == ("view",)


def test_a_window_longer_than_the_history_of_the_first_cutoff_is_excluded_with_the_reason(tmp_path: Path):
    world = world_of(tmp_path, ["a 2026-02-20", "a 2026-03-09"])  # 18 days before the first cutoff
    specification, excluded = frozen(world, CUTOFF, LATER, windows_days=(7, 18, 19))
    assert {"events_7d", "events_18d"} <= set(specification.feature_names)
    assert excluded["events_19d"] == "the window of 19 days is longer than the history of 18"


def test_a_feature_of_a_column_that_the_log_lacks_is_excluded_with_the_reason(tmp_path: Path):
    specification, excluded = frozen(world_of(tmp_path, ["a 2026-02-20", "a 2026-03-09"]), CUTOFF)
    assert excluded["last_device_os"] == "the log has no device_os"
    assert not set(excluded) & set(specification.feature_names)


def test_the_definition_of_the_days_is_frozen_with_them(tmp_path: Path):
    churn = CHURN | {"timezone": "Europe/Berlin", "qualifying": "event_type = 'buy'", "event": "amount > 3"}
    world = world_of(tmp_path, ["a 2026-02-20 buy amount=1.0", "a 2026-03-09 buy amount=1.0"], churn=churn)
    specification, _ = frozen(world, CUTOFF, session_gap_minutes=5, observation_days=10)
    assert (specification.timezone, specification.qualifying, specification.event) == (
        "Europe/Berlin",
        "event_type = 'buy'",
        "amount > 3",
    )
    assert (specification.session_gap_minutes, specification.observation_days) == (5, 10)


def test_categories_are_those_of_the_training_profiles(tmp_path: Path):
    lines = ["a 2026-03-09T10:00 open device_os=ios", "b 2026-03-16T10:00 open device_os=android"]
    world = world_of(tmp_path, lines, churn=CHURN)
    both = stacked(world, CUTOFF, LATER, only=())
    found = with_categories(world.specification(), both.at([CUTOFF]).profiles, maximum=5)
    assert found.categories == {"last_device_os": ("ios",), "main_device_os_28d": ("ios",)}
    codes = both.rows(found).matrix[:, found.feature_names.index("last_device_os")]
    assert codes.tolist() == [0, 1]  # android was not known: UNKNOWN


def test_encoding_waits_for_no_cutoff_to_come(tmp_path: Path):
    # the rows of a cutoff are the same whether later cutoffs are built with them or not
    world = world_of(tmp_path, LINES, churn=CHURN)
    cutoffs = (CUTOFF, CUTOFF + timedelta(days=3), LATER)
    alone, together = stacked(world, only=()), stacked(world, *cutoffs, only=()).at([CUTOFF])
    assert alone.profiles.equals(together.profiles)
    assert np.array_equal(alone.churned, together.churned)


@pytest.mark.parametrize("named", [("recency",), ("tenure_days", "days_since_last_event")])
def test_features_and_families_that_are_named_are_not_used_but_stay_in_the_profile(
    tmp_path: Path, named: tuple[str, ...]
):
    world = world_of(tmp_path, LINES, churn=CHURN)
    found, excluded = freeze(
        world.activity(), FeatureSettings(exclude=named), churn=world.settings.churn, training_cutoffs=[CUTOFF]
    )
    assert {"tenure_days", "days_since_last_event"} <= set(found.unused) <= set(found.feature_names)
    assert excluded["tenure_days"] == "[features] exclude names it"
    assert "active_days_3d" not in found.unused


def test_an_unknown_name_to_exclude_is_an_error(tmp_path: Path):
    world = world_of(tmp_path, LINES, churn=CHURN)
    with pytest.raises(SettingsError, match='no feature or family "tenure_day"'):
        freeze(
            world.activity(),
            FeatureSettings(exclude=("tenure_day",)),
            churn=world.settings.churn,
            training_cutoffs=[CUTOFF],
        )
