"""The simulated shops of the report's benchmark: what is planted is there, and nothing else."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from benchmarks.report.page import write_page
from benchmarks.report.worlds import (
    CHANNELS,
    DAYS,
    PHONES,
    PLANTED_CHANNEL,
    PLANTED_PHONE,
    STEPS,
    ReportWorld,
    is_broken,
    oracle,
    simulate,
    write,
)


def test_a_world_is_the_same_for_the_same_seed_and_holds_every_group():
    people, sessions = simulate(ReportWorld(users=3000), seed=1)
    again = simulate(ReportWorld(users=3000), seed=1)[1]
    assert np.array_equal(sessions.reached, again.reached)
    assert (len(set(people.channel)), int(sessions.day.max())) == (CHANNELS, DAYS - 1)
    assert PHONES - 3 <= len(set(people.phone)) <= PHONES
    assert len(set(zip(sessions.user.tolist(), sessions.day.tolist(), strict=True))) == len(sessions.day)


def test_a_broken_version_costs_four_points_of_all_sessions_on_its_phone_alone():
    _, sessions = simulate(ReportWorld(users=12_000, has_differences=False, planted="version"), seed=2)
    bought, broken = sessions.reached == len(STEPS) - 1, is_broken(sessions)
    assert bought[~broken].mean() - bought[broken].mean() == pytest.approx(0.04, abs=0.015)
    assert set(sessions.phone[broken]) == {PLANTED_PHONE}


def test_fewer_of_the_planted_channel_are_there_on_day_30():
    world = ReportWorld(users=24_000, has_differences=False, planted="channel")
    people, sessions = simulate(world, seed=3)
    was_there = np.zeros(world.users, bool)
    was_there[sessions.user[sessions.day - people.first[sessions.user] == 30]] = True
    is_new = (people.first >= 98) & (people.first < 140)
    shares = [was_there[is_new & (people.channel == channel)].mean() for channel in (PLANTED_CHANNEL, 1)]
    assert shares[1] - shares[0] == pytest.approx(0.06, abs=0.04)
    assert oracle(world, people, sessions=sessions) < 0.001


def test_a_log_holds_each_step_that_was_reached(tmp_path: Path):
    _, sessions = simulate(ReportWorld(users=200), seed=4)
    table = pq.read_table(write(sessions, tmp_path / "log.parquet"))
    assert table.num_rows == (sessions.reached + 1).sum()
    types = table.column("event_type").to_pylist()
    assert [types.count(name) for name in STEPS] == [
        int((sessions.reached >= place).sum()) for place in range(len(STEPS))
    ]


def test_the_page_counts_worlds(tmp_path: Path):
    quiet = {"changes": [], "alarm": False, "sessions": 2600}
    results = {
        "null": {"0": quiet, "1": quiet | {"changes": [["all"]]}},
        "version": {"0": quiet | {"found": True, "oracle": 0.01}, "1": quiet | {"found": False, "oracle": 0.2}},
        "core": {"0": quiet | {"alarm": True}},
        "calm": {"0": quiet | {"past_alarms": 1, "past_weeks": 10}, "1": quiet | {"past_alarms": 0, "past_weeks": 10}},
    }
    write_page(results, tmp_path)
    page = (tmp_path / "report.md").read_text()
    assert "| no differences at all | 2 | 1 | 9% to 91% |" in page
    assert "in 2 worlds in which they come as ever it\nwould have been raised in 1 of 22 weeks" in page
    assert "| 2 | 100 | 1 | 9% to 91% | 1 of 2 |" in page
    assert "| 1 | 100 | 1 | 21% to 100% | - |" in page
