"""Dates: what a log covers, where labels look, when a local day starts."""

import itertools
import zoneinfo
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from importlib.resources import files
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.errors import InputError
from features.snapshots import Coverage, LabelWindow, cutoffs_between, instant, instant_us_sql, monday_of, zone_of
from features.storage.duckdb import connect

JANUARY = Coverage(date(2026, 1, 1), date(2026, 2, 1))


@pytest.mark.parametrize("cutoff", [date(2026, 1, 2), date(2026, 1, 31), date(2026, 2, 1)])
def test_a_cutoff_inside_the_coverage_or_at_its_end_is_fine(cutoff: date):
    JANUARY.check_cutoff(cutoff)


@pytest.mark.parametrize("cutoff", [date(2025, 12, 31), date(2026, 1, 1), date(2026, 2, 2)])
def test_a_cutoff_before_any_event_or_past_the_coverage_is_refused(cutoff: date):
    with pytest.raises(InputError, match=rf"cutoff {cutoff}: the log covers 2026-01-01(?s:.*)Hint: .*covered_until"):
        JANUARY.check_cutoff(cutoff)


def test_a_label_looks_after_the_gap_for_the_horizon():
    window = LabelWindow(gap_days=3, horizon_days=14)
    cutoff = date(2026, 1, 5)
    assert (window.start(cutoff), window.end(cutoff)) == (date(2026, 1, 8), date(2026, 1, 22))
    assert window.days_to_label == 17


def test_the_latest_finished_cutoff_is_the_last_whose_window_the_log_covers():
    window = LabelWindow(gap_days=3, horizon_days=14)
    latest = window.latest_finished(JANUARY.covered_until)
    assert latest == date(2026, 1, 15)
    assert window.end(latest) == JANUARY.covered_until


def test_cutoffs_step_backwards_from_the_last():
    assert cutoffs_between(date(2026, 1, 1), date(2026, 1, 16), every_days=7) == (
        date(2026, 1, 2),
        date(2026, 1, 9),
        date(2026, 1, 16),
    )


def test_a_cutoff_may_be_the_first_day_itself():
    assert cutoffs_between(date(2026, 1, 2), date(2026, 1, 2), every_days=7) == (date(2026, 1, 2),)


def test_no_cutoff_lies_between_a_day_and_an_earlier_one():
    assert cutoffs_between(date(2026, 1, 2), date(2026, 1, 1), every_days=1) == ()


@given(st.dates(date(2000, 1, 1), date(2030, 1, 1)), st.integers(0, 400), st.integers(1, 30))
def test_cutoffs_rise_in_even_steps_and_end_at_the_last(first: date, days: int, step: int):
    last = date.fromordinal(first.toordinal() + days)
    cutoffs = cutoffs_between(first, last, every_days=step)
    assert cutoffs[-1] == last
    assert 0 <= (cutoffs[0] - first).days < step
    assert {(later - earlier).days for earlier, later in itertools.pairwise(cutoffs)} <= {step}


@pytest.mark.parametrize(
    ("day", "zone", "hour"),
    [
        (date(2026, 1, 5), "UTC", datetime(2026, 1, 5, tzinfo=UTC)),
        (date(2026, 1, 5), "Europe/Berlin", datetime(2026, 1, 4, 23, tzinfo=UTC)),
        (date(2026, 7, 5), "Europe/Berlin", datetime(2026, 7, 4, 22, tzinfo=UTC)),
        (date(2026, 1, 5), "Asia/Kathmandu", datetime(2026, 1, 4, 18, 15, tzinfo=UTC)),
        (date(2025, 3, 9), "America/New_York", datetime(2025, 3, 9, 5, tzinfo=UTC)),
        (date(2025, 3, 10), "America/New_York", datetime(2025, 3, 10, 4, tzinfo=UTC)),
        # here clocks go from midnight straight to one, and that day starts at one
        (date(2018, 11, 4), "America/Sao_Paulo", datetime(2018, 11, 4, 3, tzinfo=UTC)),
    ],
)
def test_a_local_day_starts_at_its_own_instant(day: date, zone: str, hour: datetime):
    assert instant(day, zone) == hour
    assert instant(day, zone).tzinfo is UTC


@pytest.mark.parametrize(
    "zone",
    ["UTC", "Europe/Berlin", "America/Havana", "Atlantic/Azores", "Asia/Jerusalem", "America/Iqaluit", "Africa/Cairo"],
)
def test_a_day_starts_at_the_same_instant_in_sql_also_where_its_midnight_comes_twice(zone: str):
    days = [date(year, 1, 1) + timedelta(days=day) for year in (1999, 2003, 2024, 2025) for day in range(365)]
    table = pa.table({"day": days})
    connection = connect().register("days", table)
    found = connection.sql(f"select {instant_us_sql('cast(day as timestamp)', zone)} as us from days").fetchall()
    assert [us for (us,) in found] == [round(instant(day, zone).timestamp() * 1e6) for day in days]


@pytest.fixture
def old_system(tmp_path: Path) -> Iterator[None]:
    """A system whose table of zones is long out of date: it takes Vancouver for Casablanca, and knows a zone of its own."""
    (tmp_path / "America").mkdir()
    with files("tzdata").joinpath("zoneinfo", "Africa", "Casablanca").open("rb") as rules:
        (tmp_path / "America" / "Vancouver").write_bytes(rules.read())
    (tmp_path / "Elsewhere").write_bytes((tmp_path / "America" / "Vancouver").read_bytes())
    before = zoneinfo.TZPATH
    zoneinfo.reset_tzpath(to=[str(tmp_path)])
    for forget in (zoneinfo.ZoneInfo.clear_cache, zone_of.cache_clear):
        forget()
    yield
    zoneinfo.reset_tzpath(to=before)
    for forget in (zoneinfo.ZoneInfo.clear_cache, zone_of.cache_clear):
        forget()


@pytest.mark.parametrize("zone", ["America/Vancouver", "Africa/Casablanca", "Europe/Berlin"])
@pytest.mark.parametrize("day", [date(2026, 3, 10), date(2026, 7, 1), date(2026, 11, 10), date(2026, 12, 24)])
def test_days_start_where_the_engine_says_though_the_system_is_old(old_system: None, zone: str, day: date):
    ((engine,),) = connect().execute(f"select epoch_us(timezone('{zone}', timestamp '{day}'))").fetchall()
    assert instant(day, zone).timestamp() * 1e6 == engine


def test_a_zone_that_only_the_system_knows_will_do(old_system: None):
    assert zone_of("Elsewhere").key == "Elsewhere"


@pytest.mark.parametrize("name", ["Mars/Olympus", "../zoneinfo/UTC", "tzdata.zi", "", "America"])
def test_what_is_no_zone_is_an_error(name: str):
    with pytest.raises((KeyError, ValueError, OSError)):
        zone_of(name)


def test_a_week_starts_on_its_monday():
    assert monday_of("2026-W01") == date(2025, 12, 29)
    assert monday_of("2026-W53") == date(2026, 12, 28)


@pytest.mark.parametrize("week", ["", "2026", "2026-47", "2026-W", "2026-W54", "2026-W00", "2026-W47-1", "next week"])
def test_what_is_no_week_is_refused(week: str):
    with pytest.raises(InputError, match=r"expected an ISO week(?s:.*)Hint"):
        monday_of(week)
