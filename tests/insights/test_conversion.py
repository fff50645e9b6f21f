"""Conversion by week, step and version, by hand."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pytest

from insights.conversion import by_step, by_version, by_week, conversion
from insights.engine.groups import make_groups
from insights.engine.steps import make_steps
from tests.insights.logs import opened

BOUGHT = {"report": {"purchase_event_types": ["buy"], "left_censored_days": 0}}
# Two whole weeks from Monday January 5, and an open one
ROWS = [
    *("a 2026-01-05T10:00 view", "a 2026-01-05T11:00 buy", "b 2026-01-06T10:00 view"),
    *("a 2026-01-12T10:00 view", "b 2026-01-13T10:00 view", "b 2026-01-14T10:00 buy", "c 2026-01-18T10:00 view"),
    "c 2026-01-19T10:00 buy",
]


def test_weeks_count_buyers_of_active_users_and_open_ones_are_not_drawn(tmp_path: Path):
    rows = by_week(opened(tmp_path, ROWS, **BOUGHT))
    assert [(row["active"], row["buyers"], row["mark"]) for row in rows] == [(2, 1, ""), (3, 1, ""), (1, 1, "open")]
    assert rows[1]["share"] == 1 / 3
    assert rows[2]["share"] != rows[2]["share"]


def test_steps_have_their_denominators(tmp_path: Path):
    log = opened(tmp_path, ROWS, **BOUGHT)
    steps = make_steps(log, funnel=["view", "buy"], purchase_event_types=["buy"])
    (row,) = by_step(log, steps)
    assert (row["reached"], row["converted"], row["share"]) == (5, 1, 0.2)
    found = conversion(log, steps, benchmark=0.3)
    assert found.facts["conversion"] == 2 / 5
    assert "benchmark in the settings is 30.0 %" in found.sentences[1]


def test_a_log_of_orders_alone_has_no_share_of_buyers(tmp_path: Path):
    log = opened(tmp_path, [row for row in ROWS if row.endswith("buy")], **BOUGHT)
    found = conversion(log, make_steps(log, funnel=[], purchase_event_types=["buy"]))
    assert found.sentences == [
        "Everybody who is active in a week buys in it, as in a log of orders alone, so that the share of buyers does not apply."
    ]
    assert found.facts["conversion"] == 1


def test_versions_are_compared_within_the_weeks_in_which_both_live(tmp_path: Path):
    def day(version: str, week: int, users: range, buyers: int) -> list[str]:
        at = f"2026-01-{5 + 7 * week:02d}T10:00"
        rows = [f"{version}{week}{n} {at} view app_version={version}" for n in users]
        return rows + [f"{version}{week}{n} {at} buy app_version={version}" for n in users[:buyers]]

    rows = [*day("1.0", 0, range(40), 0), *day("1.0", 1, range(40), 20), *day("2.0", 1, range(40), 10)]
    log = opened(tmp_path, [*rows, "z 2026-01-18T10:00 view"], **BOUGHT)
    steps = make_steps(log, funnel=["view", "buy"], purchase_event_types=["buy"])
    old, new = by_version(log, steps)
    # the first week, in which only one of them lives, does not count
    assert (old["reached"], old["share"], old["expected"]) == (40, 0.5, 0.25)
    assert (new["share"], new["difference"]) == (0.25, pytest.approx(-0.25))
    assert new["difference_high"] < 0
    assert (old["verdict"], new["verdict"]) == ("above", "below")
    found = conversion(log, steps)
    said = "Of users of version 2.0, 25.0 % go on from the first step; of users of the other versions at the same time, 50.0 %."
    assert found.sentences[-1] == said
    (table,) = (one for one in found.tables if one.name == "versions")
    assert [row["verdict"] for row in table.rows] == ["above", "below"]


def test_the_lowest_of_many_versions_is_not_said_to_differ_by_chance(tmp_path: Path):
    """The same difference as between two is one of many here: p = .02 of one comparison in eleven."""
    buyers = {"2.0": 10, "3.0": 20} | {f"1.{n}": 15 for n in range(9)}
    rows = [
        f"{version}-{n} 2026-01-05T10:00 {step} app_version={version}"
        for version, bought in buyers.items()
        for n in range(40)
        for step in ("view", *(["buy"] if n < bought else []))
    ]
    log = opened(tmp_path, [*rows, "z 2026-01-11T10:00 view"], **BOUGHT)
    steps = make_steps(log, funnel=["view", "buy"], purchase_event_types=["buy"])
    assert {row["version"]: row["verdict"] for row in by_version(log, steps)} == dict.fromkeys(buyers, "alike")
    assert not [one for one in conversion(log, steps).sentences if "version" in one]


def test_a_log_without_purchases_says_so(tmp_path: Path):
    log = opened(tmp_path, ["a 2026-01-05T10:00 view"])
    found = conversion(log, make_steps(log, funnel=(), purchase_event_types=["buy"]))
    assert found.needs == {"Core conversion": "amount"}


def test_a_user_counts_once_a_week_for_a_version_whatever_else_they_change(tmp_path: Path):
    """On Monday by wifi, which nobody buys by, and by 4g on Tuesday; nine weeks of two users are not enough for a version.

    With it the smallest of the others is excluded, so that it is not what remains of all users.
    """
    rows = [
        f"{version}-{user} 2026-01-{5 + place:02d}T10:00 {step} app_version={version} network={network}"
        for version in ("1.0", "2.0", "3.0")
        for user in range(20)
        for place, (network, steps) in enumerate((("wifi", ["view"]), ("4g", ["view", "buy"])))
        for step in steps
    ]
    rows += [
        f"beta-{user} {date(2026, 1, 5) + timedelta(weeks=week)}T10:00 view app_version={version} network=wifi"
        for week in range(12)
        for user, version in enumerate(("beta", "beta", "1.0"))
    ]
    log = opened(tmp_path, rows, **BOUGHT)
    steps = make_steps(log, funnel=["view", "buy"], purchase_event_types=["buy"])
    found = {row["version"]: (row["reached"], row["share"]) for row in by_version(log, steps)}
    assert found == {"1.0": (21, 0.0), "2.0": (20, 0.0)}


@pytest.mark.parametrize("android", [4, 20])
def test_a_version_is_compared_with_no_fewer_than_20_users(tmp_path: Path, android: int):
    """Of 2.0, which only android users of 1.0 can be compared with, so many are on android; all of these buy, and half of 1.0."""
    users = [
        ("1.0", "android", 100, 50),
        ("2.0", "android", android, android),
        ("2.0", "ios", 96, 0),
        ("3.0", "ios", 96, 96),
    ]
    rows = [
        f"{version}-{os}-{n} 2026-01-05T10:00 {step} app_version={version} device_os={os}"
        for version, os, all_users, buyers in users
        for n in range(all_users)
        for step in ("view", *(["buy"] if n < buyers else []))
    ]
    log = opened(tmp_path, [*rows, "z 2026-01-11T10:00 view"], **BOUGHT)
    make_groups(log)
    steps = make_steps(log, funnel=["view", "buy"], purchase_event_types=["buy"])
    found = {row["version"]: row for row in by_version(log, steps)}
    assert (found["3.0"]["reached"], found["3.0"]["expected"]) == (96, 0.0)
    if android < 20:
        assert set(found) == {"2.0", "3.0"}
        assert (found["2.0"]["reached"], found["2.0"]["share"]) == (96, 0.0)  # without those on android
    else:
        assert found["1.0"]["expected"] == 1.0
        assert found["2.0"]["reached"] == 116


def test_a_version_of_a_few_users_is_no_part_of_what_others_are_compared_with(tmp_path: Path):
    """Half of 1.0 and of 2.0 buy, and nobody with the versions of four users; the smallest of the others is excluded with it."""
    users = {"1.0": 100, "2.0": 90, "3.0": 80, "4.0": 4}
    rows = [
        f"{version}-{n} 2026-01-05T10:00 {step} app_version={version}"
        for version, all_users in users.items()
        for n in range(all_users)
        for step in ("view", *(["buy"] if n % 2 and version < "3" else []))
    ]
    log = opened(tmp_path, [*rows, "z 2026-01-11T10:00 view"], **BOUGHT)
    steps = make_steps(log, funnel=["view", "buy"], purchase_event_types=["buy"])
    assert {row["version"]: row["expected"] for row in by_version(log, steps)} == {"1.0": 0.5, "2.0": 0.5}
