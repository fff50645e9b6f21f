"""What they do: the main event types, found on training cutoffs and frozen; how many kinds there are."""

from features.feature import Derived, OverEventTypes, PerEventType, Unit

FEATURES = (
    OverEventTypes(
        "event_types_28d",
        Unit.COUNT,
        "Different event types in 28 days.",
        sql="count(distinct event_type) filter (age <= 28)",
        reason="{value} kinds of action in 28 days",
        window_days=28,
    ),
    PerEventType(
        OverEventTypes(
            "events_of_{type}_7d",
            Unit.EVENTS,
            "Events of type {quoted} in the last 7 days.",
            sql="sum(n) filter (event_type = {quoted} and age <= 7)",
            reason="{value} times {type} in 7 days",
            window_days=7,
            when_absent=0,
            usual=("events_of_{type}_28d", 0.25),
        )
    ),
    PerEventType(
        OverEventTypes(
            "events_of_{type}_28d",
            Unit.EVENTS,
            "Events of type {quoted} in the last 28 days.",
            sql="sum(n) filter (event_type = {quoted} and age <= 28)",
            reason="{value} times {type} in 28 days",
            window_days=28,
            when_absent=0,
        )
    ),
    PerEventType(
        Derived(
            "share_of_{type}_28d",
            Unit.SHARE,
            "Share of type {quoted} in the events of 28 days.",
            sql="events_of_{type}_28d / nullif(events_28d, 0)",
            reason="{type} is {value} of the actions",
        )
    ),
)
