"""The plain counts: open weeks are compared on the days that they have."""

from pathlib import Path

import pytest

from insights.counts import counts, weekly
from tests.insights.logs import opened

# Monday January 5 to Thursday January 22, 2026
ROWS = [
    *("a 2026-01-05T10:00 buy amount=10", "b 2026-01-06T10:00 buy amount=5.5", "b 2026-01-06T11:00 back amount=-2"),
    *("a 2026-01-12T10:00 look", "c 2026-01-13T10:00 buy amount=4", "b 2026-01-18T10:00 look"),
    *("a 2026-01-19T10:00 look", "c 2026-01-22T10:00 buy amount=1", "c 2026-01-22T12:00 buy amount=1"),
]


def test_weeks_counted_by_hand(tmp_path: Path):
    first, second, third = weekly(opened(tmp_path, ROWS))
    assert {name: first[name] for name in ("active", "new", "purchases", "buyers", "sales", "refunds")} == {
        "active": 2,
        "new": 2,
        "purchases": 2,
        "buyers": 2,
        "sales": 15.5,
        "refunds": 2.0,
    }
    assert first["active_change"] is None
    assert (second["active"], second["active_change"]) == (3, 0.5)
    assert second["sales_change"] == pytest.approx(4 / 15.5 - 1)
    # Monday to Thursday: two users now, two in the week before, who bought for 4
    assert (third["is_open"], third["days"]) == ("open", 4)
    assert (third["active"], third["active_change"], third["sales_change"]) == (2, 0.0, -0.5)


def test_amounts_are_added_exactly(tmp_path: Path):
    """Ten times 0.1 in binary fractions is less than one, and by how much depends on the order."""
    facts = counts(opened(tmp_path, [f"u{user} 2026-01-05T10:00 buy amount=0.1" for user in range(10)])).facts
    assert facts["sales"] == 1.0


def test_the_headline_compares_seven_days_with_the_seven_before(tmp_path: Path):
    facts = counts(opened(tmp_path, ROWS)).facts
    assert (facts["users"], facts["active"], facts["active_change"]) == (
        3,
        3,
        0.5,
    )  # a, b, c from 16th; a, c in the 9th to the 15th


def test_purchases_may_be_events_of_a_type(tmp_path: Path):
    rows = ["a 2026-01-05T10:00 purchase", "a 2026-01-05T10:01 purchase", "b 2026-01-05T10:00 look"]
    found = counts(opened(tmp_path, rows, report={"purchase_event_types": ["purchase"]}))
    assert (found.facts["purchases"], found.facts["buyers"]) == (2, 1)
    assert "sales" not in found.facts
    assert found.needs["Sales"] == "amount"


def test_a_log_without_purchases_says_what_it_would_need(tmp_path: Path):
    found = counts(opened(tmp_path, ["a 2026-01-05T10:00 look"], report={"purchase_event_types": ["purchase"]}))
    assert "purchases" not in found.facts
    assert found.needs["Purchases"] == "amount"


def test_the_page_says_when_the_last_day_may_be_incomplete(tmp_path: Path):
    from datetime import date

    assert "counts as complete" in counts(opened(tmp_path / "a", ROWS)).sentences[1]
    assert len(counts(opened(tmp_path / "b", ROWS, covered_until=date(2026, 1, 23))).sentences) == 1
