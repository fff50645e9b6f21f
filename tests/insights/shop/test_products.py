"""Products that are viewed and not bought, counted by hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from insights.shop.products import by_group, make_views, products
from tests.insights.shop.small_shop import SHOP, shop


def viewers(
    item: str, users: int, *, buy: int, day: str = "2026-01-05", after: str = "2026-01-07", category: str = ""
) -> list[str]:
    """Users who view a product, of whom the first ones buy it some days later."""
    of = f"item_id={item}" + (f" item_category={category}" if category else "")
    views = [f"{item}{user} {day}T10:00 view {of}" for user in range(users)]
    return [*views, *(f"{item}{user} {after}T09:00 buy {of} amount=5" for user in range(buy))]


LAST = "z 2026-01-20T10:00 look"


def test_a_product_is_lost_to_those_who_view_it_and_do_not_buy_it_in_time(tmp_path: Path):
    rows = [
        *viewers("hat", 40, buy=4),
        *viewers("tie", 40, buy=24),
        *viewers("late", 20, buy=20, after="2026-01-08"),
        LAST,
    ]
    log = shop(tmp_path, rows)
    make_views(log, [], within_days=2)
    found = {row["group"]: (row["viewed"], row["lost"], row["verdict"]) for row in by_group(log, "item_id")}
    assert found == {"hat": (40, 36, "above"), "tie": (40, 16, "below"), "late": (20, 20, "above")}
    make_views(log, [], within_days=3)
    assert {row["group"]: row["lost"] for row in by_group(log, "item_id")} == {"hat": 36, "tie": 16, "late": 0}


def test_only_views_whose_days_are_over_count(tmp_path: Path):
    log = shop(tmp_path, [*viewers("hat", 20, buy=0), *viewers("new", 30, buy=0, day="2026-01-18"), LAST])
    make_views(log, [], within_days=3)
    assert log.rows("select item_id, count(*) from views group by all") == [("hat", 20)]
    make_views(log, [], within_days=2)
    assert sorted(log.rows("select item_id, count(*) from views group by all")) == [("hat", 20), ("new", 30)]


def test_orders_that_are_not_paid_are_not_bought_and_their_rows_are_no_views(tmp_path: Path):
    log = shop(tmp_path, SHOP)
    make_views(log, [], within_days=2)
    names = "select p.user_id, item_id, item_category, is_bought from views join persons p using (uid) order by all"
    assert log.rows(names) == [("a", "shirt", "clothes", True), ("b", "shirt", "clothes", False)]
    make_views(log, ["order"], within_days=2)
    assert log.rows(names)[2] == ("b", "shirt", "clothes", False)


def test_products_of_a_few_viewers_are_one_group_and_not_the_first(tmp_path: Path):
    rows = [
        *viewers("hat", 40, buy=30),
        *viewers("tie", 30, buy=20),
        *viewers("a", 10, buy=0),
        *viewers("b", 12, buy=0),
        LAST,
    ]
    found = products(shop(tmp_path, rows), [], within_days=2)
    assert [(row["group"], row["viewed"]) for row in found.tables[0].rows] == [
        ("tie", 30),
        ("hat", 40),
        ("other (2)", 22),
    ]


def test_the_answer_names_the_product_with_the_most_missing_buyers(tmp_path: Path):
    sold = [one for place in range(6) for one in viewers(f"p{place}", 40, buy=24, category="sold")]
    found = products(shop(tmp_path, [*viewers("hat", 40, buy=2, category="worn"), *sold, LAST]), [], within_days=2)
    assert found.facts["product_loss"] == pytest.approx((38 + 6 * 16) / 280)
    assert found.sentences[1].startswith("Most buyers are missing at hat: 40 users viewed it, 95.0 % did not buy")
    categories = {row["group"]: (row["viewed"], row["lost"]) for row in found.tables[1].rows}
    assert categories == {"worn": (40, 38), "sold": (240, 96)}


def test_a_log_without_products_says_what_it_would_need(tmp_path: Path):
    found = products(shop(tmp_path, ["a 2026-01-05T10:00 look"]), [], within_days=2)
    assert found.needs["Products that are viewed and not bought"] == "item_id"
    assert not found.tables
    few = products(shop(tmp_path / "few", [*viewers("hat", 3, buy=0), LAST]), [], within_days=2)
    assert few.sentences == ["No product was viewed by enough users whose 2 days are over."]


def test_who_views_several_products_of_a_category_is_one_viewer_of_it(tmp_path: Path):
    shoes = [
        f"u{user} 2026-01-05T10:00 view item_id=shoe{item} item_category=shoes"
        for user in range(40)
        for item in range(5)
    ]
    shoes += [f"u{user} 2026-01-06T10:00 buy item_id=shoe0 item_category=shoes amount=5" for user in range(30)]
    log = shop(tmp_path, [*shoes, *viewers("hat", 20, buy=0, category="hats"), LAST])
    make_views(log, [], within_days=2)
    found = {row["group"]: (row["viewed"], row["lost"]) for row in by_group(log, "item_category")}
    assert found == {"shoes": (40, 10), "hats": (20, 20)}
    assert {row["group"]: (row["viewed"], row["lost"]) for row in by_group(log, "item_id")}["shoe0"] == (40, 10)


def test_many_products_that_one_person_viewed_are_not_shown_as_a_group(tmp_path: Path):
    rows = [*viewers("hat", 40, buy=30), LAST]
    alone = [f"solo 2026-01-05T10:00 view item_id=rare{item}" for item in range(30)]
    log = shop(tmp_path / "alone", [*rows, *alone])
    make_views(log, [], within_days=2)
    assert [row["group"] for row in by_group(log, "item_id")] == ["hat"]
    several = [f"s{item % 20} 2026-01-05T10:00 view item_id=rare{item}" for item in range(30)]
    log = shop(tmp_path / "several", [*rows, *several])
    make_views(log, [], within_days=2)
    assert [(row["group"], row["viewed"]) for row in by_group(log, "item_id")] == [("hat", 40), ("other (30)", 30)]


def test_where_no_purchase_names_a_product_it_is_not_known_what_was_bought(tmp_path: Path):
    views = viewers("hat", 40, buy=0)
    paid = [f"hat{user} 2026-01-05T11:00 buy amount=5" for user in range(30)]
    for place, rows in enumerate(([*views, *paid, LAST], [*views, LAST])):
        found = products(shop(tmp_path / str(place), rows), [], within_days=2)
        assert found.sentences[0].startswith("No purchase of the log names a product")
        assert not found.facts
        assert found.needs["Products that are viewed and not bought"] == "item_id of purchases"
