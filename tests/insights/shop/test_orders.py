"""Orders that are not paid and carts that are left, counted by hand."""

from datetime import date
from pathlib import Path
from typing import Any

from insights.counts import counts, weekly
from insights.shop.orders import PaymentWindow, abandoned, by_week, lost, lost_by_week, make_carts, orders
from tests.insights.logs import opened
from tests.insights.shop.small_shop import shop

# Monday January 5 to Sunday January 25
ROWS = [
    *("a 2026-01-05T10:00 cart", "a 2026-01-05T11:00 cart", "a 2026-01-07T10:00 purchase"),
    *("b 2026-01-06T10:00 cart", "b 2026-01-09T10:00 purchase"),
    *("c 2026-01-13T09:00 purchase", "c 2026-01-13T10:00 cart"),
    *("d 2026-01-14T10:00 cart", "e 2026-01-24T10:00 cart", "d 2026-01-25T10:00 look"),
]
ALL_DAYS: dict[str, Any] = {"report": {"left_censored_days": 0}}
TYPES = {"report": {"purchase_event_types": ["purchase"]}}


def test_a_cart_is_left_when_its_user_does_not_buy_within_the_days(tmp_path: Path):
    log = opened(tmp_path, ROWS, **TYPES)
    assert make_carts(log, ["cart", "basket"]) == 5  # two events of a day are one cart
    found = abandoned(log, within_days=2)
    assert (found.part, found.whole) == (2, 4)  # b buys on the third day, d never; the days of e are not over


def test_a_week_is_open_until_its_carts_have_had_their_days(tmp_path: Path):
    log = opened(tmp_path, ROWS, **TYPES)
    make_carts(log, ["cart"])
    rows = by_week(log, within_days=2)
    assert [(row["week"], row["carts"], row["mark"]) for row in rows] == [
        (date(2026, 1, 5), 2, ""),
        (date(2026, 1, 12), 2, ""),
        (date(2026, 1, 19), 1, "open"),
    ]
    assert [row["share"] for row in rows][:2] == [0.5, 0.5]
    assert rows[2]["share"] != rows[2]["share"]  # not drawn as zero


def test_an_order_is_lost_when_it_is_not_paid_in_time(tmp_path: Path):
    log = shop(tmp_path, **ALL_DAYS)
    found = lost(log, PaymentWindow(24))
    assert (found.part, found.whole) == (3, 5)  # 2 and 5 never, 3 after 35 hours; the hours of 6 are not over
    longer = lost(log, PaymentWindow(48))
    assert (longer.part, longer.whole) == (1, 4)  # 3 is paid in time, and the hours of 5 are not over


def test_a_week_is_open_until_its_orders_have_had_their_time(tmp_path: Path):
    first, second = lost_by_week(shop(tmp_path, **ALL_DAYS), PaymentWindow(24))
    assert (first["orders"], first["unpaid"], first["share"], first["mark"]) == (4, 2, 0.5, "")
    assert (second["orders"], second["mark"]) == (2, "open")
    assert "unpaid" not in second


def test_the_hours_end_at_a_local_midnight(tmp_path: Path):
    log = shop(tmp_path, churn={"timezone": "Asia/Shanghai"})
    assert PaymentWindow(24, "Asia/Shanghai").last_start(log) == PaymentWindow(32, "UTC").last_start(log)


def test_the_answer_says_how_many_orders_are_lost(tmp_path: Path):
    found = orders(shop(tmp_path, **ALL_DAYS), ["cart"], within_days=2, payment=PaymentWindow(24))
    assert found.facts["order_loss"] == 0.6
    assert found.sentences[0].startswith("Of 5 orders, 60.0 % were not paid within 24 hours")
    assert "order_id" not in " ".join(found.needs.values())


def test_a_log_in_which_no_status_means_paid_names_its_statuses(tmp_path: Path):
    found = orders(shop(tmp_path, paid=["settled"]), ["cart"], within_days=2, payment=PaymentWindow(24))
    assert "its statuses are: placed, paid, returned." in found.sentences[0]
    assert not found.tables
    assert found.needs["Orders that are placed and not paid"] == "order_status"


def test_orders_that_are_all_too_young_are_not_counted(tmp_path: Path):
    log = shop(tmp_path, ["a 2026-01-05T10:00 pay order_id=1 order_status=paid amount=3"])
    assert orders(log, [], within_days=2, payment=PaymentWindow(24)).sentences == [
        "No order that was placed after the left-censored days is 24 hours old yet."
    ]


def test_what_the_log_cannot_tell_is_listed(tmp_path: Path):
    log = opened(tmp_path, ["a 2026-01-05T10:00 look"])
    found = orders(log, ["cart"], within_days=2, payment=PaymentWindow())
    assert not found.tables
    assert set(found.needs.values()) == {"order_id, order_status", "event_type"}


# Three weeks from Monday January 5, of which the first five days are left-censored
BEGUN = [
    *(
        "a 2026-01-05T10:00 ship order_id=1 order_status=shipped",
        "b 2026-01-09T10:00 ship order_id=2 order_status=shipped",
    ),
    *("c 2026-01-11T10:00 order order_id=3 order_status=placed", "c 2026-01-11T11:00 pay order_id=3 order_status=paid"),
    *("d 2026-01-12T10:00 order order_id=4 order_status=placed", "d 2026-01-12T11:00 pay order_id=4 order_status=paid"),
    *("e 2026-01-13T10:00 order order_id=5 order_status=placed", "z 2026-01-25T10:00 look"),
]


def test_orders_that_were_placed_before_the_log_begins_are_not_lost(tmp_path: Path):
    log = shop(tmp_path, BEGUN)
    found = lost(log, PaymentWindow(24))
    assert (found.part, found.whole) == (1, 3)  # e never pays; a and b have paid before the log
    first, second = lost_by_week(log, PaymentWindow(24))
    assert (first["orders"], first["mark"], "unpaid" in first) == (3, "left-censored", False)
    assert first["share"] != first["share"]  # not drawn
    assert (second["orders"], second["unpaid"], second["share"], second["mark"]) == (2, 1, 0.5, "")


def test_a_week_that_the_log_begins_in_is_open_where_no_day_is_left_censored(tmp_path: Path):
    rows = [
        "a 2026-01-07T10:00 cart order_id=1 order_status=placed",
        "a 2026-01-07T11:00 pay order_id=1 order_status=paid amount=1",
    ]
    log = shop(tmp_path, [*rows, "z 2026-01-18T10:00 look"], **ALL_DAYS)
    make_carts(log, ["cart"])
    for found in (by_week(log, within_days=2), lost_by_week(log, PaymentWindow(24))):
        assert [row["mark"] for row in found] == ["open"]
    assert [row["is_left_censored"] for row in weekly(log)] == ["", ""]


def test_weeks_in_which_new_users_and_orders_may_be_older_are_marked_and_not_compared_with(tmp_path: Path):
    log = shop(tmp_path, [*BEGUN, "a 2026-01-19T10:00 order order_id=6 order_status=placed"])
    weeks = weekly(log)
    assert [row["is_left_censored"] for row in weeks] == ["left-censored", "", ""]
    assert [row["new_change"] for row in weeks] == [None, None, -0.5]
    assert [row["orders_change"] for row in weeks] == [None, None, -0.5]
    assert [row["active_change"] for row in weeks] == [None, 2 / 3 - 1, 0.0]
    early = counts(shop(tmp_path / "early", [*BEGUN[:-1], "z 2026-01-18T10:00 look"])).facts
    assert (early["new"], early["new_change"], early["orders_change"]) == (3, None, None)


def test_where_no_week_is_closed_nothing_is_drawn(tmp_path: Path):
    rows = [
        "a 2026-01-05T10:00 order order_id=1 order_status=placed",
        "a 2026-01-05T11:00 pay order_id=1 order_status=paid amount=1",
        *("a 2026-01-07T10:00 cart", "a 2026-01-08T10:00 look"),
    ]
    found = orders(shop(tmp_path, rows, **ALL_DAYS), ["cart"], within_days=1, payment=PaymentWindow(24))
    assert [one.name for one in found.tables] == ["order_loss", "carts"]
    assert found.pictures == []


def test_carts_that_are_all_too_young_are_not_counted(tmp_path: Path):
    rows = ["a 2026-01-05T10:00 purchase", "a 2026-01-08T10:00 cart"]
    found = orders(opened(tmp_path, rows, **TYPES), ["cart"], within_days=7, payment=PaymentWindow())
    assert found.sentences == ["No cart of the log is 7 days old yet."]
    assert not found.tables


def test_orders_without_statuses_are_orders(tmp_path: Path):
    log = shop(tmp_path, ["a 2026-01-05T10:00 purchase order_id=1 amount=5", "b 2026-01-06T10:00 look"])
    found = orders(log, ["cart"], within_days=2, payment=PaymentWindow())
    assert found.sentences == ["The orders of the log have no status, so that it does not say which of them are paid."]
    assert found.needs["Orders that are placed and not paid"] == "order_status"
