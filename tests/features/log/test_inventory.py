"""The days of a log, and a few events of wrong clocks at its ends."""

from collections.abc import Iterable
from datetime import date, timedelta

import pytest

from features.errors import InputError
from features.log.inventory import FileInventory, LogInventory
from features.settings import EventsSettings

START = date(2020, 1, 1)
NO_ENDS = EventsSettings(path="log.csv")


def inventory(rows: dict[int, int], *, rejected: dict[str, int] | None = None) -> LogInventory:
    """A log of so many rows on days counted from the start."""
    days = {START + timedelta(days=day): count for day, count in rows.items()}
    return LogInventory((FileInventory("log.csv", "1", days, rejected or {}, has_time_of_day=True),))


def body(days: Iterable[int], rows: int = 20) -> dict[int, int]:
    return dict.fromkeys(days, rows)


def last_day(rows: dict[int, int], settings: EventsSettings = NO_ENDS) -> int:
    """The last day that is covered, counted from the start."""
    return (inventory(rows).coverage(settings).covered_until - START).days - 1


@pytest.mark.parametrize(
    "rows",
    [
        body(range(30)) | {29 + 28: 6},  # a month behind a month, one event in a hundred
        body(range(5), 40) | {4 + 365: 10},  # a year behind a week, one in twenty
        body([*range(60), *range(150, 200)]) | {199 + 182: 2},  # twice the longest outage, one in a thousand
    ],
)
def test_a_few_events_behind_a_long_gap_do_not_move_the_end(rows: dict[int, int]):
    ends = sorted(rows)
    assert last_day(rows) == ends[-2]
    (stray,) = inventory(rows).strays(NO_ENDS)
    assert (stray.is_late, stray.rows) == (True, rows[ends[-1]])


@pytest.mark.parametrize(
    "rows",
    [
        body(range(30)) | {29 + 27: 6},  # not long enough
        body(range(30)) | {29 + 28: 7},  # too many for strays
        body(range(5), 40) | {4 + 364: 10},
        body(range(5), 40) | {4 + 365: 11},
        body([*range(60), *range(150, 200)]) | {199 + 181: 2},  # as long as outages may be
        body([*range(60), *range(150, 200)]) | {199 + 182: 3},
        body(range(0, 300, 30)) | {270 + 60: 1},  # a log of one day a month
    ],
)
def test_what_may_be_the_log_itself_is_covered(rows: dict[int, int]):
    assert last_day(rows) == max(rows)
    assert inventory(rows).strays(NO_ENDS) == ()


def test_a_declared_end_accepts_the_strays():
    rows, until = body(range(30)) | {1000: 1}, START + timedelta(days=1001)
    assert last_day(rows, NO_ENDS.model_copy(update={"covered_until": until})) == 1000


def test_a_few_events_long_before_all_others_count_and_are_said():
    rows = body(range(2000, 2030)) | {0: 1}
    (stray,) = inventory(rows).strays(NO_ENDS)
    assert (stray.is_late, inventory(rows).coverage(NO_ENDS).first_day) == (False, START)
    assert stray.describe() == (
        "no events from 2020-01-02 to 2025-06-22, and 1 event before that gap, as of a wrong clock: "
        "they count; to exclude them, set [events] covered_from = 2025-06-23"
    )


def test_late_strays_are_said_with_the_way_to_accept_them():
    (stray,) = inventory(body(range(30)) | {100: 2}).strays(NO_ENDS)
    assert stray.describe() == (
        "no events from 2020-01-31 to 2020-04-09, and 2 events after that gap, as of a wrong clock: the log ends with 2020-01-30, "
        "without them; if they count, set [events] covered_until = 2020-04-11"
    )


def test_files_add_up():
    first, second = inventory({0: 2, 1: 1}, rejected={"user_id is null": 1}), inventory({1: 3}, rejected={"x": 2})
    both = LogInventory((*first.files, *second.files))
    assert (both.days, both.rows) == ({START: 2, START + timedelta(days=1): 4}, 6)
    assert both.rejected == {"user_id is null": 1, "x": 2}


def test_a_log_without_rows_is_refused():
    with pytest.raises(InputError, match="the log is empty"):
        inventory({}).check(NO_ENDS)


def test_too_many_rows_that_are_set_aside_are_refused_with_examples():
    found = inventory({0: 94}, rejected={"user_id is null": 6})
    with pytest.raises(InputError, match=r"(?s)6 of 100 rows are invalid.*Hint: one\ntwo\nthree\ninspect them"):
        found.check(NO_ENDS, examples=lambda: ("one", "two", "three", "four"))


def test_examples_are_looked_up_only_where_rows_are_too_many():
    def looked_up() -> tuple[str, ...]:
        raise AssertionError

    inventory({0: 95}, rejected={"user_id is null": 5}).check(NO_ENDS, examples=looked_up)
