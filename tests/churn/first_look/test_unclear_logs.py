"""Logs whose users, days or clocks are not what a first look at them says: asked about, read right, or refused in words."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from churn.first_look.evidence.table import open_table
from churn.first_look.init import Inquiry, Place, first_look
from churn.first_look.look import look
from churn.first_look.questions import Answers
from churn.progress import progress_of
from churn.results.first_look import FirstLook
from tests.churn.first_look.awkward import Awkward, kind
from tests.churn.first_look.test_awkward_logs import check, each
from tests.churn.first_look.unclear_logs import EVENTS, PEOPLE, ROWS, log, stamp, when, who
from tests.churn.first_look.unclear_times import CLOCKS, ERAS, OLD, PAGES, PERIODS

UNCLEAR = (*PEOPLE, *EVENTS, *CLOCKS, *PERIODS, *ERAS, *OLD, *PAGES)


@pytest.mark.parametrize("case", each([one for one in UNCLEAR if one not in ERAS]))
def test_an_unclear_log_is_understood_asked_about_or_refused(case: Awkward, tmp_path: Path):
    check(case, tmp_path)


# --- What is read with the answers that are offered ---------------------------------------------------------------------------


def read(case: Awkward, folder: Path, **answers: str) -> FirstLook:
    """Look at a log, read it with what was proposed, and count."""
    path = case.write(folder)
    place = Place(folder / "x.toml", None)
    return first_look(str(path), place, Inquiry(dict(answers)), say=progress_of(None))


def offered(case: Awkward, folder: Path) -> list[str]:
    """Return the values of the answers to the only question."""
    path = case.write(folder)
    (question,) = look(open_table(str(path), Path()), path=str(path), answers=Answers()).questions
    assert not case.asks or {question.key} == case.asks
    return [one.value for one in question.options]


def named(name: str, cases: tuple[Awkward, ...] = UNCLEAR) -> Awkward:
    return next(one for one in cases if one.name == name)


DAYS = {when(row).date() for row in range(ROWS)}


@pytest.mark.parametrize(
    "case",  # three forms of each of three eras: the first in every run
    [
        pytest.param(case, id=case.name, marks=[pytest.mark.slow] if place % 3 else [])
        for place, case in enumerate(ERAS)
    ],
)
def test_the_expression_that_is_offered_for_an_era_reads_its_days(case: Awkward, tmp_path: Path):
    *_, expression = offered(case, tmp_path)
    counts = read(case, tmp_path, event_time=expression).counts
    assert (counts["first_day"], counts["rejected"]) == (str(min(DAYS)), {})
    assert counts["covered_until"] == str(max(DAYS) + timedelta(days=1))


def test_ids_that_start_again_are_as_many_users_as_there_are_in_all_groups(tmp_path: Path):
    case = named("ids of each tenant")
    joined, plain = offered(case, tmp_path)
    found = read(case, tmp_path, user_id=joined)
    assert found.counts["users"] == len({(row % 4, who(row)) for row in range(ROWS)})
    assert not [note for note in found.notes if "not read" in note]
    assert read(case, tmp_path, user_id=plain).counts["users"] == len({who(row) for row in range(ROWS)})


def test_events_that_came_again_count_once(tmp_path: Path):
    found = read(named("rows that came again, and when they did"), tmp_path)
    assert found.counts["events"] == ROWS * 6 // 7
    assert not [note for note in found.notes if "not read" in note]


def test_weeks_start_on_their_monday(tmp_path: Path):
    counts = read(named("%V/%G in Woche"), tmp_path).counts
    assert (counts["first_day"], counts["covered_until"]) == ("2025-01-06", "2025-03-11")


def test_a_clock_of_twelve_hours_is_read_with_its_half(tmp_path: Path):
    case = named("the half of a day in a column of its own")
    table = open_table(str(case.write(tmp_path)), Path())
    look(table, path="log.csv", answers=Answers())
    (read_,) = [name for name, *_ in table.connection.execute("describe first_look").fetchall() if "_time_" in name][
        -1:
    ]
    rows = table.connection.execute(f"select strftime({read_}, '%H:%M') from first_look").fetchall()
    assert [clock for (clock,) in rows] == [f"{when(row):%H:%M}" for row in range(ROWS)]


# --- The zone of days -------------------------------------------------------------------------------------------------------


def local(row: int, zone: str) -> datetime:
    """Midnight of the day of a row in a zone."""
    return datetime.combine(when(row).date(), datetime.min.time(), ZoneInfo(zone))


def _midnights(name: str, zone: str, write: Callable[[datetime], str]) -> tuple[Awkward, str]:
    line = lambda row: f"u{who(row)},{write(local(row, zone).astimezone(UTC))},{kind(row)}"  # noqa: E731
    return log(f"midnights of {zone} as {name}", "user_id,date,event", line), zone


MIDNIGHTS = (
    _midnights("instants", "Europe/Berlin", lambda t: f"{t:%Y-%m-%dT%H:%M:%S}.000Z"),
    _midnights("instants", "Africa/Lagos", lambda t: f"{t:%Y-%m-%dT%H:%M:%S}Z"),
    _midnights("times without a zone", "Australia/Sydney", lambda t: f"{t:%Y-%m-%d %H:%M:%S}"),
    _midnights("milliseconds", "Asia/Tokyo", lambda t: f"{t.timestamp() * 1000:.0f}"),
    _midnights(
        "texts with two offsets", "Europe/Berlin", lambda t: t.astimezone(ZoneInfo("Europe/Berlin")).isoformat()
    ),
    _midnights("texts with an offset", "Asia/Tokyo", lambda t: t.astimezone(ZoneInfo("Asia/Tokyo")).isoformat()),
)


@pytest.mark.parametrize(
    ("case", "zone"),  # as instants, without a zone, and with two offsets: each in every run
    [
        pytest.param(case, zone, id=case.name, marks=[pytest.mark.slow] if place % 2 else [])
        for place, (case, zone) in enumerate(MIDNIGHTS)
    ],
)
def test_local_midnights_count_on_their_own_day(case: Awkward, zone: str, tmp_path: Path):
    found = read(case, tmp_path)
    assert tomllib.loads(found.toml)["churn"]["timezone"] == zone
    assert found.counts["first_day"] == str(min(DAYS))
    assert any("[churn] timezone" in note for note in found.notes)


@pytest.mark.parametrize(
    ("name", "write", "timezone", "days"),
    [
        ("timestamp (America/New_York)", "{:%Y-%m-%d %H:%M:%S}", "America/New_York", "America/New_York"),
        ("event_time_pst", "{:%Y-%m-%d %H:%M:%S}", "America/Los_Angeles", "America/Los_Angeles"),
        ("Zeitpunkt (MEZ)", "{:%d.%m.%Y %H:%M}", "Europe/Berlin", "Europe/Berlin"),
        ("event_time_utc", "{:%Y-%m-%d %H:%M:%S}", "UTC", None),
        ("event_time", "{:%Y-%m-%d %H:%M:%S}", "UTC", None),
        ("event_time", "{:%Y-%m-%d %H:%M:%S} UTC+8", None, None),
        ("event_time", "{:%Y-%m-%dT%H:%M:%S}-03:00", None, "America/Sao_Paulo"),
        ("event_time", "{:%Y-%m-%dT%H:%M:%S}+00:00", None, None),
        ("event_time", "{:%Y-%m-%d} 06:00:00Z", None, None),
    ],
)
def test_a_zone_that_the_log_names_is_the_one_of_its_days(
    name: str, write: str, timezone: str | None, days: str | None, tmp_path: Path
):
    case = log("x", f"user_id,{name},event", lambda row: f"u{who(row)},{write.format(when(row))},{kind(row)}")
    path = case.write(tmp_path)
    draft = look(open_table(str(path), Path()), path=str(path), answers=Answers()).draft
    assert (draft.events["timezone"].value if "timezone" in draft.events else None) == timezone
    assert (draft.churn["timezone"].value if draft.churn else None) == days


def test_a_zone_of_several_places_is_asked_for(tmp_path: Path):
    case = log("x", "user_id,event_time_cst,event", lambda row: f"u{who(row)},{stamp(row)},{kind(row)}")
    assert offered(case, tmp_path) == ["America/Chicago", "Asia/Shanghai"]
    settings = tomllib.loads(read(case, tmp_path, timezone="Asia/Shanghai").toml)
    assert settings["events"]["timezone"] == settings["churn"]["timezone"] == "Asia/Shanghai"


@pytest.mark.parametrize(
    ("name", "zones"),
    [
        ("timezone", ("Asia/Tokyo", "America/New_York")),
        ("utc_offset", ("+09:00", "-05:00")),
        pytest.param("tz", ("UTC+0900", "UTC-0500"), marks=pytest.mark.slow),
        pytest.param("tz_offset", ("540", "-300"), marks=pytest.mark.slow),
    ],
)
def test_a_column_of_zones_is_asked_about_and_read(name: str, zones: tuple[str, str], tmp_path: Path):
    case = log(
        "x",
        f"user_id,local_time,{name},event",
        lambda row: f"u{who(row)},2025-01-{6 + row % 20:02} 20:00,{zones[row % 2]},{kind(row)}",
    )
    expression, plain = offered(case, tmp_path)
    assert plain == "local_time"
    path = case.write(tmp_path)
    table = open_table(str(path), Path())
    seen = table.connection.execute(
        f"select distinct strftime({expression}, '%H') from first_look order by 1"
    ).fetchall()
    assert seen == [("01",), ("11",)]
    assert read(case, tmp_path, event_time=expression).counts["rejected"] == {}


def test_a_column_of_one_zone_is_that_of_the_log(tmp_path: Path):
    case = log("x", "user_id,time,tz,event", lambda row: f"u{who(row)},{stamp(row)},Asia/Seoul,{kind(row)}")
    settings = tomllib.loads(read(case, tmp_path).toml)
    assert settings["events"]["timezone"] == settings["churn"]["timezone"] == "Asia/Seoul"
