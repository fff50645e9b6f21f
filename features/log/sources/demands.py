"""What the place of a column in an expression demands of it, where DuckDB would convert a text without a word."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from features.expressions import nodes, parsed, parts_of, written

_OF_LISTS = (
    "len",
    "length",
    "array_length",
    "array_extract",
    "list_extract",
    "array_slice",
    "list_slice",
    "contains",
    "reverse",
)
_OF_BYTES = (
    "hex",
    "to_hex",
    "base64",
    "to_base64",
    "md5",
    "sha1",
    "sha256",
)  # of a text, of the bytes that it is written in
_OF_TEXTS, _TEXTS = ("||", "concat", "concat_ws"), ("VARCHAR", "TEXT", "STRING")
_EQUALS = ("COMPARE_EQUAL", "COMPARE_NOTEQUAL", "COMPARE_DISTINCT_FROM", "COMPARE_NOT_DISTINCT_FROM")
_LOCAL_TIMES = ("TIMESTAMP", "DATETIME")
_TEMPORAL = ("DATE", "TIMESTAMP", "TIMESTAMP WITH TIME ZONE", "TIMESTAMPTZ")


def demanded_of(tree: Any, name: str) -> str:
    """Return what DuckDB would convert without a word: ``boolean``, ``whole``, ``number``, ``time`` or ``json``; empty: nothing.

    An equality between a text and a number or a date compares texts, and a text where a condition stands fails on a value.
    """
    if _is_column(tree, name) or _gives_json_texts(tree, name):
        return "" if _is_column(tree, name) else "json"
    for node in nodes(tree):
        if any(_is_column(one, name) for one in _conditions(node)):
            return "boolean"
        if node.get("function_name") == "timezone" and any(
            _is_column(one["expression"], name) for one in node["arguments"][-1:]
        ):
            return "local"
        if demands := [kind for kind in map(partial(_compared_with, name=name), _sides(node)) if kind]:
            return demands[0]
    return ""


def _gives_json_texts(tree: Any, name: str) -> bool:
    """Tell whether a column is there only for texts that are taken out of its JSON."""
    if isinstance(tree, dict) and tree.get("function_name") in ("->>", "json_extract_string"):
        return any(_is_column(node, name) for node in nodes(tree))
    of_column = [part for part in parts_of(tree) if any(_is_column(node, name) for node in nodes(part))]
    return bool(of_column) and not _is_column(tree, name) and all(_gives_json_texts(part, name) for part in of_column)


def takes_lists(tree: Any) -> bool:
    """Tell whether an expression has a meaning over texts too, but over lists another one: a text is no list of letters."""
    return any(
        node.get("type") in ("ARRAY_EXTRACT", "ARRAY_SLICE") or node.get("function_name") in _OF_LISTS
        for node in nodes(tree)
    )


def takes_text(tree: Any, name: str) -> bool:
    """Tell whether all that an expression makes of a column is its text: that of 7.0 is 7, as in files where the column is of integers."""
    if _is_column(tree, name):
        return False
    made = _made_texts(tree)
    of_column = [part for part in made or parts_of(tree) if any(_is_column(node, name) for node in nodes(part))]
    return bool(of_column) and all((made and _is_column(part, name)) or takes_text(part, name) for part in of_column)


def _made_texts(node: Any) -> list[Any]:
    """Return the parts of a node that DuckDB makes texts of."""
    if not isinstance(node, dict):
        return []
    if node.get("function_name") in _OF_TEXTS:
        return [one["expression"] for one in node["arguments"]]
    is_cast = node.get("class") == "CAST" and node["type_expr"].get("type_name", "").upper() in _TEXTS
    return [node["child"]] if is_cast else []


def takes_bytes(tree: Any, name: str) -> bool:
    """Tell whether an expression says of the bytes of a column what it would say of the text that they write, if they write one."""
    return any(
        node.get("function_name") in _OF_BYTES and any(_is_column(one["expression"], name) for one in node["arguments"])
        for node in nodes(tree)
    )


def with_texts(tree: Any, names: Sequence[str]) -> str:
    """Write a tree in which texts are compared with texts: DuckDB would cast a column to the type of a whole number."""
    changed = json.loads(json.dumps(tree))
    for node in nodes(changed):
        for sides in _sides(node):
            if any(_is_column(side, name) for side in sides for name in names):
                for side in filter(_is_whole_number, sides):
                    side["literal"] = {"kind": "STRING", "text": side["literal"]["text"]}
    return written(changed)


def with_offsets(tree: Any, texts: Mapping[str, tuple[str, str]]) -> str | None:
    """Write a tree in which casts of texts to a time without zone mind the offset of a text, which DuckDB drops; None: it has none.

    Parameters
    ----------
    texts
        Column in lower case to what is cast in its place: in general, and where SQL says of which zone the time is.
    """
    changed = json.loads(json.dumps(tree))
    casts = list(_local_casts(changed, is_zoned=False))
    found = [(cast, texts[name][is_zoned]) for cast, name, is_zoned in casts if name in texts]
    for cast, sql in found:
        cast["child"] = parsed(sql)
    return written(changed) if found else None


def _local_casts(tree: Any, *, is_zoned: bool) -> Iterator[tuple[dict[str, Any], str, bool]]:
    """Yield the casts of columns to a time without zone, with the column in lower case, and whether SQL says of which zone it is."""
    if isinstance(tree, dict):
        is_zoned = is_zoned or tree.get("function_name") == "timezone"
        is_cast = tree.get("class") == "CAST" and tree["type_expr"].get("type_name", "").upper() in _LOCAL_TIMES
        if is_cast and tree["child"].get("class") == "COLUMN_REF" and len(tree["child"]["column_names"]) == 1:
            yield tree, tree["child"]["column_names"][0].casefold(), is_zoned
            return
    for part in parts_of(tree):
        yield from _local_casts(part, is_zoned=is_zoned)


def _is_whole_number(node: Any) -> bool:
    return node.get("class") == "CONSTANT" and "INT" in node["literal"]["kind"]


ORDERS = {
    "COMPARE_LESSTHAN": "<",
    "COMPARE_GREATERTHAN": ">",
    "COMPARE_LESSTHANOREQUALTO": "<=",
    "COMPARE_GREATERTHANOREQUALTO": ">=",
    "COMPARE_BETWEEN": "between",
}


def ordered(node: Mapping[str, Any]) -> list[Any]:
    """Return what a node puts in an order."""
    if node.get("type") == "COMPARE_BETWEEN":
        return [node["input"], node["lower"], node["upper"]]
    if node.get("type") in ORDERS:
        return [node["left"], node["right"]]
    if node.get("function_name") in ("greatest", "least"):
        return [one["expression"] for one in node["arguments"]]
    return []


def differences_in(tree: Any) -> list[str]:
    """Return the columns, in lower case, of which one is subtracted from another."""
    pairs = [
        [one["expression"] for one in node["arguments"]] for node in nodes(tree) if node.get("function_name") == "-"
    ]
    return [
        side["column_names"][-1].casefold()
        for pair in pairs
        for side in pair
        if len(pair) > 1 and all(one.get("class") == "COLUMN_REF" for one in pair)
    ]


def _conditions(node: Mapping[str, Any]) -> list[Any]:
    """Return the parts of a node that are conditions."""
    if node.get("class") == "CONJUNCTION" or node.get("type") == "OPERATOR_NOT":
        return node["children"]
    return [check["when_expr"] for check in node["case_checks"]] if node.get("class") == "CASE" else []


def _sides(node: Mapping[str, Any]) -> list[list[Any]]:
    """Return what a node compares for being equal."""
    if node.get("type") in _EQUALS:
        return [[node["left"], node["right"]]]
    if node.get("type") in ("COMPARE_IN", "COMPARE_NOT_IN"):
        return [node["children"]]
    if node.get("function_name") == "nullif":
        return [[one["expression"] for one in node["arguments"]]]
    return []


def _compared_with(sides: list[Any], *, name: str) -> str:
    if not any(_is_column(side, name) for side in sides):
        return ""
    others = [side for side in sides if not _is_column(side, name)]
    kinds = [side["literal"]["kind"] for side in others if side.get("class") == "CONSTANT"]
    if any(kind in ("NUMERIC", "DECIMAL", "DOUBLE", "FLOAT") for kind in kinds):
        return "number"
    if any("INT" in kind for kind in kinds):
        return "whole"
    if "BOOLEAN" in kinds:
        return "boolean"
    casts = [side["type_expr"].get("type_name", "").upper() for side in others if side.get("class") == "CAST"]
    return "time" if any(kind in _TEMPORAL for kind in casts) else ""


def _is_column(node: Any, name: str) -> bool:
    return (
        isinstance(node, dict)
        and node.get("class") == "COLUMN_REF"
        and [part.casefold() for part in node["column_names"]] == [name.casefold()]
    )
