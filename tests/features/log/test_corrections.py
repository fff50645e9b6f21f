"""What is said to read a value does read it, and nothing is said where that would be a guess."""

import pytest

from features.log.corrections import correction_of
from features.storage.duckdb import connect

DATABASE = connect()
COMMA = 'a comma before decimals: [events.format] decimal = ","'
OPEN = "day or month first? "
TIMES = {
    "05/06/2026": "2026-06-05 00:00:00",
    "05/06/2026 10:30": "2026-06-05 10:30:00",
    "5/6/26 1:05 PM": "2026-06-05 13:05:00",
    "13/06/2026 10:30:05": "2026-06-13 10:30:05",
    "06/13/2026 10:30:05.25": "2026-06-13 10:30:05.25",
    "05/06/2026, 10:30:00 am": "2026-06-05 10:30:00",
    "05/06/2026 10:30:00 +0100": "2026-06-05 09:30:00",
    "05.06.26": "2026-06-05 00:00:00",
    "5.6.2026 10:30": "2026-06-05 10:30:00",
    "2026/1/5 9:03": "2026-01-05 09:03:00",
    "2026-01-05 10:30 PM": "2026-01-05 22:30:00",
    "2026-01-05T10:30:00PM": "2026-01-05 22:30:00",
    "5-Jan-2026": "2026-01-05 00:00:00",
    "05-Jan-26 10:11:12": "2026-01-05 10:11:12",
    "5 January 2026 10:11": "2026-01-05 10:11:00",
    "05/06/2026 10:30:00Z": "2026-06-05 10:30:00+00",
    "5.6.2026 10:30 Z": "2026-06-05 10:30:00+00",
    "Mon Jan  5 10:11:12 2026": "2026-01-05 10:11:12",
    "260105223000": "2026-01-05 22:30:00",
}
NUMBERS = {
    "$9,999.99": 9999.99,
    "9,50 \u20ac": 9.5,
    "1.234,50 \u20ac": 1234.5,
    "R$ 1.234.567,89": 1234567.89,
    "-5.00 EUR": -5.0,
    "EUR5": 5.0,
    "12.5%": 12.5,
    "1 000.50": 1000.5,
    "1\u00a0000,50": 1000.5,
    "1'000.50": 1000.5,
    "1,234.50": 1234.5,
    "1.234.567": 1234567.0,
    "9.99-": -9.99,
    "(3.00)": -3.0,
}


def read(value: str | bytes, words: str) -> object:
    """What the expression at the end of some words makes of a value, and of others of its column."""
    expression = words.partition(": ")[2]
    return DATABASE.execute(f"select {expression} from (select cast(? as varchar) as x)", [value]).fetchall()[0][0]


@pytest.mark.parametrize(("value", "expected"), TIMES.items())
def test_a_format_reads_the_time_that_it_is_named_for(value: str, expected: str):
    words = correction_of("event_time", value, expression="x")
    assert str(read(value, words)).startswith(expected)
    assert words.startswith(OPEN) == (value[:3] in ("05/", "5/6"))


@pytest.mark.parametrize(("value", "expected"), NUMBERS.items())
def test_an_expression_reads_the_amount_that_it_is_named_for(value: str, expected: float):
    assert float(str(read(value, correction_of("amount", value, expression="x")))) == expected


@pytest.mark.parametrize("value", ["EUR5", "5 EUR", "9.99-", "(3.00)"])
def test_it_reads_others_of_the_same_column(value: str):
    words = correction_of("amount", value, expression="x")
    assert float(str(read("12.25", words))) == 12.25


@pytest.mark.parametrize("value", ["12,5", "1.234,50", "-0,99"])
def test_a_decimal_comma_is_a_matter_of_the_format(value: str):
    assert correction_of("amount", value, expression="x") == COMMA


@pytest.mark.parametrize(("value", "mark"), [("1,234 EUR", "comma"), ("EUR 1.234", "point")])
def test_a_mark_that_may_be_between_thousands_is_said(value: str, mark: str):
    assert f"where the {mark} is before decimals" in correction_of("amount", value, expression="x")
    assert "or one between thousands" in correction_of("amount", "1,234", expression="x")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("event_time", "31/31/2026"),
        ("event_time", "99/99/99 99:99"),
        ("event_time", "soon"),
        ("event_time", "114/01/06"),  # of Minguo
        ("event_time", "2568-01-06"),  # of the Buddhist calendar
        ("event_time", "1403/10/17"),  # of Iran
        ("amount", "free"),
        ("amount", "($12.50)"),
        ("amount", "(\u20ac 9,50)"),
        ("amount", "[9.50]"),
        ("amount", "\u22129.50"),
        ("amount", "\u20139.50 EUR"),
        ("amount", "9.50\u2011"),
        ("amount", "17"),
    ],
)
def test_nothing_is_said_of_what_cannot_be_read(name: str, value: str):
    assert correction_of(name, value, expression="x") == ""


def test_an_id_of_bytes_is_read_as_their_digits():
    words = correction_of("user_id", r"\xFF\xFE", expression="x")
    assert read(b"\xff\xfe", words.replace("hex(x)", "hex(cast(x as blob))")) == "fffe"
    assert correction_of("user_id", "?", expression="x") == ""


@pytest.mark.parametrize(
    ("expression", "has_paths", "written"),
    [("p.t", True, "p.t"), ("p.t", False, '"p.t"'), ("the time", True, '"the time"'), ('p."t"', True, 'p."t"')],
)
def test_a_dot_is_part_of_a_name_but_in_json(expression: str, written: str, *, has_paths: bool):
    words = correction_of("event_time", "05/06/2026", expression=expression, has_paths=has_paths)
    assert words.endswith(f"strptime({written}, '%d/%m/%Y')")


def test_an_expression_is_quoted_as_the_column_that_it_is():
    assert correction_of("amount", "$5", expression="Unit Price").endswith(
        """regexp_replace("Unit Price", '[^0-9.-]', '', 'g')"""
    )
