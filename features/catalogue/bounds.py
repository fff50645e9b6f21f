"""What a feature can be: a number outside of its bounds is a mistake of who sent it, and no profile of a log has it."""

from __future__ import annotations

from features.catalogue.catalogue import CUSTOM
from features.catalogue.definition import Feature, OverWindow, Unit

UNBOUNDED = (float("-inf"), float("inf"))
_OF_ONE = (Unit.FLAG, Unit.SHARE)
_COUNTED = (Unit.EVENTS, Unit.SESSIONS, Unit.MINUTES, Unit.PURCHASES)
_ELAPSED = ("days_since_", "tenure_days")


def bounds_of(feature: Feature) -> tuple[float, float]:
    """Return the lowest and the highest value; infinite where nothing is certain, as of a custom feature.

    Examples
    --------
    >>> from features.catalogue.catalogue import catalogue
    >>> from features.catalogue.fitted import FittedConstants
    >>> by_name = {one.name: one for one in catalogue((7,), FittedConstants())}
    >>> bounds_of(by_name["active_days_7d"]), bounds_of(by_name["events_change_7d"])
    ((0, 7), (-inf, inf))
    """
    if feature.is_text or feature.family == CUSTOM:
        return UNBOUNDED
    if feature.unit in _OF_ONE:
        return (0, 1)
    if isinstance(feature, OverWindow) and feature.unit is Unit.DAYS:  # a day counts once, whatever is asked of it
        return (0, feature.window_days or 0)
    is_counted = isinstance(feature, OverWindow) and feature.unit in _COUNTED
    return (0, float("inf")) if is_counted or feature.name.startswith(_ELAPSED) else UNBOUNDED
