"""Retention equals SQL written by hand over the events, on a log across a clock change with rows that are there twice."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from insights.retention import BRACKETS, DAYS, TRIANGLE, by_day, cohorts, curve_of, retention
from models.shares import wilson
from tests.builders import write
from tests.insights.conftest import Random
from tests.insights.logs import BERLIN, opened, random_rows

HAND_WRITTEN = """
with days as (select distinct user_id, cast(timezone('Europe/Berlin', event_time) as date) as day from '{log}' where event_type <> 'push'),
    born as (select user_id, min(day) as day from days group by user_id),
    ends as (select max(cast(timezone('Europe/Berlin', event_time) as date)) + 1 as day from '{log}')
select count(*), count(*) filter ({met})
from born b where b.day + {closed} < (select day from ends)
"""


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("n", DAYS)
def test_retention_equals_sql_written_by_hand(tmp_path: Path, seed: int, n: int):
    rows = random_rows(seed)
    churn = {"timezone": BERLIN, "qualifying": "event_type <> 'push'"}
    log = opened(tmp_path, rows, churn=churn)
    place = write(tmp_path / "hand.parquet", rows)
    (found,) = by_day(log, [n])
    _, end = BRACKETS[n]
    any_day = "exists (from days d where d.user_id = b.user_id and d.day {})"
    conditions = {
        "on_day": (any_day.format(f"= b.day + {n}"), n),
        "on_or_after": (any_day.format(f">= b.day + {n}"), n),
        "in_bracket": (any_day.format(f"between b.day + {n} and b.day + {end - 1}"), end - 1),
    }
    for name, (met, closed) in conditions.items():
        sql = HAND_WRITTEN.format(log=place, met=met, closed=closed)
        ((whole, part),) = log.connection.sql(sql).fetchall()
        assert found["users_in_bracket" if name == "in_bracket" else "users"] == whole
        assert found[f"{name}_users"] == part
        assert found[name] == part / whole
        assert found[f"{name}_low"] == wilson(part, whole).low
    assert found["churn"] == 1 - found["on_or_after"]


def test_cells_of_a_cohort_appear_once_the_window_of_all_its_users_is_closed(random_log: Random):
    rows = cohorts(random_log.log)
    assert sum(row["users"] for row in rows) == len(random_log.days)
    for row in rows:
        week = [row["week"] + timedelta(days=day) for day in range(7)]
        born = [days for days in random_log.days.values() if min(days) in week]
        assert row["users"] == len(born)
        for n in TRIANGLE:
            is_closed = week[-1] + timedelta(days=n) <= random_log.log.last_day
            back = sum(min(days) + timedelta(days=n) in days for days in born)
            assert row[f"day_{n}"] == (back / len(born) if is_closed else None)


def test_an_open_week_is_marked_and_so_is_one_whose_users_may_be_older(random_log: Random):
    marks = [row["mark"] for row in cohorts(random_log.log)]
    assert marks[0] == "left-censored"
    assert marks[-1] == "open"


def test_the_headline_excludes_users_who_may_be_older_than_the_log(random_log: Random):
    found = retention(random_log.log)
    shown = next(one for one in found.tables if one.name == "retention_days").rows
    new = {row["day_n"]: row for row in shown if row["population"] == "new users"}
    everyone = {row["day_n"]: row for row in shown if row["population"] != "new users"}
    assert found.facts["day_1_on_day"] == new[1]["on_day"]
    assert 0 < new[1]["users"] < everyone[1]["users"]


def test_users_born_on_the_last_day_are_in_no_cell(tmp_path: Path):
    found = retention(opened(tmp_path, ["a 2026-01-05T10:00", "b 2026-01-05T11:00"]))
    assert found.sentences == ["No day after a first day is covered yet."]
    assert found.facts == {}
    assert found.pictures == []


def test_each_day_of_retention_has_its_own_number_of_users(tmp_path: Path):
    rows = [f"old{user} 2026-01-{day}T10:00" for user in range(20) for day in ("05", "08")]
    rows += [f"new{user} 2026-01-{day}T10:00" for user in range(30) for day in (10, 11)]
    found = retention(opened(tmp_path, rows, report={"left_censored_days": 0}))
    assert found.sentences == ["New users who were active: 60.0 % of 50 on day 1, 100.0 % of 20 on day 3."]


def test_the_curve_says_whose_it_is(random_log: Random):
    found = retention(random_log.log)
    curve = next(one for one in found.tables if one.name == "retention_curve").rows
    days = {row["day_n"]: row for one in found.tables if one.name == "retention_days" for row in one.rows
            if row["population"] == "new users"}  # fmt: skip
    assert {row["population"] for row in curve} == {"new users"}
    assert curve[6]["users"] == days[7]["users"]
    assert {row["population"] for row in curve_of(random_log.log)} == {"all first seen in the log"}
