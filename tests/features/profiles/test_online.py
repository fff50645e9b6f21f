"""Profiles from a user's own events against the batch over the whole log."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.catalogue.custom import CustomFeature
from features.catalogue.definition import Unit
from features.catalogue.fitted import FittedConstants
from features.errors import InputError
from features.profiles.build import build_profiles
from features.profiles.online import History, InvalidEvent, OnlineProfiles, cutoff_of
from features.profiles.specification import Specification
from features.snapshots import instant
from tests.builders import Row, columns_of, passing_world, rows
from tests.features.profiles.test_oracle import is_same
from tests.worlds import FITTED, TWO_WINDOWS, RandomLog, examples, random_logs

few = examples(4, 30)


def history(user: str, as_of: datetime, events: Sequence[Row], **kept: Any) -> History:
    own = [event for event in events if event["user_id"] == user]
    return History(user, as_of, {name: [event.get(name) for event in own] for name in columns_of(events)}, **kept)


def differences(found: Any, expected: dict[str, Any]) -> dict[str, tuple[Any, Any]]:
    assert found.keys() == expected.keys()
    return {name: (found[name], value) for name, value in expected.items() if not is_same(found[name], value)}


@few
@given(random_logs())
def test_at_a_local_midnight_all_users_have_the_profile_of_the_batch(log: RandomLog):
    with passing_world(log.rows, **log.settings()) as world:
        specification = world.specification(fitted=FITTED, windows=TWO_WINDOWS)
        batch = build_profiles(world.activity(), specification, cutoffs=log.cutoffs).to_pylist()
    online = OnlineProfiles(specification, columns_of(log.rows))
    asked = [history(user, instant(cutoff, log.zone), log.rows) for cutoff in log.cutoffs for user in log.users]
    found = {(one["user_id"], one["cutoff"]): one for one in online.profiles(asked) if isinstance(one, dict)}
    expected = {(one["user_id"], one["cutoff"]): one for one in batch}
    assert found.keys() == expected.keys()
    assert {key: wrong for key, one in expected.items() if (wrong := differences(found[key], one))} == {}


@few
@given(random_logs(), st.data())
def test_events_from_as_of_on_never_change_a_profile_at_any_time_of_day(log: RandomLog, data: st.DataObject):
    with passing_world(log.rows[:1], **log.settings()) as world:
        specification = world.specification(fitted=FITTED, windows=TWO_WINDOWS)
    near = data.draw(st.sampled_from([row["event_time"] for row in log.rows]))
    as_of = near + timedelta(minutes=data.draw(st.sampled_from([0, 1, 30, 59])))
    online = OnlineProfiles(specification, columns_of(log.rows))
    before = [row for row in log.rows if row["event_time"] < as_of]
    assert online.profiles([history(user, as_of, log.rows) for user in log.users]) == online.profiles(
        [history(user, as_of, before or log.rows) for user in log.users]
    )


def simple(*names: str, zone: str = "UTC") -> Specification:
    return Specification(names, (1, 7, 28), timezone=zone)


def profile(specification: Specification, as_of: str, *lines: str) -> Any:
    events = rows(lines)
    online = OnlineProfiles(specification, columns_of(events))
    return online.profiles([history("anna", datetime.fromisoformat(as_of), events)])[0]


def test_days_start_at_the_time_of_day_of_as_of():
    names = ("events_1d", "active_days", "days_since_last_event", "tenure_days")
    lines = ["anna 2026-01-05T15:36", "anna 2026-01-05T15:37", "anna 2026-01-06T15:36", "anna 2026-01-06T15:37"]
    found = profile(simple(*names), "2026-01-06T15:37:00+00:00", *lines)
    assert found == {
        "user_id": "anna",
        "cutoff": date(2026, 1, 6),
        "events_1d": 2,
        "active_days": 2,
        "days_since_last_event": pytest.approx(1 / 1440),
        "tenure_days": 2,
    }


def test_a_duration_is_cut_at_as_of():
    line = "anna 2026-01-05T15:07 duration_seconds=3600"
    assert profile(simple("usage_minutes_1d"), "2026-01-05T15:37:00+00:00", line)["usage_minutes_1d"] == 30


@pytest.mark.parametrize(("as_of", "events"), [("00:30", 1), ("01:15", 2), ("01:30", 3)])
def test_an_hour_that_the_clock_shows_twice_is_told_apart(as_of: str, events: int):
    """In Berlin 02:00 to 03:00 comes twice: 00:00 to 01:00 UTC and 01:00 to 02:00 UTC."""
    lines = [f"anna 2025-10-26T{at} duration_seconds=60" for at in ("00:15", "00:45", "01:15", "01:45")]
    names = ("events_1d", "active_days", "usage_minutes_28d")
    found = profile(simple(*names, zone="Europe/Berlin"), f"2025-10-26T{as_of}:00+00:00", *lines)
    assert [found[name] for name in names] == [events, 1, events]


def test_hours_and_weekdays_are_those_of_the_event():
    line = "anna 2026-01-09T23:30"  # a Friday; the day before as_of started on it and ends on Saturday
    found = profile(simple("weekend_share_28d"), "2026-01-10T15:37:00+00:00", line)
    assert found["weekend_share_28d"] == 0


def test_a_midnight_that_clocks_skip_is_where_the_day_starts():
    at = datetime(2018, 11, 4, 3, tzinfo=UTC)  # 01:00 in Sao Paulo, the first instant of the day
    assert cutoff_of(at, "America/Sao_Paulo") == (date(2018, 11, 4), timedelta())


def test_an_invalid_event_is_told_with_its_place_and_the_others_are_answered():
    events = rows(["anna 2026-01-05T10:00 count=1", "anna 2026-01-05T11:00 count=-1", "bob 2026-01-05T10:00 count=2"])
    online = OnlineProfiles(simple("events_7d"), columns_of(events))
    as_of = datetime(2026, 1, 6, tzinfo=UTC)
    anna, bob, eve = online.profiles([history(user, as_of, events) for user in ("anna", "bob", "eve")])
    assert anna == InvalidEvent(1, "count is negative")
    assert isinstance(bob, dict)
    assert bob["events_7d"] == 2
    assert eve is None


@pytest.mark.parametrize("asked", ["17850.0", " 17850", "\u200b17850.00\u3000"])
def test_an_id_is_read_as_those_of_a_log(asked: str):
    events = rows(["17850 2026-01-05T10:00"])
    online = OnlineProfiles(simple("events_7d"), columns_of(events))
    as_of = datetime(2026, 1, 6, tzinfo=UTC)
    (found,) = online.profiles([replace(history("17850", as_of, events), user_id=asked)])
    assert isinstance(found, dict)
    assert (found["user_id"], found["events_7d"]) == ("17850", 1)


def test_a_user_may_be_asked_for_twice_and_nobody_changes_another():
    events = rows(["anna 2026-01-04T10:00", "anna 2026-01-05T10:00", "bob 2026-01-05T10:00"])
    online = OnlineProfiles(simple("events_7d"), columns_of(events))
    days = [datetime(2026, 1, day, tzinfo=UTC) for day in (5, 6)]
    asked = [history(user, day, events) for day in days for user in ("anna", "bob")]
    alone = [online.profiles([one])[0] for one in asked]
    assert online.profiles(asked) == alone
    assert [one and one["events_7d"] for one in alone if not isinstance(one, InvalidEvent)] == [1, None, 2, 1]


def test_what_was_not_known_yet_is_not_seen():
    events = rows(["anna 2026-01-04T10:00", "anna 2026-01-04T11:00"])
    late = [
        {**event} | {"ingested_at": datetime(2026, 1, 4 + place, 12, tzinfo=UTC)} for place, event in enumerate(events)
    ]
    online = OnlineProfiles(simple("events_7d"), columns_of(late))
    for day, known in ((5, 1), (6, 2)):
        (found,) = online.profiles([history("anna", datetime(2026, 1, day, tzinfo=UTC), late)])
        assert isinstance(found, dict)
        assert found["events_7d"] == known


def test_events_without_a_column_of_the_profile_are_refused():
    with pytest.raises(InputError, match="events without amount"):
        OnlineProfiles(simple("purchases_7d"), ("user_id", "event_time", "event_type"))


def own(daily: str, *needs: str) -> CustomFeature:
    return CustomFeature("windowed", "taps", Unit.COUNT, "Taps.", "tapped {value} times", daily=daily, needs=needs)


def test_own_features_over_the_contract_are_those_of_the_batch():
    specification = Specification(("taps_7d",), (1, 7, 28), custom=(own("sum(n * 3)", "count"),))
    lines = ("anna 2026-01-04T10:00 count=2", "anna 2026-01-05T10:00 count=5")
    assert profile(specification, "2026-01-06T00:00:00+00:00", *lines)["taps_7d"] == 21


@pytest.mark.parametrize(
    "specification",
    [
        Specification(("taps_7d",), (7,), custom=(own("sum(touched)", "touched"),)),
        Specification(("taps_7d",), (7,), custom=(own("sum(touched)"),)),  # it may fail to say what it needs
        Specification(("events_7d",), (7,), qualifying="touched > 0"),
        Specification(("events_7d", "user_plan"), (7,), FittedConstants(attributes={"plan": Unit.TEXT})),
    ],
)
def test_a_profile_that_reads_more_than_the_contract_is_refused(specification: Specification):
    with pytest.raises(InputError, match=r"needs more than events of the contract: .*(touched|user attribute plan)"):
        OnlineProfiles(specification, ("user_id", "event_time", "event_type"))


def test_what_was_planned_ahead_answers_the_same():
    events = rows(["anna 2026-01-04T10:00"])
    early, late = (OnlineProfiles(simple("events_7d"), columns_of(events)) for _ in range(2))
    early.prepare()
    asked = [history("anna", datetime(2026, 1, 5, tzinfo=UTC), events)]
    assert early.profiles(asked) == late.profiles(asked)
