"""The parts of an SQL expression of churn.toml, as DuckDB parses it: its text alone does not tell a maximum from a difference of two."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from features.errors import SettingsError

if TYPE_CHECKING:
    import duckdb

Node = dict[str, Any]

# a column of only nulls has no type of its own
NUMBER = re.compile(r'BOOLEAN|U?(TINY|SMALL|BIG|HUGE)INT|U?INTEGER|DOUBLE|FLOAT|DECIMAL.*|"?NULL"?')
_READING_MORE = {
    "WINDOW": "a window function",
    "SUBQUERY": "a subquery",
    "STAR": "a star",
    "POSITIONAL_REFERENCE": "a column by its place",
}
_CLOCK_COLUMNS = {"current_date", "current_time", "current_timestamp", "localtime", "localtimestamp"}
_SESSION_FUNCTIONS = {  # DuckDB calls some of them consistent
    *("ago", "age", "current_localtime", "current_localtimestamp"),
    *("current_database", "current_schema", "current_schemas"),
}
_ADDED = dict.fromkeys(("sum", "count", "count_star", "count_if", "countif"), "sum")
_MERGES = _ADDED | {name: name for name in ("max", "min", "bit_or", "bit_and")}


def check_single_user(what: str, sql: str) -> None:
    """Refuse an expression that may read the rows of other users, the clock or random numbers.

    Parameters
    ----------
    what
        Its place in the settings, for the message.

    Raises
    ------
    SettingsError
        When it is not a single expression, or reads more than its user's events.
    """
    try:
        found = [why for node in nodes(parsed(sql)) if (why := _reads_more(node))]
    except SettingsError as error:
        raise SettingsError(f"{what}: {error.message}", hint=error.hint) from error
    if found:
        raise SettingsError(
            f"{what} uses {found[0]}, expected only what one user did before the cutoff",
            hint="a profile never depends on other users, the clock or randomness: "
            "no window functions, no subqueries, no now() or random()",
        )


def merge_of(sql: str) -> str | None:
    """Return the aggregate that merges the parts of a day, when an expression is a single aggregate; None: no aggregate can.

    A cast around a sum would round each part, and a default around a maximum would count for a part that had none, so only
    0 around a sum is seen through.

    Examples
    --------
    >>> merge_of("coalesce(-sum(n) filter (hour > 5), 0)"), merge_of("max(us)"), merge_of("max(us) - min(us)")
    ('sum', 'max', None)
    """
    tree = parsed(sql)
    if tree["class"] == "CONSTANT":
        return "max"
    bare = _bare(tree)
    is_aggregate = bare["class"] == "FUNCTION" and not bare["distinct"]
    merge = _MERGES.get(bare["function_name"]) if is_aggregate else None
    return merge if tree is bare or merge == "sum" else None


def _bare(node: Node) -> Node:
    """Take ``coalesce(..., 0)`` and a minus sign away, which commute with adding up."""
    if node["type"] == "OPERATOR_COALESCE" and node["children"][1:] == [parsed("0")]:
        return _bare(node["children"][0])
    if node.get("function_name") == "-" and len(node["arguments"]) == 1:
        return _bare(node["arguments"][0]["expression"])
    return node


@cache
def parsed(sql: str) -> Node:
    """Return the tree of one expression, without the places of its parts in the text.

    Raises
    ------
    SettingsError
        When it is not one expression.
    """
    found = json.loads(_column("select json_serialize_sql(?)", f"select ({sql})")[0], object_hook=_without_places)
    if found["error"]:
        raise SettingsError(
            f"it cannot be parsed: {found['error_message']}",
            hint="write one SQL expression, without an alias or a comment",
        )
    return found["statements"][0]["node"]["select_list"][0]


def _without_places(node: Node) -> Node:
    return {key: value for key, value in node.items() if not key.startswith("query_location")}


def nodes(tree: Any) -> Iterator[Node]:
    """Yield every part of a tree."""
    if isinstance(tree, dict):
        yield tree
    for part in parts_of(tree):
        yield from nodes(part)


def parts_of(tree: Any) -> list[Any]:
    """Return what a part of a tree is directly made of."""
    return list(tree.values() if isinstance(tree, dict) else tree if isinstance(tree, list) else ())


def column_paths(tree: Any) -> list[tuple[str, ...]]:
    """Return the columns that an expression names, with the fields below them; parameters of its lambdas are none.

    Examples
    --------
    >>> column_paths(parsed("list_filter(items, i -> i.price > 5)[1].price + who.id"))
    [('items',), ('who', 'id')]
    """
    return [tuple(node["column_names"]) for node in _column_nodes(tree, frozenset())]


def _column_nodes(tree: Any, parameters: frozenset[str]) -> Iterator[Node]:
    is_lambda = isinstance(tree, dict) and tree.get("class") == "LAMBDA"
    if is_lambda and tree["expr"].get("class") != "CONSTANT":  # else it takes a value out of JSON, as in props -> 'a'
        own = {path[0] for path in column_paths(tree["lhs"])}
        yield from _column_nodes(tree["expr"], parameters | own)
    elif isinstance(tree, dict) and tree.get("class") == "COLUMN_REF":
        if tree["column_names"][0] not in parameters:
            yield tree
    else:
        for part in parts_of(tree):
            yield from _column_nodes(part, parameters)


def rewritten(sql: str, columns: Mapping[tuple[str, ...], str]) -> str:
    """Return an expression in which other SQL stands for some columns, or for fields of them.

    Parameters
    ----------
    columns
        Path of a column, as it is spelled or in lower case, to the SQL in its place; a longer path names a field of it.

    Examples
    --------
    >>> rewritten("a + b.c", {("a",): "cast(a as double)"})
    '(CAST(a AS double) + b.c)'
    """
    tree = json.loads(json.dumps(parsed(sql)))
    for node in list(_column_nodes(tree, frozenset())):
        path = tuple(node["column_names"])
        spelled = [(path[:size], tuple(part.casefold() for part in path[:size])) for size in range(len(path), 0, -1)]
        known = next((one for both in spelled for one in both if one in columns), None)
        if known is not None:
            new = json.loads(json.dumps(parsed(columns[known])))
            for field in node["column_names"][len(known) :]:
                new = _field_of(new, field)
            node.clear()
            node.update(new)
    return written(tree)


def _field_of(node: Node, name: str) -> Node:
    """Return the tree of a field; DuckDB writes the short form of one with a quote in its name wrongly."""
    text = name.replace("'", "''")
    found = json.loads(json.dumps(parsed(f"struct_extract(x, '{text}')")))
    found["arguments"][0]["expression"] = node
    return found


def written(tree: Node) -> str:
    """Write a tree as SQL again."""
    statement = json.loads(_column("select json_serialize_sql('select 1')")[0])
    statement["statements"][0]["node"]["select_list"] = [tree]
    return _column("select json_deserialize_sql(?)", json.dumps(statement))[0].removeprefix("SELECT ")


def _reads_more(node: Node) -> str | None:
    """Return what makes a part of an expression read more than its user's events; None: nothing."""
    kind = node.get("class", "")
    if kind == "FUNCTION" and node["function_name"] in _changing():
        return f"{node['function_name']}()"
    if kind == "COLUMN_REF" and node["column_names"][-1].lower() in _CLOCK_COLUMNS:
        return node["column_names"][-1]
    return _READING_MORE.get(kind)


@cache
def _changing() -> frozenset[str]:
    """Return the functions that may answer otherwise when they are asked again.

    A function counts where no form of it is consistent, or one is volatile: those forms that only depend on the session's zone,
    such as ``year`` of an instant, read one that is fixed.
    """
    found = _column(
        """select function_name from duckdb_functions() group by 1
        having bool_and(stability <> 'CONSISTENT') or bool_or(stability = 'VOLATILE')"""
    )
    return frozenset(found) | _SESSION_FUNCTIONS


@cache
def _parser() -> duckdb.DuckDBPyConnection:
    """Open one connection for all expressions; DuckDB is loaded only now, as ``churn --help`` answers at once."""
    import duckdb  # noqa: PLC0415 -- see above

    return duckdb.connect(":memory:")


def _column(sql: str, *values: str) -> list[str]:
    """Return the only column of a DuckDB query."""
    with _parser().cursor() as connection:
        return [value for (value,) in connection.execute(sql, values).fetchall()]
