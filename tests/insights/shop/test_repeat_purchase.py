"""Repeat purchase by its definitions, and the eight groups, against tables made by hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from insights.engine.active_days import ActiveDays
from insights.shop.repeat_purchase import (
    flows_between,
    groups_of,
    median_days_to_second,
    rates_of,
    repeat_purchase,
    rfm,
)
from tests.insights.logs import opened

# Forty days from January 1; a window of ten. The first day of the last window is January 31.
ROWS = [
    *("a 2026-01-01T10:00 buy amount=10", "a 2026-01-05T10:00 buy amount=10", "a 2026-02-01T10:00 buy amount=40"),
    *("b 2026-01-10T10:00 buy amount=5", "b 2026-01-20T10:00 buy amount=5", "b 2026-01-20T11:00 buy amount=5"),
    *("c 2026-01-25T10:00 buy amount=30", "c 2026-02-09T10:00 buy amount=20", "c 2026-02-08T10:00 buy amount=6"),
    *("d 2026-01-29T10:00 buy amount=1", "d 2026-01-30T10:00 buy amount=-1"),
    *("e 2026-02-03T10:00 buy amount=2", "f 2026-02-09T10:00 look"),
]


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> ActiveDays:
    return opened(tmp_path_factory.mktemp("shop"), ROWS)


def test_rates_counted_by_hand(log: ActiveDays):
    found = {name: (one.part, one.whole) for name, one in rates_of(log, within=10).items()}
    assert found == {
        "by_cohort": (2, 4),  # a after 4 days, b after 10; c after 14, d never; of e the ten days are not over
        "of_buyers": (1, 3),  # a, c twice, e
        "of_orders": (3, 4),  # all but e's
        "repurchase": (1, 2),  # c and d bought from the 21st to the 30th
        "returning": (2, 4),  # a and c; e and f are new
    }


def test_without_a_whole_window_before_there_is_no_repurchase_and_no_flow(log: ActiveDays):
    assert "repurchase" in rates_of(log, within=20)
    assert "repurchase" not in rates_of(log, within=21)


def times(n: int) -> list[str]:
    """The same buyers, each of them so many times."""
    return [f"{row[0]}{copy}{row[1:]}" for row in ROWS for copy in range(n)]


def test_flows_are_between_two_whole_windows(tmp_path: Path):
    many = opened(tmp_path, times(20))
    names = [[one.name for one in repeat_purchase(many, within_days=days).tables] for days in (20, 21)]
    assert names == [["repeat_rates", "rfm", "rfm_flows"], ["repeat_rates", "rfm"]]


def test_where_everybody_is_new_before_the_window_nobody_is_known_to_return(log: ActiveDays):
    assert "returning" in rates_of(log, within=30)
    assert "returning" not in rates_of(log, within=31)  # the first ten days are left-censored
    assert "returning" not in rates_of(log, within=90)


def test_a_window_that_is_longer_than_the_log_is_said_to_be_as_long_as_it(log: ActiveDays):
    found = repeat_purchase(log, within_days=90)
    assert found.sentences[0].startswith("60.0 % of the buyers of the last 40 days bought twice or more;")
    assert "buy again within 90 days is not known yet" in found.sentences[0]
    assert [row["measure"] for row in found.tables[0].rows] == [
        "first-time buyers with a second order within 90 days",
        "buyers of the last 40 days with two orders or more",
        "orders of the last 40 days that are not the buyer's first",
    ]


def test_orders_of_one_day_are_one_and_refunds_are_none(log: ActiveDays):
    assert rfm(log, 20, days=20)[2] == (0, 2, 15.0)
    assert rfm(log, 40, days=20)[4] == (11, 1, 1.0)


def test_half_of_the_buyers_have_bought_again_after(log: ActiveDays):
    # 4, 10 and 14 days; d is censored after 12, e after 7: 4/5, then 3/4 and 1/2 of the rest
    assert median_days_to_second(log) == 14


def test_high_is_strictly_better_than_the_mean():
    buyers = {1: (0, 4, 100.0), 2: (4, 2, 0.0), 3: (2, 3, 50.0), 4: (2, 3, 50.0)}
    assert groups_of(buyers) == {1: "hhh", 2: "lll", 3: "lll", 4: "lll"}
    assert groups_of({}) == {}
    mixed = {1: (9, 1, 90.0), 2: (1, 1, 10.0), 3: (2, 4, 20.0)}
    assert groups_of(mixed) == {1: "llh", 2: "hll", 3: "hhl"}


def test_flows_hold_everyone_who_bought_in_either_window(tmp_path: Path):
    many = opened(tmp_path, times(20))
    before, now = rfm(many, 30, days=10), rfm(many, 40, days=10)
    rows = flows_between(before, now)
    assert sum(row["users"] for row in rows) == len({*before, *now}) == 80
    assert [row["users"] for row in rows if row["from_group"] == "did not buy"] == [20, 20]


def test_fewer_than_twenty_who_move_are_counted_with_others_who_move_to_the_same_group():
    high, low = (0, 9, 90.0), (9, 1, 1.0)
    before = dict.fromkeys(range(100), high) | dict.fromkeys(range(100, 230), low)
    now = dict.fromkeys(range(30), high) | dict.fromkeys(range(100, 105), high) | dict.fromkeys(range(300, 315), high)
    now |= dict.fromkeys(range(30, 90), low) | dict.fromkeys(range(105, 229), low)  # of the rest, ten and one stay away
    value, back = "important: value (R, F, M high)", "general: win back (none high)"
    rows = [(row["from_group"], row["to_group"], row["users"]) for row in flows_between(before, now)]
    assert rows == [(back, back, 124), (value, back, 60), (value, value, 30), ("other (2)", value, 20)]


def test_groups_of_a_few_buyers_have_no_means_nor_does_one_more(tmp_path: Path):
    """Of forty buyers and a rich one, the sales of the log are known: the mean of the forty would give the amount of the one away."""
    rows = [f"u{user} 2026-{day}T10:00 buy amount=5" for user in range(40) for day in ("01-05", "03-06")]
    found = repeat_purchase(opened(tmp_path, [*rows, "rich 2026-01-08T10:00 buy amount=12345.67"]), within_days=90)
    groups = next(one for one in found.tables if one.name == "rfm").rows
    assert {row["group"]: row["users"] for row in groups if row["users"]} == {
        "general: value (R, F high)": 40,
        "important: win back (M high)": 1,
    }
    assert {row[name] for row in groups for name in ("recency", "frequency", "money")} == {None}


def test_groups_of_twenty_buyers_have_means(tmp_path: Path):
    rows = [f"u{user} 2026-01-08T10:00 buy amount={1 if user < 20 else 3}" for user in range(40)]
    found = repeat_purchase(opened(tmp_path, rows), within_days=90)
    groups = next(one for one in found.tables if one.name == "rfm").rows
    assert [(row["users"], row["money"]) for row in groups if row["users"]] == [(20, 3.0), (20, 1.0)]


def test_a_log_without_amounts_has_no_groups_but_rates(tmp_path: Path):
    rows = [f"u{user} 2026-01-{day:02d}T10:00 purchase" for user in range(4) for day in (1, 3 + user)]
    found = repeat_purchase(opened(tmp_path, rows, report={"purchase_event_types": ["purchase"]}), within_days=5)
    assert [one.name for one in found.tables] == ["repeat_rates"]
    assert found.needs["Groups by recency, frequency and money"] == "amount"


def test_a_log_without_purchases_says_so(tmp_path: Path):
    found = repeat_purchase(opened(tmp_path, ["a 2026-01-01T10:00 look"]), within_days=5)
    assert found.sentences == ["The log has no purchases."]


def test_where_nobody_bought_in_the_window_only_first_time_buyers_are_told_of(tmp_path: Path):
    rows = ["a 2026-01-01T10:00 buy amount=1", "a 2026-01-03T10:00 buy amount=1", "b 2026-01-31T10:00 look"]
    found = repeat_purchase(opened(tmp_path, rows), within_days=10)
    assert found.sentences[0] == (
        "100.0 % of first-time buyers bought again within 10 days; nobody bought in the last 10 days."
    )
