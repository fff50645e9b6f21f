"""Which way: the latest window against the one before it, and the slope over four weeks."""

from features.feature import Derived, OverDays, Unit

FEATURES = (
    Derived(
        "active_days_change_7d",
        Unit.DAYS,
        "Active days in the last 7 days less those in the 7 days before.",
        sql="2 * active_days_7d - active_days_14d",
        reason="{value} active days against the week before",
    ),
    Derived(
        "active_days_change_28d",
        Unit.DAYS,
        "Active days in the last 28 days less those in the 28 days before.",
        sql="2 * active_days_28d - active_days_56d",
        reason="{value} active days against the four weeks before",
    ),
    Derived(
        "events_trend_7d",
        Unit.RATIO,
        "Events of the last 7 days over a quarter of those of 28 days; 1 is steady.",
        sql="4 * events_7d / nullif(events_28d, 0)",
        reason="activity this week is {value} times the month's",
    ),
    Derived(
        "usage_minutes_trend_7d",
        Unit.RATIO,
        "Minutes of the last 7 days over a quarter of those of 28 days; 1 is steady.",
        sql="4 * usage_minutes_7d / nullif(usage_minutes_28d, 0)",
        reason="use this week is {value} times the month's",
    ),
    Derived(
        "events_acceleration_3d",
        Unit.RATIO,
        "Events a day over 3 days, over events a day over 14 days.",
        sql="14 * events_3d / nullif(3 * events_14d, 0)",
        reason="activity of 3 days is {value} times that of 14",
    ),
    OverDays(
        "events_slope_28d",
        Unit.EVENTS,
        "Slope of the events per day over 28 days, in events per day and week (least squares, absent days count as zero).",
        # ages 1 to 28: their mean is 14.5 and the sum of squares about it 1827; integers times two keep the sum exact
        sql="7 * coalesce(sum((29 - 2 * age) * events) filter (age <= 28), 0) / (2 * 1827)",
        reason="{value} events a day more every week",
        window_days=28,
    ),
    OverDays(
        "active_days_slope_28d",
        Unit.DAYS,
        "Slope of activity (a day is 0 or 1) over 28 days, per week.",
        sql="7 * coalesce(sum(29 - 2 * age) filter (age <= 28), 0) / (2 * 1827)",
        reason="activity changes by {value} of a day every week",
        window_days=28,
    ),
)
