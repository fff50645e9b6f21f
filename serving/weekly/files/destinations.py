"""A finished list is taken to where the team's tool reads it: a folder, an object store, or a table of a database.

::

    <to>/<project>/<week>/<list>/<export id>/at_risk.csv ...
                                            /manifest.json    last: where it is, everything is

Doing it again changes nothing, and completes what a killed run left half-done. Passwords in URLs are shown nowhere.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import fsspec
import pyarrow.parquet as pq
from fsspec.core import url_to_fs
from fsspec.implementations.local import LocalFileSystem
from fsspec.spec import AbstractFileSystem

from features.errors import ChurnError, InputError, SettingsError, translated
from features.storage.atomic import atomic_file
from serving.weekly.files.database_table import TableAddress, replace_rows
from serving.weekly.files.list_address import ListAddress
from serving.weekly.files.verify import MANIFEST, is_manifest, names_in

_LOGIN = r"(://[^\s/@:]*:)(\S*)(@)"  # up to the last @: one in a path hides more than it has to
_BUCKETS = {"s3", "gs", "gcs", "az", "abfs", "adl", "oss", "oci"}


@dataclass(frozen=True)
class Delivery:
    """Where a list was taken to, fit to be shown.

    Attributes
    ----------
    is_new
        Whether anything was written; False: it was all there already.
    """

    to: str
    is_new: bool


def deliver(folder: Path, to: str, *, address: ListAddress, rows: str = "at_risk.parquet") -> Delivery:
    """Take a finished list to a place.

    Parameters
    ----------
    folder
        Files and ``manifest.json``.
    to
        A folder, a URL that fsspec knows (``s3://bucket/lists``), or a database URL with the table behind a ``#``
        (``postgresql+psycopg://anna:secret@host/crm#marketing.at_risk``).
    rows
        The Parquet file whose rows a table of a database gets.

    Raises
    ------
    InputError
        When the list is damaged, another one of the same export id is there, the place refuses, or a table does not fit.
    SettingsError
        When the URL cannot be used, or a package for it is missing.
    """
    names = names_in(folder)
    if not is_database(to):
        return _to_store(folder, to, address=address, names=names)
    if rows not in names:
        raise InputError(
            f"{folder}: there is no {rows}, whose rows the table would get", hint=f"there are: {', '.join(names)}"
        )
    table = TableAddress.of(to)
    return Delivery(table.shown, replace_rows(pq.ParquetFile(folder / rows).read(), table, address=address))


def is_database(to: str) -> bool:
    """Tell whether a place is a database rather than a folder or a store.

    Examples
    --------
    >>> is_database("sqlite:///crm.db#at_risk"), is_database("s3://bucket/lists"), is_database("lists")
    (True, False, False)
    """
    scheme = re.match(r"([a-zA-Z][\w.-]*)(?:\+[\w.-]+)?://", to)
    return scheme is not None and scheme[1].lower() not in fsspec.available_protocols()


def _to_store(folder: Path, to: str, *, address: ListAddress, names: Sequence[str]) -> Delivery:
    shown = f"{_without_secrets(to).rstrip('/')}/{address.path}"
    with _store_errors(to, shown):
        store, top = url_to_fs(to)
        store.invalidate_cache()  # of what this process saw earlier
        target = f"{top.rstrip('/')}/{address.path}"
        missing = _missing(store, target, folder=folder, names=names)
        if missing and not _has_buckets(store):
            store.makedirs(target, exist_ok=True)
        for name in missing:
            _copy(folder / name, store, target=f"{target}/{name}")
    return Delivery(shown, is_new=bool(missing))


def _has_buckets(store: AbstractFileSystem) -> bool:
    """Tell whether a store needs no folders; to make one would make the bucket of a misspelled name."""
    protocols = [store.protocol] if isinstance(store.protocol, str) else store.protocol
    return not _BUCKETS.isdisjoint(protocols)


def _missing(store: AbstractFileSystem, target: str, *, folder: Path, names: Sequence[str]) -> list[str]:
    """Return what is to be copied, the manifest last: everything, unless the same manifest is there.

    Raises
    ------
    InputError
        When the manifest of another list is there.
    """
    ours, there = (folder / MANIFEST).read_bytes(), _read(store, f"{target}/{MANIFEST}")
    if there == ours:
        return [name for name in names if _size(store, f"{target}/{name}") != (folder / name).stat().st_size]
    if is_manifest(there):
        raise InputError(
            f"{target}: another list of the same export id is there",
            hint="compare the two; remove that one to deliver this one",
        )
    return [*names, MANIFEST]


def _read(store: AbstractFileSystem, path: str) -> bytes:
    """Return the bytes of a file; none where it is not there."""
    try:
        return cast("bytes", store.cat_file(path))
    except FileNotFoundError:
        return b""


def _size(store: AbstractFileSystem, path: str) -> int | None:
    try:
        return cast("int | None", store.size(path))
    except FileNotFoundError:
        return None


def _copy(source: Path, store: AbstractFileSystem, *, target: str) -> None:
    """Copy a file; in a folder of this machine it appears whole, as object stores see to themselves."""
    if not isinstance(store, LocalFileSystem):
        store.put_file(str(source), target)
        return
    with atomic_file(Path(target)) as draft:
        shutil.copyfile(source, draft)


def _store_errors(to: str, shown: str) -> AbstractContextManager[None]:
    """Translate errors of a store or a folder into ours; each client has its own exceptions."""

    def words(error: Exception) -> ChurnError | None:
        if isinstance(error, ChurnError):
            return None
        if isinstance(error, ImportError):
            extra = ' (the extra "s3")' if to.lower().startswith("s3") else ""
            return SettingsError(f"[export] to: {shown} needs a package", hint=f"{error}{extra}")
        password = re.search(_LOGIN, to)
        reason = str(error).replace(password[2], "***") if password else str(error)
        reason = _without_secrets(" ".join(reason.split())) or type(error).__name__
        return InputError(
            f"the list cannot be taken to {shown}: {reason}",
            hint="check the name, the credentials and that this machine may write there; then do it again: it goes on where it ended",
        )

    return translated(Exception, words)


def _without_secrets(url: str) -> str:
    """Mask a password, and the signature that may be behind a question mark.

    Examples
    --------
    >>> _without_secrets("sftp://anna:secret@host/lists"), _without_secrets("https://host/lists?sig=secret")
    ('sftp://anna:***@host/lists', 'https://host/lists?***')
    """
    return re.sub(r"(://[^\s?]*\?)\S+", r"\1***", re.sub(_LOGIN, r"\1***\3", url))
