"""What is fitted across users: from the log before the training cutoffs, and frozen with the model."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date

from features.catalogue.definition import Unit
from features.sql import literal


@dataclass(frozen=True)
class BgNbd:
    """Parameters of BG/NBD, with time in days; see :mod:`models.scorers.bg_nbd`."""

    r: float
    alpha: float
    a: float
    b: float


@dataclass(frozen=True)
class FittedConstants:
    """Constants that a profile depends on besides its own user.

    Attributes
    ----------
    event_types
        The main event types, those of the most users first.
    versions
        App version to the day on which anybody was first seen with it, the oldest first.
    bg_nbd
        Parameters of the purchase model; None where too few users buy.
    attributes
        The attributes of ``[users]`` that the model reads, each with the unit of its feature: text or number.
    """

    event_types: tuple[str, ...] = ()
    versions: dict[str, date] = field(default_factory=dict[str, date])
    bg_nbd: BgNbd | None = None
    attributes: dict[str, Unit] = field(default_factory=dict[str, Unit])

    def constants(self) -> dict[str, str]:
        """Return the SQL of each ``{word}`` of a literal."""
        return self._versions() | self._bg_nbd()

    def _versions(self) -> dict[str, str]:
        if not self.versions:
            return {}
        days = sorted(set(self.versions.values()), reverse=True)
        counts = {day: sum(first <= day for first in self.versions.values()) for day in days}
        newest_first = sorted(self.versions, key=lambda version: (self.versions[version], version), reverse=True)
        return {
            "when_first_seen": _cases((literal(name), f"date '{self.versions[name]}'") for name in newest_first),
            "when_known_before": _cases((f"cutoff > date '{day}'", counts[day]) for day in days),
            "when_known_then": _cases(
                (f"cutoff - cast(app_version_age_days as integer) >= date '{day}'", counts[day]) for day in days
            ),
        }

    def _bg_nbd(self) -> dict[str, str]:
        fitted = self.bg_nbd
        if fitted is None:
            return {}
        return {"r": repr(fitted.r), "alpha": repr(fitted.alpha), "a": repr(fitted.a), "b": repr(fitted.b)}


def _cases(pairs: Iterable[tuple[str, object]]) -> str:
    return " ".join(f"when {condition} then {value}" for condition, value in pairs)
