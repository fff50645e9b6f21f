"""The list of all features. It expands the families for a model's windows and event types and explains what a log cannot answer."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace

from features.catalogue.custom import CustomFeature
from features.catalogue.definition import Daily, Derived, Feature, PerAttribute, PerEventType, Windowed, WithConstants
from features.catalogue.families import attributes, channel, device, event_mix, purchases, recency, rhythm, trend, usage
from features.catalogue.fitted import FittedConstants

_WINDOWED = re.compile(r".*_[0-9]+d")

CUSTOM = "own"
CONFIGURED = ("observation_days", "leaving")  # facts from the settings rather than the log
_WORDS_OF_A_DAY = {
    *("user_id", "day", "visit", "visit_ms", "visit_start_us", "last_us", "qualifying_events", "leaving_events"),
    *("known_day", "known_until", "u", "cutoff", "cutoff_at", "age", "band", "gap", "gap_days", "first_day"),
    *("streak", "streak_days", "observed_from"),
}
FAMILIES = (recency, usage, rhythm, trend, device, channel, purchases, event_mix, attributes)


@dataclass(frozen=True)
class Selection:
    """What a log can answer, in catalogue order, and why the rest is excluded (feature name to words)."""

    features: tuple[Feature, ...]
    excluded: dict[str, str]


def catalogue(
    windows_days: tuple[int, ...], fitted: FittedConstants, *, custom: tuple[CustomFeature, ...] = ()
) -> tuple[Feature, ...]:
    """Every feature there is for these windows, main event types and constants; custom ones come last."""
    families = {family.__name__.rpartition(".")[2]: family.FEATURES for family in FAMILIES}
    return tuple(
        replace(feature, family=family)
        for family, literals in (families | {CUSTOM: tuple(one.literal() for one in custom)}).items()
        for literal in literals
        for feature in _expanded(literal, windows_days, fitted=fitted)
    )


def check_custom_names(custom: tuple[CustomFeature, ...], windows_days: tuple[int, ...]) -> None:
    """Refuse custom features whose columns would have the name of another feature, or of a column of a day.

    Raises
    ------
    ValueError
        With the first name that is taken; pydantic adds the setting.
    """
    taken = set(taken_names(windows_days)) if custom else set[str]()
    for one in custom:
        names = {one.name, *one.names(windows_days)}
        if names & taken:
            raise ValueError(f'custom: the name "{min(names & taken)}" of {one.name} is taken; choose another')
        taken |= names


def taken_names(windows_days: tuple[int, ...]) -> frozenset[str]:
    """Return the names that a custom feature may not have: features, and the columns of a day."""
    named = {feature.name for feature in catalogue(windows_days, FittedConstants())}
    facts = {need for family in FAMILIES for literal in family.FEATURES for need in getattr(literal, "needs", ())}
    return frozenset(named | daily_columns(facts).keys() | _WORDS_OF_A_DAY)


def _expanded(
    literal: Feature | Windowed | PerEventType | PerAttribute | WithConstants,
    windows_days: tuple[int, ...],
    *,
    fitted: FittedConstants,
) -> tuple[Feature, ...]:
    match literal:
        case Windowed():
            return literal.over(windows_days)
        case PerEventType():
            return literal.of(fitted.event_types)
        case PerAttribute():
            return literal.of(fitted.attributes)
        case WithConstants():
            return literal.of(fitted.constants())
        case Feature():
            return (literal,)


def daily_columns(facts: Collection[str]) -> dict[str, Daily]:
    """All daily columns that a log with these facts can answer, by name: features that share a name share its definition."""
    columns: dict[str, Daily] = {}
    for family in FAMILIES:
        for literal in family.FEATURES:
            if isinstance(literal, Windowed | Feature) and set(literal.needs) <= set(facts):
                columns |= (
                    {literal.column or literal.name: literal.daily}
                    if isinstance(literal, Windowed)
                    else dict(literal.daily)
                )
    return columns


def select(features: Iterable[Feature], facts: Collection[str], *, history_days: int) -> Selection:
    """Keep the features that a log with these facts and this much history can answer.

    Parameters
    ----------
    features
        From :func:`catalogue`.
    facts
        Contract columns that are mapped, and what else is known of the log: ``time_of_day, sessions, usage`` and :data:`CONFIGURED`.
    history_days
        Days of log before the earliest cutoff that a model learns from; a longer window would only encode the date.
    """
    features = tuple(features)
    excluded = {
        feature.name: why
        for feature in features
        if (why := _missing(feature, facts, history_days=history_days)) is not None
    }
    names = {feature.name for feature in features}
    while more := {
        f.name: why for f in features if f.name not in excluded and (why := _orphaned(f, names, excluded=excluded))
    }:
        excluded |= more
    return Selection(tuple(feature for feature in features if feature.name not in excluded), excluded)


def _missing(feature: Feature, facts: Collection[str], *, history_days: int) -> str | None:
    lacking = [need for need in feature.needs if need not in facts]
    if lacking:
        return f"the log has no {', '.join(lacking)}"
    if feature.window_days and feature.window_days > history_days:
        return f"the window of {feature.window_days} days is longer than the history of {history_days}"
    return None


def _orphaned(feature: Feature, names: set[str], *, excluded: Collection[str]) -> str | None:
    if not isinstance(feature, Derived):
        return None
    gone = sorted(
        word for word in feature.words if word in excluded or (_WINDOWED.fullmatch(word) and word not in names)
    )
    return f"it needs {', '.join(gone)}" if gone else None
