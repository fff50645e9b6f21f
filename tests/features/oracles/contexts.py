"""Device, channel and event mix in plain Python, from the descriptions of the catalogue."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial

from tests.features.oracles.past import (
    Past,
    Value,
    different,
    entropy,
    events,
    last_age,
    number,
    over,
    share_of_28d,
)

CONTEXTS = ("device_os", "device_model", "app_version", "network", "channel")
MOBILE = {"android", "ios", "ipados", "harmonyos", "windows phone", "blackberry", "kaios", "tizen"}


def dated(past: Past, column: str) -> list[tuple[datetime, str]]:
    return [(row["event_time"].astimezone(UTC), row[column]) for row in past.events if row.get(column) is not None]


def last_value(past: Past, column: str) -> str | None:
    return max(dated(past, column))[1] if dated(past, column) else None


def counts(past: Past, column: str, days: int) -> Counter[str]:
    """Events with each value."""
    found: Counter[str] = Counter()
    for row in past.last(days):
        if row.get(column) is not None:
            found[row[column]] += number([row])
    return found


def main_value(past: Past, column: str) -> str | None:
    found = counts(past, column, 28)
    return max(found, key=lambda value: (found[value], value.encode())) if found else None


def new_values(past: Past, column: str, days: int) -> set[str]:
    """Values of the last days that were not seen before."""
    earlier = {row.get(column) for row in past.events if past.age(row) > days}
    return {row[column] for row in past.last(days) if row.get(column) is not None} - earlier


def has_new(column: str) -> Callable[[Past], int]:
    return lambda past: int(bool(new_values(past, column, 14)))


def mobile_share(past: Past) -> float | None:
    found = counts(past, "device_os", 28)
    return over(sum(n for value, n in found.items() if value.lower() in MOBILE), sum(found.values()))


def version_age(past: Past) -> int | None:
    version = last_value(past, "app_version")
    first_day = past.rules.versions.get(version or "")
    return None if version is None else max((past.cutoff - first_day).days, 0) if first_day else 0


def versions_behind(past: Past) -> int | None:
    version = last_value(past, "app_version")
    if version is None:
        return None
    first_day = past.rules.versions.get(version, past.cutoff)
    return len([day for day in past.rules.versions.values() if first_day < day < past.cutoff])


def new_type_share(past: Past) -> float | None:
    new = new_values(past, "event_type", 28)
    return share_of_28d(past, lambda row: row["event_type"] in new)


def of_type(past: Past, event_type: str, days: int) -> int:
    return number(row for row in past.last(days) if row["event_type"] == event_type)


def days_since_type(past: Past, event_type: str) -> int | None:
    return last_age([past.day(row) for row in past.events if row["event_type"] == event_type], past)


OF_A_TYPE: dict[str, Callable[[Past, str], Value]] = {
    "days_since_last_of_{}": days_since_type,
    "events_of_{}_7d": lambda past, event_type: of_type(past, event_type, 7),
    "events_of_{}_28d": lambda past, event_type: of_type(past, event_type, 28),
    "share_of_{}_28d": lambda past, event_type: over(of_type(past, event_type, 28), events(past, 28)),
}

DEVICE: dict[str, Callable[[Past], Value]] = {
    **{f"last_{column}": partial(last_value, column=column) for column in CONTEXTS},
    **{f"main_{column}_28d": partial(main_value, column=column) for column in CONTEXTS},
    "device_models": lambda past: different(past.events, "device_model"),
    "operating_systems": lambda past: different(past.events, "device_os"),
    "app_versions_28d": lambda past: different(past.last(28), "app_version"),
    "networks_28d": lambda past: different(past.last(28), "network"),
    **{f"has_new_{column}_14d": has_new(column) for column in ("device_model", "device_os", "app_version")},
    "mobile_share_28d": mobile_share,
    "app_version_age_days": version_age,
    "app_versions_behind": versions_behind,
}

CHANNEL: dict[str, Callable[[Past], Value]] = {
    "acquisition_channel": lambda past: min(dated(past, "channel"))[1] if dated(past, "channel") else None,
    "channels": lambda past: different(past.events, "channel"),
    "channel_entropy_bits": lambda past: entropy(counts(past, "channel", 10**6).values()),
}

EVENT_MIX: dict[str, Callable[[Past], Value]] = {
    "event_types_28d": lambda past: different(past.last(28), "event_type"),
    "new_event_types_28d": lambda past: len(new_values(past, "event_type", 28)),
    "new_event_type_share_28d": new_type_share,
    "event_type_entropy_bits_28d": lambda past: entropy(counts(past, "event_type", 28).values()),
}
