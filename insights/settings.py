"""The settings of the report."""

from __future__ import annotations

from collections.abc import Collection
from typing import Literal, Self

from pydantic import field_validator, model_validator

from features.errors import closest
from features.settings import Section, SmallTableSettings, setting

_ENDS = 2  # of a range


class ReportSettings(Section):
    """``[report]``: what ``churn report`` needs to know of the product."""

    language: Literal["en", "zh"] = setting("en", "Language of the report: English or Chinese.")
    pdf: bool = setting(default=False, words="Print the page as PDF too, by a Chromium that is installed.")
    browser: str = setting("", "Command of the browser that prints; default: the first Chromium that is found.")
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
    paid_statuses: tuple[str, ...] = setting(
        ("paid",), "Values of order_status that mean that an order is paid, such as paid and completed."
    )
    payment_hours: int = setting(
        24, "An order that is not paid within so many hours is lost.", unit="hours", ge=1, le=2160
    )
    item_event_types: tuple[str, ...] = setting(
        (), "Event types that view a product; default: all that name one and no order, and are no purchase."
    )
    item_days: int = setting(
        7, "A product that is not bought within so many days of the first view is lost.", unit="days", ge=0, le=90
    )
    repeat_days: int = setting(
        90, "Window in which buyers buy again, and of recency, frequency and money.", unit="days", ge=1
    )
    member_attribute: str = setting("member", "Attribute of [users] that says who is a member.")
    member_values: tuple[str, ...] = setting(
        (),
        "Values of member_attribute that mean member, such as gold; default: all but words for no, of numbers those above zero.",
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


def _check_columns(columns: Collection[str], known: Collection[str]) -> None:
    for name in columns:
        if name not in known:
            raise ValueError(f'columns: "{name}" is unknown; {closest(name, known)}')


class CostsSettings(SmallTableSettings):
    """``[costs]``: what acquisition costs, by channel and day or month, and what else a price pays for."""

    shares: dict[str, float] = setting(
        {}, "Shares of a price that are not earned, as in { product = 0.55, service = 0.03, logistics = 0.08 }."
    )

    @field_validator("shares")
    @classmethod
    def _are_parts_of_a_whole(cls, shares: dict[str, float]) -> dict[str, float]:
        total = sum(shares.values())
        if any(share < 0 for share in shares.values()) or total > 1:
            raise ValueError(
                f"got {shares}, which add up to {total:g}, expected shares of a price: from 0, together at most 1"
            )
        if "marketing" in shares:
            raise ValueError("marketing is what the table says; give it as spend, not as a share")
        return shares

    @model_validator(mode="after")
    def _has_a_day_or_a_month(self) -> Self:
        _check_columns(self.columns, ("channel", "spend", "day", "month"))
        if self.path and len({"day", "month"} & self.columns.keys()) != 1:
            raise ValueError('columns: expected either day or month, as in month = "month"')
        return self

    def mapping(self) -> dict[str, str]:
        """Column to expression; channel and spend are expected under their own names."""
        return {name: self.columns.get(name, name) for name in ("channel", "spend")} | self.columns


class AnnotationsSettings(SmallTableSettings):
    """``[annotations]``: releases, campaigns and holidays that the report shows next to what has changed."""

    @model_validator(mode="after")
    def _columns_are_known(self) -> Self:
        _check_columns(self.columns, ("day", "until", "label"))
        return self

    def mapping(self) -> dict[str, str]:
        """Column to expression; day and label are expected under their own names."""
        return {name: self.columns.get(name, name) for name in ("day", "label")} | self.columns
