"""Events to user x day: days, sessions, use, and the daily columns of the labels."""

from pathlib import Path

import pytest

from features.activity.roll_up import RELATIONS, RollUp
from features.errors import InputError
from tests.builders import row, world_of


def at(*clocks: str, day: str = "2026-01-05", **columns: str) -> list[str]:
    named = "".join(f" {name}={value}" for name, value in columns.items())
    return [f"anna {day}T{clock} open{named}" for clock in clocks]


# --- Days ----------------------------------------------------------------------------------------------------------


def test_a_day_is_local(tmp_path: Path):
    lines = ["anna 2026-01-05T22:59:59.999", "anna 2026-01-05T23:00"]
    world = world_of(tmp_path, lines, churn={"timezone": "Europe/Berlin"})
    assert world.daily("events") == [("anna", "2026-01-05", 1), ("anna", "2026-01-06", 1)]


def test_a_day_of_25_hours_is_one_day(tmp_path: Path):
    lines = ["anna 2025-10-25T22:00", "anna 2025-10-26T22:59", "anna 2025-10-26T23:00"]
    world = world_of(tmp_path, lines, churn={"timezone": "Europe/Berlin"})
    assert world.daily("events") == [("anna", "2025-10-26", 2), ("anna", "2025-10-27", 1)]


def test_a_pre_counted_row_counts_its_events_and_purchases_but_not_its_money_or_its_time(tmp_path: Path):
    world = world_of(tmp_path, ["anna 2026-01-05T10:00 buy count=3 amount=30 duration_seconds=60"])
    assert world.daily("events", "purchases", "amount_micros", "usage_minutes") == [
        ("anna", "2026-01-05", 3, 3, 30_000_000, 60_000)
    ]


def test_a_row_without_a_count_is_one_event(tmp_path: Path):
    world = world_of(tmp_path, ["anna 2026-01-05T10:00 open count=2", "anna 2026-01-05T10:00 open"])
    assert world.daily("events") == [("anna", "2026-01-05", 3)]


def test_event_types_keep_their_own_rows(tmp_path: Path):
    world = world_of(
        tmp_path, ["anna 2026-01-05T10:00 open", "anna 2026-01-05T11:00 it's", "anna 2026-01-05T12:00 open"]
    )
    found = world.daily("event_type", "n", relation="event_types")
    assert found == [("anna", "2026-01-05", "it's", 1), ("anna", "2026-01-05", "open", 2)]


def test_contexts_keep_first_and_last_instant_of_a_combination(tmp_path: Path):
    lines = [f"anna 1970-01-03T0{hour}:00 open device_os={os}" for hour, os in enumerate(("ios", "android", "ios"))]
    found = world_of(tmp_path, lines).daily("device_os", "first_at", "last_at", relation="contexts")
    day, hour = 2 * 86_400_000_000, 3_600_000_000
    assert found == [
        ("anna", "1970-01-03", "android", day + hour, day + hour),
        ("anna", "1970-01-03", "ios", day, day + 2 * hour),
    ]


@pytest.mark.parametrize("user", ["O'Brien", "日本", '"quoted"', "day=1"])
def test_any_user_id_survives(tmp_path: Path, user: str):
    assert world_of(tmp_path, [f"{user} 2026-01-05T10:00"]).daily("events") == [(user, "2026-01-05", 1)]


def test_a_day_in_a_hundred_partitions_is_not_lost(tmp_path: Path):
    lines = [
        f"u{user} {year}-{month:02}-{day:02}T10:00"
        for user in range(3)
        for year in (2024, 2025)
        for month in range(1, 13)
        for day in range(1, 21)
    ]
    activity = world_of(tmp_path, lines).activity()
    (found,) = activity.connection.sql(
        f"select sum(events), count(distinct day) from {activity.relation('days')}"
    ).fetchall()
    assert found == (1440, 480)


# --- Sessions and use ----------------------------------------------------------------------------------------------


def test_a_pause_of_30_minutes_goes_on_and_a_longer_one_starts_a_session(tmp_path: Path):
    world = world_of(tmp_path, at("10:00", "10:30", "11:00:00.001"))
    assert world.daily("sessions", "usage_minutes") == [("anna", "2026-01-05", 2, 30 * 60_000)]


def test_the_session_gap_is_settable(tmp_path: Path):
    world = world_of(tmp_path, at("10:00", "10:30"), features={"session_gap_minutes": 29})
    assert world.daily("sessions", "usage_minutes") == [("anna", "2026-01-05", 2, 0)]


def test_events_at_the_same_instant_are_one_session(tmp_path: Path):
    assert world_of(tmp_path, at("10:00", "10:00")).daily("sessions") == [("anna", "2026-01-05", 1)]


def test_a_session_across_midnight_counts_in_both_days_and_its_pause_over_midnight_in_none(tmp_path: Path):
    world = world_of(tmp_path, [*at("23:50", "23:55"), *at("00:05", "00:06", day="2026-01-06")])
    assert world.daily("sessions", "usage_minutes") == [
        ("anna", "2026-01-05", 1, 5 * 60_000),
        ("anna", "2026-01-06", 1, 60_000),
    ]


def test_a_session_id_holds_a_visit_together_through_any_pause(tmp_path: Path):
    world = world_of(tmp_path, [*at("10:00", "14:00", session_id="a"), *at("10:10", session_id="b")])
    assert world.daily("sessions", "usage_minutes") == [("anna", "2026-01-05", 2, 240 * 60_000)]


def test_rows_of_a_day_without_a_session_id_last_as_long_as_they_are_without_long_pauses(tmp_path: Path):
    alone = at("08:00", "08:20", "08:50", "22:00", session_id="")
    rows_of_both = [{**row(line), "session_id": None} for line in alone] + [
        row(line) for line in at("08:05", "08:10", session_id="a")
    ]
    world = world_of(tmp_path, rows_of_both)
    assert world.daily("sessions", "usage_minutes") == [("anna", "2026-01-05", 2, (50 + 5) * 60_000)]


def test_the_same_session_id_of_two_users_is_two_sessions(tmp_path: Path):
    world = world_of(tmp_path, ["anna 2026-01-05T10:00 open session_id=1", "bob 2026-01-05T10:00 open session_id=1"])
    assert world.daily("sessions") == [("anna", "2026-01-05", 1), ("bob", "2026-01-05", 1)]


def test_stated_durations_replace_pauses(tmp_path: Path):
    world = world_of(tmp_path, at("10:00", "10:10", duration_seconds="90.5"))
    assert world.daily("sessions", "usage_minutes") == [("anna", "2026-01-05", 1, 181_000)]


def test_a_duration_is_cut_at_the_end_of_its_day(tmp_path: Path):
    assert world_of(tmp_path, at("23:59", duration_seconds="3600")).daily("usage_minutes") == [
        ("anna", "2026-01-05", 60_000)
    ]


def test_a_duration_is_cut_at_the_end_of_its_local_day(tmp_path: Path):
    world = world_of(tmp_path, at("22:30", duration_seconds="7200"), churn={"timezone": "Europe/Berlin"})
    assert world.daily("usage_minutes") == [("anna", "2026-01-05", 30 * 60_000)]


@pytest.mark.parametrize(("start", "hours"), [("2025-03-30T00:00+01:00", 23), ("2025-10-26T00:00+02:00", 25)])
def test_a_day_on_which_clocks_change_is_filled_to_its_end_and_no_further(tmp_path: Path, start: str, hours: int):
    world = world_of(tmp_path, [f"anna {start} open duration_seconds=200000"], churn={"timezone": "Europe/Berlin"})
    assert world.daily("usage_minutes") == [("anna", start[:10], hours * 3_600_000)]


@pytest.mark.parametrize(
    ("zone", "start"), [("America/Havana", "2025-11-02T03:30"), ("Atlantic/Azores", "2025-10-25T23:30")]
)
def test_a_duration_is_cut_at_the_first_midnight_where_it_comes_twice(tmp_path: Path, zone: str, start: str):
    world = world_of(tmp_path, [f"anna {start} open duration_seconds=7200"], churn={"timezone": zone})
    assert [ms for _, _, ms in world.daily("usage_minutes")] == [30 * 60_000]


def test_a_log_of_midnights_has_no_sessions_and_no_use(tmp_path: Path):
    facts = world_of(tmp_path, ["anna 2026-01-05", "anna 2026-01-06"]).activity().facts
    assert facts == {"user_id", "event_time", "event_type"}


def test_a_log_of_local_midnights_has_no_time_of_day(tmp_path: Path):
    lines = ["anna 2026-01-05T23:00", "anna 2026-07-05T22:00"]
    assert "time_of_day" not in world_of(tmp_path, lines, churn={"timezone": "Europe/Berlin"}).activity().facts


def test_a_log_of_midnights_with_ids_and_durations_has_sessions_and_use(tmp_path: Path):
    world = world_of(tmp_path, ["anna 2026-01-05 open session_id=a duration_seconds=60"])
    assert world.activity().facts >= {"sessions", "usage"}
    assert world.daily("sessions", "usage_minutes") == [("anna", "2026-01-05", 1, 60_000)]


# --- What labels need ----------------------------------------------------------------------------------------------


def test_every_event_qualifies_by_default_and_none_means_leaving(tmp_path: Path):
    assert world_of(tmp_path, at("10:00", "11:00")).daily("qualifying_events", "leaving_events") == [
        ("anna", "2026-01-05", 2, 0)
    ]


def test_qualifying_and_leaving_events_are_counted_by_their_conditions(tmp_path: Path):
    lines = ["anna 2026-01-05T10:00 it's count=4 amount=5", "anna 2026-01-05T10:01 quit count=1 amount=-5"]
    world = world_of(
        tmp_path, lines, churn={"qualifying": "event_type = 'it''s' and amount > 0", "event": "event_type = 'quit'"}
    )
    assert world.daily("qualifying_events", "leaving_events") == [("anna", "2026-01-05", 4, 1)]


def test_a_condition_that_knows_no_answer_does_not_qualify(tmp_path: Path):
    lines = ["anna 2026-01-05T10:00 buy amount=5", "anna 2026-01-06T10:00 open"]
    world = world_of(tmp_path, lines, churn={"qualifying": "amount > 0"})
    assert world.daily("qualifying_events") == [("anna", "2026-01-05", 1), ("anna", "2026-01-06", 0)]


def test_a_condition_may_ask_for_the_device(tmp_path: Path):
    world = world_of(tmp_path, at("10:00", device_os="ios"), churn={"qualifying": "device_os in ('ios')"})
    assert world.daily("qualifying_events") == [("anna", "2026-01-05", 1)]


@pytest.mark.parametrize("setting", ["qualifying", "event"])
def test_a_condition_on_a_device_that_is_not_mapped_is_a_clear_error(tmp_path: Path, setting: str):
    with pytest.raises(InputError, match="device_os"):
        world_of(tmp_path, at("10:00"), churn={setting: "device_os = 'ios'"}).activity()


def test_a_condition_on_a_column_that_is_not_mapped_is_a_clear_error(tmp_path: Path):
    with pytest.raises(InputError, match=r"cannot be rolled up(?s:.*)amount(?s:.*)qualifying"):
        world_of(tmp_path, at("10:00"), churn={"qualifying": "amount > 0"}).activity()


# --- Orders and products -------------------------------------------------------------------------------------------


def test_rows_of_orders_and_products_are_kept_with_their_events_money_and_first_instant(tmp_path: Path):
    world = world_of(
        tmp_path,
        [
            "anna 1970-01-03T10:00 view item_id=hat item_category=worn",
            "anna 1970-01-03T09:00 view item_id=hat item_category=worn",
            "anna 1970-01-03T11:00 pay item_id=hat order_id=1 amount=2.5",
            "anna 1970-01-03T12:00 back order_id=1 amount=-1",
            "anna 1970-01-03T13:00 open",
        ],
    )
    columns = (
        "order_id",
        "order_status",
        "item_id",
        "event_type",
        "n",
        "first_at",
        "purchases",
        "amount_micros",
        "refunded_micros",
    )
    day, hour = 2 * 86_400_000_000, 3_600_000_000
    assert world.daily(*columns, relation="items") == [
        ("anna", "1970-01-03", "1", None, "hat", "pay", 1, day + 11 * hour, 1, 2_500_000, 0),
        ("anna", "1970-01-03", "1", None, None, "back", 1, day + 12 * hour, 0, 0, 1_000_000),
        ("anna", "1970-01-03", None, None, "hat", "view", 2, day + 9 * hour, 0, 0, 0),
    ]


def test_a_log_without_orders_is_kept_as_before():
    """The digest of an activity covers these texts: adding columns to the contract must not cost anybody their kept days."""
    roll_up = RollUp(("user_id", "event_time", "event_type", "amount"))
    assert roll_up.kept("x") == roll_up.sql("x")
    assert set(RollUp((*roll_up.columns, "item_id")).kept("x")) == {*RELATIONS, "items"}


def test_an_order_has_a_version_for_each_day_on_which_more_of_it_became_known(tmp_path: Path):
    lines = [f"anna 2026-01-05T10:00 pay order_id={n} amount=1 ingested_at=2026-01-0{n}T12:00" for n in (5, 7)]
    activity = world_of(tmp_path, lines).activity()
    known = {
        day: activity.connection.sql(f"from {activity.known('items', before=f'date {day!r}')}").fetchall()
        for day in ("2026-01-07", "2026-01-08")
    }
    assert [len(rows) for rows in known.values()] == [1, 2]
    assert len(activity.connection.sql(f"from {activity.relation('items')}").fetchall()) == 2
