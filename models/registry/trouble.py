"""Ordinary trouble with MLflow's store in its own words: locked, read-only, of another version, damaged, or not answering."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

from features.errors import ChurnError, InputError
from features.storage.full_disk import full_disk, is_full

_SCHEMA = re.compile(r"found version (\w+), but expected|Can't locate revision identified by '(\w+)'")
_NO_ANSWER = re.compile(
    r"Max retries exceeded|Connection (?:refused|reset|aborted)|Failed to establish a new connection|timed out"
    r"|Remote end closed connection|failed with error code 50[234]",
    re.IGNORECASE,
)
_SECRET = re.compile(r"(?<=://)[^/@]*@")
_AGAIN = "run the same command again"


def store_error(error: Exception, uri: str) -> ChurnError | None:
    """Return the error of a store whose trouble is known; None where it is not.

    Parameters
    ----------
    uri
        Of the store.
    """
    if isinstance(error, ChurnError):
        return None
    place, text = shown(uri), "\n".join(map(str, _chain(error)))
    if is_full(error):
        return full_disk(f"MLflow's store {place}")
    known = next((words(place) for sign, words in _KNOWN.items() if sign in text), None)
    return known or _other_version(place, text) or _no_answer(place, text) or _of_the_database(error, place)


def shown(uri: str) -> str:
    """Return the address of a store without login and what is behind a question mark, which may hold a password.

    Examples
    --------
    >>> shown("postgresql://anna:1234@db/mlflow?password=1234")
    'postgresql://db/mlflow'
    """
    return _SECRET.sub("", uri).partition("?")[0]


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error:
        yield error
        error = error.__cause__ or error.__context__


def _locked(place: str) -> InputError:
    return InputError(
        f"MLflow's database {place} is locked: another program has been writing to it",
        hint=f"wait for it or end it, and {_AGAIN}",
    )


def _read_only(place: str) -> InputError:
    return InputError(
        f"MLflow's database {place} may only be read",
        hint=f"allow writing to it and to its folder, or use another home: --home; then {_AGAIN}",
    )


def _damaged(place: str) -> InputError:
    return InputError(
        f"MLflow's database {place} is damaged", hint="restore it from a backup, or use another home: --home"
    )


def _not_there(place: str) -> InputError:
    return InputError(
        f"MLflow's database {place} cannot be opened", hint="name a place that exists and may be written to: --home"
    )


_KNOWN: dict[str, Callable[[str], InputError]] = {
    "database is locked": _locked,
    "database table is locked": _locked,
    "readonly database": _read_only,
    "disk image is malformed": _damaged,
    "file is not a database": _damaged,
    "unable to open database file": _not_there,
}


def _other_version(place: str, text: str) -> InputError | None:
    found = _SCHEMA.search(text)
    if not found:
        return None
    schema = found[1] or found[2]
    if _is_known(schema):
        return InputError(
            f"MLflow's database {place} was written by an older version of MLflow",
            hint=f"copy it, then: mlflow db upgrade {place}",
        )
    return InputError(
        f"MLflow's database {place} was written by a newer version of MLflow (schema {schema})",
        hint="install the version of MLflow that wrote it, or use another home: --home",
    )


def _no_answer(place: str, text: str) -> InputError | None:
    if not _NO_ANSWER.search(text):
        return None
    return InputError(
        f"MLflow at {place} does not answer", hint=f"check MLFLOW_TRACKING_URI; when it answers, {_AGAIN}"
    )


def _is_known(schema: str) -> bool:
    """Tell whether the MLflow that is installed knows a version of the database: then it is an older one."""
    found = find_spec("mlflow")
    versions = Path(str(found and found.origin)).parent / "store/db_migrations/versions"
    return any(versions.glob(f"{schema}_*.py"))


def _of_the_database(error: Exception, place: str) -> InputError | None:
    """Return what a database says in its first line; behind it are statements with their values."""
    reason = getattr(error, "orig", None)
    if reason is None:
        return None
    line = str(reason).partition("\n")[0]
    return InputError(f"MLflow's database {place}: {line}", hint=f"see what its server or its disk says, and {_AGAIN}")
