"""What is found about a column, and what has to be asked because two readings fit."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from features.errors import InputError, SettingsError, closest
from features.schema import COLUMNS

DATE_ORDER, EVENT_ID, TIMEZONE, WATERMARK = "date_order", "event_id", "timezone", "watermark"
KEYS = (*COLUMNS, DATE_ORDER, EVENT_ID, TIMEZONE, WATERMARK)
NONE = "none"


@dataclass(frozen=True)
class Option:
    """One answer to a question.

    Attributes
    ----------
    value
        What ``--answer key=value`` takes.
    evidence
        What speaks for it, or what it would mean.
    """

    value: str
    evidence: str


@dataclass(frozen=True)
class Question:
    """Something that has two readings.

    Attributes
    ----------
    key
        One of :data:`KEYS`.
    """

    key: str
    words: str
    options: tuple[Option, ...]

    def __str__(self) -> str:
        """The question with its options, each as it is answered."""
        lines = [
            f"    --answer {shlex.quote(f'{self.key}={option.value}')}\n        {option.evidence}"
            for option in self.options
        ]
        return "\n".join([f"  {self.words}", *lines])


@dataclass
class Answers:
    """What was answered, and what is still to be asked."""

    given: Mapping[str, str] = field(default_factory=dict[str, str])
    open: list[Question] = field(default_factory=list[Question])

    def ask(self, key: str, words: str, options: Sequence[Option]) -> None:
        """Ask, unless it was answered."""
        if key not in self.given:
            self.open.append(Question(key, words, tuple(options)))

    def get(self, key: str) -> str | None:
        """Return an answer; None: there is none, or it is that there is no such column."""
        value = self.given.get(key)
        return None if value == NONE else value

    def is_none(self, key: str) -> bool:
        """Tell whether it was answered that there is no such column."""
        return self.given.get(key) == NONE


def refusal_of(key: str, value: str) -> str:
    """Return why a value answers nothing; empty: it may."""
    if value == NONE and key in _ALWAYS:
        return f"every event has {_ALWAYS[key]}: name a column, or an SQL expression over columns"
    if re.fullmatch(r"[-+]?\d+([.,]\d+)?", value):
        return f'a number is the same in all rows; a column of that name is written as "{value}", with its quotes'
    return ""


_ALWAYS = {"user_id": "somebody who did it", "event_time": "a time"}


def parse_answers(pairs: Sequence[str]) -> dict[str, str]:
    """Read ``--answer key=value``.

    Raises
    ------
    SettingsError
        When a pair has no ``=``, its key is not asked for, or its value answers nothing.

    Examples
    --------
    >>> parse_answers(["user_id=customer", "date_order=day-first"])
    {'user_id': 'customer', 'date_order': 'day-first'}
    """
    found: dict[str, str] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not value.strip():
            raise SettingsError(f'--answer: got "{pair}", expected key=value', hint="as in --answer user_id=customer")
        if key.strip() not in KEYS:
            raise SettingsError(f'--answer: "{key.strip()}" is not asked for', hint=closest(key.strip(), KEYS))
        if why := refusal_of(key.strip(), value.strip()):
            raise SettingsError(f"--answer {key.strip()}={value.strip()}: {why}")
        found[key.strip()] = value.strip()
    return found


def unanswered(questions: Sequence[Question]) -> InputError:
    """Return the refusal to guess."""
    count = (
        "one thing has two readings" if len(questions) == 1 else f"{len(questions)} things have more than one reading"
    )
    return InputError(
        f"{count}, and churn does not guess:\n" + "\n".join(map(str, questions)),
        hint="run again with the right --answer of each; a value may also be an SQL expression over the log's own columns",
    )
