"""What day 30 will look like after three days: by hand, blind to what comes later, and as true as it says."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest

from insights.acquisition.early_quality import DAY, EARLY, Early, backtest, counted, early_quality
from insights.engine.groups import make_groups
from tests.insights.logs import opened

FIRST = date(2026, 1, 1)


def early(days: int = 61) -> Early:
    """Users of day 10 whose day 30 is over, and of day 40 whose is not: ads and search, of whom some came on the next two days."""
    users, stayed = np.zeros((2, 2, 4, days))
    users[0, 0, 10], stayed[0, 0, 10] = 100, 20
    users[0, 3, 10], stayed[0, 3, 10] = 100, 60
    users[1, 0, 10], stayed[1, 0, 10] = 100, 10
    users[0, 0, 40], users[0, 3, 40], users[1, 0, 40] = 30, 10, 40
    return Early(("ads", "search"), users, stayed, new_from=0)


def test_expected_is_what_users_of_the_same_pattern_did_times_the_factor_of_the_channel():
    found = early().expected(60)
    assert found is not None
    # 30 of 200 stayed who came once, 60 of 100 who came thrice; of ads 80 where 75 would have, of search 10 where 15 would have
    assert found.users.tolist() == [40, 40]
    assert found.share.tolist() == pytest.approx(
        [(80 + 20) / (75 + 20) * (30 * 0.15 + 10 * 0.6) / 40, (10 + 20) / (15 + 20) * 0.15]
    )
    assert found.before.tolist() == [0.4, 0.1]
    assert (found.low < found.share).all()
    assert (found.share < found.high).all()


def test_too_little_history_or_nobody_new_gives_no_expectation():
    assert early().expected(43) is None  # users of 13 days have their day 30 behind them
    assert early().expected(44) is not None
    assert replace(early(), new_from=41).expected(60) is None


def test_what_comes_later_changes_no_expectation():
    now, changed, chance = early(), early(), np.random.default_rng(0)
    changed.stayed[:, :, 60 - DAY :] = chance.integers(0, 9, (2, 4, DAY + 1))  # their day 30 is at or after the day
    changed.users[:, :, 60 - EARLY + 1 :] = 99  # their first three days are not over
    for found, other in zip(vars(now.expected(60)).values(), vars(changed.expected(60)).values(), strict=True):
        assert found.tolist() == other.tolist()


def world(seed: int, *, channels: int = 4, days: int = 300) -> Early:
    """Some 25 users a day and channel; the share of those who come back at once drifts, and each channel has a factor of its own."""
    chance = np.random.default_rng(seed)
    names = tuple(f"c{one}" for one in range(channels))
    rates = np.array([0.05, 0.15, 0.2, 0.45]) * chance.uniform(0.8, 1.25, (channels, 1))
    eager = 0.4 + 0.25 * np.sin(np.arange(days) / 25 + chance.uniform(0, 6))
    weights = np.stack([(1 - eager) ** 2, eager * (1 - eager), eager * (1 - eager), eager**2])
    users = chance.poisson(25 * weights[None], (channels, 4, days))
    return Early(names, users.astype(float), chance.binomial(users, rates[:, :, None]).astype(float), 0)


def test_intervals_hold_what_comes_and_expectations_beat_the_share_before():
    found = [row for seed in range(10) for row in backtest(world(seed), 300)]
    inside = np.mean([row["expected_low"] <= row["came"] <= row["expected_high"] for row in found])
    assert 0.92 <= inside <= 0.98
    error, before = (np.mean([abs(row[name] - row["came"]) for row in found]) for name in ("expected", "before"))
    assert error < 0.6 * before


def test_earlier_cohorts_are_those_whose_day_30_the_log_covers():
    found = backtest(world(1), 300)
    days = sorted({row["day"] for row in found})
    assert (days[-1], len(days), {row["group"] for row in found}) == (300 - 28, 26, {"c0", "c1", "c2", "c3"})
    assert set(np.diff(days)) == {7}


def shop() -> Iterator[str]:
    """Each day ten users of ads, who come again the day after, half of them on day 30; ten of search, who come once; and a few of tv."""
    for day in range(70):
        for user in range(10):
            at = FIRST + timedelta(days=day)
            yield f"a{day}_{user} {at}T10:00 open channel=ads"
            yield f"a{day}_{user} {at + timedelta(days=1)}T10:00 open channel=ads"
            yield f"s{day}_{user} {at}T10:00 open channel=search"
            if user < 5:
                yield f"a{day}_{user} {at + timedelta(days=30)}T10:00 open channel=later"
        if day == 65:
            yield f"t{day} {FIRST + timedelta(days=day)}T10:00 open channel=tv"


def test_a_log_is_counted_by_channel_pattern_and_first_day(tmp_path: Path):
    rows = (row for row in shop() if row.split()[1] < "2026-03-12")
    log = opened(tmp_path, rows, report={"left_censored_days": 0})
    make_groups(log)
    found = counted(log)
    assert log.days == 70
    assert found.channels == ("ads", "other (2)")  # tv alone could be had by subtraction
    assert found.users.sum() == 70 * 20 + 1
    assert found.stayed.sum() == 40 * 5
    assert found.users[0, 1, 5] == 10  # on the next day, not on the third
    section = early_quality(log)
    assert section.facts["users"] == sum(row["users"] for row in section.tables[0].rows)
    assert "tv" not in {
        row["group"] for row in section.tables[0].rows
    }  # one user is shown to nobody, nor by subtraction


def test_without_channels_or_history_the_report_says_so(tmp_path: Path):
    log = opened(tmp_path / "a", ["a 2026-01-01T10:00 open channel=ads", "b 2026-01-05T10:00 open channel=ads"])
    make_groups(log)
    assert "There is no expectation yet" in early_quality(log).sentences[0]
    log = opened(tmp_path / "b", ["a 2026-01-01T10:00", "b 2026-01-05T10:00"])
    make_groups(log)
    assert early_quality(log).needs


def test_a_single_channel_is_not_compared_with_itself(tmp_path: Path):
    rows = (row for row in shop() if row.startswith("a") and row.split()[1] < "2026-03-12")
    log = opened(tmp_path, rows, report={"left_censored_days": 0})
    make_groups(log)
    words = early_quality(log).sentences[0]
    assert words == "Of 280 new users whose day 30 is not over, 50.0 % are expected to be active on it."
