"""The settings of the report."""

from __future__ import annotations

from features.settings import Section, setting


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
    core_active_days: int = setting(
        20, "A core user is active on at least this many of the last 28 days.", unit="days", ge=1, le=28
    )
