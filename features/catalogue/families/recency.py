"""How long ago: the last event, session and event of each main type, the last day that counts; the first day and week."""

from features.catalogue.definition import (
    EVENTS,
    SESSIONS,
    USAGE,
    Daily,
    Derived,
    Feature,
    OverDays,
    OverValues,
    PerEventType,
    Unit,
)


def _first_week(measure: str, unit: Unit, *, words: str, daily: Daily, needs: tuple[str, ...] = ()) -> Feature:
    """Add up a daily column over the first seven days."""
    return OverDays(
        f"first_week_{measure}",
        unit,
        f"{words.capitalize()} in the first seven days.",
        sql=f"sum(case when day < first_day + 7 then {measure} else 0 end)"
        + (" / 60000" if unit is Unit.MINUTES else ""),
        reason=f"{{value}} {words} in the first week",
        daily={measure: daily},
        needs=needs,
    )


FEATURES = (
    OverDays(
        "days_since_last_event",
        Unit.DAYS,
        "Days of 24 hours from the last event to the cutoff, fractional.",
        sql="(epoch_us(any_value(cutoff_at)) - max(last_us)) / 86400e6",
        reason="last active {value} days ago",
        usual=("gap_days_mean", 1),
    ),
    OverDays(
        "days_since_last_session",
        Unit.DAYS,
        "Days of 24 hours from the start of the last session (on its last day, where it crosses midnight) to the cutoff.",
        sql="(epoch_us(any_value(cutoff_at)) - max(last_visit_us)) / 86400e6",
        reason="last session {value} days ago",
        daily={"last_visit_us": Daily("max(visit_start_us)", over_visits=True)},
        needs=("sessions",),
        usual=("gap_days_mean", 1),
    ),
    PerEventType(
        OverValues(
            "days_since_last_of_{type}",
            Unit.DAYS,
            "Whole days from the last day with an event of type {quoted} to the cutoff; 1 is the day before.",
            sql="min(case when value = {quoted} then last_age end)",
            of="event_type",
            reason="last {type} event {value} days ago",
        )
    ),
    OverDays(
        "days_since_last_qualifying_day",
        Unit.DAYS,
        "Whole days from the last day with a qualifying event to the cutoff; 1 is the day before. Decides eligibility.",
        sql="min(case when qualifying_events > 0 then age end)",
        reason="last qualifying activity {value} days ago",
        usual=("gap_days_mean", 1),
    ),
    OverDays(
        "days_since_last_leaving_day",
        Unit.DAYS,
        "Whole days from the last day with the event that means leaving to the cutoff. Decides eligibility.",
        sql="min(case when leaving_events > 0 then age end)",
        reason="churned {value} days ago and returned",
        needs=("leaving",),
    ),
    OverDays(
        "tenure_days",
        Unit.DAYS,
        "Days from the first day seen to the cutoff.",
        sql="any_value(cutoff) - any_value(first_day)",
        reason="first active {value} days ago",
    ),
    OverDays(
        "is_left_censored",
        Unit.FLAG,
        "1 where the user was first seen before the observation window starts, so that lifetime features miss days.",
        sql="cast(any_value(first_day) < any_value(observed_from) as integer)",
        reason="first active before the observation window",
        needs=("observation_days",),
    ),
    OverDays(
        "first_week_active_days",
        Unit.DAYS,
        "Active days in the first seven days.",
        sql="sum(case when day < first_day + 7 then 1 else 0 end)",
        reason="{value} active days in the first week",
    ),
    _first_week("events", Unit.EVENTS, words="events", daily=EVENTS),
    _first_week("sessions", Unit.SESSIONS, words="sessions", daily=SESSIONS, needs=("sessions",)),
    _first_week(
        "usage_minutes",
        Unit.MINUTES,
        words="minutes of usage",
        daily=USAGE,
        needs=("usage",),
    ),
    Derived(
        "is_in_first_week",
        Unit.FLAG,
        "1 where the user was first seen in the last seven days.",
        sql="cast(tenure_days <= 7 as integer)",
        reason="joined in the last seven days",
    ),
)
