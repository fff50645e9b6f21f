"""Minutes per active day, counted by hand."""

from pathlib import Path

import numpy as np

from insights.usage_time import histogram, minutes_per_day, outside, usage_time
from tests.insights.logs import opened

ROWS = [
    "a 2026-01-05T10:00 open duration_seconds=600",
    "a 2026-01-05T12:00 open duration_seconds=600",
    "a 2026-01-06T10:00 open duration_seconds=0",
    "b 2026-01-06T10:00 open duration_seconds=1800",
    "b 2026-01-07T23:59 open duration_seconds=3600",  # cut at midnight
    "c 2026-01-07T10:00 push duration_seconds=9000",  # nobody was there
]
CHURN = {"churn": {"qualifying": "event_type <> 'push'"}}


def test_each_user_has_minutes_per_active_day(tmp_path: Path):
    assert minutes_per_day(opened(tmp_path, ROWS, **CHURN)).tolist() == [10.0, 15.5]


def test_users_outside_what_was_expected_are_counted(tmp_path: Path):
    found = usage_time(opened(tmp_path, ROWS, **CHURN), (11, 20))
    assert [(row["part"], row["users"]) for row in found.tables[0].rows] == [("below", 1), ("within", 1), ("above", 0)]
    assert found.facts["median"] == 12.75
    assert "Expected were 11 to 20 minutes" in found.sentences[1]


def test_the_ends_of_what_was_expected_are_within():
    assert [row["users"] for row in outside(np.array([4.9, 5.0, 30.0, 30.1]), (5, 30))] == [1, 2, 1]


def test_the_last_bar_holds_everyone_above():
    rows = histogram(np.array([0.0, 0.5, 1.0, 500.0]))
    assert sum(row["users"] for row in rows) == 4
    assert rows[-1]["to_minutes"] is None


def test_a_log_that_knows_neither_durations_nor_times_says_so(tmp_path: Path):
    found = usage_time(opened(tmp_path, ["a 2026-01-05T00:00", "b 2026-01-06T00:00"]))
    assert found.needs == {"Minutes of use": "duration_seconds"}


def test_minutes_do_not_apply_where_every_visit_is_one_moment(tmp_path: Path):
    found = usage_time(opened(tmp_path, ["a 2026-01-05T10:00 buy", "b 2026-01-06T11:00 buy"]))
    assert "do not apply" in found.sentences[0]
    assert not found.pictures
