"""What the values of a column are: how many differ, and which forms they have."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from churn.first_look.evidence.names import normal
from churn.first_look.evidence.table import TABLE, LogTable
from features.log.sources.values import FLOATS
from features.sql import INTEGERS, identifier, literal

_FORMS = {
    "whole": r"[-+]?\d+(\.0+)?",
    "point": r"[-+]?\d*\.\d+",
    "comma": r"[-+]?(\d+|\d{1,3}(\.\d{3})+),\d+",
    "grouped": r"[-+]?\d{1,3}(,\d{3})+(\.\d+)?",
    # which mark stands before decimals: one that cannot separate thousands, or that stands behind those that do
    "sure_point": r"[-+]?(\d*\.(\d{1,2}|\d{4,})|0?\.\d+|\d{1,3}(,\d{3})+\.\d+|\d{1,3}(,\d{3}){2,})",
    "sure_comma": r"[-+]?(\d*,(\d{1,2}|\d{4,})|0?,\d+|\d{1,3}(\.\d{3})+,\d+|\d{1,3}(\.\d{3}){2,})",
    "negative": r"-.*\d.*",
    "clock": r"([01]?\d|2[0-3]):[0-5]\d(:[0-5]\d(\.\d+)?)?",
    "duration": r"\d+:\d\d:\d\d(\.\d+)?",
    "email": r"[^@\s]+@[^@\s]+\.\w+",
    # as a spreadsheet shows a long number in a narrow cell: fewer digits than the number has
    "rounded": r"[-+]?\d([.,]\d{1,15})?[eE]\+0?[1-3]\d",
    "long": r".{121,}|[^\n]*\n.*",
}
_MAX_VALUES = 12
_MOSTLY = 0.95
_ANYWHERE = 0.5
_LONG_CODE = 12  # digits on both sides of a point, as in a browser's id


@dataclass(frozen=True)
class Column:
    """One of the log's own columns.

    Attributes
    ----------
    kind
        Its DuckDB type.
    rows, filled, distinct
        Rows of the table; those in which it is present; its different values.
    forms
        Form to the number of values that have it; see :data:`_FORMS`.
    low, high
        Smallest and largest number, where they are numbers.
    values
        Some of its values, the most frequent first, where few differ.
    """

    name: str
    kind: str
    rows: int
    filled: int
    distinct: int
    forms: dict[str, int]
    low: float | None = None
    high: float | None = None
    values: tuple[str, ...] = ()

    @cached_property
    def normal(self) -> str:
        """Its name as the vocabulary spells it."""
        return normal(self.name)

    def share(self, *forms: str) -> float:
        """Share of its values of any of some forms, which exclude each other."""
        return sum(self.forms[form] for form in forms) / self.filled if self.filled else 0.0

    @property
    def filled_share(self) -> float:
        """Share of rows in which it is present."""
        return self.filled / self.rows if self.rows else 0.0

    @property
    def is_text(self) -> bool:
        """Whether its type is text."""
        return self.kind in ("VARCHAR", "BLOB", "UUID") or self.kind.startswith("ENUM")

    @property
    def is_time_type(self) -> bool:
        """Whether its type is a date or a time."""
        return self.kind == "DATE" or self.kind.startswith("TIMESTAMP")

    @property
    def is_number(self) -> bool:
        """Whether nearly all its values are numbers, however their decimals are marked."""
        if self.kind in FLOATS or self.kind.startswith("DECIMAL") or self.kind.removeprefix("U") in INTEGERS:
            return True
        numbers = max(self.share("whole", "point", "comma"), self.share("whole", "point", "grouped"))
        return self.is_text and numbers >= _MOSTLY

    @property
    def is_whole(self) -> bool:
        """Whether its values are whole numbers."""
        return self.is_number and self.share("whole") >= _MOSTLY

    @property
    def is_identifier(self) -> bool:
        """Whether its values could name somebody or something: texts without spaces of their own, or whole numbers."""
        is_code = self.is_text and (not self.is_number or all(len(one) >= _LONG_CODE for one in self.values))
        has_form = self.is_whole or (is_code and self.share("long") < 1 - _MOSTLY)
        return has_form and not self.is_time_type and self.share("clock") < _ANYWHERE

    @property
    def is_rounded(self) -> bool:
        """Whether a spreadsheet has rounded some of its numbers: values that were different are the same."""
        return self.is_text and self.share("rounded") > 1 - _MOSTLY

    @property
    def is_unique(self) -> bool:
        """Whether no value comes twice."""
        return self.filled > 0 and self.distinct >= self.filled

    @property
    def rows_per_value(self) -> float:
        """Rows for each different value."""
        return self.filled / self.distinct if self.distinct else 0.0

    @property
    def decimal(self) -> str:
        """The mark before decimals, which only some values tell.

        ``.``, ``,``, or ``,.`` where commas group thousands; ``?``: each mark has three digits behind it and may be either; ``!``: some
        values mean one, some the other; empty: there are no marks.
        """
        if not self.is_text:
            return "."
        point, comma = self.forms["sure_point"] > 0, self.forms["sure_comma"] > 0
        if point and comma:
            return "!"
        if point:
            return ",." if self.forms["grouped"] else "."
        has_marks = self.forms["point"] + self.forms["comma"] > 0
        return "," if comma else "?" if has_marks else ""

    @property
    def evidence(self) -> str:
        """How full it is and how many of its values differ."""
        full = "" if self.filled == self.rows else f"present in {percent(self.filled, self.rows)} of rows, "
        return f"{full}{self.distinct:,} different values ({percent(self.distinct, self.filled)})"


def percent(part: float, of: float) -> str:
    """Write a share; what is not all of it is never 100 %."""
    share = part / of if of else 0.0
    return "100 %" if share >= 1 else f"{min(share, 0.999):.1%}".replace("%", " %").replace(".0 ", " ")


def columns_of(table: LogTable) -> tuple[Column, ...]:
    """Look at every column of a log."""
    return tuple(column_named(name, table) for name in table.kinds)


def column_named(name: str, table: LogTable) -> Column:
    """Look at one column of a log."""
    text, kind = table.column(name), table.kinds[name]
    number = f"try_cast(replace({text}, ',', '.') as double)"
    counts = [f"count(*) filter (regexp_full_match({text}, {literal(form)}))" for form in _FORMS.values()]
    filled, distinct, low, high, *forms = table.numbers(
        f"count({text})", f"count(distinct {text})", f"min({number})", f"max({number})", *counts
    )
    found = dict(zip(_FORMS, map(int, forms), strict=True))
    return Column(name, kind, table.rows, filled, distinct, found, low, high, _values(table, name))


def _values(table: LogTable, name: str) -> tuple[str, ...]:
    text = table.column(name)
    rows = table.connection.execute(
        f"select {text}, count(*) from {TABLE} where {identifier(name)} is not null group by 1 order by 2 desc, 1 limit {_MAX_VALUES}"
    ).fetchall()
    return tuple(value for value, _ in rows if value is not None)
