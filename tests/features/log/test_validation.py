"""From the log's values to the contract: times of every kind, and rows set aside with their reason."""

from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features.errors import InputError
from features.settings import EventsSettings, FormatSettings
from tests.builders import ReadLog, found_in, log_of, open_log, read, write

TWO = ["anna 2026-01-05T10:00 open", "bob 2026-01-06T11:30 buy"]
Unit = Literal["s", "ms", "us", "ns"]
LENIENT: dict[str, Any] = {"max_rejected_share": 0.99}
GOOD: dict[str, Any] = {"user_id": "anna", "event_time": "2026-01-05 10:00", "event_type": "open"}


def parquet(folder: Path, /, **columns: Any) -> Path:
    """A Parquet file of exactly these columns."""
    folder.mkdir(exist_ok=True)
    pq.write_table(pa.table(columns), folder / "log.parquet")
    return folder / "log.parquet"


def times_in(log: ReadLog) -> list[str]:
    return [str(found[1]) for found in found_in(log)]


# --- Times ---------------------------------------------------------------------------------------------------------

SECONDS = 1767607200  # 2026-01-05 10:00 UTC


@pytest.mark.parametrize(
    "number", [SECONDS, SECONDS * 10**3, SECONDS * 10**6, SECONDS * 10**9, float(SECONDS), float(SECONDS * 10**3)]
)
def test_seconds_to_nanoseconds_since_1970_are_told_apart(tmp_path: Path, number: float):
    log = read(parquet(tmp_path, user_id=["anna"], event_time=[number], event_type=["open"]))
    assert times_in(log) == ["2026-01-05 10:00:00"]


@pytest.mark.parametrize(
    "number",
    [
        789_307_200,  # of 2026, in seconds since 2001
        639_032_112_000_000_000,  # in ticks since the year 1
        134_119_872_000_000_000,  # in the same ticks since 1601
        946_684_799,
    ],
)
@pytest.mark.parametrize("is_text", [False, True])
def test_a_count_from_another_start_is_no_epoch_of_the_nineties(tmp_path: Path, number: int, is_text: bool):
    columns = {"user_id": ["anna"], "event_time": [str(number) if is_text else number], "event_type": ["open"]}
    with pytest.raises(InputError, match=r"1 of 1 rows are invalid \(1 x event_time is unreadable"):
        read(parquet(tmp_path, **columns))


@pytest.mark.parametrize(
    ("users", "why"),
    [
        ([["a"], ["b"]], "a list"),
        ([{"id": "a"}, {"id": "b"}], "an object"),
        (['["a"]', '[{"id": 1}]'], "a list"),
        (['{"id": 1}', '{"id": 2}'], "an object"),
    ],
)
def test_what_holds_values_is_no_id(tmp_path: Path, users: list[Any], why: str):
    columns = {"user_id": users, "event_time": [SECONDS, SECONDS], "event_type": ["open", "open"]}
    with pytest.raises(InputError, match=rf"2 of 2 rows are invalid \(2 x user_id is {why}"):
        read(parquet(tmp_path, **columns))


@pytest.mark.parametrize(
    "kind",
    [
        pa.int64(),
        pa.uint64(),
        pa.decimal128(38, 3),
        pa.int32(),
        pa.uint32(),
        pa.decimal128(13, 3),
    ],
    ids=str,
)
def test_an_epoch_may_be_any_kind_of_number(tmp_path: Path, kind: pa.DataType):
    number = Decimal(SECONDS) if pa.types.is_decimal(kind) else SECONDS
    log = read(parquet(tmp_path, user_id=["anna"], event_time=pa.array([number], kind), event_type=["open"]))
    assert times_in(log) == ["2026-01-05 10:00:00"]


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_a_naive_timestamp_is_in_the_zone_of_the_events(tmp_path: Path, unit: Unit):
    times = pa.array([datetime(2026, 1, 5, 11)], pa.timestamp(unit))  # noqa: DTZ001
    path = parquet(tmp_path, user_id=["anna"], event_time=times, event_type=["open"])
    assert times_in(read(path, timezone="Europe/Berlin")) == ["2026-01-05 10:00:00"]


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_a_timestamp_with_zone_needs_no_zone_of_the_events(tmp_path: Path, unit: Unit):
    times = pa.array([datetime(2026, 1, 5, 10, tzinfo=UTC)], pa.timestamp(unit, "Asia/Tokyo"))
    path = parquet(tmp_path, user_id=["anna"], event_time=times, event_type=["open"])
    assert times_in(read(path, timezone="Europe/Berlin")) == ["2026-01-05 10:00:00"]


def test_a_log_of_dates_knows_no_time_of_day(tmp_path: Path):
    path = parquet(tmp_path, user_id=["anna"], event_time=[date(2026, 1, 5)], event_type=["open"])
    assert not read(path).has_time_of_day


def test_a_date_is_that_day_in_every_zone(tmp_path: Path):
    path = parquet(tmp_path, user_id=["anna"], event_time=[date(2026, 1, 5)], event_type=["open"])
    log = open_log(EventsSettings(path=str(path)), "America/New_York")
    assert (log.coverage.first_day, log.has_time_of_day) == (date(2026, 1, 5), False)


@pytest.mark.parametrize("text", ["2026-01-05", "2026-1-5", "2026/01/05"])
@pytest.mark.parametrize("name", ["log.parquet", "log.csv", "log.jsonl"])
def test_a_date_in_a_text_is_that_day_in_every_zone(tmp_path: Path, name: str, text: str):
    path = write(tmp_path / name, [GOOD | {"event_time": text}])
    for naive_zone in ("UTC", "Asia/Tokyo"):
        log = open_log(EventsSettings(path=str(path), timezone=naive_zone), "America/New_York")
        assert times_in(log) == ["2026-01-05 05:00:00"]
        assert (log.coverage.first_day, log.has_time_of_day) == (date(2026, 1, 5), False)


def test_a_time_in_a_text_is_read_as_ever_beside_dates(tmp_path: Path):
    texts = ["2026-01-05", "2026-01-05 00:00", "2026-01-05T00:00:00Z", str(SECONDS)]
    path = write(
        tmp_path / "log.csv", [GOOD | {"user_id": user, "event_time": t} for user, t in zip("abcd", texts, strict=True)]
    )
    log = open_log(EventsSettings(path=str(path), timezone="Asia/Tokyo"), "America/New_York")
    midnights = ["2026-01-05 05:00:00", "2026-01-04 15:00:00", "2026-01-05 00:00:00"]
    assert times_in(log) == [*midnights, "2026-01-05 10:00:00"]


@pytest.mark.parametrize("text", ["2026-13-45", "2026-02-30", "05.01.2026", "12345", "a date"])
def test_a_text_that_is_no_date_is_unreadable_in_every_zone(tmp_path: Path, text: str):
    path = write(tmp_path / "log.csv", [GOOD, GOOD | {"event_time": text}])
    log = open_log(EventsSettings(path=str(path), **LENIENT), "America/New_York")
    assert (log.rows, log.rejected) == (1, {"event_time is unreadable": 1})


@pytest.mark.parametrize(
    "text",
    ["2026-01-05 11:00", "2026-01-05T11:00:00.000", "2026-01-05T10:00:00Z", "2026-01-05 15:30:00+05:30"],
)
def test_a_time_may_be_text(tmp_path: Path, text: str):
    path = parquet(tmp_path, user_id=["anna"], event_time=[text], event_type=["open"])
    assert times_in(read(path, timezone="Europe/Berlin")) == ["2026-01-05 10:00:00"]


def test_a_time_in_words_of_its_own_takes_an_expression(tmp_path: Path):
    path = parquet(tmp_path, user_id=["anna"], moment=["05.01.2026 10h00"], event_type=["open"])
    log = read(path, columns={"event_time": "strptime(moment, '%d.%m.%Y %Hh%M')"})
    assert times_in(log) == ["2026-01-05 10:00:00"]


def test_the_last_nanosecond_of_a_day_is_not_the_next_day(tmp_path: Path):
    times = pa.array([1768176000 * 10**9 - 1], pa.timestamp("ns"))  # 2026-01-12 00:00 UTC less one
    log = read(parquet(tmp_path, user_id=["anna"], event_time=times, event_type=["open"]))
    assert times_in(log) == ["2026-01-11 23:59:59"]


# --- Rows set aside ------------------------------------------------------------------------------------------------

BAD = [
    ({"user_id": None}, "user_id is null"),
    ({"user_id": ""}, "user_id is null"),
    ({"event_time": None}, "event_time is null"),
    ({"event_time": "yesterday"}, "event_time is unreadable"),
    ({"event_time": "2199-01-01"}, "event_time is in the future"),
    ({"event_time": "infinity"}, "event_time is unreadable"),
    ({"event_type": None}, "event_type is null"),
    ({"event_type": ""}, "event_type is null"),
    ({"count": -1.0}, "count is negative"),
    ({"count": 0.0}, "count is zero"),
    ({"count": 1e10}, "count is absurd"),
    ({"count": float("nan")}, "count is unreadable"),
    ({"count": float("inf")}, "count is unreadable"),
    ({"duration_seconds": -0.5}, "duration_seconds is negative"),
    ({"duration_seconds": float("-inf")}, "duration_seconds is negative"),
    ({"duration_seconds": float("inf")}, "duration_seconds is absurd"),
    ({"duration_seconds": float("nan")}, "duration_seconds is absurd"),
    ({"amount": float("nan")}, "amount is absurd"),
    ({"amount": float("-inf")}, "amount is absurd"),
    ({"amount": 1e11}, "amount is absurd"),
    ({"amount": -1e11}, "amount is absurd"),
    ({"amount": 1e13}, "amount is absurd"),
]


@pytest.mark.parametrize(("bad", "reason"), BAD, ids=[f"{bad}" for bad, _ in BAD])
def test_a_bad_row_is_set_aside_with_its_reason(tmp_path: Path, bad: dict[str, Any], reason: str):
    rows = [GOOD, GOOD | bad]
    log = log_of(tmp_path, [dict.fromkeys(GOOD | bad) | row for row in rows], **LENIENT)
    assert (log.rows, log.rejected) == (1, {reason: 1})


@pytest.mark.parametrize("amount", [99_999_999_999.0, -99_999_999_999.0])
def test_an_amount_just_below_the_bound_is_valid(tmp_path: Path, amount: float):
    log = log_of(tmp_path, [GOOD | {"amount": amount}])
    assert (log.rows, log.rejected) == (1, {})


@pytest.mark.parametrize("time", ["-infinity", "0044-03-15 (BC) 00:00:00", "0001-01-01"])
def test_a_time_before_all_calendars_is_set_aside(tmp_path: Path, time: str):
    log = log_of(tmp_path, [GOOD, GOOD | {"event_time": time}], **LENIENT)
    assert (log.rows, sum(log.rejected.values())) == (1, 1)


def test_a_user_id_that_is_no_number_is_set_aside(tmp_path: Path):
    path = parquet(tmp_path, user_id=[float("nan"), 7.0], event_time=[date(2026, 1, 5)] * 2, event_type=["x"] * 2)
    assert read(path, **LENIENT).rejected == {"user_id is null": 1}


@pytest.mark.parametrize(
    "kind", [pa.int64(), pa.int8(), pa.float64(), pa.float32(), pa.decimal128(10, 2), pa.string()], ids=str
)
def test_a_whole_number_is_the_same_id_in_whatever_type_it_is_written(tmp_path: Path, kind: pa.DataType):
    ids = pa.array(["7"]).cast(kind)
    log = read(parquet(tmp_path, user_id=ids, event_time=[SECONDS], event_type=["open"]))
    assert [found[0] for found in found_in(log)] == ["7"]


def test_a_number_that_its_type_cannot_tell_from_the_next_is_no_id(tmp_path: Path):
    path = parquet(tmp_path, user_id=[2.0**53, 2.0**53 - 1], event_time=[SECONDS] * 2, event_type=["x"] * 2)
    log = read(path, **LENIENT)
    assert log.rejected == {"user_id is unreadable": 1}
    assert [found[0] for found in found_in(log)] == ["9007199254740991"]


LAST_NANOSECOND = 1767657600 * 10**9 - 1  # of 2026-01-05, UTC


@pytest.mark.parametrize("kind", [pa.int64(), pa.timestamp("ns"), pa.timestamp("ns", "UTC")], ids=str)
def test_the_last_nanosecond_of_a_day_is_not_rounded_into_the_next(tmp_path: Path, kind: pa.DataType):
    times = pa.array([LAST_NANOSECOND], pa.int64()).cast(kind)
    log = read(parquet(tmp_path, user_id=["anna"], event_time=times, event_type=["open"]))
    assert times_in(log) == ["2026-01-05 23:59:59"]


def test_the_smallest_epoch_there_is_does_not_stop_the_run(tmp_path: Path):
    path = parquet(tmp_path, user_id=["a", "b"], event_time=[-(2**63) + 1, SECONDS], event_type=["x", "x"])
    assert read(path, **LENIENT).rejected == {"event_time is unreadable": 1}


@pytest.mark.parametrize("column", ["count", "duration_seconds", "amount"])
def test_a_value_that_is_no_number_is_set_aside_whatever_the_statistics_of_the_file_say(tmp_path: Path, column: str):
    log = log_of(tmp_path, [GOOD | {column: 1.0}, GOOD | {column: float("nan")}], **LENIENT)
    assert (log.rows, sum(log.rejected.values())) == (1, 1)


def test_an_empty_optional_value_is_no_reason(tmp_path: Path):
    log = log_of(
        tmp_path, [GOOD | {"amount": None, "count": None, "device_os": None}, GOOD | {"amount": 5.0, "count": 2}]
    )
    assert log.rejected == {}


def test_an_empty_text_is_an_absent_value(tmp_path: Path):
    log = log_of(tmp_path, [GOOD | {"amount": "", "device_os": ""}, GOOD | {"amount": "5", "device_os": "ios"}])
    assert sorted(found_in(log), key=str)[1][3:] == (None, None)


def test_the_first_reason_names_a_row_with_two(tmp_path: Path):
    log = log_of(tmp_path, [GOOD | {"count": 1}, {"user_id": None, "event_time": "never", "count": -1}], **LENIENT)
    assert log.rejected == {"user_id is null": 1}


def test_rows_set_aside_are_written_as_they_were_read(tmp_path: Path):
    log_of(tmp_path, [GOOD | {"amount": "5"}, GOOD | {"amount": "free"}], **LENIENT)
    assert pq.read_table(tmp_path / "rejected").to_pylist() == [
        GOOD | {"amount": "free", "reason": "amount is unreadable"}
    ]


def test_nothing_is_written_where_nothing_is_set_aside(tmp_path: Path):
    log_of(tmp_path, TWO)
    assert not (tmp_path / "rejected").exists()


def test_too_many_bad_rows_stop_the_run_with_their_reasons(tmp_path: Path):
    with pytest.raises(
        InputError,
        match=r"2 of 3 rows are invalid \(2 x user_id is null\); at most 5 % allowed \(\[events\] max_rejected_share\)",
    ):
        log_of(tmp_path, [GOOD, GOOD | {"user_id": None}, GOOD | {"user_id": ""}])


def test_as_many_bad_rows_as_are_allowed_do_not_stop_it(tmp_path: Path):
    assert log_of(tmp_path, [GOOD, GOOD | {"user_id": None}], max_rejected_share=0.5).rows == 1


def test_a_log_without_a_valid_row_stops_the_run_however_lenient(tmp_path: Path):
    with pytest.raises(InputError, match="1 of 1 rows are invalid"):
        log_of(tmp_path, [GOOD | {"user_id": ""}], max_rejected_share=1.0)


@pytest.mark.parametrize("name", ["log.parquet", "log.csv"])
def test_a_log_without_rows_is_empty(tmp_path: Path, name: str):
    with pytest.raises(InputError, match="the log is empty: 0 rows"):
        read(write(tmp_path / name, TWO), where="false")


@pytest.mark.parametrize("name", ["log.csv", "log.jsonl", "log.csv.gz"])
def test_a_file_without_a_byte_is_a_clear_error(tmp_path: Path, name: str):
    (tmp_path / name).write_bytes(b"")
    with pytest.raises(InputError):
        read(tmp_path / name)


@pytest.mark.parametrize("blank", [" ", "   ", "\t", "\v", "\u00a0", "\u2003 "])
def test_a_cell_of_blanks_holds_nothing(tmp_path: Path, blank: str):
    rows = [
        {"user_id": "a", "event_time": "2026-01-05", "event_type": "x", "amount": blank, "count": blank},
        {"user_id": blank, "event_time": "2026-01-05", "event_type": "x", "amount": "1", "count": "2"},
    ]
    log = read(write(tmp_path / "log.parquet", rows), columns={"amount": "amount", "count": "count"}, **LENIENT)
    assert (found_in(log)[0][3:], log.rejected) == ((None, None), {"user_id is null": 1})


def test_a_word_for_no_value_leaves_an_extra_column_one_of_numbers(tmp_path: Path):
    values = {"a": 3, "b": "7", "c": "n/a"}
    for name, value in values.items():
        write(tmp_path / f"{name}.parquet", [GOOD | {"user_id": name, "score": value}])
    log = read(tmp_path, extra={"score": "score"})
    assert sorted(map(str, log.to_arrow()["score"].to_pylist())) == ["3.0", "7.0", "None"]


def test_a_decimal_comma_in_texts_leaves_the_numbers_of_other_files_as_they_are(tmp_path: Path):
    for name, value in {"a": 1.5, "b": "1,25"}.items():
        write(tmp_path / f"{name}.parquet", [GOOD | {"user_id": name, "score": value}])
    log = read(tmp_path, extra={"score": "score"}, format=FormatSettings(decimal=","))
    assert set(log.to_arrow()["score"].to_pylist()) == {1.25, 1.5}


@pytest.mark.parametrize("name", ["log.parquet", "log.csv", "log.jsonl"])
def test_blanks_around_a_text_are_none_of_it(tmp_path: Path, name: str):
    ids = ["7", "7   ", " 7", "7\t", "7\u00a0", "\u30007", "\ufeff7", "7.0 ", "ann a", "  ann a"]
    rows = [GOOD | {"user_id": one, "event_type": one.replace("7", "open"), "device_os": one} for one in ids]
    found = found_in(read(write(tmp_path / name, rows), columns={"device_os": "device_os"}))
    assert {row[0] for row in found} == {"7", "ann a"}
    assert {row[2] for row in found} == {"open", "open.0", "ann a"}
    assert {row[3] for row in found} == {"7", "7.0", "ann a"}


def test_letters_beyond_ascii_at_the_ends_of_a_text_stay(tmp_path: Path):
    ids = ["\u738b\u4e94", "\u00e9mile\u00e9", "\u738b\u4e94 ", "-\u00b7", "~", "\U0001f600"]
    found = found_in(read(write(tmp_path / "log.parquet", [GOOD | {"user_id": one} for one in ids])))
    assert {row[0] for row in found} == {one.strip() for one in ids}
