"""The workbook as Excel opens it: read back by openpyxl, which shares no code with what writes it."""

import os
import time
import zipfile
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import openpyxl
import pyarrow as pa
import pytest

from features.errors import InputError
from serving.weekly.files import spreadsheet
from serving.weekly.files.list_columns import CARRIED, About, ListColumn
from serving.weekly.files.spreadsheet import rows_of, write_xlsx

ATTACK = "=cmd|' /C calc'!A0"
SEEN = datetime(2026, 11, 14, 18, 30, tzinfo=UTC)
ABOUT = About("vip", "2026-W47", date(2026, 11, 16), "churn", "3", "abc123", {"users listed": 3, "opted out": 1})
TABLE = pa.table(
    {
        "rank": pa.array([1, 2, 3], pa.int64()),
        "user_id": [ATTACK, "https://example.org", "00123"],
        "churn_probability": [0.875, float("nan"), None],
        "value": pa.array([Decimal("1234.50"), Decimal("-1.00"), None], pa.decimal128(9, 2)),
        "as_of": [date(2026, 11, 16)] * 3,
        "last_seen_at": pa.array([SEEN, None, SEEN], pa.timestamp("us", "Europe/Berlin")),
        "ours": [True, False, None],
        "crm_id": pa.array([12345678901234567, 1, None], pa.int64()),
        "tags": [["a", "b"], None, []],
        "note": ["two\nlines", "Zoë 王 😀", "x" * 40_000],
    }
)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("book") / "list.xlsx"
    write_xlsx(TABLE, path, about=ABOUT, columns=[ListColumn("crm_id", "what the team's tool knows the user by")])
    return path


@pytest.fixture(scope="module")
def book(path: Path) -> openpyxl.Workbook:
    return openpyxl.load_workbook(path)


def cells(book: openpyxl.Workbook, sheet: str) -> list[tuple[Any, ...]]:
    return list(book[sheet].iter_rows(values_only=True))


def test_a_sheet_holds_the_list_and_two_explain_it(book: openpyxl.Workbook):
    assert book.sheetnames == ["list", "columns", "about"]
    header, *rows = cells(book, "list")
    assert list(header) == TABLE.column_names
    assert [row[0] for row in rows] == [1, 2, 3]
    assert [str(value) for value in rows[0][3:7]] == ["1234.5", "2026-11-16 00:00:00", "2026-11-14 19:30:00", "True"]


def test_no_text_becomes_a_formula_a_link_or_a_number(book: openpyxl.Workbook):
    found = book["list"]["B"][1:]
    assert [(cell.value, cell.data_type, cell.hyperlink) for cell in found] == [
        (ATTACK, "s", None),
        ("https://example.org", "s", None),
        ("00123", "s", None),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "<r>Tom & Jerry</r>",
        "<r></r>",
        "<r><t>5</t></r></is></c><c><f>1+1</f></c><c><is><r></r>",
        "<r>\x01" + "&" * 15_000 + "</r>",
    ],
)
def test_text_that_looks_like_the_markup_of_a_cell_is_text(tmp_path: Path, text: str):
    about = About("<r>vip</r>", "2026-W47", date(2026, 11, 16), "churn", "3", "abc123", {})
    write_xlsx(pa.table({"<r>user_id</r>": [text, "b"]}), tmp_path / "list.xlsx", about=about)
    with zipfile.ZipFile(tmp_path / "list.xlsx") as book:
        sheet = ElementTree.fromstring(book.read("xl/worksheets/sheet1.xml"))  # noqa: S314  # of our own making
    assert [one.tag.partition("}")[2] for one in sheet.iter()].count("c") == 3
    found = openpyxl.load_workbook(tmp_path / "list.xlsx")
    shown = [row[0].replace("_x0001_", "\x01") for row in cells(found, "list")]  # which Excel shows as the character
    assert shown == ["<r>user_id</r>", text, "b"]
    assert cells(found, "about")[1] == ("list", "<r>vip</r>")


def test_numbers_are_shown_as_what_they_are(book: openpyxl.Workbook):
    shown = {cell.coordinate[0]: cell.number_format for cell in book["list"][2]}
    assert [shown[letter] for letter in "ACDEF"] == ["General", "0.0%", "#,##0.00", "yyyy-mm-dd", "yyyy-mm-dd hh:mm"]


def test_what_excel_cannot_hold_is_an_empty_cell_or_a_text(book: openpyxl.Workbook):
    _, first, second, third = cells(book, "list")
    assert (second[2], third[2], third[3], third[6]) == (None, None, None, None)
    assert (first[7], second[7], first[8]) == ("12345678901234567", "1", "['a', 'b']")
    assert (first[9], second[9], len(third[9])) == ("two\nlines", "Zoë 王 😀", 16_000)


def test_the_header_stays_in_sight_and_filters(book: openpyxl.Workbook):
    sheet = book["list"]
    assert (sheet.freeze_panes, sheet.auto_filter.ref) == ("A2", "A1:J4")
    assert sheet["A1"].font.b
    assert 8 <= sheet.column_dimensions["A"].width < 14
    assert 55 < sheet.column_dimensions["J"].width < 65


def test_every_column_is_explained(book: openpyxl.Workbook):
    explained = dict(cells(book, "columns")[1:])
    assert list(explained) == TABLE.column_names
    assert explained["rank"] == "the place on the list; 1 is to be contacted first"
    assert explained["crm_id"] == "what the team's tool knows the user by"
    assert explained["tags"] == CARRIED


def test_the_workbook_says_what_it_is(book: openpyxl.Workbook):
    assert cells(book, "about")[1:] == [
        ("list", "vip"),
        ("week", "2026-W47"),
        ("known before", "2026-11-16"),
        ("model", "churn"),
        ("model version", "3"),
        ("export id", "abc123"),
        ("users listed", 3),
        ("opted out", 1),
    ]
    assert str(book.properties.created) == "2026-11-16 00:00:00"


def test_the_same_list_gives_the_same_bytes_whatever_the_clock_the_zone_and_the_umask(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("TZ", "Pacific/Auckland")
    time.tzset()
    mask = os.umask(0o077)
    try:
        write_xlsx(
            TABLE,
            tmp_path / "list.xlsx",
            about=ABOUT,
            columns=[ListColumn("crm_id", "what the team's tool knows the user by")],
        )
    finally:
        os.umask(mask)
        monkeypatch.undo()
        time.tzset()
    assert (tmp_path / "list.xlsx").read_bytes() == path.read_bytes()
    assert [one.name for one in tmp_path.iterdir()] == ["list.xlsx"]


def test_a_list_that_no_sheet_can_hold_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(spreadsheet, "MAX_ROWS", 2)
    with pytest.raises(
        InputError, match=r"list.xlsx: a sheet of Excel holds 2 rows and a header, got 3 rows"
    ) as raised:
        write_xlsx(TABLE, tmp_path / "list.xlsx", about=ABOUT)
    assert "several [[lists]]" in raised.value.hint
    assert not list(tmp_path.iterdir())


def test_rows_are_counted_without_the_header(path: Path, tmp_path: Path):
    write_xlsx(TABLE.slice(0, 0), tmp_path / "empty.xlsx", about=ABOUT)
    many = pa.table({"user_id": ["<row " * 3] * 12_345})
    write_xlsx(many, tmp_path / "many.xlsx", about=ABOUT)
    assert (rows_of(path), rows_of(tmp_path / "empty.xlsx"), rows_of(tmp_path / "many.xlsx")) == (3, 0, 12_345)
