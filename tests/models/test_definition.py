"""Labels see ``[cutoff + gap, cutoff + gap + horizon)`` of local days, and nothing else."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.errors import InputError
from features.settings import ChurnSettings
from models.definition import ChurnDefinition
from tests.builders import World, world_of

CUTOFF = date(2026, 3, 10)
EARLIER = "anna 2026-03-01T12:00"  # so that there is a log before the cutoff


def decided(world: World, *cutoffs: date) -> list[tuple[str, date]]:
    """Who did the deciding event in the horizon of which cutoff."""
    activity = world.activity()
    sql = ChurnDefinition.of(world.settings.churn).label_sql(activity, list(cutoffs or (CUTOFF,)))
    return sorted(activity.connection.sql(sql).fetchall())


def stays(folder: Path, *lines: str, covered_until: date = date(2026, 6, 1), **churn: Any) -> bool:
    """Whether anna did the deciding event, horizon 7 days unless said."""
    world = world_of(folder, [EARLIER, *lines], churn={"horizon_days": 7} | churn, covered_until=covered_until)
    return decided(world) == [("anna", CUTOFF)]


# --- Edges ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("time", "counts"),
    [
        ("2026-03-09T23:59:59.999", False),
        ("2026-03-10T00:00", True),
        ("2026-03-13T12:00", True),
        ("2026-03-16T23:59:59.999", True),
        ("2026-03-17T00:00", False),
    ],
)
def test_the_horizon_is_half_open(tmp_path: Path, time: str, counts: bool):
    assert stays(tmp_path, f"anna {time}") is counts


@pytest.mark.parametrize(
    ("time", "counts"),
    [
        ("2026-03-10T00:00", False),
        ("2026-03-12T23:59:59.999", False),
        ("2026-03-13T00:00", True),
        ("2026-03-19T23:59:59.999", True),
        ("2026-03-20T00:00", False),
    ],
)
def test_the_gap_belongs_to_neither_side(tmp_path: Path, time: str, counts: bool):
    assert stays(tmp_path, f"anna {time}", gap_days=3) is counts


def test_days_are_local(tmp_path: Path):
    # 23:30 UTC on the 9th is 00:30 on the 10th in Berlin
    assert stays(tmp_path / "berlin", "anna 2026-03-09T23:30", timezone="Europe/Berlin")
    assert not stays(tmp_path / "utc", "anna 2026-03-09T23:30")


def test_a_horizon_of_one_day_is_the_day_of_the_cutoff(tmp_path: Path):
    assert stays(tmp_path / "in", "anna 2026-03-10T23:59", horizon_days=1)
    assert not stays(tmp_path / "after", "anna 2026-03-11T00:00", horizon_days=1)


# --- Which events decide -------------------------------------------------------------------------------------------


def test_only_qualifying_events_count_as_staying(tmp_path: Path):
    buying: dict[str, Any] = {"qualifying": "event_type = 'buy'"}
    assert not stays(tmp_path / "looks", "anna 2026-03-11T10:00 open", **buying)
    assert stays(tmp_path / "buys", "anna 2026-03-11T10:00 buy", **buying)


def test_qualifying_reads_any_column_of_the_contract(tmp_path: Path):
    spending: dict[str, Any] = {"qualifying": "amount > 5"}
    assert not stays(tmp_path / "little", "anna 2026-03-11T10:00 buy amount=5.0", **spending)
    assert stays(tmp_path / "much", "anna 2026-03-11T10:00 buy amount=5.01", **spending)


def test_where_an_event_is_named_churned_means_that_it_happened(tmp_path: Path):
    leaving: dict[str, Any] = {"event": "event_type = 'cancel'"}
    assert ChurnDefinition.of(ChurnSettings(**leaving)).is_event
    assert not stays(tmp_path / "opens", "anna 2026-03-11T10:00 open", **leaving)
    assert stays(tmp_path / "cancels", "anna 2026-03-11T10:00 cancel", **leaving)
    assert not stays(tmp_path / "late", "anna 2026-03-17T00:00 cancel", **leaving)


def test_a_row_that_stands_for_many_events_decides_like_one(tmp_path: Path):
    assert stays(tmp_path, "anna 2026-03-11T10:00 open count=7")


def test_others_decide_nothing(tmp_path: Path):
    world = world_of(tmp_path, [EARLIER, "bob 2026-03-11T10:00"], churn={"horizon_days": 7})
    assert decided(world) == [("bob", CUTOFF)]


# --- Unfinished windows --------------------------------------------------------------------------------------------


def test_a_window_that_ends_where_the_coverage_does_is_finished(tmp_path: Path):
    assert not stays(tmp_path, covered_until=date(2026, 3, 17))


@pytest.mark.parametrize(("churn", "latest"), [({}, date(2026, 3, 9)), ({"gap_days": 2}, date(2026, 3, 7))])
def test_an_unfinished_window_would_call_the_living_churned_and_is_refused(
    tmp_path: Path, churn: dict[str, Any], latest: date
):
    with pytest.raises(InputError, match="the log covers up to 2026-03-16") as refused:
        stays(tmp_path, covered_until=date(2026, 3, 16), **churn)
    assert refused.value.hint == f"take {latest} or earlier"


def test_one_unfinished_cutoff_among_finished_ones_is_refused(tmp_path: Path):
    world = world_of(tmp_path, [EARLIER], churn={"horizon_days": 7}, covered_until=date(2026, 3, 16))
    with pytest.raises(InputError, match="cutoff 2026-03-10"):
        decided(world, date(2026, 3, 2), CUTOFF)


# --- Against a slow reading of the definition ----------------------------------------------------------------------

TIMES = st.builds(
    lambda day, minute: datetime(2026, 3, 1, tzinfo=UTC) + timedelta(days=day, minutes=minute),
    st.integers(0, 40),
    st.sampled_from([0, 1, 719, 1380, 1439]),
)
events = st.lists(
    st.tuples(st.sampled_from(["anna", "bob"]), TIMES, st.sampled_from(["open", "buy"])), min_size=1, max_size=12
)


def slow(
    rows: Sequence[tuple[str, datetime, str]], churn: ChurnSettings, cutoffs: Sequence[date]
) -> list[tuple[str, date]]:
    zone = ZoneInfo(churn.timezone)
    found: set[tuple[str, date]] = set()
    for cutoff in cutoffs:
        start = datetime.combine(cutoff + timedelta(days=churn.gap_days), datetime.min.time(), zone)
        end = datetime.combine(cutoff + timedelta(days=churn.purge_days), datetime.min.time(), zone)
        found |= {(user, cutoff) for user, at, kind in rows if kind == "buy" and start <= at < end}
    return sorted(found)


@settings(max_examples=12)
@given(
    rows=events,
    gap=st.integers(0, 4),
    horizon=st.integers(1, 9),
    zone=st.sampled_from(["UTC", "Europe/Berlin", "America/New_York"]),  # clocks change on the 29th and the 8th
)
def test_it_agrees_with_the_definition(rows: list[tuple[str, datetime, str]], gap: int, horizon: int, zone: str):
    churn = {"horizon_days": horizon, "gap_days": gap, "timezone": zone, "qualifying": "event_type = 'buy'"}
    lines = [{"user_id": user, "event_time": at, "event_type": kind} for user, at, kind in rows]
    cutoffs = [date(2026, 3, day) for day in (8, 9, 10, 28, 29, 30)]
    with TemporaryDirectory() as folder:
        world = world_of(Path(folder), lines, churn=churn)
        assert decided(world, *cutoffs) == slow(rows, world.settings.churn, cutoffs)
