"""Numbers of JSON keep the digits that they are written with."""

import json

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.log.sources.json_numbers import as_written, quoted
from features.sql import literal

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8", exclude_characters="\0\ue000")),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


def answer(sql: str) -> str:
    ((found,),) = duckdb.execute(f"select {sql}").fetchall()
    return found


@pytest.mark.parametrize(
    ("written", "texts"),
    [
        ('{"a": 1.10}', '{"a": "1.10"}'),
        ("[1, -2.5e+3, 0]", '["1", "-2.5e+3", "0"]'),
        ('{"a 1.0": "2.0, 3", "b": [{"c": 12345678901234567890.10}]}', None),
        (r'{"a": "say \"1.0\"", "b\\": 1.0}', r'{"a": "say \"1.0\"", "b\\": "1.0"}'),
        ('{"a": "x 5"}', '{"a": "x 5"}'),
        ("{}", "{}"),
    ],
)
def test_numbers_become_texts_and_texts_stay(written: str, texts: str | None):
    expected = texts or '{"a 1.0": "2.0, 3", "b": [{"c": "12345678901234567890.10"}]}'
    assert answer(quoted(literal(written))) == expected


@given(JSON)
def test_whatever_is_written_only_numbers_change(value: object):
    def as_texts(found: object) -> object:
        if isinstance(found, dict):
            return {key: as_texts(one) for key, one in found.items()}
        if isinstance(found, list):
            return [as_texts(one) for one in found]
        is_number = isinstance(found, int | float) and not isinstance(found, bool)
        return json.dumps(found) if is_number else found

    assert json.loads(answer(quoted(literal(json.dumps(value))))) == as_texts(value)


@pytest.mark.parametrize(
    ("pointer", "text"),
    [
        ("$.v", "1.10"),
        ("$.in.v", "1.100"),
        ("$.list", '[1.0,{"v":2.50},"3.0"]'),
        ("$.text", "1.10"),
        ("$.in", '{"v":1.100,"none":null}'),
    ],
)
def test_a_place_is_the_text_that_is_written(pointer: str, text: str):
    written = '{"v": 1.10, "in": {"v": 1.100, "none": null}, "list": [1.0, {"v": 2.50}, "3.0"], "text": "1.10"}'
    assert answer(as_written(literal(written), literal(pointer))) == text
