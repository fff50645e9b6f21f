"""How numbers are written for people; a dash where one is not known."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from typing import Any, Literal

from insights.presentation.texts import text
from models.page import number as written
from models.text.catalogues import day as in_words

Kind = Literal["count", "share", "change", "number", "date", "name"]
_TEN, _HUNDRED, _MILLION = 10, 100, 1_000_000
DASH = written(None)


def share(value: float | None) -> str:
    """Return a share in percent.

    Examples
    --------
    >>> share(0.1234), share(None)
    ('12.3 %', '-')
    """
    found = written(None if value is None else 100 * value, 1)
    return found if found == DASH else text("formats.share", number=found)


def change(value: float | None) -> str:
    """Return a relative change in percent, with its sign.

    Examples
    --------
    >>> change(0.034), change(-0.5)
    ('+3.4 %', '-50.0 %')
    """
    found = share(value)
    return found if found.startswith(DASH) else f"+{found}"


def count(value: float | None) -> str:
    """Return a number of things.

    Examples
    --------
    >>> count(1234.0), count(None)
    ('1,234', '-')
    """
    return written(value)


def short(value: float | None) -> str:
    """Return a number of things where there is little room.

    Examples
    --------
    >>> short(1234), short(1_234_567)
    ('1,234', '1.23M')
    """
    is_large = value is not None and value >= _MILLION
    return text("formats.million", number=written((value or 0) / _MILLION, 2)) if is_large else written(value)


def number(value: float | None) -> str:
    """Return a number with the digits that matter.

    Examples
    --------
    >>> number(0.1234), number(12.34), number(1234.5)
    ('0.12', '12.3', '1,234')
    """
    size = abs(value or 0)
    return written(value, 0 if size >= _HUNDRED else 1 if size >= _TEN else 2)


def date_words(value: date) -> str:
    """Return a date in a sentence.

    Examples
    --------
    >>> date_words(date(2026, 1, 5))
    'Jan 5, 2026'
    """
    return in_words(value)


def day(value: date | None) -> str:
    """Return a date in a table.

    Examples
    --------
    >>> day(date(2026, 1, 5))
    '2026-01-05'
    """
    return DASH if value is None else value.isoformat()


def name(value: str | None) -> str:
    """Return a text as it is.

    Examples
    --------
    >>> name("iOS"), name(None)
    ('iOS', '-')
    """
    return DASH if value is None else value


FORMATS: Mapping[Kind, Callable[[Any], str]] = {
    "count": count,
    "share": share,
    "change": change,
    "number": number,
    "date": day,
    "name": name,
}
