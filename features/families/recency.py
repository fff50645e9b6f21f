"""How long ago: the last event, the last day that counts, the first day."""

from features.feature import Derived, OverDays, Unit

FEATURES = (
    OverDays(
        "days_since_last_event",
        Unit.DAYS,
        "Days of 24 hours from the last event to the cutoff, with fractions.",
        sql="(epoch_us(any_value(cutoff_at)) - max(last_us)) / 86400e6",
        reason="last seen {value} days ago",
        usual=("gap_days_mean", 1),
    ),
    OverDays(
        "days_since_last_qualifying_day",
        Unit.DAYS,
        "Whole days from the last day with a qualifying event to the cutoff; 1 is the day before. Decides eligibility.",
        sql="min(age) filter (qualifying_events > 0)",
        reason="last active {value} days ago",
        usual=("gap_days_mean", 1),
    ),
    OverDays(
        "tenure_days",
        Unit.DAYS,
        "Days from the first day seen to the cutoff.",
        sql="any_value(cutoff) - any_value(first_day)",
        reason="first seen {value} days ago",
    ),
    OverDays(
        "is_left_censored",
        Unit.FLAG,
        "1 where the user was first seen before the observation window starts, so that lifetime features miss days.",
        sql="cast(any_value(first_day) < any_value(observed_from) as integer)",
        reason="known for longer than the observed history",
        needs=("observation_days",),
    ),
    OverDays(
        "first_week_active_days",
        Unit.DAYS,
        "Active days in the first seven days.",
        sql="count(*) filter (day < first_day + 7)",
        reason="{value} active days in the first week",
    ),
    Derived(
        "is_in_first_week",
        Unit.FLAG,
        "1 where the user was first seen in the last seven days.",
        sql="cast(tenure_days <= 7 as integer)",
        reason="in the first week",
    ),
)
