"""How far a long step is, told to whoever wants to know."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

Say = Callable[[str], None]


class Progress(Protocol):
    """What a method of :class:`churn.Project` reports to: the command's progress bar, or any function of one text."""

    def __call__(self, message: str) -> None:
        """A step begins."""
        ...

    def within(self, message: str) -> None:
        """The step goes on."""
        ...


class _Plain:
    """A function of one text, called for every message; without one nothing is said."""

    def __init__(self, say: Say | None) -> None:
        self._say = say

    def __call__(self, message: str) -> None:
        if self._say:
            self._say(message)

    within = __call__


def progress_of(say: Progress | Say | None) -> Progress:
    """Return what reports progress; a plain function hears every message."""
    return say if hasattr(say, "within") else _Plain(say)  # type: ignore[return-value]
