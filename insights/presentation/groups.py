"""How users of whom a dimension is not known are shown: as a group of their own."""

from __future__ import annotations

from features.sql import literal
from insights.presentation.texts import text


def group_of(column: str) -> str:
    """Return the SQL of the group that a column puts a user in: its value, or that it is unknown."""
    return f"coalesce(cast({column} as varchar), {literal(text('groups.unknown'))})"
