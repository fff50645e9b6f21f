"""Cart abandonment, against carts counted by hand."""

from datetime import date
from pathlib import Path

from insights.orders import abandoned, by_week, make_carts, orders
from tests.insights.logs import opened

# Monday January 5 to Sunday January 25
ROWS = [
    *("a 2026-01-05T10:00 cart", "a 2026-01-05T11:00 cart", "a 2026-01-07T10:00 purchase"),
    *("b 2026-01-06T10:00 cart", "b 2026-01-09T10:00 purchase"),
    *("c 2026-01-13T09:00 purchase", "c 2026-01-13T10:00 cart"),
    *("d 2026-01-14T10:00 cart", "e 2026-01-24T10:00 cart", "d 2026-01-25T10:00 look"),
]
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


def test_what_the_log_cannot_tell_is_listed(tmp_path: Path):
    log = opened(tmp_path, ["a 2026-01-05T10:00 look"])
    found = orders(log, cart_event_types=["cart"], within_days=2)
    assert not found.tables
    assert set(found.needs.values()) == {
        "order_id, order_status",
        "item_id",
        "event_type",
        "what no log of one's own has",
    }
