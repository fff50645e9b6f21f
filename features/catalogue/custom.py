"""Custom features: what a project adds to the catalogue in churn.toml, with a literal's fields. Frozen with the model."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import ClassVar, Literal

from pydantic import ConfigDict

from features.catalogue.definition import Daily, Derived, Feature, Unit, Windowed

_NAME = r"[a-z][a-z0-9_]*"
_OF_TYPES = ("events_of_", "share_of_", "days_since_last_of_")
_OF_ATTRIBUTES = "user_"
SQL_WORDS = frozenset(  # what SQL does not read as a column, unquoted
    (
        *("all", "analyse", "analyze", "and", "anti", "any", "array", "as", "asc", "asof", "asymmetric", "at"),
        *("authorization", "binary", "both", "by", "case", "cast", "check", "collate", "collation", "column"),
        *("concurrently", "constraint", "create", "cross", "default", "deferrable", "desc", "describe", "distinct"),
        *("do", "else", "end", "except", "false", "fetch", "for", "foreign", "freeze", "from", "full", "glob"),
        *("group", "having", "ilike", "in", "initially", "inner", "intersect", "into", "is", "isnull", "join"),
        *("lambda", "lateral", "leading", "left", "like", "limit", "natural", "not", "notnull", "null", "offset"),
        *("on", "only", "or", "order", "outer", "overlaps", "pivot", "pivot_longer", "pivot_wider", "placing"),
        *("positional", "primary", "qualify", "references", "returning", "right", "select", "semi", "show"),
        *("similar", "some", "summarize", "symmetric", "table", "tablesample", "then", "to", "trailing", "true"),
        *("union", "unique", "unpack", "unpivot", "using", "variadic", "verbose", "when", "where", "window", "with"),
    )
)


@dataclass(frozen=True)
class CustomFeature:
    """One ``[[features.custom]]``.

    Attributes
    ----------
    kind
        ``windowed``: ``daily`` sums up the events of a visit to an integer, which is added up over every window, times ``scale``.
        ``derived``: ``sql`` is an expression over other features.
    needs
        Contract columns, extra columns of ``[events.extra]`` or facts of the log without which it is excluded.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    kind: Literal["windowed", "derived"]
    name: str
    unit: Unit
    description: str
    reason: str
    daily: str = ""
    sql: str = ""
    scale: float = 1
    needs: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse what cannot become a literal; pydantic adds its place."""
        wanted, other = ("daily", "sql") if self.kind == "windowed" else ("sql", "daily")
        if not re.fullmatch(_NAME, self.name):
            raise ValueError(
                f'name "{self.name}" is not made of lower-case letters, digits and underscores, starting with a letter'
            )
        if self.name.startswith(_OF_TYPES):
            raise ValueError(
                f'name "{self.name}" is reserved for event types; do not start it with {", ".join(_OF_TYPES)}'
            )
        if not getattr(self, wanted) or getattr(self, other):
            raise ValueError(f"{self.name}: a {self.kind} feature has {wanted} and no {other}")
        if self.unit is Unit.TEXT or not self.description or not self.reason:
            raise ValueError(f"{self.name}: it needs a description, a reason and a numeric unit")

    def literal(self) -> Windowed | Feature:
        """Return what a family file would hold."""
        if self.kind == "windowed":
            return Windowed(
                self.name,
                self.unit,
                self.description,
                daily=Daily(self.daily),
                scale=self.scale,
                reason=self.reason,
                needs=self.needs,
            )
        return Derived(self.name, self.unit, self.description, sql=self.sql, reason=self.reason, needs=self.needs)

    def names(self, windows_days: tuple[int, ...]) -> tuple[str, ...]:
        """Return the columns that it becomes."""
        literal = self.literal()
        found = literal.over(windows_days) if isinstance(literal, Windowed) else (literal,)
        return tuple(feature.name for feature in found)


def check_reserved_names(custom: tuple[CustomFeature, ...]) -> None:
    """Refuse names that SQL or attributes of users reserve; a saved model is not checked, as its names are frozen.

    Raises
    ------
    ValueError
        With the first such name; pydantic adds the setting.
    """
    for one in custom:
        if one.name in SQL_WORDS:
            raise ValueError(
                f'custom: the name "{one.name}" is an SQL keyword; choose another, such as {one.name}_count'
            )
        if one.name.startswith(_OF_ATTRIBUTES):
            raise ValueError(
                f'custom: the name "{one.name}" is reserved for attributes of [users]; do not start it with user_'
            )


def custom_columns(custom: tuple[CustomFeature, ...], facts: set[str]) -> dict[str, Daily]:
    """Return the daily columns of custom features that a log with these facts can answer."""
    return {one.name: Daily(one.daily) for one in custom if one.kind == "windowed" and set(one.needs) <= facts}
