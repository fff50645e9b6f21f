"""All files of a list: whole, the same bytes for the same inputs, harmless when opened, and silent about who is held out."""

import csv
import json
import re
import zipfile
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features.storage.versions import Place, current_of
from serving.batch.scored_batch import Batch
from serving.settings import ExportSettings, ListSettings
from serving.weekly.at_risk_list import ListRows, export_id_of
from serving.weekly.files.upload import read_upload
from serving.weekly.files.verify import verify
from serving.weekly.list_ledger import ListEntry
from serving.weekly.list_reasons import list_reasons
from serving.weekly.selection import Selection
from serving.weekly.write import ListContent, write_list
from tests.serving.weekly.list_builder import MONDAY, real_lists, real_users

BATCH = Batch(MONDAY, "churn", "3", "abc", 0.25)
FILES = {"at_risk.parquet", "at_risk.csv", "at_risk.xlsx", "upload.csv", "holdout.csv", "delta.csv"}
LANGUAGES = ("language",)


@cache
def made(email: bool = False, capacity: int = 60) -> tuple[ListContent, ListEntry, ExportSettings, Selection]:
    """A list of a real model, the third of which is held out."""
    export = ExportSettings(id_column="email") if email else ExportSettings()
    one = ListSettings(name="vip", capacity=capacity, columns=LANGUAGES)
    candidates, (found,) = real_lists(one, export=export)
    model, profiles, scores = real_users()
    rows, reasons = (
        ListRows(candidates, export),
        list_reasons(model, profiles.take(pa.array(found.treated, pa.int64()))),
    )
    table = rows.rows(found, scores, reasons=reasons)
    export_id = export_id_of([rows.entries(found, scores), table], "made from this")
    content = ListContent(table, rows.held_out_ids(found), ("a reason that all share",))
    return content, ListEntry("vip", export_id, "2026-Q4", 0.3), export, found


def write(place: Path, **settings: Any) -> Path:
    content, entry, export, _ = made(**settings)
    return write_list(Place(place), content, batch=BATCH, entry=entry, settings=export)


def content_of(folder: Path) -> dict[str, bytes]:
    """The bytes of each file, those inside a workbook unpacked, those of Parquet as the values of its rows."""
    found = {path.name: path.read_bytes() for path in folder.iterdir()}
    with zipfile.ZipFile(folder / "at_risk.xlsx") as book:
        found |= {f"at_risk.xlsx/{name}": book.read(name) for name in book.namelist()}
    found["rows of at_risk.parquet"] = repr(pq.ParquetFile(folder / "at_risk.parquet").read().to_pylist()).encode()
    return found


def rows_of_csv(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8-sig") as file:
        return list(csv.DictReader(file))


def test_a_list_is_six_files_and_a_manifest_that_names_them(tmp_path: Path):
    folder = write(tmp_path)
    assert folder == current_of(tmp_path)
    assert {path.name for path in folder.iterdir()} == {*FILES, "manifest.json"}
    check = verify(folder)
    assert check.is_whole
    _, entry, _, found = made()
    rows = {file.name: file.rows for file in check.files}
    assert rows == dict.fromkeys(FILES, 60) | {"holdout.csv": int(found.held_out.sum())}
    about = json.loads((folder / "manifest.json").read_text())
    told = ("list", "export_id", "epoch", "share", "model", "version", "cutoff", "shared_reasons", "base_rate_shift")
    assert [about[name] for name in told] == [
        "vip",
        entry.export_id,
        "2026-Q4",
        0.3,
        "churn",
        "3",
        "2026-11-16",
        ["a reason that all share"],
        0.25,
    ]


def test_the_same_inputs_give_the_same_bytes_and_so_the_same_version(tmp_path: Path):
    first, second = write(tmp_path / "first"), write(tmp_path / "second")
    assert first.name == second.name == write(tmp_path / "first").name
    assert {path.name: path.read_bytes() for path in first.iterdir()} == {
        path.name: path.read_bytes() for path in second.iterdir()
    }
    assert write(tmp_path / "first", capacity=61).name != first.name


def test_the_workbook_counts_the_held_out_whom_the_tool_does_not_know_too(tmp_path: Path):
    content, entry, export, found = made(email=True)
    content = replace(content, held_out=[None, *content.held_out[1:]])
    folder = write_list(Place(tmp_path), content, batch=BATCH, entry=entry, settings=export)
    held_out = int(found.held_out.sum())
    assert len(rows_of_csv(folder / "holdout.csv")) == held_out - 1
    about = openpyxl.load_workbook(folder / "at_risk.xlsx")["about"]
    assert ("held out", held_out) in list(about.iter_rows(values_only=True))


def test_users_to_be_contacted_who_are_not_in_the_upload_are_counted_in_manifest_and_workbook(tmp_path: Path):
    content, entry, _, _ = made(email=True)
    emails = content.rows["email"].to_pylist()
    emails = [None, "", None, emails[4], *emails[4:-1], "held@example.org"]
    place = content.rows.column_names.index("email")
    rows = content.rows.set_column(place, "email", pa.array(emails, pa.string()))
    content, export = replace(content, rows=rows, held_out=["held@example.org"]), ExportSettings(preset="hubspot")
    counts = {"without an id": 3, "with the id of another row": 1, "with the id of a held-out user": 1}
    assert content.not_uploaded(export) == counts
    folder = write_list(Place(tmp_path), content, batch=BATCH, entry=entry, settings=export)
    assert len(rows_of_csv(folder / "upload.csv")) == 60 - sum(counts.values())
    assert json.loads((folder / "manifest.json").read_text())["not_uploaded"] == counts
    about = openpyxl.load_workbook(folder / "at_risk.xlsx")["about"]
    assert ("not uploaded, without an id", 3) in list(about.iter_rows(values_only=True))


def test_a_manifest_counts_no_missing_users_where_all_are_in_the_upload(tmp_path: Path):
    assert "not_uploaded" not in json.loads((write(tmp_path) / "manifest.json").read_text())


@pytest.mark.parametrize("email", [False, True])
def test_no_held_out_user_is_in_any_file_but_the_holdout(tmp_path: Path, email: bool):
    _, _, _, found = made(email)
    _, _, scores = real_users()
    users = [str(user) for user in scores.take(pa.array(found.rows[found.held_out], pa.int64()))["user_id"].to_pylist()]
    assert len(users) > 15
    files = content_of(write(tmp_path, email=email))
    for packed in (
        "at_risk.xlsx",
        "at_risk.parquet",
    ):  # what is in them is there as well; packed bytes hold any "u7" by chance
        del files[packed]
    for user in users:
        # u1 is in u17 and in "u1@example.org", so whole words are searched, and the address as well
        pattern = re.compile(rf"(?<![A-Za-z0-9]){user}(?![A-Za-z0-9])".encode())
        assert [name for name, text in files.items() if pattern.search(text)] == ["holdout.csv"]
    treated = scores.take(pa.array(found.treated, pa.int64()))["user_id"].to_pylist()
    for name in ("at_risk.csv", "upload.csv", "rows of at_risk.parquet", "at_risk.xlsx/xl/worksheets/sheet1.xml"):
        assert all(re.search(rf"\b{user}\b".encode(), files[name]) for user in treated), (
            name
        )  # so the search finds what is there


def test_the_holdout_file_holds_ids_alone_in_an_order_that_tells_no_risk(tmp_path: Path):
    for email, name in ((False, "user_id"), (True, "user_id")):
        content, _, _, _ = made(email)
        rows = rows_of_csv(write(tmp_path / str(email), email=email) / "holdout.csv")
        assert [*rows[0]] == [name]
        assert [row[name] for row in rows] == sorted(filter(None, content.held_out), key=str.encode)
        assert all(("@example.org" in row[name]) == email for row in rows)


def test_the_table_for_people_is_the_one_for_machines(tmp_path: Path):
    folder = write(tmp_path)
    table = pq.ParquetFile(folder / "at_risk.parquet").read()
    assert table.drop_columns("export_id").equals(made()[0].rows)
    assert set(table["export_id"].to_pylist()) == {made()[1].export_id}
    shown = rows_of_csv(folder / "at_risk.csv")
    assert [row["user_id"] for row in shown] == table["user_id"].to_pylist()
    assert [row["reason_1"] for row in shown] == [one or "" for one in table["reason_1"].to_pylist()]
    assert [int(row["rank"]) for row in shown] == [*range(1, 61)]
    assert "español 王" in {row["language"] for row in shown}


def with_formulas() -> ListContent:
    """The list, with a formula as the language of everybody."""
    content = made()[0]
    place = content.rows.column_names.index("language")
    evil = pa.array(["=cmd|' /C calc'!A0"] * content.rows.num_rows, pa.string())
    return replace(content, rows=content.rows.set_column(place, "language", evil))


def test_a_formula_is_text_in_every_file_that_a_spreadsheet_opens(tmp_path: Path):
    _, entry, export, _ = made()
    folder = write_list(Place(tmp_path), with_formulas(), batch=BATCH, entry=entry, settings=export)
    assert {row["language"] for row in rows_of_csv(folder / "at_risk.csv")} == {"'=cmd|' /C calc'!A0"}
    assert {*pq.ParquetFile(folder / "at_risk.parquet").read()["language"].to_pylist()} == {"=cmd|' /C calc'!A0"}
    with zipfile.ZipFile(folder / "at_risk.xlsx") as book:
        sheet = ElementTree.fromstring(book.read("xl/worksheets/sheet1.xml"))  # noqa: S314  # of our own making
        names = {one.tag.partition("}")[2] for one in sheet.iter()}
        assert "f" not in names  # no cell has a formula
        assert "c" in names
        assert any(b"=cmd|" in book.read(name) for name in book.namelist())  # it is there, as text


def test_the_workbook_says_what_the_list_is(tmp_path: Path):
    folder = write(tmp_path)
    _, entry, _, found = made()
    with zipfile.ZipFile(folder / "at_risk.xlsx") as book:
        sheet = book.read("xl/worksheets/sheet3.xml") + b"".join(
            book.read(name) for name in book.namelist() if "sharedStrings" in name
        )
    for text in ("2026-W47", entry.export_id, "a reason that all share", "to be contacted", "held out"):
        assert text.encode() in sheet, text
    assert b"<v>60</v>" in sheet
    assert f"<v>{int(found.held_out.sum())}</v>".encode() in sheet


def test_an_empty_week_is_a_list_of_headers(tmp_path: Path):
    content, entry, export, _ = made()
    empty = ListContent(content.rows.slice(0, 0), [], ())
    folder = write_list(Place(tmp_path), empty, batch=BATCH, entry=entry, settings=export)
    check = verify(folder)
    assert check.is_whole
    assert {file.rows for file in check.files} == {0}
    assert (folder / "at_risk.csv").read_text(encoding="utf-8-sig").startswith('"rank","user_id"')


# --- For the team's tool ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "header"),
    [
        ({}, ["user_id", "risk_band", "reason_1", "action", "list"]),
        ({"id_column": "email"}, ["user_id", "risk_band", "reason_1", "action", "list"]),
        ({"preset": "braze"}, ["external_id", "churn_risk_band", "churn_reason", "churn_action", "churn_list"]),
        ({"preset": "hubspot"}, ["Email", "Churn risk band", "Churn reason", "Churn action", "Churn list"]),
        ({"columns": {"language": "lang", "list": ""}}, ["user_id", "risk_band", "reason_1", "action", "lang"]),
    ],
)
def test_the_upload_has_the_names_of_the_tool(settings: dict[str, Any], header: list[str]):
    content, *_ = made(email=True)
    found = content.uploads(ExportSettings(**settings))
    assert found.upload.column_names == header
    uses_email = settings.get("id_column") == "email" or settings.get("preset") == "hubspot"
    ids = content.rows.column("email" if uses_email else "user_id").to_pylist()
    assert found.upload.column(0).to_pylist() == ids


def test_a_delta_names_who_changed_and_who_left_since_last_week(tmp_path: Path):
    content, _, export, _ = made()
    last = read_upload(write(tmp_path) / "upload.csv")
    assert replace(content, last_upload=last).uploads(export).delta.num_rows == 0
    shorter = replace(content, rows=content.rows.slice(1), last_upload=last)
    (row,) = shorter.uploads(export).delta.to_pylist()
    gone = content.rows.column("user_id")[0].as_py()
    assert row == {"user_id": gone, "risk_band": "none", "reason_1": "none", "action": "none", "list": "none"}


def test_a_write_that_fails_leaves_last_weeks_list_current_and_nothing_else(tmp_path: Path):
    content, entry, export, _ = made()
    folder = write(tmp_path)
    broken = content.rows.append_column("nested", pa.array([[1]] * 60))
    with pytest.raises(pa.ArrowNotImplementedError, match="Unsupported cast from list"):
        write_list(Place(tmp_path), replace(content, rows=broken), batch=BATCH, entry=entry, settings=export)
    assert current_of(tmp_path) == folder
    assert {path.name for path in tmp_path.iterdir()} == {folder.name, "current", ".lock"}
