"""What the place of a column in an expression demands of it."""

import pytest

from features.expressions import parsed
from features.log.sources.demands import demanded_of, differences_in, ordered, takes_lists, takes_text, with_texts


@pytest.mark.parametrize(
    ("expression", "demand"),
    [
        ("a", ""),
        ("a || 'x'", ""),
        ("a = 'x'", ""),
        ("a = 1", "whole"),
        ("1 = A", "whole"),
        ("a in (1, 2)", "whole"),
        ("nullif(a, -1)", "whole"),
        ("a = 1.5", "number"),
        ("a is distinct from 2.0", "number"),
        ("a = true", "boolean"),
        ("not a", "boolean"),
        ("a and b = 'x'", "boolean"),
        ("case when a then 1 end", "boolean"),
        ("a = date '2026-01-05'", "time"),
        ("a at time zone 'UTC'", "local"),
        ("timezone('UTC', a)", "local"),
        ("timezone(a, cast(b as timestamp))", ""),  # the zone, in a column of its own
        ("a ->> 'v'", "json"),
        ("upper(a ->> '$.v')", "json"),
        ("a -> 'x' ->> 'v'", "json"),
        ("json_extract_string(a, '$.v')", "json"),
        ("(a ->> 'v') || a", ""),
        ("b = 1", ""),
    ],
)
def test_what_is_compared_with_a_column_tells_what_it_is(expression: str, demand: str):
    assert demanded_of(parsed(expression), "a") == demand


def test_a_code_is_compared_with_the_text_of_a_number():
    assert with_texts(parsed("a = 1 or b = 2"), ["a"]) == "((a = '1') OR (b = 2))"


def test_what_is_put_in_an_order():
    def names(expression: str) -> list[str]:
        return [side["column_names"][-1] for side in ordered(parsed(expression))]

    assert names("a < b") == names("greatest(a, b)") == ["a", "b"]
    assert names("a between b and c") == ["a", "b", "c"]
    assert names("a = b") == names("a + b") == []


def test_columns_that_are_subtracted_from_each_other():
    assert differences_in(parsed("(Ended - began) / 1000")) == ["ended", "began"]
    assert differences_in(parsed("a - 1")) == differences_in(parsed("-a")) == differences_in(parsed("a + b")) == []


@pytest.mark.parametrize(
    ("expression", "is_open"),
    [
        ("len(a)", True),
        ("a[1]", True),
        ("a[1:2].x", True),
        ("contains(a, 'x')", True),
        ("a.b", False),
        ("a * 2", False),
    ],
)
def test_expressions_that_texts_and_lists_both_answer(expression: str, is_open: bool):
    assert takes_lists(parsed(expression)) == is_open


@pytest.mark.parametrize(
    ("expression", "is_text"),
    [
        ("'shop-' || a", True),
        ("concat(b, '/', A)", True),
        ("upper(cast(a as varchar))", True),
        ("case when b > 5 then a::text else 'x' || a end", True),
        ("a", False),
        ("'x' || (a + 1)", False),
        ("case when a > 5 then 'x' || a end", False),
        ("cast(a as bigint) || ''", False),
        ("'x' || b", False),
    ],
)
def test_a_number_of_which_only_a_text_is_made_is_known(expression: str, is_text: bool):
    assert takes_text(parsed(expression), "a") == is_text
