"""A read of kept days that failed: which file is damaged, and that the next run heals it."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path

from features.errors import InputError, translated


def damage_named(activities: Path) -> AbstractContextManager[None]:
    """Name the damaged file behind an error of DuckDB's; where none is damaged, the error stays.

    Raises
    ------
    InputError
        When kept days cannot be read.
    """
    return translated(Exception, lambda error: _damage(activities) if _is_of_duckdb(error) else None)


def _damage(activities: Path) -> InputError | None:
    from features.activity.integrity import damaged_files

    found = damaged_files(activities)
    if not found:
        return None
    return InputError(
        f"kept days are damaged: {'; '.join(found)}", hint="run the same command again: they are rolled up anew"
    )


def _is_of_duckdb(error: BaseException) -> bool:
    """Tell whether DuckDB raised an error, or the one behind it; without importing it."""
    behind = error.__cause__
    return "duckdb" in type(error).__module__ or bool(behind and _is_of_duckdb(behind))
