"""Numbers of JSON as they are written: DuckDB reads 1.10 as a double and writes 1.1, so they become texts before it parses them."""

from __future__ import annotations

from features.sql import literal

_TEXTS_AND_REST = r'((?:"(?:[^"\\]|\\.)*"|[^"0-9-])*)'
_NUMBER = r"(-?[0-9]+(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?)"
_END = " 0"  # a last number, so that no match begins within a text behind the real last one
_MARK = "\ue000"  # of private use: what was a number, where a text is to be told from one


def quoted(json: str, *, mark: str = "") -> str:
    """Return the SQL of a JSON text in which each number is a text, with a mark in front.

    Examples
    --------
    >>> import duckdb
    >>> duckdb.sql("select " + quoted("'[1.10, -3, true]'")).fetchall()
    [('["1.10", "-3", true]',)]
    """
    pattern = literal(_TEXTS_AND_REST + _NUMBER)
    replacement = literal(rf'\1"{mark}\2"')
    replaced = f"regexp_replace({json} || '{_END}', {pattern}, {replacement}, 'g')"
    return f"left({replaced}, {-len(_END) - 2 - len(mark)})"


def as_written(json: str, pointer: str) -> str:
    """Return the SQL of the text at a place of a JSON text, in which numbers are as they are written there."""
    found = f"json_extract_string({quoted(json, mark=_MARK)}, {pointer})"
    return rf"""regexp_replace({found}, '"?{_MARK}([-+.0-9eE]+)"?', '\1', 'g')"""
