"""Costs, earnings and payback of a small shop, against tables made by hand."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pytest

from insights.engine.active_days import ActiveDays
from insights.engine.groups import make_groups
from insights.engine.tables import Costs, Spend
from insights.shop.unit_economics import (
    Books,
    channels,
    earnings,
    make_customers,
    monthly,
    payback,
    unit_economics,
    whole_months,
)
from tests.insights.shop.small_shop import shop

JANUARY, FEBRUARY = date(2026, 1, 1), date(2026, 2, 1)
COSTS = Costs(
    (Spend("ads", JANUARY, 600.0), Spend("ads", FEBRUARY, 90.0), Spend("free", FEBRUARY, 0.0)), (("product", 0.5),)
)


def customers(channel: str, users: int, *, first: date, again: int = 0, last: int = 0) -> list[str]:
    """Users who buy for 20 on their first day; some once more after 40 days, some are active on day 30."""
    rows: list[str] = []
    for user in range(users):
        name = f"{channel}{first.month}-{user}"
        rows.append(f"{name} {first}T10:00 buy amount=20 channel={channel}")
        if user < again:
            rows.append(f"{name} {first + timedelta(days=40)}T10:00 buy amount=60 channel={channel}")
        if user < last:
            rows.append(f"{name} {first + timedelta(days=30)}T10:00 look channel={channel}")
    return rows


ROWS = [
    "old 2025-12-20T10:00 look channel=ads",
    *customers("ads", 30, first=date(2026, 1, 10), again=15, last=6),
    *customers("free", 20, first=date(2026, 1, 20), again=20),
    *customers("ads", 20, first=date(2026, 2, 5)),
    "ads1-0 2026-01-12T10:00 back amount=-20 channel=ads",
    *(f"visitor{user} 2026-01-15T10:00 look channel=ads" for user in range(30)),
    "end 2026-04-10T10:00 look channel=ads",
]


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> ActiveDays:
    found = shop(tmp_path_factory.mktemp("shop"), ROWS, report={"left_censored_days": 5})
    make_groups(found)
    make_customers(found)
    return found


def books(log: ActiveDays) -> Books:
    return Books(log, COSTS, whole_months(log, COSTS))


def test_months_are_whole_and_those_of_the_costs(log: ActiveDays):
    assert [(one.start, one.stop - one.first) for one in whole_months(log, COSTS)] == [(JANUARY, 31), (FEBRUARY, 28)]
    earlier = Costs((Spend("ads", date(2025, 12, 1), 1.0), Spend("ads", date(2026, 4, 1), 1.0)))
    assert [one.start.month for one in whole_months(log, earlier)] == [1, 2, 3]


def test_months_that_costs_by_day_begin_or_end_within_are_excluded(log: ActiveDays):
    spend = tuple(Spend("ads", date(2026, month, 1), 1.0) for month in (1, 2, 3))
    for first, last, months in (
        (date(2026, 1, 1), date(2026, 3, 31), [1, 2, 3]),
        (date(2026, 1, 2), date(2026, 3, 31), [2, 3]),
        (date(2026, 1, 1), date(2026, 3, 30), [1, 2]),
        (date(2026, 1, 2), date(2026, 1, 30), []),
    ):
        found = whole_months(log, Costs(spend, first=first, last=last))
        assert [one.start.month for one in found] == months
    assert (
        "No month is covered completely" in unit_economics(log, Costs(spend[:1], last=date(2026, 1, 30))).sentences[0]
    )


def test_costs_by_month_counted_by_hand(log: ActiveDays):
    january, february = monthly(books(log))
    assert [january[name] for name in ("spend", "customers", "paid_customers", "cac", "paid_cac")] == [
        600.0,
        50,
        30,
        12.0,
        20.0,
    ]
    assert january["sales"] == 1000.0
    assert january["marketing_share"] == 0.6
    # those who come again buy on February 19; in March the rest
    assert [february[name] for name in ("spend", "customers", "paid_customers", "cac", "sales")] == [
        90.0,
        20,
        20,
        4.5,
        1300.0,
    ]


def test_costs_by_channel_counted_by_hand(log: ActiveDays):
    ads, free = channels(books(log))
    assert (ads.label, ads.spend, ads.users, ads.customers, ads.retained, ads.retained_spend) == (
        "ads",
        690.0,
        80,
        50,
        6,
        690.0,
    )
    assert (free.label, free.spend, free.users, free.customers, free.retained) == ("free", 0.0, 20, 20, 0)


def test_customers_pay_back_when_closed_cohorts_have_earned_what_they_cost(log: ActiveDays):
    rows = earnings(books(log), channels(books(log)))
    found = {(row["group"], row["months"]): (row["customers"], row["earned"], row["cac"]) for row in rows}
    # of February only a month is over; half of a price is earned, and 20 came back
    assert found["ads", 1] == (50, pytest.approx((50 * 20 - 20) / 2 / 50), 690 / 50)
    assert found["ads", 2] == (30, pytest.approx((30 * 20 + 15 * 60 - 20) / 2 / 30), 20.0)
    assert found["free", 2] == (20, 40.0, 0.0)
    assert ("ads", 3) not in found
    assert payback(rows, "ads") == 2
    assert payback(rows, "free") == 1


def test_the_answer_names_the_dearest_and_the_cheapest(log: ActiveDays):
    found = unit_economics(log, COSTS)
    assert found.facts["cac"] == pytest.approx(690 / 70)
    assert found.sentences[0].startswith("70 new customers in 2 whole months from Jan 1, 2026 cost 690: 9.86 each")
    (ads, free) = found.tables[0].rows
    assert (ads["payback"], free["payback"]) == ("by month 2", "")
    assert ads["cost_per_retained"] == pytest.approx(690 / 6)
    assert ads["cac_low"] < ads["cac"] < ads["cac_high"]


def test_what_is_missing_is_named(tmp_path: Path, log: ActiveDays):
    bare = shop(tmp_path, ["a 2026-01-05T10:00 look"])
    assert set(unit_economics(bare, Costs()).needs.values()) == {"[costs]", "channel", "amount", "[costs] shares"}
    later = Costs((Spend("ads", date(2026, 6, 1), 1.0),))
    assert "No month is covered completely" in unit_economics(log, later).sentences[0]


def test_where_nobody_came_in_the_months_of_the_costs_it_is_said(tmp_path: Path):
    rows = [f"u{user} 2026-{day}T10:00 buy amount=1 channel=ads" for user in range(30) for day in ("01-01", "03-12")]
    log = shop(tmp_path, rows)
    make_groups(log)
    costs = Costs(tuple(Spend("ads", date(2026, month, 1), 10.0) for month in (1, 3)))
    found = unit_economics(log, costs)
    assert found.sentences == ["No new customer came in the months of the costs."]
    assert [row["month"] for row in found.tables[0].rows] == [FEBRUARY]


def test_channels_of_the_costs_that_no_user_came_by_are_named(log: ActiveDays):
    misspelt = Costs((*COSTS.spend, Spend("Ads", JANUARY, 20.0), Spend("tv", JANUARY, 0.0)))
    found = unit_economics(log, misspelt)
    assert found.facts["spend"] == 710.0
    assert found.sentences[-1].startswith("No user of the log came by these channels of [costs]: Ads.")
    assert [(row["group"], row["spend"], row["users"]) for row in found.tables[0].rows] == [
        ("ads", 690.0, 80),
        ("free", 0.0, 20),
        ("without new users (2)", 20.0, 0),
    ]
    assert "No user of the log" not in " ".join(unit_economics(log, COSTS).sentences)


def test_channels_of_a_few_users_are_not_shown_and_the_sum_does_not_tell_of_them(tmp_path: Path):
    rows = ["old 2025-12-20T10:00 look channel=ads", "end 2026-02-10T10:00 look channel=ads"]
    rows += customers("ads", 30, first=date(2026, 1, 10)) + customers("free", 25, first=date(2026, 1, 10))
    rows += [f"tv{user} 2025-12-21T10:00 look channel=tv" for user in range(3)]
    rows += [f"tv{user} 2026-01-12T10:00 buy amount=100 channel=tv" for user in range(3)]
    costs = Costs((Spend("ads", JANUARY, 60.0), Spend("tv", JANUARY, 30.0)))
    log = shop(tmp_path / "three", rows, report={"left_censored_days": 5})
    make_groups(log)
    found = unit_economics(log, costs)
    shown = [(row["group"], row["spend"], row["customers"]) for row in found.tables[0].rows]
    assert shown == [("ads", 60.0, 30), ("other (2)", 30.0, 28)]
    few = shop(tmp_path / "few", [rows[0], rows[1], *rows[-6:]], report={"left_censored_days": 5})
    make_groups(few)
    found = unit_economics(few, costs)
    assert (
        found.sentences[0]
        == "3 new customers in one whole month from Jan 1, 2026 cost 90.0: 30.0 each, over all channels."
    )
    assert [row["group"] for row in found.tables[0].rows if "group" in row] == ["without new users (1)"]
