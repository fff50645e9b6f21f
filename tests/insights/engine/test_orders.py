"""Orders and bought products against tables made by hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from insights.counts import counted
from insights.engine.active_days import ActiveDays
from insights.engine.groups import make_groups
from insights.engine.orders import statuses
from insights.shop.unit_economics import make_customers
from tests.insights.shop.small_shop import shop


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> ActiveDays:
    return shop(tmp_path_factory.mktemp("shop"))


def of(log: ActiveDays, sql: str) -> list[tuple[object, ...]]:
    return log.rows(f"select p.user_id, {sql} join persons p using (uid) order by all")


def test_an_order_is_worth_what_its_lines_add_up_to_and_a_repeated_amount_counts_once(log: ActiveDays):
    assert of(log, "order_id, d, paid_d, amount_micros / 1e6 from orders") == [
        ("a", "1", 0, 0, 30.0),
        ("b", "2", 1, None, 20.0),
        ("c", "3", 2, 4, 5.0),
        ("c", "4", 4, 4, 7.0),
        ("d", "5", 7, None, 9.0),
        ("e", "6", 8, None, 4.0),
    ]


def test_a_purchase_is_an_order_that_is_paid_or_money_without_an_order(log: ActiveDays):
    assert of(log, "d, n, amount_micros / 1e6 from purchases") == [
        ("a", 0, 1, 30.0),
        ("c", 4, 2, 12.0),
        ("d", 5, 1, 2.0),
    ]
    assert of(log, "d, paid_d from buys") == [("a", 0, 0), ("c", 2, 4), ("c", 4, 4), ("d", 5, 5)]


def test_orders_count_on_the_day_of_the_order_and_sales_on_that_of_the_payment(log: ActiveDays):
    first, second = counted(log, (0, 4)), counted(log, (4, 9))
    assert [first[name] for name in ("orders", "purchases", "sales", "refunds")] == [3, 1, 30.0, 0.0]
    assert [second[name] for name in ("orders", "purchases", "sales", "refunds")] == [3, 3, 14.0, 3.0]


def test_what_is_in_a_paid_order_is_bought_on_the_day_of_the_payment(log: ActiveDays):
    assert of(log, "item_id, d from bought_items") == [("a", "shirt", 0), ("a", "sock", 0), ("c", "sock", 4)]
    assert statuses(log) == ["placed", "paid", "returned"]
    assert (log.knows_orders, log.knows_payments, log.knows_purchases) == (True, True, True)


def test_without_statuses_a_purchase_says_that_there_is_an_order(tmp_path: Path):
    rows = [
        "a 2026-01-05T10:00 cart order_id=1 item_id=hat",
        "a 2026-01-06T10:00 buy order_id=1 item_id=hat amount=3",
        "a 2026-01-06T10:00 buy order_id=1 item_id=tie amount=4",
        "a 2026-01-06T11:00 buy order_id=2 amount=1",
        "a 2026-01-06T12:00 buy amount=5",
        "b 2026-01-06T10:00 cart order_id=3 item_id=tie",
    ]
    log = shop(tmp_path, rows)
    assert of(log, "order_id, d, paid_d, amount_micros / 1e6 from orders") == [
        ("a", "1", 1, 1, 7.0),
        ("a", "2", 1, 1, 1.0),
    ]
    assert of(log, "d, n, amount_micros / 1e6 from purchases") == [
        ("a", 1, 3, 13.0)
    ]  # two orders, and one of three rows names none
    assert of(log, "item_id, d from bought_items") == [("a", "hat", 1), ("a", "tie", 1)]
    assert not log.knows_payments


def test_without_amounts_purchases_are_events_of_a_type(tmp_path: Path):
    rows = ["a 2026-01-05T10:00 purchase item_id=hat", "b 2026-01-05T10:00 view item_id=hat"]
    log = shop(tmp_path, rows)
    assert of(log, "item_id, d from bought_items") == [("a", "hat", 0)]
    assert not log.knows_orders
    ordered = [
        "a 2026-01-05T10:00 purchase order_id=1",
        "a 2026-01-05T11:00 purchase order_id=1",
        "a 2026-01-06T11:00 look",
    ]
    found = shop(tmp_path / "orders", ordered)
    assert of(found, "d, n, amount_micros / 1e6 from buys") == [("a", 0, 1, None)]


def test_a_log_without_orders_and_products_stays_as_it_is(tmp_path: Path):
    rows = ["a 2026-01-05T10:00 buy amount=3", "a 2026-01-05T11:00 buy amount=4"]
    log = shop(tmp_path, rows)
    assert (
        of(log, "d, n, amount_micros / 1e6 from buys")
        == of(log, "d, n, amount_micros / 1e6 from purchases")
        == [("a", 0, 2, 7.0)]
    )
    assert log.facts.isdisjoint({"order_id", "item_id"})


CANCELLED = [
    *(
        "a 2026-01-05T10:00 order order_id=1 order_status=placed amount=20",
        "a 2026-01-05T11:00 pay order_id=1 order_status=paid amount=20",
    ),
    *("a 2026-01-06T10:00 back order_id=1 order_status=returned amount=-4", "a 2026-01-06T11:00 back amount=-1"),
    *(
        "a 2026-01-06T12:00 order order_id=2 order_status=placed amount=50",
        "a 2026-01-06T13:00 back order_id=2 order_status=cancelled amount=-50",
    ),
    *(
        "b 2026-01-06T10:00 order order_id=3 order_status=placed amount=9",
        "b 2026-01-06T11:00 back order_id=3 order_status=cancelled amount=-9",
    ),
]


def test_what_is_taken_back_of_an_order_that_was_never_paid_is_not_a_refund(tmp_path: Path):
    log = shop(tmp_path, CANCELLED)
    assert of(log, "d, amount_micros / 1e6 from refunds") == [("a", 1, 5.0)]
    found = counted(log, (0, 2))
    assert (found["sales"], found["refunds"]) == (20.0, 5.0)
    make_groups(log)
    make_customers(log)
    assert of(log, "d, amount_micros / 1e6 from earned") == [("a", 0, 20.0), ("a", 1, -5.0)]


def test_where_the_log_does_not_say_what_is_paid_all_refunds_count(tmp_path: Path):
    log = shop(tmp_path, CANCELLED, paid=["settled"])
    assert of(log, "d, amount_micros / 1e6 from refunds") == [("a", 1, 55.0), ("b", 1, 9.0)]


def test_an_order_is_worth_what_is_paid_where_that_is_known(tmp_path: Path):
    rows = [
        *("a 2026-01-05T10:00 order order_id=1 order_status=placed amount=100",),
        *(f"a 2026-01-05T10:0{n} pay order_id=1 order_status=paid amount=40" for n in (5, 6)),  # less a discount
        "a 2026-01-08T10:00 ship order_id=1 order_status=completed amount=80",
        *(
            "b 2026-01-05T10:00 order order_id=2 order_status=placed amount=60",
            "b 2026-01-05T11:00 pay order_id=2 order_status=paid",
        ),
        *(
            "c 2026-01-05T10:00 order order_id=3 order_status=placed amount=9",
            "c 2026-01-05T11:00 pay order_id=3 order_status=paid amount=0",
        ),
    ]
    log = shop(tmp_path, rows, paid=["paid", "completed"])
    assert of(log, "amount_micros / 1e6 from purchases") == [("a", 80.0), ("b", 60.0), ("c", 9.0)]
