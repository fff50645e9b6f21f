"""An SQL expression over a log's own columns, as it is written in churn.toml, over the table of its rows."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from churn.first_look.evidence.columns import Column
from churn.first_look.evidence.table import LogTable
from churn.first_look.evidence.times import ORDERS, Candidate, TimeReading, measured
from churn.results.first_look import Finding
from features.expressions import column_paths, parsed, rewritten
from features.log.sources.binding import Binder
from features.log.sources.times import instant_of
from features.log.sources.values import FLOATS
from features.sql import INTEGERS, identifier
from features.storage.duckdb import duckdb_errors

_ZONED = ("TIME ZONE", "TIMESTAMPTZ_NS")


@dataclass(frozen=True)
class Expression:
    """What an expression reads.

    Attributes
    ----------
    sql
        Over :data:`~churn.first_look.evidence.table.TABLE`; null where it fails on a row.
    kind
        DuckDB type of its value.
    columns
        Own columns that it names.
    """

    sql: str
    kind: str
    columns: tuple[str, ...]


def expression_of(text: str, table: LogTable, *, what: str) -> Expression:
    """Read an expression as the log's reader does.

    Parameters
    ----------
    what
        Its place, for the message.

    Raises
    ------
    InputError
        When it has no meaning over the columns of the log.
    """
    names = {name.casefold(): name for name in table.kinds}
    with duckdb_errors(
        f"{what}: the log has no such column or cannot answer it", f"its columns: {', '.join(table.kinds)}"
    ):
        paths = column_paths(parsed(text))
        own = {path: names[key] for path in paths if (key := ".".join(path).casefold()) in names}
        nested = {path: identifier(name) for path, name in own.items() if len(path) > 1}
        sql = rewritten(text, nested) if nested else text
        texts = frozenset(name for name, kind in table.kinds.items() if kind in ("VARCHAR", "BLOB"))
        found = Binder(table.connection, table.kinds, texts).bound(sql)
    return Expression(f"({found.sql}).v" if found.is_guarded else found.sql, found.kind, tuple(own.values()))


def sql_of(found: Finding, table: LogTable, *, role: str) -> str:
    """Return a finding as text over the table, whether it is a column or an expression that was answered.

    Raises
    ------
    InputError
        When it has no meaning over the columns of the log.
    """
    if len(found.columns) == 1:
        return table.column(found.columns[0])
    return f"cast({expression_of(found.expression, table, what=role).sql} as varchar)"


def reading_of(text: str, columns: Sequence[Column], table: LogTable, *, what: str) -> TimeReading | None:
    """Return how an expression reads its columns as times; None where too few of its values become times.

    Raises
    ------
    InputError
        When it has no meaning over the columns of the log.
    """
    found = expression_of(text, table, what=what)
    used = sorted((one for one in columns if one.name in found.columns), key=lambda one: -one.filled)
    if not used:
        return None
    candidate = Candidate(
        text,
        "as you answered",
        instant_of(found.sql, found.kind, zone="UTC"),
        order=_order_of(text),
        is_zoned=found.kind.endswith(_ZONED) or found.kind.removeprefix("U") in INTEGERS or found.kind in FLOATS,
    )
    return measured(candidate, used[0], table=table, others=tuple(one.name for one in used[1:]))


def _order_of(text: str) -> str:
    """Return the order of day, month and year that the formats of an expression say."""
    letters = "".join(re.findall(r"%-?([dmy])", text.lower()))
    return next((order for order, known in ORDERS.items() if letters.startswith(known)), "")
