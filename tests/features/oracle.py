"""Every feature a second time: slow, in plain Python, from the descriptions of the catalogue; no code of the engine."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import TypeVar

from tests.features.oracles import behaviour, contexts, purchases
from tests.features.oracles.contexts import OF_A_TYPE
from tests.features.oracles.past import Past, Rules, Value

__all__ = ["FEATURES", "OF_A_TYPE", "WINDOWED", "Past", "Rules", "oracle_of"]

Given = TypeVar("Given", int, str)
WINDOWED = behaviour.WINDOWED | purchases.WINDOWED
FEATURES: dict[str, Callable[[Past], Value]] = {
    **behaviour.RECENCY,
    **behaviour.USAGE,
    **behaviour.RHYTHM,
    **behaviour.TREND,
    **contexts.DEVICE,
    **contexts.CHANNEL,
    **purchases.PURCHASES,
    **contexts.EVENT_MIX,
}


def oracle_of(name: str, event_types: Iterable[str] = ()) -> Callable[[Past], Value] | None:
    """The plain-Python way to a feature, or None where nobody wrote one."""
    words = {re.sub(r"\W+", "_", event_type.lower()).strip("_"): event_type for event_type in event_types}
    of_types = {form.format(word): _with(OF_A_TYPE[form], words[word]) for form in OF_A_TYPE for word in words}
    measure, _, window = name.rpartition("_")
    if measure in WINDOWED and window.removesuffix("d").isdigit():
        return _with(WINDOWED[measure], int(window[:-1]))
    return (FEATURES | of_types).get(name)


def _with(rule: Callable[[Past, Given], Value], given: Given) -> Callable[[Past], Value]:
    return lambda past: rule(past, given)
