"""Files of one schema as a relation, and what each mapped expression reads from a row."""

from pathlib import Path

import duckdb

from features.log.files import LOG
from features.log.sources.binding import Bound
from features.log.sources.source import (
    LOG_FILE,
    LOG_ROW,
    WHY,
    Source,
    file_list,
    folder_keys,
    folder_value,
    hive_options,
    suggestion,
)
from features.sql import literal
from tests.features.log_files import put

ROWS = f"(values ('f', '1', 'x'), ('f', 'one', 'y')) t({LOG_FILE}, a, b)"
NUMBER = Bound("try({'v': cast(a as int)})", "INTEGER", is_guarded=True, inputs=("a", "b"))


def rows(source: Source, *columns: str) -> list[tuple[object, ...]]:
    return duckdb.execute(f"select {', '.join(columns)} from {source.rows} order by all").fetchall()


def test_an_expression_that_fails_on_a_row_shows_what_it_read():
    found = rows(Source(ROWS, {"count": NUMBER}), "raw_count", "failed_count", "shown_count")
    assert found == [(1, False, "1"), (None, True, "one | y")]


def test_a_plain_column_is_handed_on_as_it_is():
    assert rows(Source(ROWS, {"user_id": Bound("a", "VARCHAR")}), "raw_user_id", "shown_user_id") == [
        ("1", "1"),
        ("one", "one"),
    ]


def test_rows_that_a_condition_excludes_are_gone():
    source = Source(ROWS, {"user_id": Bound("a", "VARCHAR")}, where=Bound("(b = 'x')", "BOOLEAN"))
    assert rows(source, "raw_user_id") == [("1",)]
    assert not source.has_guarded_where


def test_rows_on_which_a_condition_fails_are_kept_and_marked():
    where = Bound("try({'v': cast(a as int) > 1})", "BOOLEAN", is_guarded=True)
    source = Source(ROWS, {"user_id": Bound("a", "VARCHAR")}, where=where)
    assert rows(source, "raw_user_id", "failed_where") == [("one", True)]
    assert source.has_guarded_where


def test_the_fault_of_a_row_is_its_reason():
    source = Source(ROWS, {"user_id": Bound("a", "VARCHAR")}, fault="case when b = 'y' then 'a reason' end")
    assert rows(source, "raw_user_id", WHY) == [("1", None), ("one", "a reason")]


def test_one_file_alone_has_its_rows_numbered(tmp_path: Path):
    names = [str(put(tmp_path / f"{name}.csv", f"a\n{name}1\n{name}2\n")) for name in ("x", "y")]
    sql = f"read_csv({file_list(names)}, filename = '{LOG_FILE}')"
    one = Source(sql, {"user_id": Bound("a", "VARCHAR")}, files=tuple(names)).of_file(names[1])
    assert rows(one, LOG_ROW, "raw_user_id") == [(1, "y1"), (2, "y2")]


def test_how_rows_are_read_is_the_same_for_other_files_and_not_for_another_mapping():
    def signature(name: str, sql: str) -> list[object]:
        return Source(f"read_csv({file_list([name])})", {"user_id": Bound(sql, "VARCHAR")}, files=(name,)).signature()

    assert signature("a.csv", "a") == signature("b.csv", "a")
    assert signature("a.csv", "a") != signature("a.csv", "b")


def test_names_of_files_are_no_globs(tmp_path: Path):
    own = put(tmp_path / "it's [1]*.csv", "a\nb\n")
    put(tmp_path / "it's 1x.csv", "a\nother\n")
    found = duckdb.execute(f"select a from read_csv({file_list([str(own)])})").fetchall()
    assert found == [("b",)]


def test_keys_of_folders_are_those_with_a_value():
    assert folder_keys("log/day=2026-01-05/source=/x=y.parquet") == ("day",)
    assert hive_options(("day",)) == "hive_partitioning = true, hive_types_autocast = false"
    assert hive_options(()) == "hive_partitioning = false"


def test_a_key_of_folders_is_read_by_its_whole_name_wherever_the_path_starts():
    paths = ("a.b=1/axb=2/b=x%2Fy/z", "/log/a.b=it's/z")
    values = [f"select {', '.join(folder_value(key, literal(path)) for key in ('a.b', 'b'))}" for path in paths]
    assert duckdb.execute(" union all ".join(values)).fetchall() == [("1", "x/y"), ("it's", "")]


def test_a_column_that_was_probably_meant_is_suggested():
    assert suggestion("user", ["user_id", "at"], subject=LOG) == 'did you mean "user_id"? (columns of the log)'
