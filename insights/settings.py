"""The settings of the report."""

from __future__ import annotations

from pydantic import field_validator

from features.settings import Section, setting

_ENDS = 2  # of a range


class ReportSettings(Section):
    """``[report]``: what ``churn report`` needs to know of the product."""

    left_censored_days: int | None = setting(
        None,
        "Days at the log's start whose new users may be older than the log; default: 28, or a quarter of a shorter log.",
        unit="days",
        ge=0,
    )
    purchase_event_types: tuple[str, ...] = setting(
        ("purchase",), "Event types that are purchases, in a log without amount."
    )
    funnel: tuple[str, ...] = setting(
        (),
        "Event types on the way to a purchase, in order, the purchase last; default: those that most purchases pass.",
    )
    conversion_benchmark: float | None = setting(
        None, "Weekly conversion of the trade, from 0 to 1, that yours is compared with.", ge=0, le=1
    )
    cart_event_types: tuple[str, ...] = setting(("add_to_cart", "cart"), "Event types that put something into a cart.")
    cart_days: int = setting(7, "A cart without a purchase within so many days is abandoned.", unit="days", ge=0, le=90)
    repeat_days: int = setting(
        90, "Window in which buyers buy again, and of recency, frequency and money.", unit="days", ge=1
    )
    minutes_expected: tuple[float, ...] = setting(
        (), "Minutes a day that were expected, the lowest and the highest, as in [5, 30].", unit="minutes", max_length=2
    )
    core_active_days: int = setting(
        20, "A core user is active on at least this many of the last 28 days.", unit="days", ge=1, le=28
    )

    @field_validator("minutes_expected")
    @classmethod
    def _is_a_range(cls, minutes: tuple[float, ...]) -> tuple[float, ...]:
        if minutes and (len(minutes) != _ENDS or not 0 <= minutes[0] <= minutes[1]):
            raise ValueError(f"got {list(minutes)}, expected two numbers, the lowest first: [5, 30]")
        return minutes
