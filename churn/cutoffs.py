"""Cutoffs as people write them: a date, its text, or an ISO week."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime

from features.errors import InputError
from features.snapshots import monday_of

Cutoff = date | str


def a_date(text: str, where: str) -> date:
    """Read a date.

    Raises
    ------
    InputError
        When the text is not one.

    Examples
    --------
    >>> a_date("2026-11-16", "--as-of")
    datetime.date(2026, 11, 16)
    """
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise InputError(f'{where}: got "{text}", expected a date', hint=f"for example {where} 2026-11-16") from error


def cutoff_of(value: Cutoff) -> date:
    """Read a cutoff: a date, or the Monday of an ISO week; knowledge stops at its local midnight.

    Raises
    ------
    InputError
        When it is neither.

    Examples
    --------
    >>> cutoff_of("2026-11-18"), cutoff_of("2026-W47")
    (datetime.date(2026, 11, 18), datetime.date(2026, 11, 16))
    """
    if isinstance(value, str):
        return monday_of(value) if "W" in value else a_date(value, "cutoff")
    if isinstance(value, datetime):
        raise InputError(f"cutoff: got the instant {value}, expected a date", hint="for example date(2026, 11, 16)")
    return value


def cutoffs_of(values: Cutoff | Iterable[Cutoff]) -> tuple[date, ...]:
    """Read one cutoff or several, in their order."""
    return (cutoff_of(values),) if isinstance(values, date | str) else tuple(map(cutoff_of, values))
