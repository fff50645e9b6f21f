"""CSV that a spreadsheet opens without harm and that programs read back, and Parquet that keeps everything as it is."""

import codecs
import csv
import io
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
import pytest

from serving.weekly.files.tables import as_texts, escape_formulas, escaped, write_csv, write_parquet

ATTACK = "=cmd|' /C calc'!A0"
TABLE = pa.table(
    {
        "user_id": ["first", "+1", "-1", "Zoë, 王"],
        "note": [ATTACK, 'two\nlines and a "quote"', None, "a\r\nb"],
        "change": pa.array([-1, 1, None, 2], pa.int64()),
        "churn_probability": [0.5, 0.25, None, 1e-9],
        "as_of": [date(2026, 11, 16)] * 4,
    }
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    write_csv(TABLE, tmp_path / "list.csv")
    return tmp_path / "list.csv"


def test_the_csv_module_reads_back_what_was_written_and_no_text_is_a_formula(path: Path):
    with path.open(newline="", encoding="utf-8-sig") as file:
        rows = list(csv.DictReader(file))
    assert [row["user_id"] for row in rows] == ["first", "'+1", "'-1", "Zoë, 王"]
    assert [row["note"] for row in rows] == [f"'{ATTACK}", 'two\nlines and a "quote"', "", "a\r\nb"]
    assert [row["change"] for row in rows] == ["-1", "1", "", "2"]


def test_pandas_reads_back_numbers_dates_and_texts(path: Path):
    frame = pd.read_csv(path, parse_dates=["as_of"])
    assert frame.columns.tolist() == TABLE.column_names
    assert frame["churn_probability"].tolist()[:2] == [0.5, 0.25]
    assert frame["note"][1] == 'two\nlines and a "quote"'
    assert frame["as_of"][0] == pd.Timestamp("2026-11-16")


def test_excel_knows_the_file_by_its_byte_order_mark_and_lines_end_with_a_line_feed(path: Path):
    assert path.read_bytes().startswith(b'\xef\xbb\xbf"user_id","note"')
    assert path.read_bytes().endswith(b"\n")


def test_the_same_table_gives_the_same_bytes(path: Path):
    write_csv(TABLE, path.with_name("again.csv"))
    write_parquet(TABLE, path.with_name("one.parquet"))
    write_parquet(TABLE, path.with_name("two.parquet"))
    assert path.read_bytes() == path.with_name("again.csv").read_bytes()
    assert path.with_name("one.parquet").read_bytes() == path.with_name("two.parquet").read_bytes()


def test_parquet_keeps_texts_as_they_are(tmp_path: Path):
    write_parquet(TABLE, tmp_path / "list.parquet")
    assert pq.ParquetFile(tmp_path / "list.parquet").read().equals(TABLE)


def test_an_empty_list_is_a_header(tmp_path: Path):
    write_csv(TABLE.slice(0, 0), tmp_path / "list.csv")
    assert pd.read_csv(tmp_path / "list.csv").columns.tolist() == TABLE.column_names


def test_a_column_without_a_value_is_empty_cells(tmp_path: Path):
    write_csv(pa.table({"user_id": ["a"], "note": pa.nulls(1)}), tmp_path / "list.csv")
    assert (tmp_path / "list.csv").read_text("utf-8-sig") == '"user_id","note"\n"a",\n'


def test_whole_numbers_have_all_their_digits_and_all_others_are_written_as_ever(tmp_path: Path):
    whole = [12025550123.0, 10000000000.0, -1234567890123.0, 2.0**53 - 1]
    others = [5.0, -0.0, 9999999999.0, 0.1, 1e-7, 12345678901.5, 2.0**53, 1e300, float("nan"), float("-inf"), None]
    digits = ["12025550123", "10000000000", "-1234567890123", "9007199254740991"]
    ever = [
        *[
            "5",
            "-0",
            "9999999999",
            "0.1",
            "1e-7",
            "1.23456789015e+10",
            "9.007199254740992e+15",
            "1e+300",
            "nan",
            "-inf",
        ],
        "",
    ]
    values: Any = pa.chunked_array([[*whole, *others]], pa.float64())
    assert [text or "" for text in as_texts(values).to_pylist()] == [*digits, *ever]
    write_csv(pa.table({"phone": values, "note": ["x"] * len(values)}), tmp_path / "list.csv")
    assert (tmp_path / "list.csv").read_text("utf-8-sig").splitlines()[1:] == [
        f'{cell},"x"' for cell in (*digits, *ever)
    ]


def test_but_for_these_digits_the_bytes_are_those_of_arrow(tmp_path: Path):
    odd = TABLE.append_column("flag", pa.array([True, None, False, True])).append_column(
        "at", pa.array([datetime(2026, 11, 14, 18, 30, tzinfo=UTC)] * 4, pa.timestamp("us", "Europe/Berlin"))
    )
    many = pa.concat_tables([odd] * 6_000).append_column('a "b"', pa.array([0.1, 5.0, None, 1e-7] * 6_000))
    write_csv(many, tmp_path / "list.csv")
    expected = io.BytesIO(b"")
    pacsv.write_csv(escape_formulas(many), expected)
    assert (tmp_path / "list.csv").read_bytes() == codecs.BOM_UTF8 + expected.getvalue()


def test_text_in_a_dictionary_and_in_the_name_of_a_column_is_escaped_too(tmp_path: Path):
    table = pa.table({"=1+1": pa.array([ATTACK, None, "x"]).dictionary_encode()})
    write_csv(table, tmp_path / "list.csv")
    assert (tmp_path / "list.csv").read_text("utf-8-sig").splitlines() == ['"\'=1+1"', f'"\'{ATTACK}"', "", '"x"']


@pytest.mark.parametrize("sign", ["=", "+", "-", "@", "\t", "\r", "\n", "\0", "\uff1d", "\uff0b", "\uff0d", "\uff20"])
def test_only_a_sign_at_the_start_of_a_text_is_a_formula(sign: str):
    table = pa.table({"text": [f"{sign}1", f"a{sign}1", f"a\n{sign}1", "", None]})
    assert escape_formulas(table)["text"].to_pylist() == [f"'{sign}1", f"a{sign}1", f"a\n{sign}1", "", None]


def test_a_telephone_number_can_be_spared_and_a_formula_that_looks_like_one_cannot():
    column = pa.chunked_array([["+44 20 7183-8750", "-3", "+1+cmd|' /C calc'!A0", "-2+3", "+", None]], pa.string())
    found = escaped(column, spares_phones=True).to_pylist()
    assert found == ["+44 20 7183-8750", "-3", "'+1+cmd|' /C calc'!A0", "'-2+3", "'+", None]
