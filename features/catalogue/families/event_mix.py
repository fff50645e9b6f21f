"""What users do: the main event types, found on training cutoffs and frozen; how many types there are, how varied, how new."""

from features.catalogue.definition import Derived, Feature, OverValues, PerEventType, Unit


def _events_of(window: int, usual: tuple[str, float] | None = None) -> PerEventType:
    return PerEventType(
        OverValues(
            f"events_of_{{type}}_{window}d",
            Unit.EVENTS,
            f"Events of type {{quoted}} in the last {window} days.",
            sql=f"sum(case when value = {{quoted}} then n_{window}d else 0 end)",
            of="event_type",
            reason=f"{{value}} {{type}} events in the last {window} days",
            window_days=window,
            when_absent=0,
            usual=usual,
        )
    )


def _number(name: str, description: str, *, sql: str, reason: str) -> Feature:
    return OverValues(
        name, Unit.COUNT, description, sql=sql, when_absent=0, of="event_type", reason=reason, window_days=28
    )


FEATURES = (
    _number(
        "event_types_28d",
        "Distinct event types in 28 days.",
        sql="sum(case when last_age <= 28 then 1 else 0 end)",
        reason="{value} types of activity in the last 28 days",
    ),
    _number(
        "new_event_types_28d",
        "Event types that were first seen in these 28 days.",
        sql="sum(case when first_age <= 28 then 1 else 0 end)",
        reason="{value} new types of activity in the last 28 days",
    ),
    OverValues(
        "new_event_type_share_28d",
        Unit.SHARE,
        "Share of the events of 28 days that are of types first seen in these 28 days.",
        sql="sum(case when first_age <= 28 then n_28d else 0 end) / nullif(sum(n_28d), 0)",
        of="event_type",
        reason="{value} of activity is of new types",
        window_days=28,
    ),
    OverValues(
        "event_type_entropy_bits_28d",
        Unit.BITS,
        "Entropy of the event types of 28 days: 0 means always the same; logarithms are summed in units of 2^-40.",
        sql="case when sum(n_28d) > 0 then greatest(log2(sum(n_28d))"
        " - sum(cast(round(n_28d * log2(greatest(n_28d, 1)) * pow(2, 40)) as hugeint)) / pow(2, 40) / sum(n_28d), 0) end",
        of="event_type",
        reason="engages in {many} types of activity",
        window_days=28,
    ),
    _events_of(7, usual=("events_of_{type}_28d", 0.25)),
    _events_of(28),
    PerEventType(
        Derived(
            "share_of_{type}_28d",
            Unit.SHARE,
            "Share of events of type {quoted} in 28 days.",
            sql="events_of_{type}_28d / nullif(events_28d, 0)",
            reason="{value} of activity is {type}",
        )
    ),
)
