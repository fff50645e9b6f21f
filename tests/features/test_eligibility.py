"""Who is scored: the mask over arrays and the condition in SQL are one rule."""

from datetime import date
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.eligibility import LEFT, RECENT, TENURE, Eligibility
from features.profiles.build import build_profiles
from tests.builders import world_of

days = st.integers(1, 40)
Found = list[tuple[int | None, ...]]
profiles = st.lists(st.tuples(st.none() | days, days, st.none() | days), min_size=1, max_size=30)


def masked(rule: Eligibility, found: Found) -> list[bool]:
    columns = [np.array(column, dtype=np.float64) for column in zip(*found, strict=True)]
    return rule.mask(*columns[: len(rule.columns)]).tolist()


def selected(rule: Eligibility, found: Found) -> list[bool]:
    columns = [pa.array(column, pa.float64()) for column in zip(*found, strict=True)]
    table = pa.table({"place": range(len(found))} | dict(zip((RECENT, TENURE, LEFT), columns, strict=False)))
    connection = duckdb.connect().register("profiles", table)
    places = {place for (place,) in connection.sql(f"select place from profiles where {rule.sql()}").fetchall()}
    return [place in places for place in range(len(found))]


@settings(max_examples=50, derandomize=True)
@given(profiles, st.integers(0, 30), st.integers(0, 30), st.booleans(), st.integers(0, 30))
def test_arrays_and_sql_choose_the_same_users(found: Found, within: int, tenure: int, told: bool, newest: int):
    rule = Eligibility(within, tenure, has_leaving_event=told, max_tenure_days=newest)
    chosen = masked(rule, found)
    assert chosen == selected(rule, found)
    columns = [[np.nan if day is None else float(day) for day in row[: len(rule.columns)]] for row in found]
    assert chosen == [not rule.why_not(*row) for row in columns]


def test_active_within_seven_days_includes_the_seventh():
    rule = Eligibility(active_within_days=7, min_tenure_days=0)
    assert masked(rule, [(1, 9), (7, 9), (8, 9), (None, 9)]) == [True, True, False, False]


def test_active_within_no_days_means_everyone_seen():
    rule = Eligibility(active_within_days=0, min_tenure_days=0)
    assert masked(rule, [(1, 9), (400, 400), (None, 9)]) == [True, True, True]


def test_tenure_is_asked_for_beside_activity():
    rule = Eligibility(active_within_days=7, min_tenure_days=5)
    assert masked(rule, [(1, 4), (1, 5), (8, 5)]) == [False, True, False]


def test_new_users_are_those_whose_tenure_is_within_both_limits():
    rule = Eligibility(active_within_days=0, min_tenure_days=1, max_tenure_days=7)
    assert masked(rule, [(1, 0), (1, 1), (1, 7), (1, 8)]) == [False, True, True, False]
    assert rule.why_not(1.0, 8.0) == "not new: first seen 8 days before the cutoff, expected at most 7"


def test_who_has_left_is_scored_again_after_a_later_active_day():
    rule = Eligibility(active_within_days=0, min_tenure_days=0, has_leaving_event=True)
    never, same_day, gone, back = (3, 9, None), (3, 9, 3), (3, 9, 2), (3, 9, 4)
    assert masked(rule, [never, same_day, gone, back, (None, 9, 4)]) == [True, False, False, True, False]


@pytest.mark.parametrize(("within", "users"), [(1, ["c"]), (2, ["b", "c"]), (0, ["a", "b", "c", "d"])])
def test_the_condition_fits_a_profile(tmp_path: Path, within: int, users: list[str]):
    lines = ["a 2026-01-01T10:00", "b 2026-01-04T10:00", "c 2026-01-05T10:00", "d 2026-01-05T10:00 other"]
    world = world_of(tmp_path, lines, churn={"qualifying": "event_type = 'open'"})
    rule = Eligibility(active_within_days=within, min_tenure_days=0)
    table = build_profiles(world.activity(), world.specification(), cutoffs=[date(2026, 1, 6)], where=rule.sql())
    assert table.column("user_id").to_pylist() == users
