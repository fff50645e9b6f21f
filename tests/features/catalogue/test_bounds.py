import math

import pytest

from features.catalogue.bounds import UNBOUNDED, bounds_of
from features.catalogue.catalogue import catalogue
from features.catalogue.custom import CustomFeature
from features.catalogue.definition import Daily, Feature, Unit, Windowed
from features.catalogue.fitted import FittedConstants

FEATURES = {one.name: one for one in catalogue((7, 28), FittedConstants(("open", "buy")))}


@pytest.mark.parametrize(
    ("name", "bounds"),
    [
        ("active_days_7d", (0, 7)),
        ("active_days_28d", (0, 28)),
        ("events_7d", (0, math.inf)),
        ("usage_minutes_28d", (0, math.inf)),
        ("days_since_last_event", (0, math.inf)),
        ("tenure_days", (0, math.inf)),
        ("is_in_first_week", (0, 1)),
        ("active_day_share_7d", (0, 1)),
        ("share_of_buy_28d", (0, 1)),
        ("refunded_share", UNBOUNDED),  # more may be refunded than the log has purchases of
        ("events_change_7d", UNBOUNDED),
        ("amount_7d", UNBOUNDED),  # refunds
        ("last_network", UNBOUNDED),
    ],
)
def test_a_count_is_not_negative_and_days_are_not_more_than_their_window(name: str, bounds: tuple[float, float]):
    assert bounds_of(FEATURES[name]) == bounds


def test_days_of_any_kind_are_not_more_than_their_window():
    (nights,) = Windowed(
        "night_days",
        Unit.DAYS,
        "Days with an event at night.",
        daily=Daily("max(case when hour < 6 then 1 else 0 end)"),
        reason="{value} nights",
    ).over((7,))
    assert bounds_of(nights) == (0, 7)


def test_nothing_is_known_of_a_custom_feature():
    own = CustomFeature("windowed", "taps", Unit.EVENTS, "Taps.", "{value} taps", daily="sum(n)")
    custom: list[Feature] = [
        one for one in catalogue((7,), FittedConstants(), custom=(own,)) if one.name.startswith("taps")
    ]
    assert [bounds_of(one) for one in custom] == [UNBOUNDED] * len(custom)
    assert custom
