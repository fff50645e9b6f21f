"""Every error that is raised on purpose, as one tree.

::

    ChurnError
    |-- InputError        the log, a table, a date or a request is not usable     exit code 2
    |   `-- SettingsError churn.toml, the environment or a flag is not usable     exit code 2
    `-- CheckFailed       a check failed: too little data, a worse challenger     exit code 3
        |-- HistoryTooShort no label of the target horizon is known in time      exit code 3
        `-- TooFewUsers   a class has too few users for folds of users          exit code 3

A message says what is wrong, where, and what was got against what was expected; ``hint`` says the way out. Messages never hold
user ids. Everything else that escapes is a bug (exit code 1).
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from typing import TypeVar

Foreign = TypeVar("Foreign", bound=Exception)


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
    """An input cannot be used."""

    exit_code = 2


class SettingsError(InputError):
    """A setting is unknown, of the wrong kind, or contradicts another."""


class CheckFailed(ChurnError):
    """A check failed; nothing was changed."""

    exit_code = 3


class HistoryTooShort(CheckFailed):
    """No label of the target horizon is known before the test cutoff; a shorter horizon may have one."""


class TooFewUsers(CheckFailed, ValueError):
    """A class has too few users for folds of users; a ValueError too, as scikit-learn expects it of an estimator."""


@contextmanager
def translated(
    kinds: type[Foreign] | tuple[type[Foreign], ...], words: Callable[[Foreign], ChurnError | None]
) -> Generator[None]:
    """Translate errors of a library into ours.

    Parameters
    ----------
    kinds
        The exceptions of the library.
    words
        Our error for one of theirs; None raises theirs as it is.

    Raises
    ------
    ChurnError
        From the library's error.
    """
    try:
        yield
    except kinds as error:
        ours = words(error)
        if ours is None:
            raise
        raise ours from error


def closest(word: str, known: Iterable[str]) -> str:
    """Suggest the known word that was probably meant, or list them all.

    Examples
    --------
    >>> closest("horizn_days", ["gap_days", "horizon_days"])
    'did you mean "horizon_days"?'
    """
    names = sorted(known)
    match = difflib.get_close_matches(word, names, n=1)
    return f'did you mean "{match[0]}"?' if match else f"known are: {', '.join(names)}"
