"""Activity as of a day is that of a log that ended there, without the rows that became known later."""

from datetime import UTC, date, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from features.activity.roll_up import RELATIONS
from features.activity.store import Activity
from features.errors import InputError
from features.profiles.build import build_profiles
from features.snapshots import Coverage, instant
from tests.builders import passing_world, world_of
from tests.worlds import EVENT_TYPES, TWO_WINDOWS, RandomLog, examples, random_logs

LOG = ["anna 2026-01-05T10:00", "bert 2026-01-06T10:00", "anna 2026-01-07T10:00"]
LATER = st.sampled_from([timedelta(0), timedelta(hours=5), timedelta(days=1), timedelta(days=9)])


def everything(activity: Activity) -> dict[str, list[tuple[Any, ...]]]:
    return {
        name: activity.connection.sql(f"select * from {activity.relation(name)} order by all").fetchall()
        for name in RELATIONS
    }


@examples(3, 24)
@given(random_logs(), st.data(), st.booleans())
def test_it_is_the_activity_of_the_log_as_it_was(log: RandomLog, data: st.DataObject, is_ingested: bool):
    day = log.cutoffs[-1]
    events = [dict(one) for one in log.rows]
    known = [(one.get("ingested_at") or one["event_time"]).astimezone(UTC) for one in events]
    if is_ingested:
        known = [one["event_time"].astimezone(UTC) + data.draw(LATER) for one in events]
        events = [one | {"ingested_at": at} for one, at in zip(events, known, strict=True)]
    then = [one for one, at in zip(events, known, strict=True) if at < instant(day, log.zone)]
    assume(then and {*then[0]} == {*events[0]})
    with passing_world(events, **log.settings()) as whole, passing_world(then, **log.settings()) as earlier:
        found = whole.activity().as_of(day)
        specification = earlier.specification(EVENT_TYPES, TWO_WINDOWS)
        expected = build_profiles(earlier.activity(), specification, cutoffs=[day])
        assert build_profiles(found, specification, cutoffs=[day]).equals(expected)
        assert everything(found) == everything(earlier.activity())
        assert found.coverage.covered_until == day


def test_the_log_ends_there(tmp_path: Path):
    found = world_of(tmp_path, LOG).activity().as_of(date(2026, 1, 7))
    assert found.coverage == Coverage(date(2026, 1, 5), date(2026, 1, 7))
    assert [row[0] for row in everything(found)["days"]] == ["anna", "bert"]


def test_a_day_that_the_log_does_not_reach_is_refused(tmp_path: Path):
    activity = world_of(tmp_path, LOG, covered_until=date(2026, 1, 8)).activity()
    with pytest.raises(InputError, match="the log covers 2026-01-05"):
        activity.as_of(date(2026, 2, 1))
