"""SQL expressions of churn.toml, as DuckDB parses them."""

import duckdb
import pytest

from features.errors import SettingsError
from features.expressions import check_single_user, column_paths, merge_of, parsed, rewritten


@pytest.mark.parametrize(
    ("sql", "columns", "written"),
    [
        ("a + b", {("a",): "x"}, "(x + b)"),
        ("A + b", {("a",): "x"}, "(x + b)"),  # as SQL, whatever the case
        ("a + a", {("a",): "c * d"}, "((c * d) + (c * d))"),
        ("a + b", {("a",): "b", ("b",): "a"}, "(b + a)"),  # at once, not one after the other
        ("a || 'a'", {("a",): "x"}, "(x || 'a')"),
        ("a(a)", {("a",): "x"}, "a(x)"),
        ('"my a" || a', {("my a",): "x"}, "(x || a)"),
        ("case when a > 1 then a end", {("a",): "x"}, "CASE  WHEN ((x > 1)) THEN (x) ELSE NULL END"),
    ],
)
def test_columns_are_replaced_and_nothing_else(sql: str, columns: dict[tuple[str, ...], str], written: str):
    assert rewritten(sql, columns) == written


def value(sql: str, columns: dict[tuple[str, ...], str]) -> object:
    return duckdb.execute(f"select {rewritten(sql, columns)}").fetchall()[0][0]


def test_fields_of_a_column_that_is_replaced_are_kept():
    assert value("who.id + who.of.n", {("who",): "{'id': 1, 'of': {'n': 2}}"}) == 3


def test_the_longest_path_counts():
    columns = {("who",): "{'id': 1, 'n': 5}", ("who", "id"): "10"}
    assert value("who.id + who.n", columns) == 15


def test_a_field_may_have_any_name():
    columns = {("who",): """{'it''s': 'x', 'a "b': 'y'}"""}
    assert value('who."it\'s" || who."a ""b"', columns) == "xy"


def test_parameters_of_lambdas_are_no_columns():
    sql = "list_transform(items, lambda a: a + b)"
    assert value(sql, {("a",): "100", ("b",): "1", ("items",): "[1, 2]"}) == [2, 3]
    assert column_paths(parsed(sql)) == [("items",), ("b",)]


def test_an_arrow_that_takes_a_value_out_of_json_is_no_lambda():
    assert column_paths(parsed("props -> 'in' ->> 'v'")) == [("props",)]
    assert value("props -> 'in' ->> 'v'", {("props",): """'{"in": {"v": "x"}}'::json"""}) == "x"


def test_an_expression_is_the_same_after_it_was_rewritten():
    sql = "count(*) filter (a > 1 and b in ('x', 'y'))"
    assert rewritten(sql, {}) == rewritten(rewritten(sql, {}), {})
    assert parsed(sql) == parsed(sql)


@pytest.mark.parametrize("sql", ["a b c", "1; select 2", "a -- b"])
def test_what_is_not_one_expression_is_refused(sql: str):
    with pytest.raises(SettingsError):
        check_single_user("daily", sql)


@pytest.mark.parametrize("sql", ["now()", "random()", "sum(n) over ()", "(select 1)", "current_date", "#1"])
def test_what_reads_more_than_one_user_is_refused(sql: str):
    with pytest.raises(SettingsError, match="expected only what one user did"):
        check_single_user("daily", sql)


@pytest.mark.parametrize(
    ("sql", "merge"),
    [
        ("sum(n)", "sum"),
        ("coalesce(sum(n), 0)", "sum"),
        ("coalesce(max(n), 0)", None),
        ("1", "max"),
        ("sum(distinct n)", None),
    ],
)
def test_how_parts_of_a_day_are_merged(sql: str, merge: str | None):
    assert merge_of(sql) == merge
