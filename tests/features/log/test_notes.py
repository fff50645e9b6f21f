"""What a user is told of a log that was read, and of one that is refused."""

from pathlib import Path
from typing import Any

import pytest

from features.errors import InputError
from tests.builders import World
from tests.features.log_files import HEADER, put, world_at

GOOD = "anna,2026-01-05 10:00:00,open"
LENIENT: dict[str, Any] = {"max_rejected_share": 0.9}


def notes(folder: Path, *lines: str, header: str = HEADER, **events: Any) -> tuple[str, ...]:
    return world(folder, *lines, header=header, **events).activity().notes


def world(folder: Path, *lines: str, header: str = HEADER, **events: Any) -> World:
    path = put(folder / "log.csv", "".join(f"{line}\n" for line in (header, *lines)))
    return world_at(folder, path, **LENIENT | events)


def test_a_log_of_valid_rows_has_nothing_to_be_said(tmp_path: Path):
    assert notes(tmp_path, GOOD) == ()


# noon of 5 January 2026 in other counts, and what reads them
OTHER_STARTS = (
    ("46027.5", "timestamp '1899-12-30' + to_seconds(86400 * event_time)"),
    ("639032112000000000", "make_timestamptz((cast(event_time as bigint) - 621355968000000000) // 10)"),
    ("134120880000000000", "make_timestamptz((cast(event_time as bigint) - 116444736000000000) // 10)"),
    ("789307200", "to_timestamp(978307200 + event_time)"),
)
# and of a clock that is that of UTC, whatever the zone of the log is
OF_UTC = (*OTHER_STARTS[1:], ("05/01/2026 12:00:00Z", "timezone('UTC', strptime(event_time, '%d/%m/%Y %H:%M:%SZ'))"))


@pytest.mark.parametrize(("number", "way_out"), OTHER_STARTS)
def test_and_what_is_said_of_other_counts_reads_them(tmp_path: Path, number: str, way_out: str):
    found = world(tmp_path, f"anna,{number},open", columns={"event_time": way_out}).activity()
    assert found.connection.sql(f"select last_us from {found.relation('days')}").fetchall() == [(1767614400000000,)]


@pytest.mark.parametrize(("value", "way_out"), OF_UTC)
def test_the_zone_of_the_log_does_not_move_what_is_of_utc(tmp_path: Path, value: str, way_out: str):
    columns, zone = {"event_time": way_out}, "America/New_York"
    found = world(tmp_path, f"anna,{value},open", columns=columns, timezone=zone).activity()
    assert found.connection.sql(f"select last_us from {found.relation('days')}").fetchall() == [(1767614400000000,)]


def test_what_is_said_of_a_field_of_an_object_reads_it(tmp_path: Path):
    line = '{"user_id": "bob", "p": {"t": "TIME"}, "event_type": "x"}\n'
    path = put(tmp_path / "log.jsonl", line.replace("TIME", "05/06/2026") + line.replace("TIME", "2026-01-05"))
    (note,) = world_at(tmp_path, path, columns={"event_time": "p.t"}, **LENIENT).activity().notes
    way_out = "strptime(p.t, '%d/%m/%Y')"
    assert note.endswith(way_out)
    (other,) = world_at(tmp_path, path, columns={"event_time": way_out}, **LENIENT).activity().notes
    assert '1 x event_time is unreadable: first in log.jsonl, row 2, as "9999-99-99"' in other


@pytest.mark.parametrize(
    ("time", "form", "way_out"),
    [
        ("05/06/2026", "99/99/9999", "day or month first? name its format: strptime(event_time, '%d/%m/%Y')"),
        ("05.06.2026", "99.99.9999", "name its format: strptime(event_time, '%d.%m.%Y')"),
        ("260105223000", "999999999999", "name its format: strptime(event_time, '%y%m%d%H%M%S')"),
        *(
            (time, form, f"{words} {way}")
            for form, words, time, way in (
                ("99999.9", "a day number of spreadsheets?", *OTHER_STARTS[0]),
                ("9" * 18, "ticks of .NET?", *OTHER_STARTS[1]),
                ("9" * 18, "a file time of Windows?", *OTHER_STARTS[2]),
            )
        ),
    ],
)
def test_a_time_that_is_not_read_is_shown_by_its_form_with_what_reads_it(
    tmp_path: Path, time: str, form: str, way_out: str
):
    (note,) = notes(tmp_path, GOOD, f"bob,{time},open")
    assert note == f'set aside 1 x event_time is unreadable: first in log.csv, row 2, as "{form}"; {way_out}'


@pytest.mark.parametrize(
    ("amount", "way_out"),
    [
        ("1.234,50", 'a comma before decimals: [events.format] decimal = ","'),
        ("1,234.50", "commas between thousands: replace(amount, ',', '')"),
        ("9.50 €", "remove the unit: regexp_replace(amount, '[^0-9.-]', '', 'g')"),
    ],
)
def test_an_amount_that_is_not_read_is_said_with_what_reads_it(tmp_path: Path, amount: str, way_out: str):
    (note,) = notes(
        tmp_path,
        f"{GOOD},1",
        f'bob,2026-01-05,open,"{amount}"',
        header=f"{HEADER},amount",
        columns={"amount": "amount"},
    )
    assert note.endswith(f"; {way_out}")


def test_no_value_is_shown(tmp_path: Path):
    said = "\n".join(notes(tmp_path, GOOD, "bob,call Anna at 0171 555,open"))
    assert '"aaaa Aaaa aa 9999 999"' in said
    assert "0171" not in said


def test_a_zone_of_several_meanings_is_said_with_them(tmp_path: Path):
    (note,) = notes(tmp_path, GOOD, "bob,2026-01-05 10:00:00 CST,open")
    assert "CST may be America/Chicago (-0600), America/Havana (-0500), Asia/Shanghai (+0800)" in note


def test_reasons_come_by_their_number(tmp_path: Path):
    found = notes(tmp_path, GOOD, ",2026-01-05,open", "a,never,open", "b,never,open")
    assert [note.partition(":")[0] for note in found] == [
        "set aside 2 x event_time is unreadable",
        "set aside 1 x user_id is null",
    ]


def test_a_file_of_which_nothing_is_left_is_a_warning(tmp_path: Path):
    put(tmp_path / "log/a.csv", f"{HEADER}\n{GOOD}\n")
    put(tmp_path / "log/b.csv", f"{HEADER}\nbob,never,open\n")
    found = world_at(tmp_path, tmp_path / "log", max_rejected_share=0.9).activity().notes
    assert "warning: every row of log/b.csv is set aside, most of them (1) as event_time is unreadable" in found


def test_a_copy_is_named_with_its_original(tmp_path: Path):
    for name in ("a", "b"):
        put(tmp_path / f"log/{name}.csv", f"{HEADER}\n{GOOD}\n")
    (note,) = world_at(tmp_path, tmp_path / "log").activity().notes
    assert note == f"{tmp_path}/log/b.csv has the same content as {tmp_path}/log/a.csv: its rows count once"


# --- Arrivals --------------------------------------------------------------------------------------------------------

ARRIVED: dict[str, Any] = {"header": f"{HEADER},arrived", "columns": {"ingested_at": "arrived"}}


def arrivals(folder: Path, *, early: int, of: int) -> tuple[str, ...]:
    lines = [f"{GOOD},2026-01-05 {'09' if place < early else '11'}:00:00" for place in range(of)]
    return notes(folder, *lines, **ARRIVED)


def test_rows_that_arrive_before_they_happen_are_a_warning_above_one_in_a_hundred(tmp_path: Path):
    (note,) = arrivals(tmp_path, early=3, of=200)
    assert note.startswith("warning: ingested_at is before event_time in 1.5 % of the rows")


def test_and_are_said_below_that(tmp_path: Path):
    (note,) = arrivals(tmp_path, early=1, of=200)
    assert note.startswith("ingested_at is before event_time in 0.5 % of the rows")


def test_rows_that_arrive_in_time_are_not_said(tmp_path: Path):
    assert arrivals(tmp_path, early=0, of=200) == ()


# --- Refused -------------------------------------------------------------------------------------------------------


def test_a_refusal_shows_file_row_form_and_what_would_read_it(tmp_path: Path):
    refused = world(tmp_path, GOOD, "bob,05/06/2026,open", max_rejected_share=0.05)
    with pytest.raises(InputError) as raised:
        refused.activity()
    assert raised.value.message.startswith("1 of 2 rows are invalid (1 x event_time is unreadable)")
    assert 'first in log.csv, row 2, as "99/99/9999"; day or month first?' in (raised.value.hint or "")
    assert "strptime(event_time, '%d/%m/%Y')" in (raised.value.hint or "")


def test_a_refusal_of_a_log_of_which_no_row_is_valid_shows_it_too(tmp_path: Path):
    with pytest.raises(InputError, match=r'(?s)first in log\.csv, row 1, as "99/99/9999"'):
        world(tmp_path, "bob,05/06/2026,open", max_rejected_share=1.0).activity()


def test_columns_that_some_files_lack_are_said(tmp_path: Path):
    """As where an export renames one: rows would vanish, or lose their money, without a word."""
    put(tmp_path / "log/a.csv", f"{HEADER},amount,is_test\n{GOOD},9.5,false\n")
    for name in "bc":
        put(tmp_path / f"log/{name}.csv", f"{HEADER},amount_eur\nbob,2026-01-05 10:00:0{name == 'b':d},open,9\n")
    columns = {"amount": "amount"}
    found = world_at(tmp_path, tmp_path / "log", columns=columns, where="coalesce(is_test, '') <> 'true'").activity()
    assert found.notes == (
        "2 of 3 files, b.csv the first of them, have no column amount, of which [events.columns] amount is made: absent in their rows",
        (
            "warning: 2 of 3 files, b.csv the first of them, have no column is_test, which [events] where reads: whether their rows count "
            "is decided without it"
        ),
    )
    counts = world_at(tmp_path / "counts", tmp_path / "log", columns={"count": "amount_eur"}).activity()
    (note,) = counts.notes
    assert note.startswith("a.csv has no column amount_eur, of which [events.columns] count is made")
    assert note.endswith("and each is one event")
