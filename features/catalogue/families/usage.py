"""How much: events, active days, sessions, minutes of usage."""

from features.catalogue.definition import (
    EVENTS,
    FOUR_WEEKS,
    SESSIONS,
    USAGE,
    Daily,
    Derived,
    Feature,
    OverDays,
    Unit,
    Windowed,
)

# of 86,400 seconds at most: the sum of the squares of a million sessions a day still fits
_SECONDS = "least(visit_ms // 1000, 86400)"


def _decayed(measure: str, half_life: int, *, unit: Unit, words: str, daily: Daily | None = None) -> Feature:
    """Add up a daily column with weights that halve with age; in units of 2^-20, so that any order gives the same bits."""
    column = measure if daily else "1"
    return OverDays(
        f"{measure}_decayed_{half_life}d",
        unit,
        f"{words.capitalize()}, exponentially weighted with a half-life of {half_life} days; summed in units of 2^-20.",
        sql=f"sum(cast(round({column} * pow(2, 20 - age / {half_life})) as hugeint)) / pow(2, 20)"
        + (" / 60000" if unit is Unit.MINUTES else ""),
        reason=f"{{value}} {words}, weighted towards recent days",
        daily={measure: daily} if daily else {},
        needs=("usage",) if unit is Unit.MINUTES else (),
        shown_as=f"{measure}_{max(half_life, 7)}d",
    )


def _share(window: int) -> Feature:
    return Derived(
        f"active_day_share_{window}d",
        Unit.SHARE,
        f"Active days in the last {window} days divided by {window}, or by the days since first seen where those are fewer.",
        sql=f"active_days_{window}d / least({window}, tenure_days)",
        reason=f"active on {{value}} of the last {window} days",
        usual=("active_day_share", 1),
        window_days=window,
    )


def _per_active_day(measure: str, unit: Unit, *, words: str, window: int) -> Feature:
    return Derived(
        f"{measure}_per_active_day_{window}d",
        unit,
        f"{words.capitalize()} per active day over {window} days.",
        sql=f"{measure}_{window}d / nullif(active_days_{window}d, 0)",
        reason=f"{{value}} {words} per active day",
        usual=(f"{measure}_per_active_day_28d", 1) if window < FOUR_WEEKS else None,
    )


FEATURES = (
    Windowed("events", Unit.EVENTS, "Events.", daily=EVENTS, reason="{value} events in the last {window} days"),
    Windowed(
        "active_days",
        Unit.DAYS,
        "Days with any event.",
        daily=Daily("1"),
        reason="active on {value} of the last {window} days",
    ),
    Windowed(
        "sessions",
        Unit.SESSIONS,
        "Sessions; one across midnight counts on both days, rows without an id form one per day.",
        daily=SESSIONS,
        reason="{value} sessions in the last {window} days",
        needs=("sessions",),
    ),
    Windowed(
        "usage_minutes",
        Unit.MINUTES,
        "Minutes of usage: recorded durations, each cut at the end of its day; else from first to last event of each session, and of"
        " rows without an id the time without pauses that would start another.",
        daily=USAGE,
        scale=1 / 60_000,
        reason="{value} minutes of usage in the last {window} days",
        needs=("usage",),
    ),
    OverDays(
        "active_days",
        Unit.DAYS,
        "Active days so far.",
        sql="count(*)",
        reason="{value} active days in total",
    ),
    OverDays(
        "active_day_share",
        Unit.SHARE,
        "Active days so far divided by the days since first seen, or since the observation window starts.",
        sql="count(*) / (any_value(cutoff) - greatest(any_value(first_day), any_value(observed_from)))",
        reason="active on {value} of all days since the first",
    ),
    *(_share(window) for window in (7, 28, 90)),
    *(_decayed("active_days", days, unit=Unit.DAYS, words="active days") for days in (3, 7, 28)),
    *(_decayed("events", days, unit=Unit.EVENTS, words="events", daily=EVENTS) for days in (3, 7, 28)),
    *(_decayed("usage_minutes", days, unit=Unit.MINUTES, words="minutes of usage", daily=USAGE) for days in (7, 28)),
    *(_per_active_day("events", Unit.EVENTS, words="events", window=window) for window in (7, 28)),
    *(_per_active_day("sessions", Unit.SESSIONS, words="sessions", window=window) for window in (7, 28)),
    *(_per_active_day("usage_minutes", Unit.MINUTES, words="minutes", window=window) for window in (7, 28)),
    Derived(
        "usage_minutes_per_session_7d",
        Unit.MINUTES,
        "Mean session length over 7 days, in minutes.",
        sql="usage_minutes_7d / nullif(sessions_7d, 0)",
        reason="{value} minutes per session",
        usual=("usage_minutes_per_session_28d", 1),
    ),
    Derived(
        "usage_minutes_per_session_28d",
        Unit.MINUTES,
        "Mean session length over 28 days, in minutes.",
        sql="usage_minutes_28d / nullif(sessions_28d, 0)",
        reason="{value} minutes per session",
    ),
    Derived(
        "events_per_session_28d",
        Unit.EVENTS,
        "Mean events per session over 28 days.",
        sql="events_28d / nullif(sessions_28d, 0)",
        reason="{value} events per session",
    ),
    OverDays(
        "session_minutes_std_28d",
        Unit.MINUTES,
        "Standard deviation (population) of session lengths over 28 days; each in whole seconds, at most a day.",
        sql="sqrt(greatest(sum(case when age <= 28 then sessions end) * sum(case when age <= 28 then visit_seconds_squared end)"
        " - sum(case when age <= 28 then visit_seconds end) * sum(case when age <= 28 then visit_seconds end), 0))"
        " / sum(case when age <= 28 then sessions end) / 60",
        reason="session length varies by {value} minutes",
        daily={
            "sessions": SESSIONS,
            "visit_seconds": Daily(f"sum({_SECONDS})", over_visits=True),
            "visit_seconds_squared": Daily(f"sum({_SECONDS} * {_SECONDS})", over_visits=True),
        },
        needs=("sessions", "usage"),
        window_days=28,
    ),
)
