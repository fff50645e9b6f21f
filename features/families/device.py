"""With what: device, version, network; the last and how many."""

from features.feature import Feature, OverContexts, Unit


def _last(column: str, words: str) -> Feature:
    """Return the last value seen; of values at the same instant the greatest, so that the order of rows does not matter."""
    return OverContexts(
        f"last_{column}",
        Unit.TEXT,
        f"{words.capitalize()} of the last event that has one.",
        sql=f"(max({{'at': last_at, 'value': {column}}}) filter ({column} is not null)).value",
        reason=f"{words} is {{value}}",
        needs=(column,),
    )


FEATURES = (
    _last("device_os", "operating system"),
    _last("device_model", "device"),
    _last("app_version", "app version"),
    _last("network", "network"),
    OverContexts(
        "device_models",
        Unit.COUNT,
        "Different devices so far.",
        sql="count(distinct device_model)",
        reason="{value} devices so far",
        needs=("device_model",),
    ),
    OverContexts(
        "app_versions_28d",
        Unit.COUNT,
        "Different app versions in 28 days.",
        sql="count(distinct app_version) filter (age <= 28)",
        reason="{value} app versions in 28 days",
        needs=("app_version",),
        window_days=28,
    ),
    OverContexts(
        "networks_28d",
        Unit.COUNT,
        "Different networks in 28 days.",
        sql="count(distinct network) filter (age <= 28)",
        reason="{value} networks in 28 days",
        needs=("network",),
        window_days=28,
    ),
    OverContexts(
        "has_new_device_model_14d",
        Unit.FLAG,
        "1 where a device of the last 14 days was not seen before them.",
        sql="cast(count(distinct device_model) > count(distinct device_model) filter (age > 14) as integer)",
        reason="a new device in the last 14 days",
        needs=("device_model",),
        window_days=14,
    ),
)
