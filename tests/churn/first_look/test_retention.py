"""The first retention triangle, by hand."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import churn
from churn.first_look.retention import retention_of


def test_cohorts_are_counted_by_the_week_in_which_users_were_first_seen(tmp_path: Path):
    days = {
        "a": ("2026-01-05", "2026-01-13", "2026-01-25"),  # week 2, 3 and 4
        "b": ("2026-01-06", "2026-01-20"),
        "c": ("2026-01-12",),
    }
    rows = [f"{user},{day},x" for user, seen in days.items() for day in seen]
    (tmp_path / "log.csv").write_text("\n".join(["user_id,event_time,event_type", *rows]) + "\n")
    activity = churn.Project(events=tmp_path / "log.csv", home=tmp_path / "home").activity()
    found = {one.week: (one.users, one.active) for one in retention_of(activity)}
    # the log ends with Sunday the 25th: the weeks of the 12th and the 19th are whole
    assert found == {date(2026, 1, 5): (2, (0.5, 1.0)), date(2026, 1, 12): (1, (0.0,))}
