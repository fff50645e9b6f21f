"""A disk that is full, in the words of whoever writes: the system, SQLite, DuckDB or Arrow."""

from __future__ import annotations

import errno
import os
from contextlib import AbstractContextManager
from pathlib import Path

from features.errors import InputError, translated

_NUMBERS = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_WORDS = (*(os.strerror(number).lower() for number in sorted(_NUMBERS)), "database or disk is full")
WAY_OUT = "free some room there, or use a home on another disk (--home), and run the same command again"


def is_full(error: BaseException) -> bool:
    """Tell whether an error, or the one behind it, says that there is no room left on a disk."""
    number, text = getattr(error, "errno", None), str(error).lower()
    behind = error.__cause__ or error.__context__
    return number in _NUMBERS or any(words in text for words in _WORDS) or bool(behind and is_full(behind))


def full_disk(place: str | Path | None) -> InputError:
    """Return the error of what could not be written."""
    what = f"{place} cannot be written" if place else "a file cannot be written"
    return InputError(f"the disk is full: {what}", hint=WAY_OUT)


def room_for(final: Path) -> AbstractContextManager[None]:
    """Name what was to be written where the disk is full, whoever says so.

    Raises
    ------
    InputError
        In place of the error of the system or of a library.
    """
    return translated(Exception, lambda error: full_disk(final) if _is_to_be_named(error) else None)


def _is_to_be_named(error: Exception) -> bool:
    return not isinstance(error, InputError) and is_full(error)
