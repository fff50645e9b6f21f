"""Several ids, one person: joined as known at the cutoff, so that signing in never looks like leaving."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from msgspec import structs

from features.activity.store import Activity
from features.errors import InputError
from features.profiles.build import Shard, build_in_parts, build_profiles
from features.settings import IdentitiesSettings, UsersSettings
from features.users.attributes import AttributesSettings, open_known_users
from models.definition import ChurnDefinition
from tests.builders import Row, World, passing_world, world_of, write
from tests.worlds import FITTED, TWO_WINDOWS, RandomLog, examples, random_logs

# anna comes without a name, signs in at noon of the 6th, and is herself from then on
LOG = [
    "cookie 2026-01-05T10:00 open device_os=ios",
    "cookie 2026-01-06T11:00 open device_os=ios",
    "cookie 2026-01-06T11:10 buy device_os=ios",
    "anna 2026-01-06T13:00 open device_os=web",
    "anna 2026-01-08T13:00 open device_os=web",
    "bob 2026-01-05T10:00 open device_os=web",
]
NOON = "cookie anna 2026-01-06T12:00"
SOME = (
    *("tenure_days", "days_since_last_event", "active_days", "active_days_7d", "gap_days_max", "operating_systems"),
    *("events_7d", "events_28d", "events_of_buy_28d", "sessions_7d", "sessions_28d"),
)


def link(line: str) -> Row:
    alias, user, at = line.split()
    return {"alias_id": alias, "user_id": user, "valid_from": datetime.fromisoformat(at).replace(tzinfo=UTC)}


def joined(world: World, links: Sequence[str | Row], **users: Any) -> Activity:
    """The world's activity with a table of identities beside it."""
    place = write(
        world.home.with_name("identities.parquet"), [link(one) if isinstance(one, str) else one for one in links]
    )
    activity, zone = world.activity(), world.settings.churn.timezone
    sections = AttributesSettings(UsersSettings(**users), IdentitiesSettings(path=str(place)), zone)
    return replace(activity, tables=open_known_users(activity.connection, sections, rejected=world.home / "rejected"))


def profiles(
    world: World, activity: Activity, *cutoffs: str, only: tuple[str, ...] = SOME
) -> dict[tuple[str, str], dict[str, Any]]:
    days = [date.fromisoformat(cutoff) for cutoff in cutoffs]
    found = build_profiles(activity, world.specification(("open", "buy"), (7, 28), only=only), cutoffs=days).to_pylist()
    return {(row["user_id"], str(row["cutoff"])): row for row in found}


def test_somebody_who_signed_in_has_one_profile_of_all_ids(tmp_path: Path):
    world = world_of(tmp_path, LOG)
    found = profiles(world, joined(world, [NOON]), "2026-01-06", "2026-01-07", "2026-01-09")
    assert sorted(found) == [
        ("anna", "2026-01-07"),
        ("anna", "2026-01-09"),
        *(("bob", f"2026-01-0{day}") for day in (6, 7, 9)),
        ("cookie", "2026-01-06"),  # nobody knew yet
    ]
    columns = ("tenure_days", "active_days", "events_28d", "sessions_28d", "events_of_buy_28d", "operating_systems")
    assert [found["anna", "2026-01-07"][name] for name in columns] == [2, 2, 4, 3, 1, 2]
    assert [found["anna", "2026-01-09"][name] for name in (*columns, "gap_days_max")] == [4, 3, 5, 4, 1, 2, 2]


def test_two_ids_on_one_day_are_one_active_day(tmp_path: Path):
    world = world_of(tmp_path, LOG[1:4])
    (found,) = profiles(world, joined(world, [NOON]), "2026-01-07").values()
    assert (found["active_days_7d"], found["active_days"], found["events_7d"], found["sessions_7d"]) == (1, 1, 3, 2)
    assert found["days_since_last_event"] == pytest.approx(11 / 24)


def test_an_alias_of_an_alias_is_followed(tmp_path: Path):
    world = world_of(tmp_path, [*LOG, "phone 2026-01-07T10:00 open device_os=ios"])
    links = [NOON, "phone cookie 2026-01-07T11:00"]
    found = profiles(world, joined(world, links), "2026-01-08")
    assert {user for user, _ in found} == {"anna", "bob"}
    assert found["anna", "2026-01-08"]["events_28d"] == 5


def test_the_target_of_an_alias_counts_from_when_it_is_an_alias_itself(tmp_path: Path):
    world = world_of(tmp_path, LOG)
    links = ["cookie visitor 2026-01-05T12:00", "visitor anna 2026-01-07T12:00"]
    found = profiles(world, joined(world, links), "2026-01-07", "2026-01-08")
    assert found["visitor", "2026-01-07"]["events_28d"] == 3  # somebody of whom the log itself knows nothing
    assert found["anna", "2026-01-07"]["events_28d"] == 1
    assert ("visitor", "2026-01-08") not in found
    assert found["anna", "2026-01-08"]["events_28d"] == 4


def test_a_shared_device_belongs_to_whoever_signed_in_last(tmp_path: Path):
    world = world_of(tmp_path, LOG)
    links = [NOON, "cookie bob 2026-01-07T12:00", "cookie cookie 2026-01-08T12:00"]
    found = profiles(world, joined(world, links), "2026-01-07", "2026-01-08", "2026-01-09")
    assert {key: row["events_28d"] for key, row in found.items()} == {
        ("anna", "2026-01-07"): 4,
        ("bob", "2026-01-07"): 1,
        ("anna", "2026-01-08"): 1,
        ("bob", "2026-01-08"): 4,
        ("anna", "2026-01-09"): 2,
        ("bob", "2026-01-09"): 1,
        ("cookie", "2026-01-09"): 3,
    }


@pytest.mark.parametrize(
    "circle", [["a b", "b a"], ["a b", "b c", "c a"], ["x a", "a b", "b a"]], ids=["two", "three", "led into"]
)
def test_a_circle_is_refused(circle: list[str], tmp_path: Path):
    links = [f"{pair} 2026-01-0{day}" for day, pair in enumerate(circle, 1)]
    with pytest.raises(InputError, match="ids lead back to themselves through other ids"):
        joined(world_of(tmp_path, LOG), links)


def test_two_rows_that_point_at_each_other_at_different_times_are_no_circle(tmp_path: Path):
    world = world_of(tmp_path, LOG)
    links = ["cookie anna 2026-01-06", "cookie cookie 2026-01-07", "anna cookie 2026-01-07"]
    assert ("cookie", "2026-01-08") in profiles(world, joined(world, links), "2026-01-08")


def deciders(world: World, activity: Activity, cutoff: str) -> set[str]:
    sql = ChurnDefinition.of(world.settings.churn).label_sql(activity, [date.fromisoformat(cutoff)])
    return {user for user, _ in activity.connection.sql(sql).fetchall()}


def test_somebody_who_signs_in_during_the_horizon_did_not_churn(tmp_path: Path):
    churn = {"horizon_days": 2}
    lines = ["cookie 2026-01-05T10:00", "anna 2026-01-06T13:00", "bob 2026-01-05T10:00"]
    world = world_of(tmp_path, lines, churn=churn)
    assert deciders(world, world.activity(), "2026-01-06") == {"anna"}
    activity = joined(world, [NOON])
    assert ("cookie", "2026-01-06") in profiles(world, activity, "2026-01-06", only=("active_days",))
    assert deciders(world, activity, "2026-01-06") == {"anna", "cookie"}


def test_a_leaving_event_of_any_id_is_the_persons(tmp_path: Path):
    lines = ["anna 2026-01-04T10:00", "cookie 2026-01-06T13:00 cancel"]
    world = world_of(tmp_path, lines, churn={"horizon_days": 2, "event": "event_type = 'cancel'"})
    assert deciders(world, joined(world, ["cookie anna 2026-01-05"]), "2026-01-06") == {"anna", "cookie"}


def test_attributes_are_those_of_the_person(tmp_path: Path):
    world = world_of(tmp_path, LOG)
    table = [{"user_id": "anna", "plan": "paid"}, {"user_id": "cookie", "plan": "none"}]
    place = write(tmp_path / "users.parquet", table)
    activity = joined(world, [NOON], path=str(place), columns={"plan": "plan"}, trust_undated=True)
    fitted = replace(FITTED, attributes=activity.tables.attributes)
    specification = structs.replace(
        world.specification(only=("active_days",)), fitted=fitted, feature_names=("user_plan",)
    )
    found = build_profiles(activity, specification, cutoffs=[date(2026, 1, 6), date(2026, 1, 7)]).to_pylist()
    assert [(row["user_id"], row["user_plan"]) for row in found] == [
        *[("bob", None), ("cookie", "none")],
        *[("anna", "paid"), ("bob", None)],
    ]


def test_parts_of_all_users_hold_every_person_once(tmp_path: Path):
    world = world_of(tmp_path, LOG)
    activity = joined(world, [NOON])
    specification, cutoffs = world.specification(only=("active_days", "events_28d")), [date(2026, 1, 7)]
    whole = build_profiles(activity, specification, cutoffs=cutoffs).to_pylist()
    shards = [Shard(number, 3) for number in (1, 2, 3)]
    found = [
        row
        for shard in shards
        for part in build_in_parts(activity, specification, cutoffs=cutoffs, shard=shard)
        for row in part.to_pylist()
    ]
    assert sorted(found, key=lambda row: row["user_id"]) == whole
    small = replace(activity, rows_at_once=1)
    assert build_profiles(small, specification, cutoffs=cutoffs).to_pylist() == whole


few = settings(examples(3, 16), phases=[Phase.generate])
links_between = st.lists(
    st.tuples(
        st.sampled_from(["anna", "bob", "O'Brien"]), st.sampled_from(["日本", "007", "new"]), st.integers(-20, 20)
    ),
    max_size=6,
)


def bits(world: World, activity: Activity, cutoffs: Sequence[date]) -> dict[tuple[str, date], list[Any]]:
    found = build_profiles(
        activity, world.specification(fitted=FITTED, windows=TWO_WINDOWS), cutoffs=cutoffs
    ).to_pylist()
    return {
        (row["user_id"], row["cutoff"]): [v.hex() if isinstance(v, float) else v for v in row.values()] for row in found
    }


@few
@given(random_logs(), links_between, st.randoms(use_true_random=False))
def test_neither_an_identity_known_from_the_cutoff_on_nor_the_order_of_rows_change_a_profile(
    log: RandomLog, pairs: list[tuple[str, str, int]], random: Random
):
    cutoff = log.cutoffs[0]
    midnight = datetime.combine(cutoff, datetime.min.time(), UTC)
    table: list[dict[str, Any]] = [
        {"alias_id": a, "user_id": u, "valid_from": midnight + timedelta(hours=12 + 24 * day)} for a, u, day in pairs
    ]
    anchor = {"alias_id": "nobody", "user_id": "somebody", "valid_from": midnight}
    before = [row for row in table if row["valid_from"] < midnight]
    with passing_world(log.rows, **log.settings()) as world:
        found = bits(world, joined(world, [anchor, *table]), [cutoff])
        assert bits(world, joined(world, random.sample([*table, anchor], len(table) + 1)), [cutoff]) == found
        assert bits(world, joined(world, [*before, anchor]), [cutoff]) == found


@few
@given(random_logs())
def test_identities_that_join_nobody_change_no_bit(log: RandomLog):
    with passing_world(log.rows, **log.settings()) as world:
        alone = bits(world, world.activity(), log.cutoffs)
        assert bits(world, joined(world, ["nobody somebody 2000-01-01"]), log.cutoffs) == alone


@few
@given(random_logs())
def test_a_person_of_two_ids_is_one_user_where_ids_never_meet_in_a_visit(log: RandomLog):
    """Everything but visits: with session ids of their own, days merge to what one id would have had."""
    own = [dict(row) | {"session_id": f"{row['user_id']}-{row.get('session_id')}"} for row in log.rows]
    renamed = [row | {"user_id": "anna" if row["user_id"] == "bob" else row["user_id"]} for row in own]
    with passing_world(own, **log.settings()) as apart, passing_world(renamed, **log.settings()) as one:
        specification = apart.specification(fitted=FITTED, windows=TWO_WINDOWS)
        activity = joined(apart, ["bob anna 2000-01-01"])
        found = build_profiles(activity, specification, cutoffs=log.cutoffs).to_pylist()
        assert found == build_profiles(one.activity(), specification, cutoffs=log.cutoffs).to_pylist()
