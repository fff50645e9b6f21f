from __future__ import annotations

from datetime import date, timedelta

import duckdb
import numpy as np
import pytest

from seeds.behaviour import (
    KIND_SHARES,
    MAX_SESSIONS,
    PACES,
    SILENT,
    SYMBOLS,
    State,
    active_day,
    any_day,
    is_holiday,
    shown,
    symbol,
    transitions,
)
from seeds.population import group_risks, priors


def test_every_active_day_has_a_symbol_of_its_own_that_says_what_happened() -> None:
    sessions, pace, bought = (
        part.ravel() for part in np.meshgrid(np.arange(1, MAX_SESSIONS + 1), np.arange(PACES), [0, 1], indexing="ij")
    )
    symbols = symbol(sessions=sessions, pace=pace, bought=bought)
    assert symbols.tolist() == list(range(1, SYMBOLS))
    assert np.array_equal(shown(symbols), (sessions, pace, bought))


@pytest.mark.parametrize("weekday", range(7))
def test_what_a_day_shows_is_a_distribution_and_the_gone_show_nothing(weekday: int) -> None:
    table = any_day(weekday)
    assert table.min() >= 0
    assert table.sum(axis=2) == pytest.approx(1)
    assert (table[State.GONE, :, SILENT] == 1).all()


def test_an_active_day_is_never_silent() -> None:
    assert active_day().sum(axis=2) == pytest.approx(1)
    assert (active_day()[:, :, SILENT] == 0).all()


@pytest.mark.parametrize("holiday", [False, True])
def test_the_transitions_out_of_a_state_leave_room_to_stay_and_nobody_returns_from_gone(holiday: bool) -> None:
    out = np.zeros(len(State))
    for transition in transitions(group_risks(), holiday=holiday):
        assert transition.rate.min() > 0
        out[transition.source] += transition.rate.max()
    assert (out < 1).all()
    assert out[State.GONE] == 0


def test_shares_and_beliefs_beforehand_are_distributions() -> None:
    assert KIND_SHARES.sum() == pytest.approx(1)
    assert priors(date(2026, 1, 5)).sum(axis=1) == pytest.approx(1)


def test_more_users_take_a_break_around_a_holiday() -> None:
    def going_quiet(*, holiday: bool) -> float:
        return sum(m.rate.sum() for m in transitions(group_risks(), holiday=holiday) if m.target == State.QUIET)

    assert going_quiet(holiday=True) > 2 * going_quiet(holiday=False)
    assert [is_holiday(day) for day in (date(2026, 4, 1), date(2026, 4, 12), date(2026, 4, 13))] == [True, True, False]


def test_many_who_stay_away_for_two_weeks_come_back(log: duckdb.DuckDBPyConnection, cutoffs: tuple[date, ...]) -> None:
    away, returned = log.execute(
        """select count(*) filter (not came), count(*) filter (not came and later) from (
             select bool_or(day >= $cutoff and day < $end) as came, bool_or(day >= $end) as later from log
             group by user_id having max(day) filter (day < $cutoff) >= $since)""",
        {"cutoff": cutoffs[0], "end": cutoffs[0] + timedelta(days=14), "since": cutoffs[0] - timedelta(days=14)},
    ).fetchall()[0]
    assert away > 100
    assert 0.25 < returned / away < 0.75


def test_visits_become_shorter_before_the_end(log: duckdb.DuckDBPyConnection, cutoffs: tuple[date, ...]) -> None:
    # Of users with at least 20 active days who left in time for the end to be fairly certain.
    users, ratio = log.execute(
        """with days as (select user_id, day, sum(duration_seconds) as seconds from log group by 1, 2),
                ends as (select user_id, max(day) as last from days group by 1 having count(*) >= 20 and last < $cutoff)
           select count(*), avg(late / early) from (
             select avg(seconds) filter (day > last - 7) as late, avg(seconds) filter (day <= last - 15) as early
             from days join ends using (user_id) group by user_id)""",
        {"cutoff": cutoffs[-1] - timedelta(days=7)},
    ).fetchall()[0]
    assert users > 50
    assert ratio < 0.85
