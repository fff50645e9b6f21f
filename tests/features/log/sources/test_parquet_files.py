"""Parquet: each file in its own types; the types of one never change what another holds."""

import hashlib
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from features.errors import InputError
from features.log.formats import files_of
from features.log.sources.mapping import Mapper
from features.settings import EventsSettings
from features.storage.duckdb import connect
from tests.builders import found_in, open_log, read
from tests.features.log_files import HEADER, LENIENT, SECONDS, TEN, last_in, parquet_of, put, times_in, users_in

NAIVE_TEN = datetime(2026, 1, 5, 10)  # noqa: DTZ001
NEW_YORK, SHANGHAI = "America/New_York", "Asia/Shanghai"


def read_in(folder: Path, zone: str, **options: Any) -> dict[str, str]:
    """User to the UTC instant of the event."""
    log = open_log(EventsSettings(path=str(folder), **options), zone)
    return {user: at for user, at, *_ in found_in(log)}


# --- Types of files of one log ----------------------------------------------------------------------------------------


def test_a_date_stays_that_day_when_a_file_of_timestamps_arrives(tmp_path: Path):
    parquet_of(tmp_path / "log/a.parquet", {"user_id": ["u1"], "event_time": [date(2026, 1, 5)]})
    before = read_in(tmp_path / "log", NEW_YORK)
    parquet_of(tmp_path / "log/b.parquet", {"user_id": ["u2"], "event_time": [NAIVE_TEN]})
    parquet_of(tmp_path / "log/c.parquet", {"user_id": ["u3"], "event_time": ["2026-01-05"]})
    parquet_of(tmp_path / "log/d.parquet", {"user_id": ["u4"], "event_time": [SECONDS]})
    parquet_of(tmp_path / "log/e.parquet", {"user_id": ["u5"], "event_time": [20260105]})
    assert before == {"u1": "2026-01-05 05:00:00"}
    assert read_in(tmp_path / "log", NEW_YORK) == {
        "u1": "2026-01-05 05:00:00",
        "u2": TEN,
        "u3": "2026-01-05 05:00:00",
        "u4": TEN,
        "u5": "2026-01-05 05:00:00",
    }


AMOUNTS = [
    (pa.array([9.99]), 9.99),
    (pa.array(["1.10"]), 1.1),
    (pa.array([7]), 7.0),
    (pa.array([Decimal("0.0042")]), 0.0042),
    (pa.array([None], pa.null()), None),
    (pa.array(["2.5"]).dictionary_encode(), 2.5),
    (pa.array([b"3.25"]), 3.25),
]


@pytest.mark.parametrize("is_reversed", [False, True])
def test_amounts_of_every_type_lie_next_to_each_other(tmp_path: Path, *, is_reversed: bool):
    for place, (values, _) in enumerate(AMOUNTS):
        name = 99 - place if is_reversed else place
        parquet_of(tmp_path / f"{name:02}.parquet", {"user_id": [f"u{place}"], "price": values})
    assert last_in(read(tmp_path, columns={"amount": "price"})) == [amount for _, amount in AMOUNTS]


IDS = [
    (pa.array([17850]), "17850"),
    (pa.array([17850.0]), "17850"),
    (pa.array(["17850"]), "17850"),
    (pa.array(["17850.0"]), "17850"),
    (pa.array(["017850"]), "017850"),
    (pa.array([Decimal("17850.00")]), "17850"),
    (pa.array([17850], pa.uint64()), "17850"),
    (pa.array([b"17850"]), "17850"),
    (pa.array(["17850"]).dictionary_encode(), "17850"),
    (pa.array([2**63 + 1], pa.uint64()), "9223372036854775809"),
    (pa.array([2**53 + 1]), "9007199254740993"),
    (pa.array([Decimal(12345678901234567890123456789012345678)]), "12345678901234567890123456789012345678"),
]


def test_one_id_in_several_types_is_one_user_and_nothing_is_rounded(tmp_path: Path):
    for place, (values, _) in enumerate(IDS):
        parquet_of(tmp_path / f"{place:02}.parquet", {"user_id": values})
    assert users_in(read(tmp_path)) == sorted(user for _, user in IDS)


def test_a_column_that_only_some_files_have_is_absent_in_the_others(tmp_path: Path):
    parquet_of(tmp_path / "a.parquet", {"user_id": ["a"]})
    parquet_of(tmp_path / "b.parquet", {"user_id": ["b"], "price": [1.5]})
    parquet_of(tmp_path / "c.parquet", {"user_id": ["c"], "price": ["2.5"]})
    log = read(tmp_path, columns={"amount": "price * 2"})
    assert last_in(log) == [None, 3.0, 5.0]


def test_columns_that_come_in_another_order_are_not_mixed_up(tmp_path: Path):
    parquet_of(tmp_path / "a.parquet", {"user_id": ["a"], "x": ["1"], "y": ["2"]})
    parquet_of(tmp_path / "b.parquet", {"y": ["2"], "x": ["1"], "user_id": ["b"]})
    assert last_in(read(tmp_path, columns={"channel": "x"})) == ["1", "1"]


# --- Single types -------------------------------------------------------------------------------------------------------


def test_int96_is_an_instant_whatever_the_zone_of_the_events(tmp_path: Path):
    columns = {"user_id": ["u1"], "event_time": [NAIVE_TEN]}
    parquet_of(tmp_path / "log/a.parquet", columns, use_deprecated_int96_timestamps=True)
    assert read_in(tmp_path / "log", SHANGHAI, timezone=SHANGHAI) == {"u1": TEN}


def test_int96_lies_next_to_naive_timestamps(tmp_path: Path):
    old, new = ({"user_id": [user], "event_time": [NAIVE_TEN]} for user in ("old", "new"))
    parquet_of(tmp_path / "log/a.parquet", old, use_deprecated_int96_timestamps=True)
    parquet_of(tmp_path / "log/b.parquet", new)
    assert read_in(tmp_path / "log", SHANGHAI, timezone=SHANGHAI) == {"old": TEN, "new": "2026-01-05 02:00:00"}


def test_int96_is_an_instant_in_an_expression_too(tmp_path: Path):
    columns = {"user_id": ["u1"], "moment": [NAIVE_TEN]}
    parquet_of(tmp_path / "log/a.parquet", columns, use_deprecated_int96_timestamps=True)
    found = read_in(tmp_path / "log", SHANGHAI, timezone=SHANGHAI, columns={"event_time": "moment + interval 1 hour"})
    assert found == {"u1": "2026-01-05 11:00:00"}


def test_durations_are_seconds_in_whatever_unit_they_are_written(tmp_path: Path):
    for unit in ("s", "ms", "us", "ns"):
        watched = pa.array([timedelta(minutes=10, milliseconds=0)], pa.duration(unit))
        parquet_of(tmp_path / f"{unit}.parquet", {"user_id": [unit], "watched": watched})
    parquet_of(tmp_path / "plain.parquet", {"user_id": ["plain"], "watched": [600]})
    parquet_of(tmp_path / "text.parquet", {"user_id": ["text"], "watched": ["600.0"]})
    parquet_of(tmp_path / "time.parquet", {"user_id": ["time"], "watched": [time(0, 10)]})
    assert last_in(read(tmp_path, columns={"duration_seconds": "watched"})) == [600.0] * 7


def test_half_a_second_of_a_duration_is_kept(tmp_path: Path):
    watched = pa.array([timedelta(seconds=1.5)], pa.duration("us"))
    parquet_of(tmp_path / "a.parquet", {"user_id": ["a"], "watched": watched})
    assert last_in(read(tmp_path, columns={"duration_seconds": "watched"})) == [1.5]


def test_texts_without_the_mark_of_texts_are_texts(tmp_path: Path):
    columns = {"user_id": [text.encode() for text in ("bob", "josé", "日本")], "event_type": [b"open"] * 3}
    log = read(parquet_of(tmp_path / "log.parquet", columns | {"event_time": [TEN.encode()] * 3}))
    assert found_in(log) == [(user, TEN, "open") for user in ("bob", "josé", "日本")]


def test_texts_without_their_mark_are_texts_in_an_expression_too(tmp_path: Path):
    path = parquet_of(tmp_path / "log.parquet", {"user_id": [b"jos\xc3\xa9"]})
    assert users_in(read(path, columns={"user_id": "'x-' || user_id"})) == ["x-josé"]


@pytest.mark.parametrize(
    ("expression", "users"),
    [
        ("lower(hex(user_id))", ["626f62", "fffe00"]),
        ("md5(user_id)", [*(hashlib.md5(one, usedforsecurity=False).hexdigest() for one in (b"bob", b"\xff\xfe\x00"))]),
    ],
)
def test_bytes_that_are_not_text_have_digits(tmp_path: Path, expression: str, users: list[str]):
    path = parquet_of(tmp_path / "log.parquet", {"user_id": [b"bob", b"\xff\xfe\x00"]})
    assert users_in(read(path, columns={"user_id": expression})) == sorted(users)


def test_bytes_that_are_not_text_are_set_aside_and_not_the_log(tmp_path: Path):
    path = parquet_of(tmp_path / "log.parquet", {"user_id": [b"bob", b"\xff\xfe\x00", b"caf\xe9"]})
    log = read(path, **LENIENT)
    assert (users_in(log), log.rejected) == (["bob"], {"user_id is unreadable": 2})


def test_a_fractional_count_is_set_aside_in_whatever_type_it_is_written(tmp_path: Path):
    kinds = (
        *(pa.array([2.5, 0.4, 3.0]), pa.array(["2.5", "0.4", "3.0"])),
        pa.array([Decimal("2.5"), Decimal("0.4"), Decimal("3.0")]),
    )
    for place, values in enumerate(kinds):
        parquet_of(tmp_path / f"{place}.parquet", {"user_id": ["a", "b", "c"], "n": values})
    put(tmp_path / "csv/log.csv", f"{HEADER},n\na,{TEN},x,2.5\nb,{TEN},x,0.4\nc,{TEN},x,3.0\n")
    log = read(tmp_path / "*.parquet", columns={"count": "n"}, **LENIENT)
    as_csv = read(tmp_path / "csv", columns={"count": "n"}, **LENIENT)
    assert (log.rejected, users_in(log)) == ({"count is unreadable": 6}, ["c"] * 3)
    assert (as_csv.rejected, users_in(as_csv)) == ({"count is unreadable": 2}, ["c"])


# --- Keys of folders ---------------------------------------------------------------------------------------------------


def test_a_column_of_the_file_counts_and_not_the_folder_of_its_name(tmp_path: Path):
    at = datetime(2026, 1, 4, 23, 30, tzinfo=UTC)
    parquet_of(tmp_path / "day=2026-01-05/x.parquet", {"user_id": ["a"], "day": [at]})
    assert times_in(read(tmp_path, columns={"event_time": "day"})) == ["2026-01-04 23:30:00"]


def test_files_read_as_one_have_the_keys_that_all_their_folders_have_and_no_column_is_named_after(tmp_path: Path):
    parquet_of(tmp_path / "day=1/source=ads/x.parquet", {"user_id": ["a"], "day": [7]})
    parquet_of(tmp_path / "day=2/source=web/x.parquet", {"user_id": ["b"]})
    connection, settings = connect(), EventsSettings(path=str(tmp_path))
    (source,) = Mapper(connection, settings, is_merged=True).sources(files_of(settings, Path()))
    found = connection.sql(f"select user_id, day, source from {source.sql} order by all").fetchall()
    assert found == [("a", 7, "ads"), ("b", None, "web")]


def test_a_key_of_a_folder_is_a_column_of_text(tmp_path: Path):
    for version in ("1.10", "007"):
        parquet_of(tmp_path / f"version={version}/day=20260105/x.parquet", {"user_id": [version]})
    log = read(tmp_path, columns={"app_version": "version", "event_time": "day"})
    assert last_in(log) == ["007", "1.10"]
    assert set(times_in(log)) == {"2026-01-05 00:00:00"}


def test_a_key_is_a_column_in_the_folders_that_have_it(tmp_path: Path):
    parquet_of(tmp_path / "source=ads/x.parquet", {"user_id": ["a"]})
    parquet_of(tmp_path / "y.parquet", {"user_id": ["b"]})
    assert last_in(read(tmp_path, columns={"channel": "source"})) == ["ads", None]


def test_a_key_of_another_case_is_not_mistaken_for_the_column(tmp_path: Path):
    parquet_of(tmp_path / "Day=2026-01-05/x.parquet", {"user_id": ["a"], "day": ["2026-01-04"]})
    assert times_in(read(tmp_path, columns={"event_time": "day"})) == ["2026-01-04 00:00:00"]


def test_columns_that_differ_in_case_are_refused_by_name(tmp_path: Path):
    path = parquet_of(tmp_path / "log.parquet", {"userId": ["a"], "userID": ["z"]})
    with pytest.raises(InputError, match=r"userId.*userID"):
        read(path, columns={"user_id": "userID"})


def test_a_duration_within_an_object_is_seconds_in_whatever_unit_it_is_written(tmp_path: Path):
    for unit in ("s", "ms", "us", "ns"):
        kind = pa.struct([("of", pa.struct([("watched", pa.duration(unit))])), ("id", pa.int64())])
        play = pa.array([{"of": {"watched": timedelta(minutes=10)}, "id": 7}, None], kind)
        parquet_of(tmp_path / f"{unit}.parquet", {"user_id": [unit, f"{unit} none"], "play": play})
    log = read(tmp_path, columns={"duration_seconds": "play.of.watched", "session_id": "play.id"})
    assert {row[0]: row[3:] for row in found_in(log) if "none" not in row[0]} == dict.fromkeys(
        ("s", "ms", "us", "ns"), ("7", 600.0)
    )
    assert {row[3:] for row in found_in(log) if "none" in row[0]} == {(None, None)}
