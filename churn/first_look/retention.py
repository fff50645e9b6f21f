"""The first retention triangle: of those first seen in a week, how many were active in each week after."""

from __future__ import annotations

from datetime import date

from churn.results.first_look import Cohort
from features.activity.store import Activity
from features.snapshots import Coverage

_WEEKS, _COHORTS = 9, 10


def retention_of(activity: Activity) -> tuple[Cohort, ...]:
    """Return the latest weekly cohorts, the oldest first."""
    rows = activity.connection.execute(
        f"""with weeks as (select distinct user_id, date_trunc('week', day) as week from {activity.relation("days")}),
            users as (select user_id, min(week) as cohort from weeks group by 1)
        select cast(cohort as date), cast(date_diff('day', cohort, week) / 7 as int) as age, count(*)
        from weeks join users using (user_id) group by 1, 2 order by 1, 2"""
    ).fetchall()
    sizes = {cohort: users for cohort, age, users in rows if age == 0}
    found = {(cohort, age): users for cohort, age, users in rows}
    return tuple(
        Cohort(
            week,
            users,
            tuple(found.get((week, age), 0) / users for age in range(1, _full_weeks(week, activity.coverage) + 1)),
        )
        for week, users in list(sizes.items())[-_COHORTS:]
    )


def _full_weeks(cohort: date, coverage: Coverage) -> int:
    """Return how many weeks after a cohort's own are covered whole."""
    return max(0, min(_WEEKS, (coverage.covered_until - cohort).days // 7 - 1))
