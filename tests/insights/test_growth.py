"""States are exact on every day, growth accounting adds up, and a point more of a rate is what a walk through the states says."""

from __future__ import annotations

from collections import Counter
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from insights.engine.active_days import ActiveDays
from insights.growth import (
    ACTIVE,
    STATES,
    accounting,
    counts_by_state,
    daily,
    dau_ahead,
    growth,
    latest_flows,
    one_point_more,
    state_rates,
)
from tests.insights.conftest import Random
from tests.insights.logs import opened


def state(days: set[date], day: date) -> str | None:
    """The definition, word by word."""
    before = [one for one in days if one < day]
    if day in days:
        ago = (day - max(before)).days if before else None
        return "new" if ago is None else "current" if ago <= 7 else "reactivated" if ago <= 30 else "resurrected"
    if not before:
        return None
    ago = (day - max(before)).days
    return "at_risk_wau" if ago <= 7 else "at_risk_mau" if ago <= 30 else "dormant"


def within(days: set[date], last: date, length: int) -> bool:
    return any(last - timedelta(days=length) < day <= last for day in days)


def test_states_are_exact_on_every_day(random_log: Random):
    rows = daily(random_log.log)
    assert len(rows) == 100
    for row in rows:
        expected = Counter(state(days, row["day"]) for days in random_log.days.values())
        assert {name: row[name] for name in STATES} == {name: expected[name] for name in STATES}, row["day"]


def test_dau_is_the_sum_of_the_four_active_states_and_windows_count_users_once(random_log: Random):
    users = random_log.days.values()
    for number, row in enumerate(daily(random_log.log)):
        assert row["dau"] == sum(row[name] for name in ACTIVE) == sum(row["day"] in days for days in users)
        assert row["wau"] == (sum(within(days, row["day"], 7) for days in users) if number >= 6 else None)
        assert row["mau"] == (sum(within(days, row["day"], 28) for days in users) if number >= 27 else None)


def test_rates_are_shares_of_user_days_that_were_followed_by_an_active_day(random_log: Random):
    last = random_log.log.last_day
    days = [last - timedelta(days=ago) for ago in range(1, 29)]
    for row, name in zip(state_rates(random_log.log), STATES, strict=True):
        pairs = [(state(of, day), day + timedelta(days=1) in of) for of in random_log.days.values() for day in days]
        followed = [is_back for before, is_back in pairs if before == name]
        assert row["user_days"] == len(followed)
        assert row["value"] == pytest.approx(np.mean(followed))


def test_growth_accounting_is_exact(random_log: Random):
    rows = accounting(random_log.log)
    assert rows[-1]["last_day"] == random_log.log.last_day
    for before, now in pairwise(rows):
        assert now["change"] == now["active"] - before["active"] == now["new"] + now["resurrected"] - now["churned"]
    users = random_log.days.values()
    for row in rows:
        start, length = row["first_day"], (row["last_day"] - row["first_day"]).days + 1
        active = [days for days in users if within(days, row["last_day"], length)]
        assert row["active"] == len(active)
        assert row["new"] == sum(min(days) >= start for days in active)
        gone = [days for days in users if within(days, start - timedelta(days=1), length) and days not in active]
        assert row["churned"] == len([days for days in gone if not within(days, row["last_day"], length)])


# Two periods of a week, by hand: a and b in both, c only in the first, d only in the second; e before, and again in the second.
HAND = [
    *("e 2026-01-05T10:00", "a 2026-01-12T10:00", "b 2026-01-13T10:00", "c 2026-01-14T10:00"),
    *("a 2026-01-19T10:00", "b 2026-01-21T10:00", "d 2026-01-22T10:00", "e 2026-01-25T10:00"),
]


def test_the_quick_ratio_of_a_log_counted_by_hand(tmp_path: Path):
    first, last = accounting(opened(tmp_path, HAND))
    assert (first["active"], first["new"], first["churned"], first["change"]) == (3, 3, 1, 2)
    assert (last["active"], last["new"], last["resurrected"], last["churned"]) == (4, 1, 1, 1)
    assert last["quick_ratio"] == 2.0


def test_a_point_more_is_taken_from_the_largest_alternative():
    moves = np.zeros((7, 7))
    moves[1, 1], moves[1, 4] = 60, 40
    changed = one_point_more(moves, 1)
    assert changed is not None
    assert (changed[1, 1], changed[1, 4]) == (61, 39)
    assert moves[1, 1] == 60


@pytest.mark.parametrize(
    ("moves", "why"),
    [
        ({(1, 4): 100}, "nobody came back"),
        ({(1, 1): 995, (1, 4): 5}, "half a point stayed away"),
        ({(1, 3): 60, (1, 4): 40}, "nobody has been resurrected before the last day"),
    ],
)
def test_a_point_more_that_cannot_be_is_not_known(moves: dict[tuple[int, int], int], why: str):
    counted = np.zeros((7, 7))
    for place, n in moves.items():
        counted[place] = n
    assert one_point_more(counted, 1) is None, why


def test_users_who_always_stay_make_daily_users_grow_by_the_new_ones():
    moves = np.zeros((7, 7))
    moves[0, 1] = moves[1, 1] = 10
    assert dau_ahead(moves, np.array([0, 5.0, 0, 0, 0, 0, 0]), new=2) == pytest.approx(5 + 90 * 2)


def test_a_log_of_one_day_has_no_rates_and_no_accounting(tmp_path: Path):
    found = growth(opened(tmp_path, ["a 2026-01-05T10:00", "b 2026-01-05T11:00"]))
    assert found.facts["dau"] == 2
    assert found.facts["quick_ratio"] is None
    assert "too short" in found.sentences[-1]


def stable(folder: Path, days: int) -> ActiveDays:
    """Thirty users who come every third day, and one new one a day from the fourth day on."""
    first = date(2026, 1, 5)
    rows = [f"s{user} {first + timedelta(days=day)}T10:00" for user in range(30) for day in range(user % 3, days, 3)]
    return opened(folder, [*rows, *(f"n{day} {first + timedelta(days=day)}T10:00" for day in range(3, days))])


def test_users_of_left_censored_days_are_not_taken_for_new_ones(tmp_path: Path):
    log = stable(tmp_path, 28)
    assert log.new_from == 7
    rows = {row["state"]: row for row in state_rates(log)}
    assert rows["new"]["user_days"] == 20  # one on each of the days 7 to 26
    moves, start = latest_flows(log).moves, np.array([counts[-1] for counts in counts_by_state(log).values()], float)
    point_more = one_point_more(moves, STATES.index("at_risk_wau"))
    assert point_more is not None
    expected = dau_ahead(point_more, start, new=1) - dau_ahead(moves, start, new=1)
    assert rows["at-risk WAU"]["dau_change"] == pytest.approx(expected)


def test_after_a_few_days_nothing_is_said_of_what_a_point_would_do(tmp_path: Path):
    def says(days: int) -> bool:
        found = growth(stable(tmp_path / str(days), days))
        is_said = any("one point more" in one for one in found.sentences)
        assert any(row["dau_change"] is not None for row in found.tables[0].rows) == is_said
        return is_said

    assert says(18)  # four days are left-censored
    assert not says(17)


def test_a_state_that_nobody_came_back_from_does_not_move_daily_users_most(tmp_path: Path):
    """Twenty users on five days of seven, and a new one a day who never comes back: what a point of the gone would do, nobody knows."""
    first = date(2026, 1, 5)
    rows = [f"c{user} {first + timedelta(days=day)}T10:00" for user in range(20) for day in range(120) if day % 7 < 5]
    found = growth(
        opened(tmp_path, [*rows, *(f"n{day} {first + timedelta(days=day)}T10:00" for day in range(29, 119))])
    )
    changes = {row["state"]: row["dau_change"] for row in found.tables[0].rows}
    assert [name for name, change in changes.items() if change is None] == ["new", "at-risk MAU", "dormant"]
    assert 0 < changes["at-risk WAU"] < changes["current"] < 1
    assert "one point more of the current users" in found.sentences[1]


def test_nothing_is_said_of_what_moves_daily_users_where_everybody_always_comes(tmp_path: Path):
    first = date(2026, 1, 5)
    rows = [f"u{user} {first + timedelta(days=day)}T10:00" for user in range(3) for day in range(40)]
    assert not [one for one in growth(opened(tmp_path, rows)).sentences if "one point more" in one]


def test_states_are_drawn_from_seven_days_on(tmp_path: Path):
    def titles(days: int) -> list[str]:
        found = growth(opened(tmp_path / str(days), [f"a 2026-01-{5 + day:02d}T10:00" for day in range(days)]))
        assert not [one.title for one in found.pictures if "NaN" in one.svg]
        return [one.title for one in found.pictures]

    assert "Daily active users by state" not in titles(6)
    assert "Daily active users by state" in titles(7)
