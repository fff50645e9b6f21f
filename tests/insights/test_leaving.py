"""Kinds of leaving by rule, and last days against other days, on users made up for each."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pytest

from insights.engine.active_days import ActiveDays
from insights.leaving import by_kind, last_day, leaving, make_leavers
from tests.insights.logs import opened

FIRST = date(2026, 1, 5)
OPTIONS = {"report": {"left_censored_days": 0}, "covered_until": FIRST + timedelta(days=100)}
DAYS = {  # of users who are gone for three weeks at the end, day 99
    "never": [0, 6],
    "sudden": list(range(10, 60)),
    "fading": [*range(28), *range(28, 56, 5)],
    "season": [*range(10), *range(40, 50)],
    "short": [10, 11, 12, 13, 14, 15, 20],
}


def on(user: str, day: int, what: str = "open", **more: str) -> str:
    named = "".join(f" {name}={value}" for name, value in more.items())
    return f"{user} {FIRST + timedelta(days=day)}T10:00 {what}{named}"


def kinds(log: ActiveDays) -> dict[str, str]:
    return dict(log.rows("select user_id, kind from leavers join persons using (uid) where is_gone"))


def test_the_first_rule_that_fits_names_the_kind(tmp_path: Path):
    rows = [on(user, day) for user, days in DAYS.items() for day in days]
    log = opened(tmp_path, [*rows, on("here", 0), on("here", 99)], **OPTIONS)
    make_leavers(log, horizon_days=20)
    assert kinds(log) == {
        "never": "never_started",
        "sudden": "sudden",
        "fading": "fading",
        "season": "seasonal",
        "short": "fading",
    }
    found = {row["kind"]: (row["users"], row["among_active"]) for row in by_kind(log)}
    assert found["comes and goes"] == (1, 1.0)  # who is here was away for longer too
    assert found["fading"] == (2, 0.0)
    assert "after a new version" not in found


def test_a_version_that_came_in_the_last_week_comes_before_what_else_fits(tmp_path: Path):
    rows = [on("a", day, app_version="2" if day >= 55 else "1") for day in range(10, 60)]
    rows += [on("b", day, app_version="2" if day >= 40 else "1") for day in range(10, 60)]
    rows += [on("new", day, app_version="2") for day in range(50, 58)]
    log = opened(tmp_path, [*rows, on("here", 99)], **OPTIONS)
    make_leavers(log, horizon_days=20)
    assert kinds(log) == {"a": "after_version", "b": "sudden", "new": "sudden"}


def world(folder: Path, *, error_on_last: int) -> ActiveDays:
    """Forty users who are gone and forty who stay; of the gone, some see an error on their last day."""
    rows = [on(f"g{user}", day, "view") for user in range(40) for day in range(0, 60, 3)]
    rows += [on(f"g{user}", 57, "error") for user in range(error_on_last)]
    rows += [on(f"s{user}", day, "view") for user in range(40) for day in range(0, 100, 3)]
    rows += [on(f"s{user}", day, "error") for user in range(4) for day in range(0, 100, 3)]
    return opened(folder, rows, **OPTIONS)


def test_last_days_are_compared_with_days_of_the_same_tenure_of_those_who_stayed(tmp_path: Path):
    log = world(tmp_path, error_on_last=24)
    make_leavers(log, horizon_days=20)
    first, view = last_day(log)
    assert (first["event_type"], first["last_share"], first["stayed_share"]) == (
        "error",
        0.6,
        pytest.approx(0.1, abs=0.05),
    )
    assert first["mark"]
    assert first["difference_low"] > 0.25
    assert (view["last_share"], view["stayed_share"], view["difference"], view["mark"]) == (1.0, 1.0, 0.0, "")


def test_the_answer_names_the_kind_and_the_step(tmp_path: Path):
    found = leaving(world(tmp_path, error_on_last=24), horizon_days=20)
    assert found.facts["gone"] == 40
    assert "most belong to: sudden stop (100.0 %)" in found.sentences[0]
    assert "More common on last days than on other days: error" in found.sentences[1]
    assert found.needs == {"after a new version": "app_version"}
    same = leaving(world(tmp_path / "same", error_on_last=4), horizon_days=20)
    assert len(same.sentences) == 1


def test_few_who_are_gone_have_no_kinds(tmp_path: Path):
    found = leaving(opened(tmp_path, [on("a", 0), on("b", 60)], **OPTIONS), horizon_days=20)
    assert "Fewer than 20 users" in found.sentences[0]
    assert not found.tables


def test_users_in_their_first_week_are_not_among_those_whom_never_started_may_fit(tmp_path: Path):
    rows = [on("gone", 0), on("here", 0), on("here", 99), on("young", 94)]
    log = opened(tmp_path / "young", rows, **OPTIONS)
    make_leavers(log, horizon_days=20)
    found = {row["kind"]: row["among_active"] for row in by_kind(log)}
    assert (found["never started"], found["comes and goes"]) == (0.0, 1.0)
    log = opened(tmp_path / "old", [*rows[:-1], on("young", 93)], **OPTIONS)
    make_leavers(log, horizon_days=20)
    assert {row["kind"]: row["among_active"] for row in by_kind(log)}["never started"] == 0.5


def test_a_tenure_in_which_a_few_of_those_who_stayed_have_their_day_is_not_compared(tmp_path: Path):
    stayed = [on(f"s{user}", day, "view") for user in range(40) for day in range(100)]
    young = [on(f"y{user}", day, "view") for user in range(40) for day in range(4)]
    log = opened(tmp_path / "young", [*stayed, *young], **OPTIONS)
    make_leavers(log, horizon_days=20)
    assert last_day(log) == []
    assert 0 < log.value("select count(*) from compared_days where not is_gone and tenure = 0") < 20
    old = [on(f"o{user}", day, "error") for user in range(40) for day in (0, 50)]
    log = opened(tmp_path / "old", [*stayed, *young, *old], **OPTIONS)
    make_leavers(log, horizon_days=20)
    error, view = sorted(last_day(log), key=lambda row: row["event_type"])
    assert (error["last_share"], error["stayed_share"]) == (1.0, 0.0)
    assert (view["last_share"], view["stayed_share"]) == (0.0, 1.0)


def test_of_two_versions_at_the_same_instant_the_order_of_the_rows_does_not_decide(tmp_path: Path):
    """On the last day both are seen at once: 2, which came on that day, is the last one in their order."""
    rows = [on(f"u{user}", day, app_version="1") for user in range(20) for day in range(10, 60)]
    rows += [on(f"u{user}", 59, app_version="2") for user in range(0, 20, 2)]
    rows = [*(on(f"u{user}", 59, app_version="2") for user in range(1, 20, 2)), *rows, on("here", 99)]
    log = opened(tmp_path, rows, **OPTIONS)
    make_leavers(log, horizon_days=20)
    assert set(kinds(log).values()) == {"after_version"}
