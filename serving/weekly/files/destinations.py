"""A finished list is taken to where the team's tool reads it: a folder, an object store, or a table of a database.

::

    <to>/<project>/<week>/<list>/<export id>/at_risk.csv ...
                                            /manifest.json    last: where it is, everything is

Doing it again changes nothing, and completes what a killed run left half-done. Passwords in URLs are shown nowhere.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import fsspec
import pyarrow.parquet as pq
from fsspec.core import url_to_fs
from fsspec.spec import AbstractFileSystem

from features.errors import InputError
from features.storage.stores import copy_to, has_buckets, store_errors, without_secrets
from serving.weekly.files.database_table import TableAddress, replace_rows
from serving.weekly.files.list_address import ListAddress
from serving.weekly.files.verify import MANIFEST, files_of, is_manifest, names_in

_AGAIN = (
    "check the name, the credentials and that this machine may write there; then do it again: it goes on where it ended"
)


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
    shown = f"{without_secrets(to).rstrip('/')}/{address.path}"
    with store_errors(to, f"the list cannot be taken to {shown}", setting="[export] to", hint=_AGAIN):
        store, top = url_to_fs(to)
        store.invalidate_cache()  # of what this process saw earlier
        target = f"{top.rstrip('/')}/{address.path}"
        missing = _missing(store, target, folder=folder, names=names)
        if missing and not has_buckets(store):
            store.makedirs(target, exist_ok=True)
        for name in missing:
            copy_to(folder / name, store, target=f"{target}/{name}")
    return Delivery(shown, is_new=bool(missing))


def _missing(store: AbstractFileSystem, target: str, *, folder: Path, names: Sequence[str]) -> list[str]:
    """Return what is to be copied, the manifest last: everything, unless a manifest of the same files is there.

    What else a manifest says, as the digest of all settings, may differ: they are the same list.

    Raises
    ------
    InputError
        When the manifest of another list is there.
    """
    there = _read(store, f"{target}/{MANIFEST}")
    if not is_manifest(there):
        return [*names, MANIFEST]
    if files_of(there) != files_of((folder / MANIFEST).read_bytes()):
        raise InputError(
            f"{target}: another list of the same export id is there",
            hint="compare the two; remove that one to deliver this one",
        )
    return [name for name in names if _size(store, f"{target}/{name}") != (folder / name).stat().st_size]


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
