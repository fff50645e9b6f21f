"""Event logs in, profiles of users as of a cutoff out. Its public names are loaded when they are first used."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from features.activity.store import Activity, ActivitySettings, open_activity
    from features.catalogue.definition import Feature, Unit
    from features.errors import CheckFailed, ChurnError, InputError, SettingsError
    from features.profiles.specification import Specification
    from features.settings import ChurnSettings, EventsSettings, FeatureSettings

_HOMES = {
    "features.activity.store": ("Activity", "ActivitySettings", "open_activity"),
    "features.catalogue.definition": ("Feature", "Unit"),
    "features.errors": ("CheckFailed", "ChurnError", "InputError", "SettingsError"),
    "features.profiles.specification": ("Specification",),
    "features.settings": ("ChurnSettings", "EventsSettings", "FeatureSettings"),
}
__all__ = [
    "Activity",
    "ActivitySettings",
    "CheckFailed",
    "ChurnError",
    "ChurnSettings",
    "EventsSettings",
    "Feature",
    "FeatureSettings",
    "InputError",
    "SettingsError",
    "Specification",
    "Unit",
    "open_activity",
]


def __getattr__(name: str) -> object:
    """Import a public name when it is first used."""
    for home, names in _HOMES.items():
        if name in names:
            return getattr(import_module(home), name)
    raise AttributeError(f"module 'features' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
