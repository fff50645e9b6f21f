"""Users and their active days, as all questions read them."""

from datetime import date
from pathlib import Path

import pytest

from features.errors import CheckFailed
from features.settings import ComputeSettings, IdentitiesSettings, UsersSettings
from features.users.attributes import AttributesSettings, open_known_users
from insights.engine.active_days import active_days
from tests.builders import world_of, write
from tests.insights.logs import opened

PUSHES = {"qualifying": "event_type <> 'push'"}


def test_a_silent_push_makes_nobody_active_and_nobody_new(tmp_path: Path):
    log = opened(tmp_path, ["a 2026-01-05T10:00 push", "a 2026-01-07T10:00", "b 2026-01-06T10:00 push"], churn=PUSHES)
    assert log.rows("select first_d, last_d, days from users") == [(2, 2, 1)]
    assert (log.first_day, log.days, log.last_day) == (date(2026, 1, 5), 3, date(2026, 1, 7))


def test_ids_of_one_person_are_one_user(tmp_path: Path):
    from dataclasses import replace

    world = world_of(tmp_path, ["a 2026-01-05T10:00", "A 2026-01-06T10:00", "b 2026-01-06T10:00"], covered_until=None)
    aliases = [{"alias_id": "A", "user_id": "a", "valid_from": "2026-01-01T00:00:00Z"}]
    same = IdentitiesSettings(
        path=str(write(tmp_path / "same.parquet", aliases)), columns={"valid_from": "cast(valid_from as timestamptz)"}
    )
    activity = world.activity()
    known = AttributesSettings(UsersSettings(), same, "UTC", "UTC", Path(), ComputeSettings())
    tables = open_known_users(activity.connection, known, rejected=tmp_path / "rejected")
    log = active_days(replace(activity, tables=tables))
    assert log.rows("select first_d, days from users order by all") == [(0, 2), (1, 1)]


def test_days_count_spells_up_to_the_end_of_the_coverage(tmp_path: Path):
    log = opened(tmp_path, ["a 2026-01-05T10:00", "a 2026-01-08T10:00"])
    assert log.over_days("d", "next_d").tolist() == [1, 1, 1, 1]
    assert log.over_days("d", "d + 3").tolist() == [1, 1, 1, 1]
    assert log.over_days("d + 1", "next_d").tolist() == [0, 1, 1, 0]


@pytest.mark.parametrize(("given", "expected"), [(None, 1), (0, 0), (3, 3), (400, 4)])
def test_users_of_the_first_days_may_be_older_than_the_log(tmp_path: Path, given: int | None, expected: int):
    rows = ["a 2026-01-05T10:00", "a 2026-01-08T10:00"]
    assert opened(tmp_path, rows, report={"left_censored_days": given}).new_from == expected


def test_a_log_in_which_nobody_is_active_is_refused(tmp_path: Path):
    with pytest.raises(CheckFailed, match="no user has a qualifying event"):
        opened(tmp_path, ["a 2026-01-05T10:00 push"], churn=PUSHES)


def test_what_the_log_does_not_know_is_no_measure(tmp_path: Path):
    plain = opened(tmp_path / "a", ["a 2026-01-05T10:00", "a 2026-01-05T10:01"])
    assert plain.measures == {"events", "sessions", "minutes"}
    assert not plain.knows_purchases
    paid = opened(tmp_path / "b", ["a 2026-01-05T00:00 amount=2"])
    assert paid.measures == {"events", "purchases", "amount", "refunds", "refunded"}
    assert paid.rows("select n, amount_micros / 1e6 from purchases") == [(1, 2.0)]


def test_where_all_amounts_are_zero_purchases_are_events_of_a_type(tmp_path: Path):
    rows = ["a 2026-01-05T10:00 purchase amount=0", "a 2026-01-05T11:00 purchase amount=0", "b 2026-01-06T10:00 look"]
    types = {"purchase_event_types": ["purchase"]}
    log = opened(tmp_path / "zero", rows, report=types)
    assert log.rows("select d, n, amount_micros from purchases") == [(0, 2, None)]
    assert (log.knows_purchases, log.knows_amounts) == (True, False)
    log = opened(tmp_path / "some", [*rows, "b 2026-01-06T11:00 look amount=3"], report=types)
    assert log.rows("select d, n, amount_micros / 1e6 from purchases") == [(1, 1, 3.0)]
    assert log.knows_amounts
