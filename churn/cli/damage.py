"""A read of kept days that failed: which file is damaged, or that another run renewed them; the next run heals both."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path

from features.errors import InputError, translated


def damage_named(activities: Path) -> AbstractContextManager[None]:
    """Name the damaged file behind an error of DuckDB's, or say that a file is gone; where neither is so, the error stays.

    One that says that the disk is full stays, too: it names a file that was to be written.

    Raises
    ------
    InputError
        When kept days cannot be read.
    """
    return translated(Exception, lambda error: _damage(activities, error) if _is_of_reading(error) else None)


def _damage(activities: Path, error: Exception) -> InputError | None:
    from features.activity.integrity import damaged_files, gone_batches

    if found := damaged_files(activities):
        hint = "run the same command again: they are rolled up anew"
        return InputError(f"kept days are damaged: {'; '.join(found)}", hint=hint)
    if gone_batches(activities, f"{error} {error.__cause__}"):
        renewed = "another run renewed the kept days while this one read them"
        return InputError(renewed, hint="run the same command again")
    return None


def _is_of_reading(error: Exception) -> bool:
    from features.storage.full_disk import is_full

    return _is_of_duckdb(error) and not is_full(error)


def _is_of_duckdb(error: BaseException) -> bool:
    """Tell whether DuckDB raised an error, or the one behind it; without importing it."""
    behind = error.__cause__
    return "duckdb" in type(error).__module__ or bool(behind and _is_of_duckdb(behind))
