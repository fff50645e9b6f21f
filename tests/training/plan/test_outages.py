"""Days whose volume collapsed, and the snapshots that they spoil."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.activity.store import Activity
from features.errors import SettingsError
from features.snapshots import LabelWindow
from tests.builders import passing_world, world_of
from training.plan.outages import Kind, Outage, describe_outages, find_outages, touching, warning
from training.settings import OutagesSettings

FIRST = date(2026, 1, 5)  # a Monday
PLAIN = OutagesSettings()
WEEK = LabelWindow(0, 7)


def log(users_by_day: Iterable[int], *, hours: Mapping[int, Iterable[int]] | None = None) -> list[dict[str, Any]]:
    """One event per user and hour (by default at 9 and at 21 o'clock): so many users on each day from FIRST on."""
    return [
        {
            "user_id": f"u{user}",
            "event_time": datetime.combine(FIRST + timedelta(days=day), time(hour, 30), UTC),
            "event_type": "open",
        }
        for day, users in enumerate(users_by_day)
        for user in range(users)
        for hour in (hours or {}).get(day, (9, 21))
    ]


def activity_of(folder: Path, users_by_day: Iterable[int], **settings: Any) -> Activity:
    hours = settings.pop("hours", None)
    return world_of(folder, log(users_by_day, hours=hours), **{"covered_until": None} | settings).activity()


def found(activity: Activity) -> dict[int, Kind]:
    """The outages, by the number of the day."""
    return {(outage.day - FIRST).days: outage.kind for outage in find_outages(activity, PLAIN, horizon_days=14)}


def test_a_day_that_collapsed_is_named_with_its_events_and_what_is_usual(tmp_path: Path) -> None:
    activity = activity_of(tmp_path, [40] * 17 + [4] + [40] * 17)

    (outage,) = find_outages(activity, PLAIN, horizon_days=14)

    # ln(4 / 40) in units of the chance of 40 users, 1 / sqrt(40): -2.303 x 6.325
    # the same 40 users on every day: all were active on 14 of the 14 days of a horizon
    assert outage == Outage(date(2026, 1, 22), 8, 80, -14.56, Kind.COLLAPSED, outage.days_active)
    assert outage.days_active[13] == (*[0.0] * 13, 1.0)


def test_a_day_without_a_single_event_is_an_outage(tmp_path: Path) -> None:
    assert found(activity_of(tmp_path, [40] * 17 + [0, 0] + [40] * 17)) == {17: Kind.MISSING, 18: Kind.MISSING}


def test_all_days_of_a_hole_of_two_months_are_outages(tmp_path: Path) -> None:
    holes = found(activity_of(tmp_path, [30] * 70 + [0] * 60 + [30] * 70))

    assert list(holes) == list(range(70, 130))


def test_weekends_that_are_always_quiet_are_not_outages_but_a_quiet_monday_is(tmp_path: Path) -> None:
    days = [60, 60, 60, 60, 60, 5, 0] * 6
    days[21] = 5

    assert found(activity_of(tmp_path, days)) == {21: Kind.COLLAPSED}


@pytest.mark.parametrize("weekly", [0.75, 1.3])
def test_a_product_that_grows_or_dies_away_has_no_outages(tmp_path: Path, weekly: float) -> None:
    level = 400 if weekly < 1 else 40

    assert found(activity_of(tmp_path, [round(level * weekly ** (day / 7)) for day in range(63)])) == {}


def test_a_lasting_step_down_is_not_an_outage(tmp_path: Path) -> None:
    assert found(activity_of(tmp_path, [100] * 42 + [35] * 42)) == {}


def test_a_log_of_few_users_cannot_tell_an_outage_from_chance(tmp_path: Path) -> None:
    assert found(activity_of(tmp_path, [12] * 20 + [0] + [12] * 20)) == {}


def test_an_event_type_that_was_switched_off_is_not_an_outage(tmp_path: Path) -> None:
    busy = dict.fromkeys(range(40), (8, 9, 10, 11, 12, 13, 14))

    assert found(activity_of(tmp_path, [40] * 40, hours=busy | {20: (9,)})) == {}  # a seventh of the events, all users


def test_low_days_at_the_very_start_are_a_log_that_grows_unless_it_is_the_first_alone(tmp_path: Path) -> None:
    assert found(activity_of(tmp_path / "ramp", [3, 6, 12] + [60] * 32)) == {}
    assert found(activity_of(tmp_path / "half", [6] + [60] * 34)) == {0: Kind.COLLAPSED}


def test_a_last_day_that_ends_at_noon_is_partial_though_all_users_were_there(tmp_path: Path) -> None:
    whole = dict.fromkeys(range(35), (9, 21))

    assert found(activity_of(tmp_path / "cut", [40] * 35, hours=whole | {34: (9, 10)})) == {34: Kind.PARTIAL}
    assert found(activity_of(tmp_path / "whole", [40] * 35, hours=whole | {34: (9, 20)})) == {}
    assert found(activity_of(tmp_path / "late", [40] * 35, hours=whole | {0: (12, 21)})) == {0: Kind.PARTIAL}


def test_a_log_of_days_without_hours_has_no_partial_days(tmp_path: Path) -> None:
    midnight = dict.fromkeys(range(35), (0,))

    assert found(activity_of(tmp_path, [40] * 35, hours=midnight)) == {}


def test_the_last_days_of_a_log_said_to_be_covered_are_outages(tmp_path: Path) -> None:
    activity = activity_of(tmp_path, [40] * 35, covered_until=FIRST + timedelta(days=38))

    assert found(activity) == {35: Kind.MISSING, 36: Kind.MISSING, 37: Kind.MISSING}


def test_a_log_of_ten_days_is_too_short_to_judge(tmp_path: Path) -> None:
    assert found(activity_of(tmp_path, [40] * 5 + [1] + [40] * 4)) == {}


@settings(max_examples=6)
@given(seed=st.integers(0, 10_000), level=st.integers(25, 60))
def test_chance_alone_is_not_an_outage(seed: int, level: int) -> None:
    days = np.random.default_rng(seed).poisson(level, 42).tolist()

    with passing_world(log(days), covered_until=None) as world:
        assert found(world.activity()) == {}


def outage(day: str) -> Outage:
    return Outage(date.fromisoformat(day), 0, 100, -20.0, Kind.MISSING)


@pytest.mark.parametrize(
    ("day", "is_touched"),
    [
        ("2026-03-02", False),  # eight days before the cutoff: one low day in a history
        ("2026-03-03", True),
        ("2026-03-09", True),  # the day before
        ("2026-03-10", False),  # in the gap nobody looks
        ("2026-03-11", False),
        ("2026-03-12", True),  # the first day of the horizon
        ("2026-03-18", True),  # its last
        ("2026-03-19", False),
    ],
)
def test_a_snapshot_is_spoilt_by_its_last_seven_days_and_its_label_window(day: str, is_touched: bool) -> None:
    touched = touching([outage(day)], date(2026, 3, 10), window=LabelWindow(2, 7), settings=PLAIN)

    assert touched == ((outage(day),) if is_touched else ())


def test_missing_days_are_tolerated_while_few_labels_can_change() -> None:
    days = tuple(replace(outage(f"2026-04-{day:02d}"), days_active=((0.5, 0.3, 0.2),)) for day in range(1, 6))
    quarter, cutoff = LabelWindow(0, 90), date(2026, 3, 10)

    # one of 90 days: .5 / 90 = .6 % of the labels; four: .5 x 4 / 90 + .3 x (4 / 90)^2 + ... = 2.28 %
    assert touching(days[:1], cutoff, window=quarter, settings=PLAIN) == ()
    assert touching(days[:3], cutoff, window=quarter, settings=PLAIN) == ()
    assert touching(days[:4], cutoff, window=quarter, settings=PLAIN) == days[:4]
    strict = OutagesSettings(tolerated_share=0)
    assert touching(days[:1], cutoff, window=quarter, settings=strict) == days[:1]


def test_users_who_come_daily_are_not_lost_by_one_missing_day_and_are_by_all() -> None:
    days = tuple(replace(outage(f"2026-03-{day}"), days_active=((*[0.0] * 6, 1.0),)) for day in range(10, 17))

    assert touching(days[:1], date(2026, 3, 10), window=WEEK, settings=PLAIN) == ()
    assert touching(days, date(2026, 3, 10), window=WEEK, settings=PLAIN) == days


def test_a_window_is_judged_by_the_active_days_of_windows_as_long_as_itself(tmp_path: Path) -> None:
    # 21 users come daily, 21 on every seventh day: within 7 days half of the users have one active day, within 28 four
    lines = [
        f"{kind}{user} {FIRST + timedelta(days=day)}T{hour}:00"
        for kind, every in (("daily", 1), ("weekly", 7))
        for user in range(21)
        for day in range(0, 84, every)
        if day != 30
        for hour in ("09", "21")
    ]
    (hole,) = find_outages(world_of(tmp_path, lines, covered_until=None).activity(), PLAIN, horizon_days=28)
    assert hole.day == FIRST + timedelta(days=30)
    assert hole.days_active[6] == (0.5, *[0.0] * 5, 0.5)
    assert hole.days_active[27] == (*[0.0] * 3, 0.5, *[0.0] * 23, 0.5)

    # one of 7 days: .5 / 7 = 7 % of the labels; one of 28: .5 / 28 ** 4 of them
    assert touching([hole], hole.day, window=WEEK, settings=PLAIN) == (hole,)
    assert touching([hole], hole.day, window=LabelWindow(0, 28), settings=PLAIN) == ()


def test_a_public_holiday_is_no_outage(tmp_path: Path) -> None:
    low = (date(2026, 5, 1) - FIRST).days
    activity = activity_of(tmp_path, [40] * low + [0, 0] + [40] * 17)
    after = FIRST + timedelta(days=low + 1)
    for place in ("DE", "DE-BY", "de-by"):
        germany = OutagesSettings(holidays=place)
        assert [one.day for one in find_outages(activity, germany, horizon_days=14)] == [after]
    america = OutagesSettings(holidays="US")
    assert [one.day for one in find_outages(activity, america, horizon_days=14)] == [after - timedelta(days=1), after]


@pytest.mark.parametrize("place", ["Bavaria", "XX", "DE-QQ"])
def test_a_place_whose_holidays_nobody_knows_is_refused(tmp_path: Path, place: str) -> None:
    activity = activity_of(tmp_path, [40] * 30)
    with pytest.raises(SettingsError, match="expected a country") as refused:
        find_outages(activity, OutagesSettings(holidays=place), horizon_days=14)
    assert "ISO 3166" in refused.value.hint


def test_a_closed_day_is_no_outage(tmp_path: Path) -> None:
    activity = activity_of(tmp_path, [40] * 17 + [0, 0] + [40] * 17)
    closed = OutagesSettings(closed=(FIRST + timedelta(days=17), date(2020, 1, 1)))

    assert [one.day for one in find_outages(activity, closed, horizon_days=14)] == [FIRST + timedelta(days=18)]


def test_a_date_that_is_low_in_every_year_is_a_holiday(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = date(2024, 1, 1)
    monkeypatch.setattr(f"{__name__}.FIRST", first)
    users = [20] * 800
    low = [(date(2024, 4, 15) - first).days, (date(2025, 4, 15) - first).days, (date(2025, 8, 5) - first).days]
    for day in low:
        users[day] = 0

    assert list(found(activity_of(tmp_path, users))) == low[2:]


def test_days_in_a_row_are_named_together() -> None:
    partial = Outage(date(2026, 3, 5), 900, 1900, -3.0, Kind.PARTIAL)

    assert describe_outages([outage("2026-03-01"), outage("2026-03-03"), outage("2026-03-04"), partial]) == (
        "2026-03-01 (0 events where 100 are usual), 2026-03-03 to 2026-03-04 (0 events where 200 are usual), "
        "2026-03-05 (part of a day, 900 events where 1,900 are usual)"
    )


def test_scoring_is_warned_of_an_outage_right_before_the_cutoff_only() -> None:
    days = [outage("2026-03-09")]

    said = warning(days, cutoff=date(2026, 3, 10), settings=PLAIN)

    assert said is not None
    assert "2026-03-09 (0 events where 100 are usual)" in said
    assert warning(days, cutoff=date(2026, 3, 9), settings=PLAIN) is None
    assert warning(days, cutoff=date(2026, 3, 17), settings=PLAIN) is None
