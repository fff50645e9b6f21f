"""Contributions to reasons in words, one per family: correlated features share their credit."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import cache
from typing import Any, NamedTuple

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
        self._shown_as = [known.get(feature.shown_as or "", feature) for feature in self._features]
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
        typical = self._medians.get(feature.name)
        if "{many}" in feature.reason:
            return feature.reason.replace("{many}", _many(value, typical))
        text = worded(feature.reason, value, unit=feature.unit)
        if feature.is_text or feature.unit is Unit.FLAG:
            return text if value != 0 else f"not: {text}"
        compared = _compared(feature.reason)
        own = profile.get(feature.usual[0]) if feature.usual else None
        if feature.usual and isinstance(own, float):
            return f"{text} (usual for this user: {compared(own * feature.usual[1], feature.unit)})"
        return f"{text} (typical: {compared(typical, feature.unit)})"


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


def worded(reason: str, value: object, *, unit: Unit) -> str:
    """Fill the placeholder of a reason with a value; a placeholder inside the value stays as it is.

    Examples
    --------
    >>> worded("inactive {longer} their usual gap", 9.7, unit=Unit.RATIO)
    'inactive 9.7x longer than their usual gap'
    """
    return _PLACEHOLDER.sub(lambda found: _STYLES[found[1]].sentence(value, unit), reason)


class _Style(NamedTuple):
    """How a placeholder shows the value, and the usual value behind it."""

    sentence: Callable[[Any, Unit], str]
    compared: Callable[[Any, Unit], str]


@cache
def _compared(reason: str) -> Callable[[Any, Unit], str]:
    found = _PLACEHOLDER.search(reason)
    return _STYLES[found[1] if found else "value"].compared


def _percent(value: float | None, _: Unit) -> str:
    return show(value, Unit.SHARE)


def _times(value: float | None, _: Unit) -> str:
    return "unknown" if value is None else f"{show(value, Unit.RATIO)}x"


def _change(value: float, unit: Unit) -> str:
    return f"{'down' if value < 1 else 'up' if value > 1 else 'steady'}{' at' if value == 1 else ' to'} {_percent(value, unit)}"


def _longer(value: float, unit: Unit) -> str:
    return f"{_times(value, unit)} {'longer than' if value > 1 else 'as long as'}"


def _longer_ago(value: float, unit: Unit) -> str:
    return f"{_times(value, unit)} {'longer ago than' if value > 1 else 'as long ago as'}"


def _more(value: float | None, unit: Unit) -> str:
    return "unknown" if value is None else f"{show(abs(value), unit)} {'fewer' if value < 0 else 'more'}"


def _trend(value: float | None, unit: Unit) -> str:
    if value is None:
        return "unknown"
    size = f"{abs(value):.2f}" if abs(value) < _TWO_DECIMALS_BELOW else show(abs(value), unit)
    return "by 0" if float(size.replace(",", "")) == 0 else f"{'down' if value < 0 else 'up'} {size}"


def _deviations(value: float | None, unit: Unit) -> str:
    if value is None:
        return "unknown"
    return f"{show(abs(value), unit)} standard deviations {'earlier' if value < 0 else 'later'}"


def _many(value: Any, typical: float | None) -> str:
    """Compare a measure of variety with the median of the reference, in words; its own unit means nothing to a reader."""
    middle = 1.0 if typical is None else typical
    return "many" if value > middle else "few" if value < middle else "the usual number of"


_TWO_DECIMALS_BELOW = 0.1
_STYLES = {
    "value": _Style(show, show),
    "percent": _Style(_percent, _percent),
    "change": _Style(_change, _percent),
    "longer": _Style(_longer, _times),
    "longer_ago": _Style(_longer_ago, _times),
    "more": _Style(_more, _more),
    "trend": _Style(_trend, _trend),
    "deviations": _Style(_deviations, _deviations),
}
_PLACEHOLDER = re.compile(rf"\{{({'|'.join(_STYLES)})\}}")
