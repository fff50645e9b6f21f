"""What a feature is. A family file is a list of the literals below; the catalogue expands them and generates the SQL.

The class of a literal says where its SQL is evaluated, and so which words it may use:

========================  =====================================  =======================================================
literal                   one row of input is                    words
========================  =====================================  =======================================================
:class:`Windowed`         an event (``daily`` sums up a day)     the contract's columns, ``n`` (the row's count), ``hour``,
                                                                 ``amount_cents``, ``usage_ms``, ``starts_session``
:class:`OverDays`         an active day before the cutoff        ``age`` (days before the cutoff, 1 is the day before it),
                                                                 ``gap_days`` (since the active day before), ``first_day``,
                                                                 ``cutoff``, ``cutoff_at``, and every daily column
:class:`OverContexts`     a day with one combination of device,  those columns, ``age``, ``first_at``, ``last_at``
                          version, network and channel
:class:`OverEventTypes`   a day with one event type              ``event_type``, ``age``, ``n``
:class:`Derived`          the profile itself                     other features
========================  =====================================  =======================================================
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

_FOUR_WEEKS = 28


class Unit(StrEnum):
    """The unit of a feature's value."""

    EVENTS = "events"
    DAYS = "days"
    SESSIONS = "sessions"
    MINUTES = "minutes"
    PURCHASES = "purchases"
    MONEY = "money"
    SHARE = "share"
    RATIO = "ratio"
    COUNT = "count"
    FLAG = "flag"
    TEXT = "text"


@dataclass(frozen=True)
class Literal:
    """What every literal of a family says.

    Attributes
    ----------
    reason
        Its words in a reason; ``{value}`` is the formatted value, ``{window}`` the days of a windowed one.
    needs
        Contract columns, or facts of the log, without which the feature is left out.
    """

    name: str
    unit: Unit
    description: str
    reason: str = field(kw_only=True)
    needs: tuple[str, ...] = field(default=(), kw_only=True)


@dataclass(frozen=True)
class Feature(Literal):
    """One column of a profile.

    Attributes
    ----------
    sql
        The expression, in the words of its place (see the module).
    daily
        Daily columns that it needs: name to SQL over the events of one user and day.
    window_days
        Days it looks back, where it looks back a fixed time; longer than the history, it is left out.
    when_absent
        The value where SQL says null; None keeps the null, which the model reads as missing.
    told_as
        Feature whose words tell it better, where the model has that one.
    usual
        Companion feature and factor that say what is usual for this user; None: the median of the reference population.
    family
        The file it lives in, which is the stable code of its reasons; set by the catalogue.
    """

    sql: str = field(kw_only=True)
    daily: Mapping[str, str] = field(default_factory=dict[str, str], kw_only=True)
    window_days: int | None = field(default=None, kw_only=True)
    when_absent: float | None = field(default=None, kw_only=True)
    usual: tuple[str, float] | None = field(default=None, kw_only=True)
    told_as: str | None = field(default=None, kw_only=True)
    family: str = field(default="", kw_only=True)

    @property
    def is_text(self) -> bool:
        """Text features are categories; all others are numbers."""
        return self.unit is Unit.TEXT

    @property
    def words(self) -> frozenset[str]:
        """Every identifier in the expression, quoted text left out.

        Examples
        --------
        >>> sorted(Derived("x", Unit.RATIO, "X.", sql="events_7d / 2", reason="").words)
        ['events_7d']
        """
        return frozenset(re.findall(r"[a-z_][a-z0-9_]*", re.sub(r"'[^']*'", "", self.sql)))


class OverWindow(Feature):
    """A windowed sum, over the bands between window edges."""


class OverDays(Feature):
    """An aggregate over one user's active days before the cutoff."""


class OverContexts(Feature):
    """An aggregate over one user's days and combinations of device, version, network and channel."""


class OverEventTypes(Feature):
    """An aggregate over one user's days and event types."""


class Derived(Feature):
    """An expression over other features; left out where one of them is."""


@dataclass(frozen=True)
class Windowed(Literal):
    """A daily sum, added up over every window: one feature per window. ``scale`` turns the integer sum into the unit."""

    daily: str = field(kw_only=True)
    scale: float = field(default=1, kw_only=True)

    def over(self, windows_days: tuple[int, ...]) -> tuple[Feature, ...]:
        """One feature per window. What is usual is the rate over four weeks, or over a window three times as long."""
        return tuple(self._over(window, windows_days) for window in windows_days)

    def _over(self, window: int, windows_days: tuple[int, ...]) -> Feature:
        longer = next((other for other in windows_days if other >= max(_FOUR_WEEKS, 3 * window)), None)
        return OverWindow(
            f"{self.name}_{window}d",
            self.unit,
            f"In the last {window} days: {self.description[0].lower()}{self.description[1:]}",
            sql=f"sum(case when age <= {window} then {self.name} end)"
            + (f" * {self.scale!r}" if self.scale != 1 else ""),
            reason=self.reason.replace("{window}", str(window)),
            daily={self.name: self.daily},
            needs=self.needs,
            window_days=window,
            when_absent=0,
            usual=(f"{self.name}_{longer}d", window / longer) if longer else None,
        )


@dataclass(frozen=True)
class PerEventType:
    """One literal for each of the main event types; ``{type}`` stands for its name, ``{quoted}`` for the SQL text."""

    literal: Feature

    def of(self, event_types: tuple[str, ...]) -> tuple[Feature, ...]:
        """One feature per main event type, in the frozen order."""
        return tuple(self._of(event_type, column) for event_type, column in slugs(event_types).items())

    def _of(self, event_type: str, column: str) -> Feature:
        words = {"{quoted}": quoted(event_type), "{type}": column}

        def fill(text: str) -> str:
            return re.sub(r"\{quoted\}|\{type\}", lambda found: words[found.group()], text)

        one = self.literal
        usual = (fill(one.usual[0]), one.usual[1]) if one.usual else None
        texts = {name: fill(getattr(one, name)) for name in ("name", "description", "sql", "reason")}
        return replace(one, **texts, usual=usual)


def quoted(text: str) -> str:
    """Write text as an SQL literal."""
    return "'" + text.replace("'", "''") + "'"


def slugs(event_types: tuple[str, ...]) -> dict[str, str]:
    """Turn event types into parts of column names; those that would read alike are numbered, in the frozen order.

    Examples
    --------
    >>> slugs(("Add to Cart!", "add-to-cart", "購入"))
    {'Add to Cart!': 'add_to_cart', 'add-to-cart': 'add_to_cart_2', '購入': 'other'}
    """
    found: dict[str, str] = {}
    for event_type in event_types:
        plain = re.sub(r"[^a-z0-9]+", "_", event_type.lower()).strip("_") or "other"
        taken = [used for used in found.values() if re.fullmatch(rf"{plain}(_[0-9]+)?", used)]
        found[event_type] = f"{plain}_{len(taken) + 1}" if taken else plain
    return found
