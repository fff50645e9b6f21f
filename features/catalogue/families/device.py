"""Devices: operating system, device, app version and network; the last, the main, how many, and what is new."""

from features.catalogue.definition import Derived, Feature, OverValues, Unit, WithConstants

_WORDS = {
    "device_os": "operating system",
    "device_model": "device",
    "app_version": "app version",
    "network": "network",
}
_MOBILE = ("android", "ios", "ipados", "harmonyos", "windows phone", "blackberry", "kaios", "tizen")


def _last(column: str) -> Feature:
    """Return the last value seen; ties go to the greatest, so that the order of rows does not matter."""
    return OverValues(
        f"last_{column}",
        Unit.TEXT,
        f"{_WORDS[column].capitalize()} of the last event that has one; ties go to the greatest name.",
        sql="max({'at': last_at, 'value': value}).value",
        of=column,
        reason=f"{_WORDS[column]} is {{value}}",
        needs=(column,),
    )


def _main(column: str) -> Feature:
    return OverValues(
        f"main_{column}_28d",
        Unit.TEXT,
        f"{_WORDS[column].capitalize()} with the most events in 28 days; ties go to the greatest name.",
        sql="max(case when n_28d > 0 then {'n': n_28d, 'value': value} end).value",
        of=column,
        reason=f"usual {_WORDS[column]} is {{value}}",
        needs=(column,),
        window_days=28,
    )


def _number(name: str, column: str, *, words: str) -> Feature:
    return OverValues(
        name,
        Unit.COUNT,
        f"Distinct {words} so far.",
        sql="count(*)",
        when_absent=0,
        of=column,
        reason=f"{{value}} {words} used in total",
        needs=(column,),
    )


def _number_28d(name: str, column: str, *, words: str) -> Feature:
    return OverValues(
        f"{name}_28d",
        Unit.COUNT,
        f"Distinct {words} in 28 days.",
        sql="sum(case when last_age <= 28 then 1 else 0 end)",
        when_absent=0,
        of=column,
        reason=f"{{value}} {words} used in the last 28 days",
        needs=(column,),
        window_days=28,
    )


def _has_new(column: str, words: str) -> Feature:
    return OverValues(
        f"has_new_{column}_14d",
        Unit.FLAG,
        f"1 where {words} of the last 14 days was not seen before them.",
        sql="max(case when first_age <= 14 then 1 else 0 end)",
        when_absent=0,
        of=column,
        reason=f"new {_WORDS[column]} in the last 14 days",
        needs=(column,),
        window_days=14,
    )


FEATURES = (
    *(_last(column) for column in _WORDS),
    *(_main(column) for column in _WORDS),
    _number("device_models", "device_model", words="devices"),
    _number("operating_systems", "device_os", words="operating systems"),
    _number_28d("app_versions", "app_version", words="app versions"),
    _number_28d("networks", "network", words="networks"),
    _has_new("device_model", "a device"),
    _has_new("device_os", "an operating system"),
    _has_new("app_version", "an app version"),
    OverValues(
        "mobile_share_28d",
        Unit.SHARE,
        f"Share of the events of 28 days with an operating system that are of a mobile one, in any case: {', '.join(_MOBILE)}.",
        sql=f"sum(case when lower(value) in {_MOBILE!r} then n_28d else 0 end) / nullif(sum(n_28d), 0)",
        of="device_os",
        reason="{value} of activity is on mobile devices",
        needs=("device_os",),
        window_days=28,
    ),
    WithConstants(
        Derived(
            "app_version_age_days",
            Unit.DAYS,
            "Days since anybody was first seen with the user's last app version in the training data; "
            "a version that the model does not know is new: 0.",
            sql="case when last_app_version is not null"
            " then greatest(coalesce(cutoff - case last_app_version {when_first_seen} end, 0), 0) end",
            reason="app version is {value} days old",
            needs=("app_version",),
        ),
        source="app versions to learn from",
    ),
    WithConstants(
        Derived(
            "app_versions_behind",
            Unit.COUNT,
            "App versions known to the model that were first seen after the user's last one and before the cutoff; "
            "a version that it does not know is the newest: 0.",
            sql="case when app_version_age_days is not null then greatest(case {when_known_before} else 0 end"
            " - case {when_known_then} else 0 end, 0) end",
            reason="{value} app versions behind the latest",
            needs=("app_version",),
        ),
        source="app versions to learn from",
    ),
)
