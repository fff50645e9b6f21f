"""What can go wrong, as one tree.

::

    ChurnError
    |-- InputError        the log, a table, a date or a request is not usable      exit code 2
    |   `-- SettingsError churn.toml, the environment or a flag is not usable     exit code 2
    `-- CheckFailed      a guard said no: too little data, a worse challenger    exit code 3
        `-- HistoryTooShort no label of the asked horizon is known in time         exit code 3

A message says what is wrong, where, and what was got against what was expected; ``hint`` says the way out. Messages never hold
user ids. Everything else that escapes is a bug (exit code 1).
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class ChurnError(Exception):
    """The root of every error that churn raises on purpose.

    Parameters
    ----------
    message
        What is wrong, where, got against expected.
    hint
        The way out, shown behind ``Hint:``.

    Examples
    --------
    >>> print(InputError("the log is empty: 0 rows in events.csv", hint="check [events] where"))
    the log is empty: 0 rows in events.csv
    Hint: check [events] where
    """

    exit_code = 1

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\nHint: {self.hint}" if self.hint else self.message


class InputError(ChurnError):
    """Something that was handed in cannot be used."""

    exit_code = 2


class SettingsError(InputError):
    """A setting is unknown, of the wrong kind, or contradicts another."""


class CheckFailed(ChurnError):
    """A guard refused to go on; nothing was changed."""

    exit_code = 3


class HistoryTooShort(CheckFailed):
    """No label of the asked horizon is known before the cutoff that tests; a shorter one may be."""


def closest(word: str, known: Iterable[str]) -> str:
    """Say which known word was probably meant, or list them all.

    Examples
    --------
    >>> closest("horizn_days", ["gap_days", "horizon_days"])
    'did you mean "horizon_days"?'
    """
    names = sorted(known)
    match = difflib.get_close_matches(word, names, n=1)
    return f'did you mean "{match[0]}"?' if match else f"known are: {', '.join(names)}"
