"""Trend: the latest window compared with the one before, the slope over four weeks, streaks, and the peak week."""

from features.catalogue.definition import USAGE, Derived, Feature, OverDays, Unit

_PERIODS = {7: "week", 28: "four weeks"}


def _change(measure: str, unit: Unit, *, words: str, window: int) -> Feature:
    """Return the window minus the window before it."""
    return Derived(
        f"{measure}_change_{window}d",
        unit,
        f"{words.capitalize()} in the last {window} days minus those in the {window} days before.",
        sql=f"2 * {measure}_{window}d - {measure}_{2 * window}d",
        reason=f"{{more}} {words} than in the previous {_PERIODS[window]}",
    )


def _against_before(measure: str, words: str, *, noun: str, window: int) -> Feature:
    """Return the window divided by the window before it."""
    return Derived(
        f"{measure}_ratio_{window}d",
        Unit.RATIO,
        f"{words.capitalize()} in the last {window} days divided by those in the {window} days before; 1 is steady.",
        sql=f"{measure}_{window}d / nullif({measure}_{2 * window}d - {measure}_{window}d, 0)",
        reason=f"{noun} {{change}} of the previous {_PERIODS[window]}",
    )


FEATURES = (
    *(_change("active_days", Unit.DAYS, words="active days", window=window) for window in (7, 28)),
    *(_change("events", Unit.EVENTS, words="events", window=window) for window in (7, 28)),
    *(_change("sessions", Unit.SESSIONS, words="sessions", window=window) for window in (7, 28)),
    *(_change("usage_minutes", Unit.MINUTES, words="minutes of usage", window=window) for window in (7, 28)),
    *(_against_before("events", "events", noun="activity", window=window) for window in (7, 28)),
    *(_against_before("usage_minutes", "minutes of usage", noun="usage", window=window) for window in (7, 28)),
    Derived(
        "events_trend_7d",
        Unit.RATIO,
        "Events of the last 7 days divided by a quarter of those of 28 days; 1 is steady.",
        sql="4 * events_7d / nullif(events_28d, 0)",
        reason="activity in the last week {change} of the four-week average",
    ),
    Derived(
        "usage_minutes_trend_7d",
        Unit.RATIO,
        "Minutes of usage of the last 7 days divided by a quarter of those of 28 days; 1 is steady.",
        sql="4 * usage_minutes_7d / nullif(usage_minutes_28d, 0)",
        reason="usage in the last week {change} of the four-week average",
    ),
    Derived(
        "events_acceleration_3d",
        Unit.RATIO,
        "Events per day over 3 days divided by events per day over 14 days.",
        sql="14 * events_3d / nullif(3 * events_14d, 0)",
        reason="activity in the last 3 days {change} of the two-week average",
    ),
    OverDays(
        "events_slope_28d",
        Unit.EVENTS,
        "Slope of the events per day over 28 days, in events per day and week (least squares, absent days count as zero).",
        # ages 1 to 28: their mean is 14.5 and the sum of squares about it 1827; integers times two keep the sum exact
        sql="7 * sum(case when age <= 28 then (29 - 2 * age) * events else 0 end) / (2 * 1827)",
        reason="events per day trending {trend} per week",
        window_days=28,
        when_absent=0,
    ),
    OverDays(
        "active_days_slope_28d",
        Unit.DAYS,
        "Slope of activity (0 or 1 on each day) over 28 days, per week.",
        sql="7 * sum(case when age <= 28 then 29 - 2 * age else 0 end) / (2 * 1827)",
        reason="active days trending {trend} per week",
        window_days=28,
        when_absent=0,
    ),
    OverDays(
        "usage_minutes_slope_28d",
        Unit.MINUTES,
        "Slope of the minutes of usage per day over 28 days, in minutes per day and week.",
        sql="7 * sum(case when age <= 28 then (29 - 2 * age) * usage_minutes else 0 end) / (2 * 1827) / 60000",
        reason="usage minutes per day trending {trend} per week",
        daily={"usage_minutes": USAGE},
        needs=("usage",),
        window_days=28,
        when_absent=0,
    ),
    Derived(
        "active_days_acceleration_7d",
        Unit.RATIO,
        "Active days per day over 7 days divided by those over 28 days; 1 is steady.",
        sql="4 * active_days_7d / nullif(active_days_28d, 0)",
        reason="active days in the last week {change} of the four-week average",
    ),
    OverDays(
        "longest_streak_days",
        Unit.DAYS,
        "Longest run of consecutive active days.",
        sql="max(streak_days)",
        reason="longest streak of active days: {value}",
    ),
    OverDays(
        "current_streak_days",
        Unit.DAYS,
        "Run of active days up to the day before the cutoff; 0 where that day was not active.",
        sql="max(case when age = 1 then streak_days else 0 end)",
        reason="current streak of active days: {value}",
        usual=("longest_streak_days", 1),
    ),
    OverDays(
        "weeks_since_peak_84d",
        Unit.WEEKS,
        "Weeks since the week with the most active days, of the 12 weeks before the cutoff; 0 is the last seven days, "
        "of several weeks the latest counts.",
        # three bits count the days of a week; the greatest (count, latest week) pair is the peak
        sql="15 - (list_max([((cast(sum(case when age <= 84 then cast(1 as bigint) << (3 * ((age - 1) // 7)) end) as bigint)"
        " >> (3 * week)) & 7) * 16 + 15 - week for week in range(12)]) & 15)",
        reason="most active week was {value} weeks ago",
        window_days=84,
    ),
)
