"""A planted change is found, named and dated once; standing differences are no finding."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from insights.engine.active_days import ActiveDays
from insights.engine.groups import make_groups
from insights.engine.steps import Steps, make_steps
from insights.findings import false_alarms, findings
from tests.insights.logs import opened
from tests.insights.worlds import Rate, broken, shop, standing

Open = Callable[[Rate, int], tuple[ActiveDays, Steps]]


@pytest.fixture
def world(tmp_path: Path) -> Open:
    def made(rate: Rate, seed: int) -> tuple[ActiveDays, Steps]:
        rows = shop(rate, seed=seed)
        log = opened(tmp_path / str(seed), rows, report={"purchase_event_types": ["purchase"], "left_censored_days": 0})
        make_groups(log)
        return log, make_steps(log, funnel=(), purchase_event_types=["purchase"])

    return made


def test_a_broken_payment_is_named_dated_and_told_once(world: Open):
    found = findings(*world(broken, 1))
    (table,) = found.tables
    first = table.rows[0]
    assert (first["step"], first["next_step"], first["value_of"]) == ("pay", "purchase", "android")
    assert abs(first["first_day"] - date(2026, 3, 16)).days <= 2
    assert abs(first["last_day"] - date(2026, 3, 29)).days <= 2
    assert first["rate_then"] < 0.35
    assert first["rate_else"] > 0.6
    assert len(table.rows) == 1
    assert "android went on to purchase or later" in found.sentences[0]


@pytest.mark.parametrize("seed", [2, 3])
def test_standing_differences_are_no_finding(world: Open, seed: int):
    found = findings(*world(standing, seed))
    assert found.facts["findings"] == 0
    assert "No change stands out" in found.sentences[0]
    assert "at most 5.0 %" in found.sentences[1]


def test_a_log_of_a_few_weeks_is_not_searched(tmp_path: Path):
    log = opened(tmp_path, ["a 2026-01-05T10:00", "b 2026-01-25T10:00"])
    found = findings(log, make_steps(log, funnel=(), purchase_event_types=["purchase"]))
    assert not found.tables


@pytest.mark.parametrize("others", [0, 1, 5])
def test_the_tests_of_a_report_share_the_chance_of_a_false_alarm(others: int):
    dimensions = ["all", *(f"dimension {number}" for number in range(others))]
    parts = [false_alarms(one, others=others, is_fall=is_fall) for one in dimensions for is_fall in (True, False)]
    assert sum(parts) == pytest.approx(0.05)
    assert all(part >= 0.001 for part in parts if part)  # the smallest p-value that the simulations can give
