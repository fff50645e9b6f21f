"""Members and others, counted by hand, and the adjustment for activity before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from features.settings import ComputeSettings, IdentitiesSettings, UsersSettings
from features.users.attributes import AttributesSettings, open_known_users
from insights.engine.active_days import ActiveDays, active_days
from insights.shop.members import adjusted_difference, counted, members
from tests.builders import Row, world_of, write
from tests.insights.logs import opened

FIRST = date(2026, 1, 5)


def joined(folder: Path, rows: Sequence[str], table: Sequence[Row], *, until: int) -> ActiveDays:
    """A log with a table of members."""
    activity = world_of(folder, rows, covered_until=FIRST + timedelta(days=until)).activity()
    place = str(write(folder / "users.parquet", table))
    users = UsersSettings(path=place, columns={"member": "member", "valid_from": "since"})
    known = AttributesSettings(users, IdentitiesSettings(), "UTC", "UTC", Path(), ComputeSettings())
    tables = open_known_users(activity.connection, known, rejected=folder / "rejected")
    return active_days(replace(activity, tables=tables), left_censored_days=0)


def at(day: int, hour: int = 0) -> datetime:
    return datetime(FIRST.year, FIRST.month, FIRST.day, hour, tzinfo=UTC) + timedelta(days=day)


def test_a_day_has_the_state_that_held_when_it_began(tmp_path: Path):
    rows = [f"{user} {FIRST + timedelta(days=day)}T10:00 buy amount=1" for user in ("a", "b") for day in range(4)]
    rows.append(f"c {FIRST}T10:00 look")
    table = [
        {"user_id": "a", "member": "yes", "since": at(1, 9)},  # from the third day on
        {"user_id": "b", "member": "no", "since": at(0)},
        {"user_id": "b", "member": "gold", "since": at(2)},  # at the start of the third day
    ]
    log = joined(tmp_path, rows, table, until=4)
    days, bought, users = counted(log, "member", within_days=10)
    assert days.sum(axis=(0, 1)).tolist() == [5.0, 4.0]
    assert bought.sum(axis=(0, 1)).tolist() == [4.0, 4.0]
    assert users == (3, 2)
    # on the first two days nobody had been active twice before, then on two or three
    assert days.sum(axis=(0, 2)).tolist() == [5.0, 4.0, 0.0, 0.0]


def test_days_begin_at_a_local_midnight(tmp_path: Path):
    rows = [f"a {FIRST + timedelta(days=day)}T02:00 buy amount=1" for day in range(3)]
    log = joined(tmp_path, rows, [{"user_id": "a", "member": "yes", "since": at(0, 20)}], until=3)
    assert counted(log, "member", within_days=10)[0].sum(axis=(0, 1)).tolist() == [1.0, 2.0]
    # in Shanghai the second day had begun four hours earlier
    assert counted(log, "member", within_days=10, zone="Asia/Shanghai")[0].sum(axis=(0, 1)).tolist() == [2.0, 1.0]


def test_members_who_only_come_more_often_are_no_better_than_others():
    days, bought = (np.zeros((100, 2, 2)) for _ in range(2))
    days[:, 0], days[:, 1] = (9, 1), (1, 9)  # others are rarely active, members often
    bought[:, 0], bought[:, 1] = days[:, 0] * 0.1, days[:, 1] * 0.5
    plain = bought.sum(axis=(0, 1)) / days.sum(axis=(0, 1))
    assert plain[1] - plain[0] == pytest.approx(0.32)
    assert adjusted_difference(days, bought) == pytest.approx((0.0, 0.0, 0.0))
    bought[:, :, 1] += 0.1 * days[:, :, 1]
    assert adjusted_difference(days, bought) == pytest.approx((0.1, 0.1, 0.1))


def test_the_answer_calls_it_an_association(tmp_path: Path):
    rows = [f"u{user} {FIRST + timedelta(days=day)}T10:00 look" for user in range(60) for day in range(20)]
    rows += [
        f"u{user} {FIRST + timedelta(days=day)}T11:00 buy amount=1"
        for user in range(60)
        for day in range(0, 20, 2 if user < 30 else 4)
    ]
    table = [{"user_id": f"u{user}", "member": "yes", "since": at(-5)} for user in range(30)]
    found = members(joined(tmp_path, rows, table, until=20), "member", within_days=20)
    assert [row["buying"] for row in found.tables[0].rows] == [0.25, 0.5]
    assert found.facts["adjusted_difference"] == pytest.approx(0.25)
    assert "+25.0 % of their active days" in found.sentences[1]
    assert "an association" in found.sentences[1]


def test_a_log_without_members_says_what_it_would_need(tmp_path: Path):
    found = members(opened(tmp_path, ["a 2026-01-05T10:00 buy amount=1"]), "member", within_days=5)
    assert list(found.needs.values()) == ["[users] member"]
