"""The projection: its moves are those of the growth page, it knows nothing of later days, and its band is that of its own past errors."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import t as student

from insights.growth import STATES, latest_flows
from insights.projection import WEEKS, Course, ahead, backtest, course_of, projected, projection, summary
from tests.insights.conftest import Random
from tests.insights.logs import opened

DAYS = 7 * 30


def course_with(dau: np.ndarray) -> Course:
    """A product to which so many users come every day, of whom none returns."""
    states, moves = np.zeros((len(dau), len(STATES))), np.zeros((len(dau) - 1, len(STATES), len(STATES)))
    states[:, 0] = dau
    moves[:, 0, STATES.index("at_risk_wau")] = dau[:-1]
    return Course(states, moves, first=0)


def test_moves_are_those_between_the_states_of_every_two_days(random_log: Random):
    course = course_of(random_log.log)
    new = np.zeros(course.states[1:].shape)
    new[:, 0] = course.states[1:, 0]
    assert (course.moves.sum(axis=2) == course.states[:-1]).all()
    assert (course.moves.sum(axis=1) + new == course.states[1:]).all()


def test_the_moves_of_the_latest_four_weeks_are_those_of_the_growth_page(random_log: Random):
    assert (course_of(random_log.log).moves[-28:].sum(axis=0) == latest_flows(random_log.log).moves).all()


def test_users_who_come_once_are_as_many_as_the_new_ones_of_four_weeks():
    dau = np.concatenate([np.full(DAYS - 28, 10.0), np.full(28, 14.0)])
    assert ahead(course_with(dau), DAYS) == pytest.approx(14)
    assert ahead(course_with(dau), DAYS - 14) == pytest.approx(12)


def test_a_projection_knows_nothing_of_later_days():
    chance = np.random.default_rng(0)
    dau = chance.poisson(20, DAYS).astype(float)
    before = projected(course_with(dau), DAYS - 56)
    dau[DAYS - 56 :] *= 7
    after = projected(course_with(dau), DAYS - 56)
    assert before
    assert after
    assert all((getattr(before, name) == getattr(after, name)).all() for name in ("dau", "low", "high"))


def test_the_band_is_that_of_one_more_error_like_the_past_ones():
    dau = np.random.default_rng(1).poisson(20, DAYS).astype(float)
    course = course_with(dau)
    found = projected(course, DAYS)
    first, last = 29, DAYS - 56
    errors = [
        np.log(dau[one + 49 : one + 56].mean() / dau[one - 28 : one].mean()) for one in range(last, first - 1, -7)
    ]
    width = student.ppf(0.9, len(errors) / 8) * np.sqrt(np.mean(np.square(errors)))
    assert found
    assert found.dau[-1] == pytest.approx(dau[-28:].mean())
    assert np.log(found.high[-1] / found.dau[-1]) == pytest.approx(width)
    assert np.log(found.dau[-1] / found.low[-1]) == pytest.approx(width)


def test_earlier_projections_are_compared_with_what_came():
    course = course_with(np.random.default_rng(2).poisson(20, DAYS).astype(float))
    tests = backtest(course)
    assert [one.origin for one in tests] == sorted(one.origin for one in tests)
    assert tests[-1].origin == DAYS - 56
    assert tests[-1].actual == course.dau[-7:].mean()
    found = summary(tests)
    assert found["error"] == pytest.approx(
        found["error_as_last_month"]
    )  # nobody returns: both say the mean of four weeks
    assert found["inside"] == sum(one.low <= one.actual <= one.high for one in tests) / len(tests)


def test_too_short_a_log_is_not_projected(tmp_path: Path, random_log: Random):
    two_users = opened(tmp_path, ["a 2026-01-05T10:00", "b 2026-01-05T11:00"])
    for log in (two_users, random_log.log):  # of a day, of 100 days
        assert projection(log).facts == {"weeks": WEEKS}


def test_the_answer_names_band_and_account(tmp_path: Path):
    start = datetime(2026, 1, 5, 12, tzinfo=UTC)
    rows = [
        {"user_id": f"u{day}-{user}", "event_time": start + timedelta(days=day + after), "event_type": "open"}
        for day in range(DAYS)
        for user in range(2 + day // 7 % 2)
        for after in (0, 1, 8)
        if day + after < DAYS
    ]
    found = projection(opened(tmp_path, rows, report={"left_censored_days": 0}))
    assert found.facts["low"] < found.facts["dau"] < found.facts["high"]
    assert found.facts["dau"] == pytest.approx(3 * 2.5, rel=0.05)  # 2 or 3 new users a day, active on three days each
    assert [one.name for one in found.tables] == ["projection_weeks", "projection_tests"]
    assert len(found.tables[0].rows) == WEEKS
    assert found.tables[0].rows[0]["first_day"] == date(2026, 1, 5) + timedelta(days=DAYS)
    assert found.sentences[1].startswith(f"Of {found.facts['tested']} earlier projections over 8 weeks, ")
