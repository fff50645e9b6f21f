"""Values over several lines, and rows that an open quote swallowed."""

import pytest

from features.log.sources.quotes import are_rows

TIMES = (0.0, 1.0, 0.0)  # the second column begins with digits


@pytest.mark.parametrize(
    "record",
    [
        "a,2026-01-05,tv\nb,2026-01-06,tv",
        "a,2026-01-05,tv\n\nb,2026-01-06,tv",
        "a,2026-01-05,tv\nb,2026-01-06,x,y\nc,2026-01-07,z",  # a decimal comma among them
    ],
)
def test_lines_with_the_fields_and_the_times_of_rows_are_rows(record: str):
    assert are_rows(record, TIMES, delimiter=",")


@pytest.mark.parametrize(
    "record",
    [
        "a,2026-01-05,tv\nx,y,z",  # no time
        "a,2026-01-05,tv\nb,2026-01-06",  # too few fields
        "a,2026-01-05,tv\nb,2026-01-06,z\nthe end",
        "a,2026-01-05,tv\n\n",
    ],
)
def test_other_lines_are_a_value(record: str):
    assert not are_rows(record, TIMES, delimiter=",")


def test_the_column_that_begins_with_digits_most_often_tells():
    record = "a,2026-01-05,7\nb,2026-01-06,x"
    assert are_rows(record, (0.0, 1.0, 0.9), delimiter=",")
    assert not are_rows(record, (0.0, 1.0, 1.0), delimiter=",")


def test_without_such_a_column_lines_with_the_fields_of_rows_may_be_rows():
    assert are_rows("a,b,c\nd,e,f", (0.0, 0.5, 0.0), delimiter=",")


def test_where_no_row_has_one_line_the_first_line_tells():
    assert not are_rows("a,2026-01-05,tv\nx,y,z", (None, None, None), delimiter=",")
    assert are_rows("a,2026-01-05,tv\nx,2026-01-05,z", (None, None, None), delimiter=",")
