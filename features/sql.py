"""How texts, names and local times are written in SQL."""

from __future__ import annotations

INTEGERS = (
    "TINYINT",
    "SMALLINT",
    "INTEGER",
    "BIGINT",
    "HUGEINT",
)  # signed types of DuckDB; the others have a U in front


def literal(text: str) -> str:
    """Write text as an SQL literal.

    Examples
    --------
    >>> literal("it's")
    "'it''s'"
    """
    return "'" + text.replace("'", "''") + "'"


def identifier(name: str) -> str:
    """Write the name of a column as an SQL identifier.

    Examples
    --------
    >>> identifier('the "id" column')
    '"the ""id"" column"'
    """
    return '"' + name.replace('"', '""') + '"'


def local_time_of(instant: str, zone: str) -> str:
    """Return a naive local time; UTC needs no calendar, which is several times faster."""
    return f"make_timestamp(epoch_us({instant}))" if zone == "UTC" else f"timezone({literal(zone)}, {instant})"
