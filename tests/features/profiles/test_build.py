"""Activity to profiles: cutoffs, the table, the observation window, edges."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime, timedelta
from math import sqrt
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features.activity.store import ActivitySettings
from features.errors import InputError
from features.profiles.build import Shard, build_in_parts, build_profiles, write
from features.settings import ChurnSettings, ComputeSettings, EventsSettings, FeatureSettings
from tests.builders import World, world_of


def of(profile: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: profile[name] for name in names}


# Mondays: Jan 5, 12, 19, 26. Seen from Monday Jan 26: ages 21, 19, 13, 2, 1.
ANNA = [
    "anna 2026-01-05T10:00 open",
    "anna 2026-01-07T23:00 open count=2",
    "anna 2026-01-13T05:59 buy amount=20",
    "anna 2026-01-24T12:00 open",
    "anna 2026-01-25T06:00 buy amount=5.5 count=3",
    "anna 2026-01-25T18:00 refund amount=-5.5",
]


# --- Cutoffs -------------------------------------------------------------------------------------------------------


def test_an_event_at_the_cutoff_belongs_to_the_horizon(tmp_path: Path):
    lines = ["anna 2026-01-05T10:00", "anna 2026-01-11T23:59:59.999", "anna 2026-01-12T00:00"]
    expected = {
        "events_7d": 2,
        "events_1d": 1,
        "days_since_last_event": pytest.approx(0.001 / 86_400),
    }
    assert world_of(tmp_path, lines).profile("2026-01-12", only=expected) == expected


def test_a_cutoff_is_a_local_midnight(tmp_path: Path):
    lines = ["anna 2026-01-05T10:00", "anna 2026-01-11T22:59", "anna 2026-01-11T23:00"]
    expected = {
        "events_7d": 2,
        "days_since_last_event": 60 / 86_400,
    }
    assert (
        world_of(tmp_path, lines, churn={"timezone": "Europe/Berlin"}).profile("2026-01-12", only=expected) == expected
    )


def test_who_comes_after_the_cutoff_has_no_profile_yet(tmp_path: Path):
    world = world_of(tmp_path, ["anna 2026-01-05T10:00", "bob 2026-01-12T00:00"])
    assert [profile["user_id"] for profile in world.profiles("2026-01-12", only=("tenure_days",))] == ["anna"]


def test_two_cutoffs_in_one_build_are_two_rows_a_user(tmp_path: Path):
    found = world_of(tmp_path, ANNA).profiles("2026-01-26", "2026-01-10", "2026-01-26", only=("tenure_days",))
    assert [(str(profile["cutoff"]), profile["tenure_days"]) for profile in found] == [
        ("2026-01-10", 5),
        ("2026-01-26", 21),
    ]


@pytest.mark.parametrize("cutoff", ["2026-01-05", "2026-01-09"])
def test_a_cutoff_that_the_log_does_not_reach_is_refused(tmp_path: Path, cutoff: str):
    world = world_of(tmp_path, ["anna 2026-01-05T10:00", "anna 2026-01-07T10:00"], covered_until=date(2026, 1, 8))
    with pytest.raises(
        InputError, match=rf"cutoff {cutoff}: the log covers 2026-01-05 up to, not including, 2026-01-08"
    ):
        world.profiles(cutoff, only=("active_days",))


def test_the_end_of_the_coverage_is_a_cutoff(tmp_path: Path):
    world = world_of(tmp_path, ["anna 2026-01-05T10:00", "anna 2026-01-07T10:00"], covered_until=date(2026, 1, 8))
    assert world.profile("2026-01-08", only=("active_days",)) == {"active_days": 2}


# --- The table -----------------------------------------------------------------------------------------------------


def test_numbers_are_doubles_and_categories_text(tmp_path: Path):
    world = world_of(tmp_path, ["anna 2026-01-05T10:00 open device_os=ios count=2"])
    table = build_profiles(world.activity(), world.specification(), cutoffs=[date(2026, 1, 6)])
    assert table.schema.field("user_id").type == table.schema.field("last_device_os").type == pa.string()
    assert table.schema.field("cutoff").type == pa.date32()
    texts = {feature.name for feature in world.specification().features if feature.is_text}
    numbers = set(table.schema.names) - {"user_id", "cutoff"} - texts
    assert {str(table.schema.field(name).type) for name in numbers} == {"double"}


def test_columns_are_those_of_the_specification_in_its_order(tmp_path: Path):
    world = world_of(tmp_path, ANNA)
    table = build_profiles(world.activity(), world.specification(("buy",)), cutoffs=[date(2026, 1, 26)])
    assert table.schema.names == ["user_id", "cutoff", *world.specification(("buy",)).feature_names]


def test_a_condition_leaves_profiles_out(tmp_path: Path):
    world = world_of(tmp_path, ["anna 2026-01-05T10:00", "bob 2026-01-01T10:00"])
    specification = world.specification(only=("tenure_days",))
    table = build_profiles(
        world.activity(), specification, cutoffs=[date(2026, 1, 6)], where="tenure_days < 3 and true"
    )
    assert table.column("user_id").to_pylist() == ["anna"]


def test_many_profiles_come_sorted_by_cutoff_and_user(tmp_path: Path):
    """DuckDB 2.0.0 may hand out Arrow tables unsorted in spite of ORDER BY, from some ten thousand rows on."""
    users = [f"u{number * 7919 % 30_011}" for number in range(30_000)]
    times = [datetime(2026, 1, 5) + timedelta(days=number % 3) for number in range(30_000)]  # noqa: DTZ001
    pq.write_table(
        pa.table({"user_id": users, "event_time": times, "event_type": ["x"] * 30_000}), tmp_path / "l.parquet"
    )
    log = EventsSettings(path=str(tmp_path / "l.parquet"))
    world = World(ActivitySettings(log, ChurnSettings(), FeatureSettings()), tmp_path / "home")
    few = world.specification(only=("active_days", "events_7d"))
    table = build_profiles(world.activity(), few, cutoffs=[date(2026, 1, 7), date(2026, 1, 8)])
    keys = list(zip(table.column("cutoff").to_pylist(), table.column("user_id").to_pylist(), strict=True))
    assert len(keys) == 50_000
    assert keys == sorted(keys)


def test_users_sort_by_the_bytes_of_their_ids(tmp_path: Path):
    world = world_of(tmp_path, [f"{user} 2026-01-05T10:00" for user in ("é", "b", "Z", "a", "10", "9")])
    assert [profile["user_id"] for profile in world.profiles("2026-01-06", only=("tenure_days",))] == [
        "10",
        "9",
        "Z",
        "a",
        "b",
        "é",
    ]


# --- The observation window ----------------------------------------------------------------------------------------


def test_only_the_observation_window_is_seen(tmp_path: Path):
    lines = ["anna 2026-01-01T10:00", "anna 2026-01-16T00:00", "anna 2026-01-20T10:00"]
    expected = {
        "active_days": 2,
        "events_28d": 2,
        "gap_days_max": 4,
        "is_left_censored": 1,
    }
    assert world_of(tmp_path, lines, features={"observation_days": 10}).profile("2026-01-26", only=expected) == expected


def test_who_came_inside_the_observation_window_is_not_censored(tmp_path: Path):
    world = world_of(tmp_path, ["anna 2026-01-16T10:00"], features={"observation_days": 10})
    assert world.profile("2026-01-26", only=("is_left_censored",)) == {"is_left_censored": 0}


def test_who_was_last_seen_before_the_observation_window_has_no_profile(tmp_path: Path):
    world = world_of(tmp_path, ["anna 2026-01-15T23:59", "bob 2026-01-16T00:00"], features={"observation_days": 10})
    assert [profile["user_id"] for profile in world.profiles("2026-01-26", only=("tenure_days",))] == ["bob"]


# --- Edges ---------------------------------------------------------------------------------------------------------


def test_the_spread_of_nearly_equal_gaps_of_years_is_exact(tmp_path: Path):
    days = [date(2001, 1, 1) + timedelta(days=days) for days in (0, 3000, 6001, 9002)]
    expected = {"gap_days_std": pytest.approx(sqrt(2) / 3, rel=1e-12)}
    assert world_of(tmp_path, [f"anna {day}T10:00" for day in days]).profile("2026-01-01", only=expected) == expected


@pytest.mark.parametrize("types", [("購入", "訪問"), ("add-to-cart", "add_to_cart"), ("Open", "open")])
def test_event_types_that_read_alike_keep_their_own_columns(tmp_path: Path, types: tuple[str, str]):
    world = world_of(
        tmp_path, [f"anna 2026-01-05T10:00 {types[0]} count=2", f"anna 2026-01-05T10:00 {types[1]} count=5"]
    )
    profile = world.profile("2026-01-06", event_types=types)
    counts = [value for name, value in profile.items() if name.startswith("events_of_") and name.endswith("_28d")]
    assert sorted(counts) == [2, 5]


def test_any_text_is_an_event_type(tmp_path: Path):
    types = ("it's", 'say "hi"', "x'; drop table days; --", "100 %", "with space")
    log = [{"user_id": "anna", "event_time": "2026-01-05 10:00", "event_type": event_type} for event_type in types]
    profile = world_of(tmp_path, log, covered_until=date(2026, 1, 9)).profile("2026-01-06", event_types=types)
    assert [value for name, value in profile.items() if name.startswith("share_of_")] == [1 / 5] * 5


def test_an_event_type_may_be_in_braces(tmp_path: Path):
    world = world_of(tmp_path, ["anna 2026-01-05T10:00 {type}"])
    found = world.profile("2026-01-06", event_types=("{type}",), only=("share_of_type_28d",))
    assert found == {"share_of_type_28d": 1}


def test_the_largest_values_there_are_do_not_overflow(tmp_path: Path):
    lines = ["anna 2026-01-05T10:00 buy amount=99999999999 count=1000000000 duration_seconds=999999999"] * 20
    expected = {
        "amount_7d": pytest.approx(20 * 99_999_999_999),
        "events_7d": 2e10,
        "usage_minutes_7d": 20 * 14 * 60,
    }
    assert world_of(tmp_path, lines).profile("2026-01-06", only=expected) == expected


@pytest.mark.parametrize("had", ["open amount=5", "open device_os=ios"])
def test_a_log_that_lacks_what_the_specification_needs_is_a_clear_error(tmp_path: Path, had: str):
    rich = world_of(tmp_path / "rich", [f"anna 2026-01-05 {had}"]).specification()
    bare = world_of(tmp_path / "bare", ["anna 2026-01-05 open"]).activity()
    with pytest.raises(InputError, match=r"amount|device_os"):
        build_profiles(bare, rich, cutoffs=[date(2026, 1, 6)])


def test_a_user_who_only_came_at_midnight_has_the_same_profile_alone(tmp_path: Path):
    crowd = world_of(tmp_path / "crowd", ["anna 2026-01-05", "bob 2026-01-05T10:00"])
    alone = world_of(tmp_path / "alone", ["anna 2026-01-05"])
    profiles = [
        build_profiles(w.activity(), crowd.specification(), cutoffs=[date(2026, 1, 6)]).to_pylist()[0]
        for w in (crowd, alone)
    ]
    assert profiles[0] == profiles[1]


# --- In parts --------------------------------------------------------------------------------------------------------

MANY = [f"u{user:02} 2026-01-{5 + user % 7:02}T10:00 open device_os=os{user % 3}" for user in range(40)]
CUTOFFS = [date(2026, 1, 9), date(2026, 1, 12)]
SOME = ("tenure_days", "events_7d", "gap_days_max", "last_device_os")


def test_some_users_after_the_others_give_the_same_table(tmp_path: Path):
    whole = world_of(tmp_path, MANY)
    few = World(replace(whole.settings, compute=ComputeSettings(rows_at_once=10)), whole.home)
    specification = whole.specification(only=SOME)
    parts = list(build_in_parts(few.activity(), specification, cutoffs=CUTOFFS))
    assert len(parts) > 4
    assert build_profiles(few.activity(), specification, cutoffs=CUTOFFS) == build_profiles(
        whole.activity(), specification, cutoffs=CUTOFFS
    )


def test_shards_are_all_users_once(tmp_path: Path):
    world = world_of(tmp_path, MANY)
    activity, specification = world.activity(), world.specification(only=SOME)
    shards = [
        pa.concat_tables(build_in_parts(activity, specification, cutoffs=CUTOFFS, shard=Shard(number, 3)))
        for number in (1, 2, 3)
    ]
    assert all(shard.num_rows for shard in shards)
    found = pa.concat_tables(shards).sort_by([("cutoff", "ascending"), ("user_id", "ascending")])
    assert found == build_profiles(activity, specification, cutoffs=CUTOFFS)


@pytest.mark.parametrize("text", ["0/2", "3/2", "1", "a/b", "1/2/3", "-1/2", ""])
def test_what_is_no_shard_is_refused(text: str):
    with pytest.raises(InputError, match="--shard"):
        Shard.parse(text)


def test_parts_are_written_as_one_file_or_none(tmp_path: Path):
    world = world_of(tmp_path, MANY)
    parts = list(build_in_parts(world.activity(), world.specification(only=SOME), cutoffs=CUTOFFS))

    def breaking() -> Iterator[pa.Table]:
        yield parts[0]
        raise InputError("no", hint="no")

    with pytest.raises(InputError):
        write(breaking(), tmp_path / "found.parquet")
    assert not (tmp_path / "found.parquet").exists()
    assert write(iter(parts), tmp_path / "found.parquet") == parts[0].num_rows
    assert pq.read_table(tmp_path / "found.parquet") == parts[0]
