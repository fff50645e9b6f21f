"""Contributions to reasons in words, one per family: correlated features share their credit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.catalogue.definition import Feature, Unit
from features.profiles.specification import Specification

MAX_REASONS = 3
_NO_DECIMALS_FROM = 100


@dataclass(frozen=True)
class Reason:
    """Why a score is what it is.

    Attributes
    ----------
    code
        The family: stable, for grouping and translation.
    contribution
        Signed, in log-odds of the churn probability; above zero raises the risk.
    """

    code: str
    feature: str
    text: str
    contribution: float

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        return asdict(self)


class Narrator:
    """Turns one user's contributions into reasons.

    Parameters
    ----------
    specification
        Of the model.
    medians
        Feature to its median in the reference population: what is typical where the user has no companion feature.
    """

    def __init__(self, specification: Specification, medians: Mapping[str, float]) -> None:
        self._features = specification.features
        self._medians = medians
        known = {feature.name: feature for feature in self._features}
        self._shown_as = [known.get(feature.told_as or "", feature) for feature in self._features]
        families = [feature.family for feature in self._features]
        self._families = sorted(set(families))
        self._places = [np.flatnonzero(np.array(families) == family) for family in self._families]

    def reasons(self, contributions: NDArray[np.float64], profile: Mapping[str, object]) -> list[Reason]:
        """Return the families that moved the score most, each in the words of its strongest feature.

        Parameters
        ----------
        contributions
            Shape (features,), in log-odds.
        profile
            The raw profile: text and numbers by feature name.
        """
        sums = np.array([contributions[places].sum() for places in self._places])
        strongest = sorted(range(len(sums)), key=lambda place: -abs(sums[place]))[:MAX_REASONS]
        return [self._reason(place, contributions, profile=profile) for place in strongest if sums[place] != 0]

    def _reason(self, place: int, contributions: NDArray[np.float64], *, profile: Mapping[str, object]) -> Reason:
        places = self._places[place]
        total = float(contributions[places].sum())
        pull = np.sign(total) * contributions[places]
        ranked = places[np.argsort(-pull, kind="stable")][: int((pull > 0).sum())]
        features = [self._shown_as[other] for other in ranked]
        feature = next((one for one in features if profile.get(one.name) is not None), features[0])
        return Reason(feature.family, feature.name, self._words(feature, profile), round(total, 6))

    def _words(self, feature: Feature, profile: Mapping[str, object]) -> str:
        value = profile.get(feature.name)
        if value is None:
            return f"{feature.name.replace('_', ' ')}: not known yet"
        text = feature.reason.replace("{value}", show(value, feature.unit))
        if feature.is_text or feature.unit is Unit.FLAG:
            return text if value != 0 else f"not: {text}"
        usual = profile.get(feature.usual[0]) if feature.usual else None
        if feature.usual and isinstance(usual, float):
            return f"{text} (usual for this user: {show(usual * feature.usual[1], feature.unit)})"
        return f"{text} (typical: {show(self._medians.get(feature.name), feature.unit)})"


def show(value: object, unit: Unit) -> str:
    """Format a value for people.

    Examples
    --------
    >>> show(0.125, Unit.SHARE), show(3.0, Unit.DAYS), show(2.345, Unit.DAYS), show(None, Unit.TEXT)
    ('12 %', '3', '2.3', 'unknown')
    """
    if value is None:
        return "unknown"
    if not isinstance(value, float):
        return str(value)
    if unit is Unit.SHARE:
        return f"{value:.0%}".replace("%", " %")
    if unit is Unit.MONEY:
        return f"{value:,.2f}"
    return f"{value:,.0f}" if value.is_integer() or abs(value) >= _NO_DECIMALS_FROM else f"{value:,.1f}"
