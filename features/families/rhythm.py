"""How regular: the gaps between active days, and how overdue the next one is; night and weekend."""

from features.feature import Derived, OverDays, Unit

FEATURES = (
    OverDays(
        "gap_days_mean",
        Unit.DAYS,
        "Mean gap between successive active days.",
        sql="sum(gap_days) / count(gap_days)",
        reason="comes every {value} days",
    ),
    OverDays(
        "gap_days_median",
        Unit.DAYS,
        "Median gap between successive active days.",
        sql="median(gap_days)",
        reason="usually comes every {value} days",
    ),
    OverDays(
        "gap_days_std",
        Unit.DAYS,
        "Spread (population standard deviation) of the gaps between successive active days.",
        sql="sqrt(count(gap_days) * sum(gap_days * gap_days) - sum(gap_days) * sum(gap_days)) / count(gap_days)",
        reason="the gaps between visits vary by {value} days",
    ),
    OverDays(
        "gap_days_max",
        Unit.DAYS,
        "Longest gap between successive active days.",
        sql="max(gap_days)",
        reason="was once away for {value} days and came back",
    ),
    OverDays(
        "gap_days_last",
        Unit.DAYS,
        "Gap between the last two active days.",
        sql="arg_min(gap_days, age)",
        reason="the last gap was {value} days",
        usual=("gap_days_mean", 1),
    ),
    Derived(
        "overdue_ratio",
        Unit.RATIO,
        "Days since the last event over the mean gap: above 1 the user is later than usual.",
        sql="days_since_last_event / nullif(gap_days_mean, 0)",
        reason="away for {value} times the own usual gap",
    ),
    Derived(
        "overdue_deviations",
        Unit.RATIO,
        "Days since the last event less the mean gap, in spreads of the gaps (at least half a day).",
        sql="(days_since_last_event - gap_days_mean) / greatest(gap_days_std, 0.5)",
        reason="{value} spreads later than usual",
        told_as="overdue_ratio",
    ),
    OverDays(
        "night_share_28d",
        Unit.SHARE,
        "Share of the events of 28 days between midnight and six, local time.",
        sql="sum(night_events) filter (age <= 28) / nullif(sum(events) filter (age <= 28), 0)",
        reason="{value} of the use is at night",
        daily={"night_events": "coalesce(sum(n) filter (hour < 6), 0)"},
        needs=("time_of_day",),
        window_days=28,
    ),
    OverDays(
        "weekend_share_28d",
        Unit.SHARE,
        "Share of the events of 28 days on Saturday or Sunday.",
        sql="coalesce(sum(events) filter (age <= 28 and isodow(day) > 5), 0) / nullif(sum(events) filter (age <= 28), 0)",
        reason="{value} of the use is at weekends",
        window_days=28,
    ),
)
