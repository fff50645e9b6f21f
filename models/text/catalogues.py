"""Messages in other languages, from gettext catalogues: ``<language>/<subject>.po``.

A message is the English words that stand in the sources, with named places for values; nothing is put together from pieces. English has no
catalogue, and a message that a catalogue does not have, such as that of a custom feature, stays as it is.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import date
from functools import cache
from importlib.resources import files

from babel import Locale, negotiate_locale
from babel.dates import format_date
from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po

from features.errors import SettingsError, closest

LANGUAGES = {"en": "en", "zh": "zh_Hans_CN"}  # to the locale of its dates and plurals
_language: ContextVar[str] = ContextVar("language", default="en")


def language() -> str:
    """Return the language that is spoken just now."""
    return _language.get()


@contextmanager
def in_language(name: str) -> Generator[None]:
    """Speak a language.

    Raises
    ------
    SettingsError
        When there is no such language.

    Examples
    --------
    >>> with in_language("zh"):
    ...     translated("sudden stop", subject="report", context="leaving.sudden")
    '突然停止'
    """
    if name not in LANGUAGES:
        raise SettingsError(f'language: got "{name}"; {closest(name, LANGUAGES)}')
    before = _language.set(name)
    try:
        yield
    finally:
        _language.reset(before)


def negotiated(accept_language: str) -> str:
    """Return the language that suits an ``Accept-Language`` header best; English where none does.

    Source
    ------
    RFC 9110, section 12.5.4; languages that are equally welcome count in their order.

    Examples
    --------
    >>> negotiated("zh-CN,zh;q=0.9,en;q=0.8"), negotiated("de, en;q=0.5"), negotiated(""), negotiated("en;q=0.1, zh-Hant;q=0.9")
    ('zh', 'en', 'en', 'zh')
    """
    wanted = sorted(_welcome(accept_language), key=lambda one: -one[1])
    found = negotiate_locale([name.partition("-")[0].lower() for name, weight in wanted if weight > 0], list(LANGUAGES))
    return found or "en"


def _welcome(header: str) -> list[tuple[str, float]]:
    found: list[tuple[str, float]] = []
    for part in header.split(","):
        name, _, weight = part.strip().partition(";q=")
        try:
            found.append((name, float(weight or 1)))
        except ValueError:
            continue
    return found


def translated(message: str, *, subject: str, context: str = "") -> str:
    """Return a message in the language that is spoken just now.

    Parameters
    ----------
    subject
        The catalogue.
    context
        Which use of the words, where one may be translated in several ways.
    """
    return (message if language() == "en" else _lookup(language(), subject).get((context, message))) or message


def messages_of(subject: str) -> dict[str, str]:
    """Return all messages of a catalogue with their translations; none in English."""
    return (
        {} if language() == "en" else {message: words for (_, message), words in _lookup(language(), subject).items()}
    )


def plural(messages: tuple[str, str], n: int, *, subject: str, context: str = "") -> str:
    """Return a message in the form for a number; the two are the English ones, of one and of others."""
    if language() == "en":
        return messages[Locale.parse("en").plural_form(n) != "one"]
    return translated(messages[1], subject=subject, context=context)


def day(value: date, *, form: str = "medium") -> str:
    """Return a date as the language writes it (CLDR).

    Examples
    --------
    >>> day(date(2026, 1, 5))
    'Jan 5, 2026'
    """
    return format_date(value, form, locale=LANGUAGES[language()])


@cache
def _lookup(name: str, subject: str) -> dict[tuple[str, str], str]:
    """Return context and message to translation."""
    return {(one.context or "", _last(one.id)): _last(one.string) for one in read_catalogue(name, subject) if one.id}


def _last(words: str | Sequence[str] | None) -> str:
    """Return a message, or its form of many; empty where there is none."""
    return words if isinstance(words, str) else words[-1] if words else ""


def read_catalogue(name: str, subject: str) -> Catalog:
    """Return the catalogue of a language and subject."""
    with files("models.text").joinpath(name, f"{subject}.po").open("rb") as file:
        return read_po(file, locale=LANGUAGES[name])
