"""A shop of a week, small enough to count by hand: Monday January 5 to Tuesday January 13."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from insights.engine.active_days import ActiveDays
from insights.engine.orders import OrderWords, with_orders
from tests.builders import Row
from tests.insights.logs import opened

SHOP = [
    # two lines of one order, paid within the hour
    "a 2026-01-05T10:00 view item_id=shirt item_category=clothes",
    "a 2026-01-05T10:05 order order_id=1 order_status=placed item_id=shirt item_category=clothes amount=20",
    "a 2026-01-05T10:05 order order_id=1 order_status=placed item_id=sock item_category=clothes amount=10",
    "a 2026-01-05T11:00 pay order_id=1 order_status=paid amount=30",
    # never paid
    "b 2026-01-06T09:00 view item_id=shirt item_category=clothes",
    "b 2026-01-06T10:00 order order_id=2 order_status=placed item_id=shirt item_category=clothes amount=20",
    # paid after 35 hours; then an order that is first seen when it is paid, of which a part is returned
    "c 2026-01-07T23:00 order order_id=3 order_status=placed item_id=sock item_category=clothes amount=5",
    "c 2026-01-09T10:00 pay order_id=3 order_status=paid amount=5",
    "c 2026-01-09T11:00 pay order_id=4 order_status=paid amount=7",
    "c 2026-01-10T11:00 back order_id=4 order_status=returned amount=-3",
    # money without an order
    "d 2026-01-10T10:00 tip amount=2",
    "d 2026-01-12T10:00 order order_id=5 order_status=placed amount=9",
    # too young
    "e 2026-01-13T10:00 order order_id=6 order_status=placed amount=4",
]


def shop(
    folder: Path, rows: Iterable[str | Row] = SHOP, /, *, paid: Sequence[str] = ("paid",), **options: Any
) -> ActiveDays:
    """The active days of a log with its orders; keywords as for ``world_of``."""
    return with_orders(opened(folder, rows, **options), OrderWords(paid, ["purchase"]))
