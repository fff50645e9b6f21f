"""The histogram of active days and stickiness, against tables made by hand."""

import random
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from insights.core_users import compared, core_by_day, core_users, followed, l28, prediction_limit, watched
from tests.builders import Row
from tests.insights.conftest import Random
from tests.insights.logs import opened

# 28 days from January 5: a on all of them, b on 14, c on two, d only before
ROWS = [
    *(f"a 2026-01-{day:02d}T10:00" for day in range(1, 32)),
    "a 2026-02-01T10:00",
    *(f"b 2026-01-{day:02d}T10:00" for day in range(5, 32, 2)),
    *("c 2026-01-06T10:00", "c 2026-01-07T10:00", "d 2026-01-04T10:00"),
]


def test_a_log_counted_by_hand(tmp_path: Path):
    found = core_users(opened(tmp_path, ROWS), at_least=20)
    assert {row["active_days"]: row["users"] for row in found.tables[0].rows if row["users"]} == {2: 1, 14: 1, 28: 1}
    assert found.facts["stickiness"] == pytest.approx((28 + 14 + 2) / 28 / 3)
    assert (found.facts["core_users"], found.facts["users"]) == (1, 3)


def test_stickiness_is_mean_daily_over_monthly_users(random_log: Random):
    from insights.growth import daily

    days = daily(random_log.log)[-28:]
    facts = core_users(random_log.log, at_least=20).facts
    assert facts["stickiness"] == pytest.approx(sum(day["dau"] for day in days) / 28 / days[-1]["mau"])
    assert facts["mean_active_days"] / 28 == pytest.approx(facts["stickiness"])
    assert sum(row["users"] for row in l28(random_log.log)) == days[-1]["mau"]


@pytest.mark.parametrize("days", [1, 19, 27])
def test_a_log_shorter_than_28_days_has_no_core_users_and_no_stickiness(tmp_path: Path, days: int):
    rows = [f"u{user} 2026-01-{5 + day:02d}T10:00" for user in range(3) for day in range(days)]
    found = core_users(opened(tmp_path, rows), at_least=20)
    words = "one" if days == 1 else str(days)
    assert found.sentences == [f"Core users and stickiness are counted over 28 days, and the log covers {words}."]
    assert (set(found.facts.values()), found.tables, found.pictures) == ({None}, (), ())


def test_a_log_of_28_days_has_the_facts_of_a_longer_one(tmp_path: Path):
    rows = [f"u{user} 2026-02-{1 + day:02d}T10:00" for user in range(3) for day in range(28)]
    found = core_users(opened(tmp_path / "long", rows), at_least=20)
    assert (found.facts["core_users"], found.facts["stickiness"]) == (3, 1.0)
    assert set(found.facts) == set(core_users(opened(tmp_path / "short", rows[:1]), at_least=20).facts)


def test_where_nobody_has_come_for_28_days_nothing_is_drawn(tmp_path: Path):
    log = opened(tmp_path, ["a 2026-01-05T10:00", "b 2026-01-06T10:00"], covered_until=date(2026, 3, 1))
    assert not core_users(log, at_least=20).pictures


# --- The alarm ---------------------------------------------------------------------------------------------------------


def test_core_users_of_a_day_are_those_with_enough_active_days_in_28(random_log: Random):
    log, first = random_log.log, random_log.log.first_day
    for at_least in (1, 3, 9):
        found = core_by_day(log, at_least=at_least)
        for d in (0, 5, 27, 28, 60, log.days - 1):
            window = {first + timedelta(days=one) for one in range(d - 27, d + 1)}
            counted = sum(len(days & window) >= at_least for days in random_log.days.values())
            assert found[d] == counted, (at_least, d)


def regulars(users: int, *, days: int, leave: int = 0, seed: int = 0) -> list[Row]:
    """Users of whom most come nearly daily and some rarely; some regulars stop two weeks before the end."""
    chance = random.Random(seed)
    rates = [0.9 if user % 2 else 0.3 for user in range(users)]
    start = datetime(2026, 1, 5, 12, tzinfo=UTC)
    return [
        {"user_id": f"u{user}", "event_time": start + timedelta(days=day), "event_type": "open"}
        for user, rate in enumerate(rates)
        for day in range(days)
        if chance.random() < (rate if day < days - 14 or user >= 2 * leave else rate / 3)
    ]


def test_a_drop_of_core_users_is_an_alarm_and_a_quiet_week_is_none(tmp_path: Path):
    options = {"report": {"left_censored_days": 0}}
    calm = watched(opened(tmp_path / "calm", regulars(120, days=126), **options), at_least=20)
    drop = watched(opened(tmp_path / "drop", regulars(120, days=126, leave=15), **options), at_least=20)
    assert calm
    assert drop
    assert (calm.is_alarm, drop.is_alarm) == (False, True)
    assert calm.past == drop.past == 11
    assert drop.change < -0.1 < calm.change
    last = drop.weeks[-1]
    assert last["change"] == pytest.approx(last["mean_days"] / last["expected"] - 1) == drop.change


def test_core_users_are_followed_through_the_two_weeks_after(random_log: Random):
    log, first = random_log.log, random_log.log.first_day
    core_by_day(log, at_least=3)
    ends = np.array([60, 83, log.days - 1])
    users, days = followed(log, ends)
    for place, end in enumerate(ends):
        expected = np.zeros((2, 8), int)
        for active in random_log.days.values():
            ago = [int(end) - (day - first).days for day in active]
            if sum(14 <= one < 42 for one in ago) >= 3:
                recent = sum(14 <= one < 21 for one in ago)
                expected[:, recent] += 1, sum(0 <= one < 14 for one in ago)
        assert expected[0].sum() > 0
        assert (users[place].tolist(), days[place].tolist()) == (expected[0].tolist(), expected[1].tolist())


def test_weeks_are_compared_with_users_who_had_come_as_often():
    # of ten users a week, those who had come on 7 days come on 12, those who had come on 2 days on 4: first half and half, then 8 to 2
    users, days = np.zeros((12, 8), int), np.zeros((12, 8), int)
    users[:, [2, 7]], days[:, [2, 7]] = (5, 5), (20, 60)
    users[-1, [2, 7]], days[-1, [2, 7]] = (2, 8), (8, 96)
    found = compared(users, days)
    assert found
    assert (found.observed, found.expected, found.change) == (10.4, 10.4, 0)
    assert found.past.tolist() == [0.0] * 10  # the week before the last shares days with it
    days[-1, 7] = 48
    assert (worse := compared(users, days))
    assert worse.change == pytest.approx(5.6 / 10.4 - 1)


def test_a_week_without_core_users_is_compared_with_nothing():
    users = np.ones((12, 8), int)
    assert compared(np.where(np.arange(12)[:, None] == 11, 0, users), users) is None
    assert compared(np.where(np.arange(12)[:, None] == 3, 0, users), users) is None


def test_the_answer_says_the_chance_of_a_false_alarm(tmp_path: Path):
    found = core_users(opened(tmp_path, regulars(60, days=126), report={"left_censored_days": 0}), at_least=20)
    assert found.sentences[1].startswith("No alarm: ")
    assert "1.0 % false alarms" in found.sentences[1]
    assert found.facts["false_alarm_rate"] == 0.01
    short = core_users(opened(tmp_path / "short", regulars(60, days=70)), at_least=20)
    assert short.facts["is_alarm"] is None
    assert "There is no alarm yet" in short.sentences[1]


def test_the_limit_is_passed_by_chance_as_often_as_it_says():
    chance = np.random.default_rng(0)
    weeks = chance.normal(0.1, 2.0, size=(4000, 13))
    below = [row[-1] < prediction_limit(row[:-1], chance=0.05) for row in weeks]
    assert np.mean(below) == pytest.approx(0.05, abs=0.012)
