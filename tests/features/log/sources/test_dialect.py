"""A dialect says how a CSV file is written; its reader hands out texts, and room for rows that are too long where there are any."""

from pathlib import Path

import duckdb
import msgspec
import pytest

from features.log.sources.broken_rows import FAULT, TEXT, TOO_FEW, TOO_MANY
from features.log.sources.dialect import Dialect, apart, same_but_for_case


def test_names_that_differ_in_case_only_are_told_apart():
    assert apart(["id", "Name", "ID", "iD"]) == ["id", "Name", "ID (2)", "iD (3)"]
    assert same_but_for_case(["id", "Name", "ID"]) == {"id": ["id", "ID"]}


@pytest.mark.parametrize(
    ("widest", "rows"),
    [(0, [("007", "1.10"), ("x", None)]), (4, [("007", "1.10", None, "007;1.10"), ("x", None, None, "x;")])],
)
def test_it_reads_texts_as_they_are_and_empty_ones_as_absent(tmp_path: Path, widest: int, rows: list[tuple[str, ...]]):
    (tmp_path / "x.csv").write_text("a;b\n007;1.10\nx;\n")
    reader = Dialect(("a", "b"), ";", '"', '"', widest=widest).reader(f"['{tmp_path / 'x.csv'}']", "file")
    assert duckdb.connect().execute(f"select * exclude (file) from {reader}").fetchall() == rows


def test_room_for_the_widest_row_tells_which_have_too_many_fields(tmp_path: Path):
    (tmp_path / "x.csv").write_text('a;b\n1\n1;2\n1;2;\n1;2;3\n1;2;;""\n')
    reader = Dialect(("a", "b"), ";", '"', '"', widest=4).reader(f"['{tmp_path / 'x.csv'}']", "file")
    found = duckdb.connect().execute(f"select {FAULT}, {TEXT} from {reader}").fetchall()
    assert found == [(TOO_FEW, "1"), (None, "1;2"), (None, "1;2;"), (TOO_MANY, "1;2;3"), (TOO_MANY, "1;2;;")]


def test_one_that_an_earlier_version_kept_is_read():
    kept = '{"columns":["a"],"delimiter":",","quote":"","escape":""}'
    assert msgspec.json.decode(kept, type=Dialect) == Dialect(("a",), ",", "", "")
