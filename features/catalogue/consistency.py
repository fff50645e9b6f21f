"""Which features contradict each other: a profile of a log never does, one that somebody changed by hand may.

Every rule follows from what the features mean: a window holds the shorter ones, nothing is done on a day without activity, and nobody was
active before the first day. The day of 24 hours is compared with local days, which are an hour longer or shorter when clocks change.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

from features.catalogue.bounds import bounds_of
from features.catalogue.catalogue import CUSTOM
from features.catalogue.definition import Feature, OverWindow, Unit

_HOUR = 1 / 24
_SUMS = frozenset({Unit.EVENTS, Unit.DAYS, Unit.SESSIONS, Unit.MINUTES, Unit.PURCHASES, Unit.MONEY})
_WHOLE = frozenset({Unit.EVENTS, Unit.SESSIONS, Unit.PURCHASES, Unit.FLAG})
_SINCE_LAST, _TENURE, _ACTIVE = "days_since_last_event", "tenure_days", "active_days"


class Contradiction(NamedTuple):
    """Features that cannot have their values together, and why."""

    features: tuple[str, ...]
    why: str


def contradictions(
    features: Sequence[Feature], profile: Mapping[str, Any], *, changed: Collection[str]
) -> list[Contradiction]:
    """Return what contradicts itself in a profile, as far as a changed feature is part of it.

    Of a custom feature nothing is known: net revenue falls with refunds, whatever its window.
    """
    features = [one for one in features if one.family != CUSTOM]
    numbers = {name: float(value) for name, value in profile.items() if isinstance(value, int | float)}
    found = (
        *_out_of_bounds(features, numbers),
        *_windows(features, numbers),
        *_days(features, numbers),
        *_time(features, numbers),
    )
    return [one for one in found if not set(one.features).isdisjoint(changed)]


def _out_of_bounds(features: Sequence[Feature], numbers: Mapping[str, float]) -> Iterator[Contradiction]:
    for one in features:
        value, (low, high) = numbers.get(one.name), bounds_of(one)
        if value is None:
            continue
        if not low <= value <= high:
            most = "" if high == float("inf") else f" and at most {high:g}"
            yield Contradiction((one.name,), f"{one.name} is at least {low:g}{most}")
        elif isinstance(one, OverWindow) and one.unit in _WHOLE and not value.is_integer():
            yield Contradiction((one.name,), f"{one.name} is a whole number")


def _windows(features: Sequence[Feature], numbers: Mapping[str, float]) -> Iterator[Contradiction]:
    """A longer window holds the shorter one."""
    for measure in {_measure(one): None for one in features if isinstance(one, OverWindow) and one.unit in _SUMS}:
        for short, long in pairwise(_of_measure(features, measure)):
            if _is_above(numbers, short.name, than=long.name):
                yield Contradiction(
                    (short.name, long.name),
                    f"{short.name} is at most {long.name}: the last {long.window_days} days hold the last {short.window_days}",
                )


def _days(features: Sequence[Feature], numbers: Mapping[str, float]) -> Iterator[Contradiction]:
    """Without an active day nothing happens, and on each something does."""
    for one in features:
        active = f"{_ACTIVE}_{one.window_days}d"
        if not isinstance(one, OverWindow) or one.unit not in _SUMS or one.name == active:
            continue
        value, days = numbers.get(one.name), numbers.get(active)
        if value and days == 0:
            yield Contradiction((one.name, active), f"{one.name} is 0 where {active} is 0")
        elif _measure(one) == "events" and _is_above(numbers, active, than=one.name):
            yield Contradiction((one.name, active), f"{one.name} is at least {active}")


def _time(features: Sequence[Feature], numbers: Mapping[str, float]) -> Iterator[Contradiction]:
    """The last event is in every window that has an active day, and in no other; nothing is longer than the time since the first day."""
    last = numbers.get(_SINCE_LAST)
    for one in _of_measure(features, _ACTIVE):
        days, window = numbers.get(one.name), one.window_days or 0
        if last is not None and days is not None:
            if days > 0 and last > window + _HOUR:
                yield Contradiction(
                    (one.name, _SINCE_LAST), f"{one.name} is 0 where the last event is {last:g} days ago"
                )
            if days == 0 and last < window - _HOUR:
                yield Contradiction(
                    (one.name, _SINCE_LAST), f"{one.name} is above 0 where the last event is {last:g} days ago"
                )
        if _is_above(numbers, one.name, than=_TENURE):
            yield Contradiction((one.name, _TENURE), f"{one.name} is at most {_TENURE}")
    if last is not None and last > numbers.get(_TENURE, float("inf")) + _HOUR:
        yield Contradiction((_SINCE_LAST, _TENURE), f"{_SINCE_LAST} is at most {_TENURE}")


def _measure(feature: Feature) -> str:
    return feature.name.removesuffix(f"_{feature.window_days}d")


def _of_measure(features: Sequence[Feature], measure: str) -> list[Feature]:
    found = [one for one in features if isinstance(one, OverWindow) and _measure(one) == measure]
    return sorted(found, key=lambda one: one.window_days or 0)


def _is_above(numbers: Mapping[str, float], name: str, *, than: str) -> bool:
    return name in numbers and than in numbers and numbers[name] > numbers[than]
