"""Numbers that tell the date within a group of users."""

from datetime import date, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from features.profiles.specification import Specification
from training.data.date_tellers import date_tellers, describe

WEEKS = [date(2026, 1, 5) + timedelta(weeks=week) for week in range(8)]
USERS = 600
RELEASED_EVERY = {"a": 5, "b": 3, "c": 7, "d": 4}  # weeks
SPECIFICATION = Specification(
    ("acquisition_channel", "app_version_age_days", "days_since_last_event", "active_days_7d"),
    (7,),
    categories={"acquisition_channel": tuple(RELEASED_EVERY)},
)


def profiles(*, lag: float = 1.0) -> pa.Table:
    """Users of four products; the age of a version depends on its product and the week, and a little on the user."""
    random = np.random.default_rng(4)
    product = np.tile(random.choice(list(RELEASED_EVERY), USERS), len(WEEKS))
    week = np.repeat(np.arange(len(WEEKS)), USERS)
    since = week % np.array([RELEASED_EVERY[one] for one in product])
    columns: dict[str, Any] = {
        "user_id": np.tile([f"u{user}" for user in range(USERS)], len(WEEKS)),
        "cutoff": pa.array(np.repeat(np.array(WEEKS), USERS), pa.date32()),
        "acquisition_channel": product,
        "app_version_age_days": 7.0 * since + random.gamma(2.0, lag, len(week)),
        "days_since_last_event": random.gamma(2.0, 3.0, len(week)),
        "active_days_7d": random.poisson(3.0, len(week)).astype(float),
    }
    return pa.table(columns)


def test_an_age_that_tells_the_date_within_a_product_is_found_and_behaviour_is_not():
    found = date_tellers(profiles(), SPECIFICATION)
    assert list(found) == ["app_version_age_days"]
    share, category = found["app_version_age_days"]
    assert share > 0.8
    assert category == "acquisition_channel"
    assert describe(share, category).startswith("within each acquisition_channel the snapshot alone decides")


def test_the_more_a_user_decides_the_less_it_tells():
    shares = [date_tellers(profiles(lag=lag), SPECIFICATION)["app_version_age_days"][0] for lag in (0.1, 1, 2)]
    assert shares == sorted(shares, reverse=True)
    assert not date_tellers(profiles(lag=40.0), SPECIFICATION)


def test_the_date_itself_is_found_in_all_users():
    table = profiles()
    days = table["cutoff"].cast(pa.int32()).cast(pa.float64())
    place = table.column_names.index("days_since_last_event")
    found = date_tellers(table.set_column(place, "days_since_last_event", days), SPECIFICATION)
    assert found["days_since_last_event"] == (pytest.approx(1.0, abs=0.01), "")


def test_one_snapshot_tells_nothing():
    table = profiles().slice(0, USERS)
    assert date_tellers(table, SPECIFICATION) == {}
