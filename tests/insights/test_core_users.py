"""The histogram of active days and stickiness, against tables made by hand."""

from pathlib import Path

import pytest

from insights.core_users import core_users, l28
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


def test_a_log_shorter_than_28_days_counts_the_days_that_there_are(tmp_path: Path):
    found = core_users(opened(tmp_path, ["a 2026-01-05T10:00", "a 2026-01-06T10:00", "b 2026-01-06T10:00"]), at_least=2)
    assert found.facts["stickiness"] == pytest.approx(3 / 2 / 2)
    assert found.facts["core_users"] == 1
