"""What a feature is. A family file is a list of the literals below; the catalogue expands them and generates the SQL.

The class of a literal decides where its SQL is evaluated, and so which words it may use:

========================  =====================================  =======================================================
literal                   one row of input is                    words
========================  =====================================  =======================================================
:class:`Windowed`         an event (``daily`` sums up a day)     see :class:`Daily`
:class:`OverDays`         an active day before the cutoff        ``age`` (days before the cutoff, 1 is the day before it),
                                                                 ``gap_days`` (since the active day before), ``first_day``,
                                                                 ``streak_days`` (of the run of active days up to it),
                                                                 ``cutoff``, ``cutoff_at``; ``day``, for differences only:
                                                                 in a request, days start at its time of day; every daily
                                                                 column, except with ``gap_days``
                                                                 and ``streak_days``
:class:`OverValues`       a value that its column ``of`` had     ``value``; ``n``, ``n_7d``, ``n_28d`` (events with it);
                          before the cutoff: a device, a         ``first_age``, ``last_age`` (of its days); ``first_at``,
                          channel, an event type ...             ``last_at`` (microseconds; not of event types)
:class:`OverAttributes`   a row of ``[users]`` from before it    ``version``: its attributes, behind when it became valid
:class:`Derived`          the profile itself                     other features, ``cutoff``
========================  =====================================  =======================================================
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from itertools import chain, count

from features.errors import SettingsError
from features.expressions import merge_of
from features.sql import literal

FOUR_WEEKS = 28


class Unit(StrEnum):
    """The unit of a feature's value."""

    EVENTS = "events"
    DAYS = "days"
    WEEKS = "weeks"
    SESSIONS = "sessions"
    MINUTES = "minutes"
    PURCHASES = "purchases"
    MONEY = "money"
    SHARE = "share"
    RATIO = "ratio"
    BITS = "bits"
    COUNT = "count"
    NUMBER = "number"
    FLAG = "flag"
    TEXT = "text"


@dataclass(frozen=True)
class Literal:
    """What every literal of a family has.

    Attributes
    ----------
    reason
        Its words in a reason; ``{value}`` is the formatted value, ``{window}`` the days of a windowed one. Further
        placeholders put the value in words; see :mod:`models.reasons`.
    needs
        Contract columns, or facts of the log, without which the feature is excluded.
    """

    name: str
    unit: Unit
    description: str
    reason: str = field(kw_only=True)
    needs: tuple[str, ...] = field(default=(), kw_only=True)


@dataclass(frozen=True)
class Daily:
    """A column of a user's day: an integer, an aggregate over its events.

    Attributes
    ----------
    sql
        Aggregate over the events of the day, in the contract's columns and ``n`` (the row's count), ``hour``, ``weekday``
        (1 is Monday), ``amount_micros`` (millionths), ``amount_cents``, ``us`` (its instant in microseconds).
    over_visits
        The expression is an aggregate over the visits of the day instead: ``visit_ms``, ``visit_start_us`` and every
        daily column over events, each of one visit.
    """

    sql: str
    over_visits: bool = False

    @property
    def merge(self) -> str:
        """How the parts of a day that several ids of one person had become one: as its aggregate does; a constant stays.

        Raises
        ------
        SettingsError
            When the parts cannot be merged.

        Examples
        --------
        >>> Daily("sum(n)").merge, Daily("count(*)").merge, Daily("max(us)").merge, Daily("1").merge
        ('sum', 'sum', 'max', 'max')
        """
        merge = merge_of(self.sql)
        if merge is None:
            raise SettingsError(
                f"[[features.custom]] daily = {self.sql!r} cannot be merged from the ids of one person, as [identities] requires; "
                "expected a single sum, count, max, min, bit_or or bit_and",
                hint="only coalesce(sum(...), 0) or coalesce(count(...), 0) may wrap it: cast inside, without other defaults; "
                "an expression over two aggregates may become two features and a derived one",
            )
        return merge


EVENTS, SESSIONS = Daily("sum(n)"), Daily("count(*)", over_visits=True)
USAGE = Daily("sum(visit_ms)", over_visits=True)  # milliseconds


@dataclass(frozen=True)
class Feature(Literal):
    """One column of a profile.

    Attributes
    ----------
    sql
        The expression, in the words of its place (see the module).
    daily
        Daily columns that it needs, by name.
    window_days
        Days it looks back, where it looks back a fixed time; longer than the history, it is excluded.
    when_absent
        The value where SQL returns null; None keeps the null, which the model reads as missing.
    shown_as
        Feature whose reason is easier to read and shown instead, where the model has that one.
    usual
        Companion feature and factor that give the usual value of this user; None: the median of the reference population.
    family
        The file it lives in, which is the stable code of its reasons; set by the catalogue.
    """

    sql: str = field(kw_only=True)
    daily: Mapping[str, Daily] = field(default_factory=dict[str, Daily], kw_only=True)
    window_days: int | None = field(default=None, kw_only=True)
    when_absent: float | None = field(default=None, kw_only=True)
    usual: tuple[str, float] | None = field(default=None, kw_only=True)
    shown_as: str | None = field(default=None, kw_only=True)
    family: str = field(default="", kw_only=True)

    @property
    def is_text(self) -> bool:
        """Text features are categories; all others are numbers."""
        return self.unit is Unit.TEXT

    @property
    def depends_on_first_day(self) -> bool:
        """Whether it depends on the day on which a user was first seen, which the start of the log decides for early users."""
        return bool(self.words & {"first_day", "tenure_days"}) or self.name == "tenure_days"

    @property
    def words(self) -> frozenset[str]:
        """Every identifier in the expression, without quoted text.

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


@dataclass(frozen=True)
class OverValues(Feature):
    """An aggregate over the values that one column had for a user: ``of`` a context column, or ``event_type``."""

    of: str = field(kw_only=True)


class OverAttributes(Feature):
    """An aggregate over the rows of ``[users]`` that were valid before the cutoff."""


class Derived(Feature):
    """An expression over other features; excluded where one of them is."""


@dataclass(frozen=True)
class Windowed(Literal):
    """A daily sum, added up over every window: one feature per window.

    Attributes
    ----------
    column
        Name of the daily column; default: the feature's.
    scale, per
        Turn the integer sum into the unit: it is multiplied by the one and divided by the other.
    """

    daily: Daily = field(kw_only=True)
    column: str = field(default="", kw_only=True)
    scale: float = field(default=1, kw_only=True)
    per: int = field(default=1, kw_only=True)

    def over(self, windows_days: tuple[int, ...]) -> tuple[Feature, ...]:
        """One feature per window. What is usual is the rate over four weeks, or over a window three times as long."""
        return tuple(self._over(window, windows_days) for window in windows_days)

    def _over(self, window: int, windows_days: tuple[int, ...]) -> Feature:
        column = self.column or self.name
        unit = (f" * {self.scale!r}" if self.scale != 1 else "") + (f" / {self.per}" if self.per != 1 else "")
        longer = next((other for other in windows_days if other >= max(FOUR_WEEKS, 3 * window)), None)
        return OverWindow(
            f"{self.name}_{window}d",
            self.unit,
            f"In the last {_days(window)}: {self.description[0].lower()}{self.description[1:]}",
            sql=f"sum(case when age <= {window} then {column} end){unit}",
            reason=self.reason.replace("{window}", str(window)),
            daily={column: self.daily},
            needs=self.needs,
            window_days=window,
            when_absent=0,
            usual=(f"{self.name}_{longer}d", window / longer) if longer else None,
        )


def _days(window: int) -> str:
    return "day" if window == 1 else f"{window} days"


@dataclass(frozen=True)
class PerEventType:
    """One literal for each of the main event types; ``{type}`` is its name, ``{quoted}`` its SQL literal."""

    literal: Feature

    def of(self, event_types: tuple[str, ...]) -> tuple[Feature, ...]:
        """One feature per main event type, in the frozen order."""
        return tuple(self._of(event_type, column) for event_type, column in slugs(event_types).items())

    def _of(self, event_type: str, column: str) -> Feature:
        words = {"{quoted}": literal(event_type), "{type}": column}

        def fill(text: str) -> str:
            return re.sub(r"\{quoted\}|\{type\}", lambda found: words[found.group()], text)

        one = self.literal
        usual = (fill(one.usual[0]), one.usual[1]) if one.usual else None
        texts = {name: fill(getattr(one, name)) for name in ("name", "description", "sql", "reason")}
        return replace(one, **texts, usual=usual)


@dataclass(frozen=True)
class PerAttribute:
    """One literal for each attribute of ``[users]``; ``{attribute}`` is its name."""

    literal: Feature

    def of(self, attributes: Mapping[str, Unit]) -> tuple[Feature, ...]:
        """One feature per attribute, in the frozen order, each in its own unit."""
        return tuple(self._of(attribute, unit) for attribute, unit in attributes.items())

    def _of(self, attribute: str, unit: Unit) -> Feature:
        one, texts = self.literal, ("name", "description", "sql", "reason")
        filled = {name: getattr(one, name).replace("{attribute}", attribute) for name in texts}
        needs = tuple(need.replace("{attribute}", attribute) for need in one.needs)
        return replace(one, **filled, unit=unit, needs=needs)


@dataclass(frozen=True)
class WithConstants:
    """A literal whose SQL holds constants fitted across users: ``{name}`` is one.

    Attributes
    ----------
    source
        What they are fitted on, in words; a model that could not fit them excludes the feature.
    """

    literal: Feature
    source: str

    def of(self, constants: Mapping[str, str]) -> tuple[Feature, ...]:
        """Return the feature with its constants in place."""
        wanted = set(re.findall(r"\{(\w+)\}", self.literal.sql))
        if not wanted <= constants.keys():
            return (replace(self.literal, needs=(*self.literal.needs, self.source)),)
        return (replace(self.literal, sql=re.sub(r"\{(\w+)\}", lambda found: constants[found[1]], self.literal.sql)),)


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
        numbered = chain([plain], (f"{plain}_{number}" for number in count(2)))
        found[event_type] = next(name for name in numbered if name not in found.values())
    return found
