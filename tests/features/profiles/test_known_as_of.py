"""A cutoff sees only what was known before it, where the log says when a row became known."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from features.profiles.build import build_profiles
from features.snapshots import instant
from tests.builders import Row, columns_of, passing_world, rows, world_of
from tests.worlds import EVENT_TYPES, TWO_WINDOWS, RandomLog, examples, random_logs

LATE = [
    "anna 2026-01-05T10:00 open device_os=ios ingested_at=2026-01-05T10:01",
    "anna 2026-01-05T10:10 buy device_os=web ingested_at=2026-01-08T09:00",
    "anna 2026-01-06T10:00 open device_os=ios ingested_at=2026-01-09T00:00",
    "anna 2026-01-07T10:00 open device_os=ios ingested_at=2026-01-01T00:00",
]


def instants(lines: list[str]) -> list[Row]:
    return [
        {**event, "ingested_at": datetime.fromisoformat(event["ingested_at"]).replace(tzinfo=UTC)}
        for event in rows(lines)
    ]


def test_a_row_counts_from_the_day_on_which_it_became_known(tmp_path: Path):
    columns = ("active_days", "events_28d", "sessions_28d", "events_of_buy_28d", "gap_days_max")
    cutoffs = ("2026-01-08", "2026-01-09", "2026-01-10")
    found = world_of(tmp_path, instants(LATE)).profiles(*cutoffs, event_types=("buy",), only=columns)
    # on the 8th neither the purchase nor the 6th is known; the purchase came on the 8th, the 6th on the 9th
    assert [[profile[name] for name in columns] for profile in found] == [
        [2, 2, 2, 0, 2],
        [2, 3, 2, 1, 2],
        [3, 4, 3, 1, 1],
    ]


def test_a_day_has_a_version_for_each_day_on_which_more_of_it_became_known(tmp_path: Path):
    activity = world_of(tmp_path, instants(LATE)).activity()
    versions = activity.connection.sql(
        f"""select cast(day as varchar), cast(known_day as varchar), cast(known_until as varchar), events
        from {activity.versions("days")} order by all"""
    ).fetchall()
    assert versions == [
        ("2026-01-05", "2026-01-05", "2026-01-08", 1),
        ("2026-01-05", "2026-01-08", None, 2),
        ("2026-01-06", "2026-01-09", None, 1),
        ("2026-01-07", "2026-01-07", None, 1),  # known before it happened: from its own day on
    ]


def with_ids(*columns: str) -> dict[str, Any]:
    """Settings of a log with an ``id`` of each event."""
    return {"event_id": "id", "columns": {name: name for name in columns if name != "id"}}


def test_of_the_rows_of_an_event_id_the_one_known_first_counts(tmp_path: Path):
    again = [
        "anna 2026-01-05T10:00 open id=1 ingested_at=2026-01-05T10:01",
        "anna 2026-01-05T10:00 open id=1 ingested_at=2026-01-12T10:00 channel=ads",  # of all columns the first
        "bob 2026-01-05T10:00 open id=2 ingested_at=2026-01-05T10:01",
        "bob 2026-01-04T10:00 open id=2 ingested_at=2026-01-12T10:00",
    ]
    one = world_of(
        tmp_path / "one", instants(again), **with_ids("user_id", "event_time", "event_type", "ingested_at", "channel")
    )
    assert [
        (profile["user_id"], profile["events_28d"], profile["days_since_last_event"])
        for profile in one.profiles("2026-01-06", only=("events_28d", "days_since_last_event"))
    ] == [("anna", 1, 14 / 24), ("bob", 1, 14 / 24)]
    assert one.activity().notes == ("2 rows repeat the event id of another: each id counts once",)


def test_labels_see_all_that_is_known_today(tmp_path: Path):
    assert world_of(tmp_path, instants(LATE)).daily("events") == [
        ("anna", "2026-01-05", 2),
        ("anna", "2026-01-06", 1),
        ("anna", "2026-01-07", 1),
    ]


DELAYS = [None, timedelta(0), timedelta(minutes=-5), timedelta(hours=5), timedelta(days=1), timedelta(days=9)]


@examples(3, 24)
@given(random_logs(), st.booleans(), st.data())
def test_rows_known_at_or_after_the_cutoff_never_change_a_profile(log: RandomLog, has_ids: bool, data: st.DataObject):
    late = [event | {"ingested_at": _known(event, data.draw(st.sampled_from(DELAYS)))} for event in map(dict, log.rows)]
    settings = log.settings()
    if has_ids:
        late = [event | {"id": data.draw(st.sampled_from([None, "1", "2", "3"]))} for event in late]
        settings |= with_ids(*columns_of(late))
    cutoff = log.cutoffs[-1]
    with passing_world(late, **settings) as whole:
        specification = whole.specification(EVENT_TYPES, TWO_WINDOWS)
        found = build_profiles(whole.activity(), specification, cutoffs=log.cutoffs).to_pylist()
    with passing_world([event for event in late if _was_known(event, cutoff, log.zone)], **settings) as then:
        before = build_profiles(then.activity(), specification, cutoffs=[cutoff]).to_pylist()
    assert [profile for profile in found if profile["cutoff"] == cutoff] == before


def _known(event: dict[str, Any], delay: timedelta | None) -> datetime | None:
    return None if delay is None else event["event_time"].astimezone(UTC) + delay


def _was_known(event: Row, cutoff: date, zone: str) -> bool:
    at = max(event["event_time"].astimezone(UTC), event["ingested_at"] or event["event_time"].astimezone(UTC))
    return at < instant(cutoff, zone)
