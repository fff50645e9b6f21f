"""A log behind the contract: places, coverage, mapping."""

from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features.errors import InputError
from features.log.event_log import open_log as open_lazily
from features.log.formats import files_of
from features.log.rejected import rejected_of
from features.settings import EventsSettings
from tests.builders import events_at, found_in, log_of, open_log, read, row, write

TWO = ["anna 2026-01-05T10:00 open", "bob 2026-01-06T11:30 buy"]
AS_READ = [("anna", "2026-01-05 10:00:00", "open"), ("bob", "2026-01-06 11:30:00", "buy")]
LENIENT: dict[str, Any] = {"max_rejected_share": 0.99}
GOOD = {"user_id": "anna", "event_time": "2026-01-05 10:00", "event_type": "open"}


def parquet(folder: Path, /, **columns: Any) -> Path:
    """A Parquet file of exactly these columns."""
    folder.mkdir(exist_ok=True)
    pq.write_table(pa.table(columns), folder / "log.parquet")
    return folder / "log.parquet"


# --- Formats and places --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["log.parquet", "log.csv", "log.tsv", "log.csv.gz", "log.jsonl", "log.jsonl.gz", "it's a log ü.csv"]
)
def test_every_format_reads_the_same(tmp_path: Path, name: str):
    assert found_in(read(write(tmp_path / name, TWO))) == AS_READ


def test_a_glob_reads_all_its_files(tmp_path: Path):
    for day, line in enumerate(TWO):
        write(tmp_path / f"2026/{day}.parquet", [line])
    assert found_in(read(tmp_path / "**/*.parquet")) == AS_READ


def test_a_folder_reads_all_its_files(tmp_path: Path):
    for day, line in enumerate(TWO):
        write(tmp_path / f"{day}.csv.gz", [line])
    (tmp_path / "README").write_text("not a log")
    assert found_in(read(tmp_path)) == AS_READ


@pytest.mark.parametrize("suffix", ["parquet", "csv", "jsonl"])
def test_the_keys_of_a_hive_folder_are_columns(tmp_path: Path, suffix: str):
    for kind in ("ads", "search"):
        write(tmp_path / f"source={kind}" / f"x.{suffix}", ["anna 2026-01-05T10:00"])
    log = read(tmp_path, columns={"channel": "source"})
    assert sorted(channel for *_, channel in found_in(log)) == ["ads", "search"]


@pytest.mark.parametrize("suffix", ["parquet", "csv", "jsonl"])
def test_a_column_of_the_file_counts_and_hides_no_other_key_of_its_folders(tmp_path: Path, suffix: str):
    for user, source in {"anna": "a%20b", "bob": "__HIVE_DEFAULT_PARTITION__", "cem": "007"}.items():
        line = f"{user} 2026-01-05T10:00 open device_os=ios"
        write(tmp_path / f"device_os=android/source={source}/x.{suffix}", [line])
    log = read(tmp_path, columns={"device_os": "device_os", "channel": "source"})
    assert [row[-2:] for row in found_in(log)] == [("ios", "a b"), ("ios", None), ("ios", "007")]


def test_a_hive_key_keeps_its_leading_zeros(tmp_path: Path):
    write(tmp_path / "uid=007" / "x.parquet", ["anna 2026-01-05T10:00"])
    assert found_in(read(tmp_path, columns={"user_id": "uid"}))[0][0] == "007"


def test_a_relative_path_starts_at_the_base(tmp_path: Path):
    write(tmp_path / "events/log.parquet", TWO)
    (found,) = files_of(EventsSettings(path="events"), tmp_path)
    assert found.name == str(tmp_path / "events/log.parquet")


def test_files_may_differ_in_their_columns(tmp_path: Path):
    write(tmp_path / "a.jsonl", ["anna 2026-01-05T10:00 open"])
    write(tmp_path / "b.jsonl", ["bob 2026-01-06T10:00 open device_os=ios"])
    log = read(tmp_path, columns={"device_os": "device_os"})
    assert [os for *_, os in found_in(log)] == [None, "ios"]


@pytest.mark.parametrize("name", ["lo[g].parquet", "LOG.PARQUET", "[1]/log.csv"])
def test_a_file_with_an_odd_name_is_found(tmp_path: Path, name: str):
    assert read(write(tmp_path / name, TWO)).rows == 2


def test_a_place_with_nothing_in_it_is_named(tmp_path: Path):
    with pytest.raises(InputError, match=r"no Parquet, CSV or JSON Lines file at .*nowhere"):
        read(tmp_path / "nowhere")


def test_files_of_several_formats_are_refused(tmp_path: Path):
    write(tmp_path / "a.csv", TWO)
    write(tmp_path / "b.jsonl", TWO)
    with pytest.raises(InputError, match="several formats"):
        read(tmp_path)


def test_a_truncated_file_is_refused_by_name(tmp_path: Path):
    whole = write(tmp_path / "log.parquet", TWO)
    whole.write_bytes(whole.read_bytes()[:-9])
    with pytest.raises(InputError, match=r"cannot be read(?s:.*)log\.parquet"):
        read(whole)


def test_a_truncated_archive_is_refused_by_name(tmp_path: Path):
    whole = write(tmp_path / "log.csv.gz", TWO * 500)
    whole.write_bytes(whole.read_bytes()[:-20])
    with pytest.raises(InputError, match=r"cannot be read(?s:.*)log\.csv\.gz"):
        read(whole)


# --- Coverage ------------------------------------------------------------------------------------------------------


def test_a_log_covers_the_local_days_from_its_first_event_to_its_last(tmp_path: Path):
    log = log_of(tmp_path, ["anna 2026-01-05T23:30", "anna 2026-01-07T23:30"], zone="Europe/Berlin")
    assert (log.coverage.first_day, log.coverage.covered_until) == (date(2026, 1, 6), date(2026, 1, 9))


def test_a_quiet_log_may_say_that_it_is_complete_until_later(tmp_path: Path):
    log = log_of(tmp_path, TWO, covered_until=date(2026, 2, 1))
    assert log.coverage.covered_until == date(2026, 2, 1)


def test_what_the_settings_exclude_is_said_and_is_not_invalid(tmp_path: Path):
    until = log_of(tmp_path, TWO, covered_until=date(2026, 1, 6))
    assert (until.rows, until.rejected) == (1, {"event_time is on or after [events] covered_until": 1})
    start = log_of(tmp_path, TWO, covered_from=date(2026, 1, 6))
    assert (start.rows, start.rejected) == (1, {"event_time is before [events] covered_from": 1})
    with pytest.raises(InputError, match=r"2 of 2 rows are invalid .2 x event_time is before"):
        log_of(tmp_path, TWO, covered_from=date(2026, 3, 1))


def test_a_row_that_became_known_in_the_future_is_set_aside_until_then(tmp_path: Path):
    known = [datetime(2026, 1, 5, 11, tzinfo=UTC), datetime(9999, 12, 31, tzinfo=UTC)]
    lines = [{**row(line), "ingested_at": at} for line, at in zip(TWO, known, strict=True)]
    log = log_of(tmp_path, lines, **LENIENT)
    assert (log.rows, log.rejected) == (1, {"ingested_at is in the future": 1})
    assert not log.inventory.files[0].is_final  # so it is read again


# --- The mapping ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [
        "log.parquet",
        "log.jsonl",
        "log.csv",
    ],
)
def test_a_missing_column_is_named_with_the_likeliest_one(tmp_path: Path, name: str):
    path = write(tmp_path / name, [{"usr_id": "anna", "event_time": "2026-01-05", "event_type": "open"}])
    with pytest.raises(InputError, match=r'user_id = "user_id"(?s:.*)did you mean "usr_id"'):
        read(path)


def test_an_expression_that_the_log_cannot_answer_is_named(tmp_path: Path):
    with pytest.raises(InputError, match=r'amount = "price \* 2"'):
        log_of(tmp_path, TWO, columns={"amount": "price * 2"})


def test_no_message_holds_a_user_id(tmp_path: Path):
    with pytest.raises(InputError) as refusal:
        log_of(tmp_path, TWO, columns={"count": "cast(user_id as integer)"})
    assert "anna" not in str(refusal.value)


def test_a_condition_that_the_log_cannot_answer_is_named(tmp_path: Path):
    with pytest.raises(InputError, match=r"where = 'colour = 1'(?s:.*)its columns: user_id, event_time, event_type"):
        log_of(tmp_path, TWO, where="colour = 1")


def test_a_condition_may_quote(tmp_path: Path):
    log = log_of(tmp_path, [GOOD | {"event_type": "it's"}, GOOD], where="event_type = 'it''s'")
    assert log.rows == 1


def test_columns_may_have_spaces_quotes_and_capitals(tmp_path: Path):
    path = parquet(tmp_path, **{"User ID": ["anna"], "AsOf_": ["2026-01-05 10:00"], 'wh"at': ["open"]})
    log = read(path, columns={"user_id": '"user id"', "event_time": "ASOF_", "event_type": '"wh""at"'})
    assert found_in(log) == [("anna", "2026-01-05 10:00:00", "open")]


@pytest.mark.parametrize("name", ["order", "end", "User ID", "user-id", "1st", 'a"b'])
def test_a_bare_name_is_a_column_whatever_sql_thinks_of_it(tmp_path: Path, name: str):
    path = parquet(tmp_path, **{name: ["anna"]}, event_time=["2026-01-05 10:00"], event_type=["open"])
    assert found_in(read(path, columns={"user_id": name}))[0][0] == "anna"


def test_columns_may_have_each_others_names(tmp_path: Path):
    path = parquet(
        tmp_path,
        user_id=["open"],
        event_type=["anna"],
        event_time=["2026-01-05 10:00"],
        count=[5.5],
        amount=[7],
        reason=["x"],
    )
    columns = {
        "user_id": "event_type",
        "event_type": "user_id",
        "amount": "count",
        "count": "amount",
        "channel": "reason",
    }
    assert found_in(read(path, columns=columns)) == [("anna", "2026-01-05 10:00:00", "open", 7, "x", 5.5)]


def test_columns_may_have_the_names_that_the_reader_uses(tmp_path: Path):
    path = parquet(
        tmp_path, raw_user_id=["anna"], user_id=["bob"], event_time=["2026-01-05 10:00"], raw_event_type=["open"]
    )
    log = read(path, columns={"user_id": "raw_user_id", "event_type": "raw_event_type"})
    assert found_in(log) == [("anna", "2026-01-05 10:00:00", "open")]


def test_a_column_may_be_a_constant_or_an_expression(tmp_path: Path):
    path = parquet(tmp_path, user_id=["anna"], event_time=["2026-01-05 10:00"], quantity=[3], price=[Decimal("1.10")])
    log = read(
        path, columns={"event_type": "case when price > 1 then 'dear' else 'cheap' end", "amount": "quantity * price"}
    )
    assert found_in(log)[0][2:] == ("dear", 3.3)


@pytest.mark.parametrize(
    "user", ["O'Brien", '"; drop table users; --', "日本 👩‍💻", "two\nlines", "a\0b", "a,b", "null hypothesis", "0"]
)
@pytest.mark.parametrize("name", ["log.parquet", "log.jsonl"])
def test_any_text_is_a_user_id_and_an_event_type(tmp_path: Path, user: str, name: str):
    log = read(write(tmp_path / name, [GOOD | {"user_id": user, "event_type": user}]))
    assert found_in(log) == [(user, "2026-01-05 10:00:00", user)]


@pytest.mark.parametrize(("ids", "texts"), [([7, 8], ["7", "8"]), ([True, False], ["false", "true"])])
def test_a_user_id_is_text_whatever_it_was(tmp_path: Path, ids: list[Any], texts: list[str]):
    log = read(parquet(tmp_path, user_id=ids, event_time=[date(2026, 1, 5)] * 2, event_type=["x"] * 2))
    assert [user for user, *_ in found_in(log)] == texts


def test_a_mapped_column_is_found_under_its_own_name(tmp_path: Path):
    settings = events_at(write(tmp_path / "log.parquet", TWO), TWO)
    assert settings.mapping() == {"user_id": "user_id", "event_time": "event_time", "event_type": "event_type"}


# --- Looked into ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("zone", ["UTC", "America/Sao_Paulo", "America/Havana"])
@pytest.mark.parametrize("midnight", [date, datetime], ids=["dates", "timestamps"])
def test_a_log_of_dates_knows_no_time_of_day_even_where_clocks_skip_a_midnight(
    tmp_path: Path, zone: str, midnight: type[date]
):
    days = [midnight(2018, 11, day) for day in (3, 4, 5)]  # Sao Paulo had no midnight on the 4th, Havana had two
    path = parquet(tmp_path, user_id=["anna"] * 3, event_time=days, event_type=["open"] * 3)
    log = open_log(EventsSettings(path=str(path), timezone=zone), zone)
    assert log.inventory.days == {date(2018, 11, day): 1 for day in (3, 4, 5)}
    assert not log.has_time_of_day


@pytest.mark.parametrize("minutes", [["00:00", "00:01"], ["12:00", "12:00"]])
def test_one_event_past_the_start_of_its_day_tells_the_time(tmp_path: Path, minutes: list[str]):
    assert log_of(tmp_path, [f"anna 2026-01-05T{minute}" for minute in minutes]).has_time_of_day


def test_rows_set_aside_are_found_in_one_reading_of_all_files(tmp_path: Path):
    for name in "abc":
        write(tmp_path / f"log/{name}.parquet", [GOOD | {"amount": "5"}, GOOD | {"amount": f"free {name}"}])
    log = open_lazily(EventsSettings(path=str(tmp_path / "log"), columns={"amount": "amount"}), "UTC")
    files = log.examine(log.files)
    heard = Heard(log.connection)
    replace(log, connection=heard).save_rejected(files, tmp_path / "rejected")
    assert sum("read_parquet" in sql for sql in heard.said) == 1
    written = [pq.read_table(rejected_of(file.name, tmp_path / "rejected")).to_pylist() for file in files]
    assert [[row["amount"] for row in rows] for rows in written] == [["free a"], ["free b"], ["free c"]]


class Heard:
    """A connection that remembers what it was asked."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self.connection = connection
        self.said: list[str] = []

    def execute(self, sql: str) -> duckdb.DuckDBPyConnection:
        self.said.append(sql)
        return self.connection.execute(sql)
