"""The features of every family, by hand."""

from datetime import date
from math import log2, sqrt
from pathlib import Path
from typing import Any

import pytest

from features.catalogue.fitted import BgNbd, FittedConstants
from tests.builders import world_of


def of(profile: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: profile[name] for name in names}


# Mondays: Jan 5, 12, 19, 26. Seen from Monday Jan 26: ages 21, 19, 13, 2, 1.
ANNA = [
    "anna 2026-01-05T10:00 open",
    "anna 2026-01-07T23:00 open count=2",
    "anna 2026-01-13T05:59 buy amount=20",
    "anna 2026-01-24T12:00 open",
    "anna 2026-01-25T06:00 buy amount=5.5 count=3",
    "anna 2026-01-25T18:00 refund amount=-5.5",
]


@pytest.fixture(scope="module")
def anna(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Every feature of the log above, computed once."""
    return world_of(tmp_path_factory.mktemp("anna"), ANNA).profile("2026-01-26", event_types=("open", "buy"))


def test_recency(anna: dict[str, Any]):
    assert of(anna, "days_since_last_event", "days_since_last_qualifying_day", "tenure_days", "is_in_first_week") == {
        "days_since_last_event": 0.25,
        "days_since_last_qualifying_day": 1,
        "tenure_days": 21,
        "is_in_first_week": 0,
    }
    assert anna["first_week_active_days"] == 2


def test_windows(anna: dict[str, Any]):
    assert [anna[f"events_{days}d"] for days in (1, 3, 7, 14, 28, 90)] == [4, 5, 5, 6, 9, 9]
    assert [anna[f"active_days_{days}d"] for days in (1, 3, 7, 14, 28, 90)] == [1, 2, 2, 3, 5, 5]
    assert [anna[f"sessions_{days}d"] for days in (1, 3, 28)] == [2, 3, 6]


def test_use_of_single_events_is_no_time(anna: dict[str, Any]):
    assert of(anna, "usage_minutes_28d", "usage_minutes_per_active_day_28d", "usage_minutes_trend_7d") == {
        "usage_minutes_28d": 0,
        "usage_minutes_per_active_day_28d": 0,
        "usage_minutes_trend_7d": None,
    }


def test_rhythm(anna: dict[str, Any]):
    # gaps of 2, 6, 11 and 1 days
    assert of(anna, "gap_days_mean", "gap_days_median", "gap_days_max", "gap_days_last", "overdue_ratio") == {
        "gap_days_mean": 5,
        "gap_days_median": 4,
        "gap_days_max": 11,
        "gap_days_last": 1,
        "overdue_ratio": 0.05,
    }
    assert anna["gap_days_std"] == pytest.approx(sqrt((9 + 1 + 36 + 16) / 4))
    assert anna["night_share_28d"] == pytest.approx(1 / 9)
    assert anna["weekend_share_28d"] == pytest.approx(5 / 9)


def test_trend(anna: dict[str, Any]):
    assert of(anna, "active_days_change_7d", "active_days_change_28d", "events_trend_7d") == {
        "active_days_change_7d": 1,
        "active_days_change_28d": 5,
        "events_trend_7d": pytest.approx(20 / 9),
    }
    assert anna["events_acceleration_3d"] == pytest.approx((5 / 3) / (6 / 14))


def test_a_steadily_rising_user_has_the_slope_of_the_rise(tmp_path: Path):
    lines = [f"anna 2026-01-{day:02}T10:00 open count={day}" for day in range(1, 29)]
    expected = {"events_slope_28d": pytest.approx(7)}
    assert world_of(tmp_path, lines).profile("2026-01-29", only=expected) == expected


def test_a_steady_user_has_no_slope(tmp_path: Path):
    lines = [f"anna 2026-01-{day:02}T10:00 open" for day in range(1, 29)]
    expected = {
        "events_slope_28d": 0,
        "active_days_slope_28d": 0,
    }
    assert world_of(tmp_path, lines).profile("2026-01-29", only=expected) == expected


def test_purchases(anna: dict[str, Any]):
    assert of(anna, "purchases", "amount_28d", "basket_mean", "refunds", "is_repeat_purchaser") == {
        "purchases": 4,
        "amount_28d": 25.5,
        "basket_mean": 6.375,
        "refunds": 1,
        "is_repeat_purchaser": 1,
    }
    assert of(anna, "days_since_last_purchase", "purchase_gap_days_mean") == {
        "days_since_last_purchase": 1,
        "purchase_gap_days_mean": 12,
    }


def test_event_mix(anna: dict[str, Any]):
    assert of(anna, "event_types_28d", "events_of_open_7d", "events_of_buy_28d", "share_of_open_28d") == {
        "event_types_28d": 3,
        "events_of_open_7d": 1,
        "events_of_buy_28d": 4,
        "share_of_open_28d": pytest.approx(4 / 9),
    }


def test_decay_halves_with_every_half_life(tmp_path: Path):
    lines = ["anna 2026-01-05T10:00 open count=8", "anna 2026-01-12T10:00 open count=8"]
    expected = {  # ages 14 and 7
        "active_days_decayed_7d": 0.75,
        "events_decayed_7d": 6,
    }
    assert world_of(tmp_path, lines).profile("2026-01-19", only=expected) == expected


def test_the_last_device_and_the_first_channel(tmp_path: Path):
    lines = [
        "anna 2026-01-05T10:00 open channel=search device_model=A1",
        "anna 2026-01-05T11:00 open channel=ads device_model=A1",
        "anna 2026-01-20T10:00 open channel=search device_model=B2",
        "anna 2026-01-20T11:00 open",
    ]
    expected = {
        "acquisition_channel": "search",
        "last_channel": "search",
        "channels": 2,
        "last_device_model": "B2",
        "device_models": 2,
        "has_new_device_model_14d": 1,
    }
    assert world_of(tmp_path, lines).profile("2026-01-26", only=expected) == expected


def test_the_first_channel_is_that_of_the_first_event_though_it_comes_again(tmp_path: Path):
    lines = [f"anna 2026-01-05T1{hour}:00 open channel={name}" for hour, name in enumerate(("search", "ads", "search"))]
    expected = {
        "acquisition_channel": "search",
        "last_channel": "search",
    }
    assert world_of(tmp_path, lines).profile("2026-01-26", only=expected) == expected


def test_of_two_devices_at_the_same_instant_the_greatest_is_last_and_of_two_channels_the_least_is_first(tmp_path: Path):
    lines = [f"anna 2026-01-05T10:00 open channel={name} device_model={name}" for name in ("Z", "é", "a")]
    expected = {
        "last_device_model": "é",
        "acquisition_channel": "Z",
    }
    assert world_of(tmp_path, lines).profile("2026-01-26", only=expected) == expected


def test_a_user_of_one_event_has_no_gaps_and_no_trend_to_speak_of(tmp_path: Path):
    absent = ("gap_days_mean", "gap_days_std", "overdue_ratio", "overdue_deviations", "events_trend_7d", "basket_mean")
    expected = dict.fromkeys(absent) | {
        "events_90d": 0,
        "active_days": 1,
        "purchases": 0,
        "is_repeat_purchaser": 0,
    }
    world = world_of(tmp_path, ["anna 2020-01-05T10:00 open amount=0"])
    assert world.profile("2020-12-01", only=expected) == expected


def test_the_first_week_is_the_first_seven_days(tmp_path: Path):
    lines = ["anna 2026-01-01T10:00 open count=3", "anna 2026-01-07T10:00 open", "anna 2026-01-08T10:00 open"]
    expected = {
        "first_week_events": 4,
        "first_week_active_days": 2,
        "first_week_sessions": 2,
    }
    assert world_of(tmp_path, lines).profile("2026-01-20", only=expected) == expected


def test_the_last_session_counts_from_its_start(tmp_path: Path):
    lines = [
        "anna 2026-01-05T12:00 open",
        "anna 2026-01-05T12:20 open",
        "anna 2026-01-05T18:00 buy",
        "anna 2026-01-05T18:15 open",
    ]
    expected = {
        "days_since_last_session": 0.25,
        "days_since_last_of_buy": 1,
        "session_minutes_std_28d": 2.5,  # of 20 and 15 minutes
        "usage_minutes_per_session_28d": 17.5,
    }
    assert world_of(tmp_path, lines).profile("2026-01-06", event_types=("open", "buy"), only=expected) == expected


def test_streaks_and_the_week_of_the_peak(tmp_path: Path):
    days = ("2026-01-05", "2026-01-06", "2026-01-07", "2026-01-20", "2026-01-24", "2026-01-25")
    expected = {
        # weeks back from the cutoff: ages 1, 2, 6 in the last one; 19, 20, 21 in the third
        "longest_streak_days": 3,
        "current_streak_days": 2,
        "weeks_since_peak_84d": 0,
    }
    assert (
        world_of(tmp_path, [f"anna {day}T10:00 open" for day in days]).profile("2026-01-26", only=expected) == expected
    )


def test_a_streak_starts_with_the_observation_window(tmp_path: Path):
    lines = [f"anna 2026-01-{day:02}T10:00 open" for day in range(1, 11)]
    expected = {
        "longest_streak_days": 4,
        "current_streak_days": 4,
    }
    assert world_of(tmp_path, lines, features={"observation_days": 4}).profile("2026-01-11", only=expected) == expected


def test_the_share_of_active_days_is_that_of_the_observed_days(tmp_path: Path):
    lines = [f"anna 2026-01-{day:02}T10:00 open" for day in (1, 2, 8, 10)]
    expected = {
        "tenure_days": 10,
        "active_day_share": 2 / 4,
    }
    assert world_of(tmp_path, lines, features={"observation_days": 4}).profile("2026-01-11", only=expected) == expected


def test_entropy_is_that_of_hours_counted_once_a_day(tmp_path: Path):
    hours = ["2026-01-05T08:00", "2026-01-05T08:30", "2026-01-06T08:00", "2026-01-06T20:00", "2026-01-12T23:00"]
    expected = {
        "hour_entropy_bits_28d": pytest.approx(1.5),  # 8: 2, 20: 1, 23: 1
        "weekday_entropy_bits_28d": pytest.approx(log2(3) - 2 / 3),  # Monday twice, Tuesday once
        "morning_share_28d": 0.6,
        "evening_share_28d": 0.4,
    }
    assert world_of(tmp_path, [f"anna {hour} open" for hour in hours]).profile("2026-01-13", only=expected) == expected


def test_versions_behind_counts_known_versions_since_the_own_one_and_before_the_cutoff(tmp_path: Path):
    versions = {"1.0": date(2026, 1, 1), "1.1": date(2026, 1, 10), "1.2": date(2026, 1, 20), "1.3": date(2026, 1, 26)}
    lines = ["anna 2026-01-05T10:00 open app_version=1.0", "bob 2026-01-25T10:00 open app_version=beta"]
    anna, bob = world_of(tmp_path, lines).profiles(
        "2026-01-26", fitted=FittedConstants(versions=versions), only=("app_versions_behind", "app_version_age_days")
    )
    assert of(anna, "app_versions_behind", "app_version_age_days") == {
        "app_versions_behind": 2,
        "app_version_age_days": 25,
    }
    assert of(bob, "app_versions_behind", "app_version_age_days") == {
        "app_versions_behind": 0,
        "app_version_age_days": 0,
    }


def test_the_main_device_has_most_events_and_mobile_is_told_in_any_case(tmp_path: Path):
    lines = [
        "anna 2026-01-05T10:00 open device_os=iOS count=3",
        "anna 2026-01-06T10:00 open device_os=Windows",
        "anna 2026-01-07T10:00 open",
    ]
    expected = {
        "main_device_os_28d": "iOS",
        "last_device_os": "Windows",
        "mobile_share_28d": 0.75,
        "operating_systems": 2,
    }
    assert world_of(tmp_path, lines).profile("2026-01-08", only=expected) == expected


def test_new_kinds_of_action_are_those_first_seen_in_four_weeks(tmp_path: Path):
    lines = ["anna 2026-01-01T10:00 open", "anna 2026-02-09T10:00 open", "anna 2026-02-10T10:00 buy count=3"]
    expected = {
        "new_event_types_28d": 1,
        "new_event_type_share_28d": 0.75,
        "event_type_entropy_bits_28d": pytest.approx(2 - 0.75 * log2(3)),
    }
    assert world_of(tmp_path, lines).profile("2026-02-11", only=expected) == expected


def test_a_buyer_is_alive_with_the_probability_of_bg_nbd(tmp_path: Path):
    lines = [
        "anna 2026-01-01T10:00 buy amount=10",
        "anna 2026-01-01T11:00 buy amount=10",
        "anna 2026-01-05T10:00 buy amount=10",
        "anna 2026-01-06T10:00 refund amount=-6",
    ]
    expected = {
        # two days: x = 1, t_x = 4, T = 8: 1 / (1 + 1/2 * (10/6)^2)
        "alive_probability": pytest.approx(1 / (1 + 25 / 18)),
        "purchase_days": 2,
        "refunded_amount": 6,
        "refunded_share": 0.2,
        "purchase_session_share": 0.75,
    }
    assert (
        world_of(tmp_path, lines).profile("2026-01-09", fitted=FittedConstants(bg_nbd=BgNbd(1, 2, 1, 2)), only=expected)
        == expected
    )
