"""What is frozen with a model, so that a profile built anywhere and at any time means the same."""

from __future__ import annotations

from dataclasses import dataclass, field

from features.catalogue import catalogue
from features.feature import Feature


@dataclass(frozen=True)
class Specification:
    """The frozen profile specification.

    Attributes
    ----------
    feature_names
        The columns of a profile, in order.
    event_types
        The main event types, found before the earliest cutoff of validation.
    categories
        Text feature to its known values, most frequent first; the code of a value is its place.
    qualifying, event
        SQL over the contract, as configured.
    """

    feature_names: tuple[str, ...]
    windows_days: tuple[int, ...]
    event_types: tuple[str, ...] = ()
    observation_days: int | None = None
    timezone: str = "UTC"
    session_gap_minutes: int = 30
    qualifying: str = ""
    event: str = ""
    categories: dict[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])

    @property
    def features(self) -> tuple[Feature, ...]:
        """The literals behind the names, in order."""
        known = {feature.name: feature for feature in catalogue(self.windows_days, self.event_types)}
        return tuple(known[name] for name in self.feature_names)
