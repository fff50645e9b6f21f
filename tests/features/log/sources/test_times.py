"""Times in every form that has one meaning; what has several, or none, is set aside and never guessed."""

from pathlib import Path

import pytest

from features.log.sources.times import abbreviations, meanings
from features.settings import EventsSettings
from tests.builders import ReadLog, found_in, open_log
from tests.features.log_files import HEADER, SECONDS, put

AT_TEN = [
    "2026-01-05 10:00:00",
    "2026-01-05T10:00:00",
    "2026-01-05 10:00",
    "2026-01-05 10:00:00.000",
    "2026-01-05T10:00:00Z",
    "2026-01-05T10:00:00z",
    "2026-01-05 10:00:00 UTC",
    "2026-01-05 10:00:00 utc",
    "2026-01-05 10:00:00UTC",
    "2026-01-05 10:00:00 GMT",
    "2026-01-05 10:00:00+00",
    "2026-01-05 10:00:00+00:00",
    "2026-01-05 05:00:00 -0500",
    "2026-01-05 05:00:00-05:00",
    "2026-01-05 05:00:00.000 -0500",
    "2026-01-05T05:00:00 -0500",
    "2026-01-05 15:30:00 +0530",
    "2026-01-05T15:30:00+05:30",
    "2026-01-05 11:00:00 Europe/Berlin",
    "20260105T100000Z",
    "20260105T100000",
    "20260105 100000",
    "20260105 10:00:00",
    "20260105T050000-0500",
    "2026010510",
    "202601051000",
    "20260105100000",
    "20260105100000000",
    str(SECONDS),
    f"{SECONDS}.0",
    f"{SECONDS}000",
    f"{SECONDS}000000",
    f"{SECONDS}000000000",
    "1.7676072e9",
    "2026.01.05 10:00:00",
    "2026-01-05 10",
    "2026-01-05T10",
    "05-Jan-2026 10:00:00",
    "05 Jan 2026 10:00:00",
    "Jan 05, 2026 10:00:00",
    "Mon, 05 Jan 2026 10:00:00 +0000",
    "Mon, 05 Jan 2026 10:00:00 GMT",
    "05/Jan/2026:10:00:00 +0000",
    "05/Jan/2026:05:00:00 -0500",
    " 2026-01-05 10:00:00",
    "2026-01-05 10:00:00 ",
    f" {SECONDS}",
]
FIFTH = [
    "2026-01-05",
    " 2026-01-05",
    "2026-01-05 ",
    "20260105",
    "2026.01.05",
    "2026-W02-1",
    "05-Jan-2026",
    "05 Jan 2026",
    "Jan 05, 2026",
]
UNREADABLE = [
    "05/06/2026",
    "05/06/2026 10:00",
    "25/03/2026",
    "5.6.2026",
    "10:30 PM",
    "2026-13-05",
    "2026-02-30",
    "2026-01-05 25:00:00",
    "260105100000",
    "20261305",
    "20260230",
    "202613051000",
    "202602301000",
    "yesterday",
    "now",
    "today",
    "epoch",
    "infinity",
    "-infinity",
    "10:00:00",
    "2026",
    "5",
    "-1767607200",
]
ABSURD = ["05/01/26", "26-01-05", "05.01.26"]  # of the years 5 and 26
SEVERAL = [
    "2026-01-05 10:00:00 CST",
    "2026-01-05 10:00:00 IST",
    "2026-07-02 03:30:00 BST",
    "2026-01-05 10:00:00CST",
    "2026-01-05 10:00:00 XYZ",
]


def log_of_times(folder: Path, texts: list[str], *, zone: str = "UTC", naive: str = "UTC") -> ReadLog:
    """A user for each text, in their order."""
    quoted = [f'u{place:03},"{text}",open' for place, text in enumerate(texts)]
    path = put(folder / "log.csv", "\n".join((HEADER, *quoted, f"zz,{SECONDS},open")) + "\n")
    return open_log(EventsSettings(path=str(path), timezone=naive, max_rejected_share=1.0), zone)


def read_times(folder: Path, texts: list[str], *, zone: str = "UTC", naive: str = "UTC") -> dict[str, str]:
    """Text to its instant in UTC, where it has one."""
    found = found_in(log_of_times(folder, texts, zone=zone, naive=naive))
    return {texts[int(user[1:])]: at for user, at, *_ in found if user != "zz"}


def test_a_time_of_day_is_read_in_every_form_that_has_one_meaning(tmp_path: Path):
    assert read_times(tmp_path, AT_TEN) == dict.fromkeys(AT_TEN, "2026-01-05 10:00:00")


@pytest.mark.parametrize("naive", ["UTC", "Asia/Tokyo"])
def test_a_date_is_that_day_of_the_projects_zone_however_it_is_written(tmp_path: Path, naive: str):
    found = read_times(tmp_path, FIFTH, zone="America/New_York", naive=naive)
    assert found == dict.fromkeys(FIFTH, "2026-01-05 05:00:00")


NAIVE = [
    "2026-01-05 10:00:00",
    "2026-01-05T10:00",
    "202601051000",
    "2026010510",
    "20260105100000",
    "20260105T100000",
    "05 Jan 2026 10:00:00",
    "2026-01-05 10",
]


def test_a_time_without_a_zone_is_in_the_zone_of_the_events(tmp_path: Path):
    found = read_times(tmp_path, NAIVE, zone="Europe/Berlin", naive="America/New_York")
    assert found == dict.fromkeys(NAIVE, "2026-01-05 15:00:00")


def test_what_has_no_single_meaning_is_unreadable(tmp_path: Path):
    log = log_of_times(tmp_path, UNREADABLE)
    assert [row[0] for row in found_in(log)] == ["zz"]
    assert log.rejected == {"event_time is unreadable": len(UNREADABLE)}


def test_a_year_of_two_digits_is_not_of_this_century(tmp_path: Path):
    assert log_of_times(tmp_path, ABSURD).rejected == {"event_time is absurd": len(ABSURD)}


def test_a_zone_that_several_places_call_so_is_set_aside_for_that_reason(tmp_path: Path):
    log = log_of_times(tmp_path, SEVERAL)
    assert log.rejected == {"event_time has a zone that means several": len(SEVERAL)}


@pytest.mark.parametrize(
    ("zone", "times"),
    [
        (
            "Europe/London",
            {"2026-07-02 03:30:00 BST": "2026-07-02 02:30:00", "2026-01-10 10:00:00 GMT": "2026-01-10 10:00:00"},
        ),
        (
            "America/Chicago",
            {"2026-07-02 03:30:00 CDT": "2026-07-02 08:30:00", "2026-01-10 10:00:00 CST": "2026-01-10 16:00:00"},
        ),
        ("Asia/Shanghai", {"2026-01-10 10:00:00 CST": "2026-01-10 02:00:00"}),
        ("Asia/Kolkata", {"2026-01-10 10:00:00 IST": "2026-01-10 04:30:00"}),
    ],
)
def test_an_abbreviation_of_the_projects_own_zone_means_that_zone(tmp_path: Path, zone: str, times: dict[str, str]):
    assert read_times(tmp_path, list(times), zone=zone) == times


def test_no_guess_is_made_from_the_other_rows_of_a_column(tmp_path: Path):
    texts = ["25/03/2026", "03/25/2026", "05/06/2026", "2026-03-25"]
    assert read_times(tmp_path, texts) == {"2026-03-25": "2026-03-25 00:00:00"}


def test_an_abbreviation_is_named_with_the_places_that_use_it():
    assert "Europe/London (+0100)" in meanings("BST")
    assert {"Asia/Kolkata (+0530)", "Europe/Dublin (+0100)", "Asia/Jerusalem (+0200)"} <= set(meanings("IST"))
    assert meanings("QQQ") == []


def test_a_zone_without_letters_for_its_offset_has_no_abbreviation():
    assert abbreviations("America/Sao_Paulo") == {}


def test_the_zero_of_a_clock_is_set_aside(tmp_path: Path):
    log = log_of_times(tmp_path, ["1970-01-01 00:00:00", "1970-01-01", "1970-01-01T00:00:00Z", "1970-01-01 00:00:01"])
    assert log.rejected == {"event_time is the zero of a clock (1970-01-01)": 4}


def test_the_zero_of_a_calendar_is_set_aside(tmp_path: Path):
    log = log_of_times(tmp_path, ["1900-01-01 00:00:00", "1900-01-01", "1900-01-02"])
    assert log.rejected == {"event_time is the zero of a calendar (1900-01-01)": 2}


EPOCHS = {
    "1767607200.5": "2026-01-05 10:00:00",
    "1767607200999": "2026-01-05 10:00:00",
    "1767657599999999": "2026-01-05 23:59:59",
    "1767657599999999999": "2026-01-05 23:59:59",
    "1000000000": "2001-09-09 01:46:40",
    "999999999999": "2001-09-09 01:46:39",
}


def test_an_epoch_is_told_by_its_size_and_never_rounded_up(tmp_path: Path):
    assert read_times(tmp_path, list(EPOCHS)) == EPOCHS
