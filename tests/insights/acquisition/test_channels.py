"""Channels and devices: who stays, buys and pays, by hand; small groups are hidden."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from insights.acquisition.channels import acquisition, by_group, closed_days, devices
from insights.engine.active_days import ActiveDays
from insights.engine.groups import make_groups
from tests.insights.logs import opened


def shop() -> Iterator[str]:
    """Thirty users of ads, ten of whom are there on day 7; thirty of search, twenty of whom are, and five buy; two groups of twelve."""
    for user in range(30):
        yield f"a{user} 2026-01-02T10:00 open channel=ads amount=0"
        yield f"s{user} 2026-01-02T10:00 open channel=search amount=0"
        if user < 10:
            yield f"a{user} 2026-01-09T10:00 open channel=later"
        if user < 20:
            yield f"s{user} 2026-01-09T10:00 open channel=search"
        if user < 5:
            yield f"s{user} 2026-01-05T10:00 buy channel=search amount=6"
            yield f"s{user} 2026-01-10T10:00 buy channel=search amount=100"  # after day 7
    for user in range(12):
        yield f"f{user} 2026-01-02T10:00 open channel=friends"
        yield f"t{user} 2026-01-02T10:00 open channel=tv"
    yield "z 2026-01-08T10:00 open channel=ads"  # day 7 is not over
    yield "y 2026-01-12T10:00 open channel=ads"


def log_of(folder: Path, rows: Iterator[str], **options: Any) -> ActiveDays:
    log = opened(folder, rows, report={"left_censored_days": 0}, **options)
    make_groups(log)
    return log


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> ActiveDays:
    return log_of(tmp_path_factory.mktemp("channels"), shop())


def test_a_user_belongs_to_the_first_channel_and_counts_once_the_window_is_closed(log: ActiveDays):
    assert closed_days(log, "channel") == 7
    ads = next(row for row in by_group(log, "channel", days=7) if row["group"] == "ads")
    assert (ads["users"], ads["stayed"], ads["bought"], ads["revenue"]) == (30, 10 / 30, 0, 0)


def test_purchases_count_up_to_the_same_day(log: ActiveDays):
    search = next(row for row in by_group(log, "channel", days=7) if row["group"] == "search")
    assert (search["stayed"], search["bought"], search["revenue"]) == (20 / 30, 5 / 30, 1.0)


def test_small_groups_are_one_and_none_can_be_had_by_subtraction(log: ActiveDays):
    rows = by_group(log, "channel", days=7)
    assert [(row["group"], row["users"]) for row in rows] == [("ads", 30), ("search", 30), ("other (2)", 24)]
    assert sum(row["users"] for row in rows) == 84


def test_shrunk_rates_lie_between_their_own_and_the_mean(log: ActiveDays):
    rows = by_group(log, "channel", days=7)
    mean = 30 / 84
    for row in rows:
        low, high = sorted((row["stayed"], mean))
        assert low <= row["shrunk"] <= high
    assert "Of 84 new users, 35.7 %" in acquisition(log).sentences[0]


def test_a_log_without_channels_or_devices_says_what_it_needs(tmp_path: Path):
    log = log_of(tmp_path, iter(["a 2026-01-05T10:00", "a 2026-01-08T10:00"]))
    assert acquisition(log).needs == {"Acquisition channels": "channel"}
    assert set(devices(log).needs.values()) == {"device_os", "device_model", "app_version", "network"}


def test_devices_are_compared_by_what_users_had_first(tmp_path: Path):
    rows = (f"{os}{user} 2026-01-0{day}T10:00 open device_os={os if day == 1 else 'tv'}"
            for os, stays in (("ios", 40), ("android", 25)) for user in range(50) for day in (1, 2, 3)
            if day != 2 or user < stays)  # fmt: skip
    found = devices(log_of(tmp_path, rows))
    assert {row["group"]: row["stayed"] for row in found.tables[0].rows} == {"ios": 0.8, "android": 0.5}
    assert "(android) to" in found.sentences[0]


def test_a_few_users_whose_day_30_is_over_do_not_decide_what_is_compared(tmp_path: Path):
    days = {2: 3, 20: 30}  # of January, to new users of each channel
    rows = [f"{channel}{day}-{user} 2026-01-{day:02d}T10:00 open channel={channel}"
            for channel in ("ads", "search") for day, users in days.items() for user in range(users)]  # fmt: skip
    log = log_of(tmp_path, iter([*rows, "z 2026-02-05T10:00 open channel=ads"]))
    assert closed_days(log, "channel") == 7
    found = acquisition(log)
    assert found.facts["days"] == 7
    assert [(row["group"], row["users"]) for row in found.tables[0].rows] == [("ads", 33), ("search", 33)]
    assert by_group(log, "channel", days=30) == []  # six users are no group


def test_one_channel_alone_is_followed_for_as_long_as_it_has_users(tmp_path: Path):
    rows = [f"a{user} 2026-01-02T10:00 open channel=ads" for user in range(20)]
    log = log_of(tmp_path, iter([*rows, "z 2026-02-05T10:00 open channel=ads"]))
    assert closed_days(log, "channel") == 30
    few = log_of(tmp_path / "few", iter([*rows[:19], "z 2026-02-05T10:00 open channel=ads"]))
    assert closed_days(few, "channel") == 0
    assert not acquisition(few).tables
