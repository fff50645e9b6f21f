"""Contributions to reasons in words, one per family: correlated features share their credit."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from features.catalogue.definition import Feature, Unit
from features.profiles.specification import Specification
from models.text.catalogues import language, messages_of, translated

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


class ChosenReasons(NamedTuple):
    """Which features explain each score, the strongest family first.

    Attributes
    ----------
    features
        Shape (n, 3), less for a model of fewer families: place of the feature whose words are used, -1 where there is none.
    contributions
        Of the same shape: signed sum of its family, in log-odds; 0 where there is none.
    """

    features: NDArray[np.int64]
    contributions: NDArray[np.float64]


class Narrator:
    """Turns contributions into reasons; one selection for the list, the batch and the endpoint.

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
        places = {feature.name: place for place, feature in enumerate(self._features)}
        shown_as = [places.get(feature.shown_as or "", place) for place, feature in enumerate(self._features)]
        self._shown_as = np.array(shown_as, dtype=np.int64)
        families = [feature.family for feature in self._features]
        members = [np.flatnonzero(np.array(families) == family) for family in sorted(set(families))]
        self._by_family = np.concatenate(members)
        self._starts = np.cumsum([0, *map(len, members)])[:-1]
        self._members, self._is_member = _padded(members)

    @property
    def features(self) -> tuple[Feature, ...]:
        """Of the specification, in the order of the contributions."""
        return self._features

    def choose(
        self,
        contributions: NDArray[np.float64],
        *,
        known: NDArray[np.bool_],
        raising: bool = False,
        number: int = MAX_REASONS,
    ) -> ChosenReasons:
        """Choose the families that moved each score most, each in the words of its strongest feature that has a value.

        Parameters
        ----------
        contributions
            Shape (n, features), in log-odds.
        known
            Shape (n, features): whether the profile has a value for the feature.
        raising
            Only what raises the risk.
        number
            How many.
        """
        # np.take gives a contiguous matrix: else the order of summing, and so the last bit, would depend on the number of rows
        sums = np.add.reduceat(np.take(contributions, self._by_family, axis=1), self._starts, axis=1)
        strongest = np.argsort(-sums if raising else -np.abs(sums), axis=1, kind="stable")[:, :number]
        row, rank = np.arange(len(sums))[:, None], np.arange(strongest.shape[1])
        totals = sums[row, strongest]
        totals = np.maximum(totals, 0.0) if raising else totals
        members = self._members[strongest]
        pull = np.sign(totals)[..., None] * contributions[row[..., None], members]
        pulled = np.where(self._is_member[strongest] & (pull > 0), pull, -np.inf)
        shown = self._shown_as[members]
        valued = np.where(known[row[..., None], shown], pulled, -np.inf)
        has_value = np.isfinite(valued).any(axis=2, keepdims=True)
        features = shown[row, rank, np.where(has_value, valued, pulled).argmax(axis=2)]
        return ChosenReasons(np.where(totals != 0, features, -1), totals)

    def explain(
        self,
        contributions: NDArray[np.float64],
        profiles: Sequence[Mapping[str, object]],
        *,
        number: int = MAX_REASONS,
    ) -> list[list[Reason]]:
        """Return the reasons of each user, so many at most.

        Parameters
        ----------
        contributions
            Shape (n, features), in log-odds.
        profiles
            The raw profiles: text and numbers by feature name.
        """
        names = [feature.name for feature in self._features]
        known = np.array([[profile.get(name) is not None for name in names] for profile in profiles], dtype=np.bool_)
        chosen = self.choose(contributions, known=known.reshape(contributions.shape), number=number)
        places, totals = chosen.features.tolist(), chosen.contributions.tolist()
        return [
            [
                self._reason(self._features[place], profile, total=total)
                for place, total in zip(*one, strict=True)
                if place >= 0
            ]
            for profile, *one in zip(profiles, places, totals, strict=True)
        ]

    def _reason(self, feature: Feature, profile: Mapping[str, object], *, total: float) -> Reason:
        own = profile.get(feature.usual[0]) if feature.usual else None
        words = self.words(feature, profile.get(feature.name), own=own)
        return Reason(feature.family, feature.name, words, round(total, 6))

    def words(self, feature: Feature, value: object, *, own: object = None) -> str:
        """Put a feature into words.

        Parameters
        ----------
        own
            The user's own usual value, where the feature has such a companion.
        """
        if value is None:
            return _say("{name}: not known yet", name=feature.name.replace("_", " "))
        typical = self._medians.get(feature.name)
        reason = reason_words(feature.reason)
        if "{many}" in reason:
            return reason.replace("{many}", _many(value, typical))
        text = worded(reason, value, unit=feature.unit)
        if feature.is_text or feature.unit is Unit.FLAG:
            return text if value != 0 else _say("not: {text}", text=text)
        compared = _compared(feature.reason)
        usual = compared(own * feature.usual[1], feature.unit) if feature.usual and isinstance(own, float) else ""
        if usual and not (value == 0 and _ZERO.fullmatch(usual)):  # 0 explains no 0
            return _say("{text} (usual for this user: {usual})", text=text, usual=usual)
        shown = compared(typical, feature.unit)
        return (
            text
            if value == 0 and _ZERO.fullmatch(shown)
            else _say("{text} (typical: {typical})", text=text, typical=shown)
        )


def _say(message: str, **values: str) -> str:
    return translated(message, subject="reasons").format(**values)


def reason_words(reason: str) -> str:
    """Return a reason in the language that is spoken just now, its placeholders as they are; one of a custom feature stays as it is.

    Examples
    --------
    >>> from models.text.catalogues import in_language
    >>> with in_language("zh"):
    ...     reason_words("{value} events in the last 28 days")
    '最近 28 天有 {value} 次事件'
    >>> reason_words("{value} events in the last 1 days")
    '{value} events in the last day'
    """
    if language() == "en":
        return reason.replace("in the last 1 days", "in the last day")
    for pattern, words in _patterns(language()):
        if found := pattern.fullmatch(reason):
            return re.sub(r"\{(window|type|attribute)\}", lambda place: found[place[1]], words)
    return reason


@cache
def _patterns(_: str) -> list[tuple[re.Pattern[str], str]]:
    """Return how the reasons of a language are recognised, those without the name of an event type or attribute first."""
    places = {"{window}": r"(?P<window>\d+)", "{type}": "(?P<type>.+)", "{attribute}": "(?P<attribute>.+)"}

    def pattern(message: str) -> re.Pattern[str]:
        found = re.escape(message)
        for name, group in places.items():
            found = found.replace(re.escape(name), group)
        return re.compile(found)

    known = messages_of("reasons")
    ordered = sorted(known, key=lambda one: ("{type}" in one or "{attribute}" in one, one))
    return [(pattern(message), known[message]) for message in ordered]


def _padded(members: Sequence[NDArray[np.int64]]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Put lists of different lengths into one array, shape (lists, longest), and tell what is not padding."""
    is_member = np.arange(max(map(len, members)))[None, :] < np.array([len(one) for one in members])[:, None]
    padded = np.zeros(is_member.shape, dtype=np.int64)
    padded[is_member] = np.concatenate(members)
    return padded, is_member


def show(value: object, unit: Unit) -> str:
    """Format a value for people.

    Examples
    --------
    >>> show(0.125, Unit.SHARE), show(3.0, Unit.DAYS), show(2.345, Unit.DAYS), show(None, Unit.TEXT)
    ('12 %', '3', '2.3', 'unknown')
    """
    if value is None:
        return _say("unknown")
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
    return _say("unknown") if value is None else _say("{ratio}x", ratio=show(value, Unit.RATIO))


def _change(value: float, unit: Unit) -> str:
    message = "down to {share}" if value < 1 else "up to {share}" if value > 1 else "steady at {share}"
    return _say(message, share=_percent(value, unit))


def _longer(value: float, unit: Unit) -> str:
    return _say("{times} longer than" if value > 1 else "{times} as long as", times=_times(value, unit))


def _longer_ago(value: float, unit: Unit) -> str:
    return _say("{times} longer ago than" if value > 1 else "{times} as long ago as", times=_times(value, unit))


def _more(value: float | None, unit: Unit) -> str:
    if value is None:
        return _say("unknown")
    return _say("{size} fewer" if value < 0 else "{size} more", size=show(abs(value), unit))


def _trend(value: float | None, unit: Unit) -> str:
    if value is None:
        return _say("unknown")
    size = f"{abs(value):.2f}" if abs(value) < _TWO_DECIMALS_BELOW else show(abs(value), unit)
    return _say("by 0" if float(size.replace(",", "")) == 0 else "down {size}" if value < 0 else "up {size}", size=size)


def _deviations(value: float | None, unit: Unit) -> str:
    if value is None:
        return _say("unknown")
    message = "{size} standard deviations earlier" if value < 0 else "{size} standard deviations later"
    return _say(message, size=show(abs(value), unit))


def _many(value: Any, typical: float | None) -> str:
    """Compare a measure of variety with the median of the reference, in words; its own unit means nothing to a reader."""
    middle = 1.0 if typical is None else typical
    return _say("many" if value > middle else "few" if value < middle else "the usual number of")


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
_ZERO = re.compile(r"0(\.0+)?( %|x| 倍)?")  # also of a number that is shown as 0
_PLACEHOLDER = re.compile(rf"\{{({'|'.join(_STYLES)})\}}")
