"""Folders and object stores that fsspec knows, as places where finished files are taken to, and fetched from.

A file appears there whole: object stores see to it themselves, in a folder it is written as a draft. Secrets in a URL are shown nowhere.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING

from features.errors import ChurnError, InputError, SettingsError, translated
from features.storage.atomic import atomic_file, write_atomic

if TYPE_CHECKING:  # every command reads this file, and few need a store
    from fsspec.spec import AbstractFileSystem

_LOGIN = r"(://[^\s/@:]*:)(\S*)(@)"  # up to the last @: one in a path hides more than it has to
_BUCKETS = {"s3", "gs", "gcs", "az", "abfs", "adl", "oss", "oci"}


def has_buckets(store: AbstractFileSystem) -> bool:
    """Tell whether a store needs no folders; to make one would make the bucket of a misspelled name."""
    return not _BUCKETS.isdisjoint(_protocols(store))


def _is_local(store: AbstractFileSystem) -> bool:
    return "file" in _protocols(store)


def _protocols(store: AbstractFileSystem) -> Sequence[str]:
    return [store.protocol] if isinstance(store.protocol, str) else store.protocol


def copy_to(source: Path, store: AbstractFileSystem, *, target: str) -> None:
    """Copy a file into a store."""
    if not _is_local(store):
        store.put_file(str(source), target)
        return
    with atomic_file(Path(target)) as draft:
        shutil.copyfile(source, draft)


def write_to(content: bytes, store: AbstractFileSystem, *, target: str) -> None:
    """Write a small file into a store."""
    if _is_local(store):
        write_atomic(Path(target), content)
    else:
        store.pipe_file(target, content)


def store_errors(url: str, what: str, *, setting: str, hint: str) -> AbstractContextManager[None]:
    """Translate errors of a store or a folder into ours; each client has its own exceptions.

    Parameters
    ----------
    what
        What cannot be done, as it is said.
    setting
        The setting that names the URL.

    Raises
    ------
    InputError
        For every error inside the block.
    """

    def words(error: Exception) -> ChurnError | None:
        if isinstance(error, ChurnError):
            return None
        if isinstance(error, ImportError):
            extra = ' (the extra "s3")' if url.lower().startswith("s3") else ""
            return SettingsError(f"{setting}: {without_secrets(url)} needs a package", hint=f"{error}{extra}")
        password = re.search(_LOGIN, url)
        reason = str(error).replace(password[2], "***") if password else str(error)
        reason = without_secrets(" ".join(reason.split())) or type(error).__name__
        return InputError(f"{what}: {reason}", hint=hint)

    return translated(Exception, words)


def without_secrets(url: str) -> str:
    """Mask a password, and the signature that may be behind a question mark; one that is a wildcard stays.

    Examples
    --------
    >>> without_secrets("sftp://anna:secret@host/lists"), without_secrets("https://host/lists?sig=secret")
    ('sftp://anna:***@host/lists', 'https://host/lists?***')
    >>> without_secrets("s3://bucket/logs/part-?.parquet")
    's3://bucket/logs/part-?.parquet'
    """
    return re.sub(r"(://\S*?\?)(?=[^\s/?]*=)\S+", r"\1***", re.sub(_LOGIN, r"\1***\3", url))
