"""A release in a place that several servers reach: written there once, and fetched, checked and made current by each.

::

    <place>/3f0c19d2a7b84e65/release.json, model/..., store/...    never changes
    <place>/current                                                the name of a release; written last

A release is named by a digest of its content (:mod:`features.storage.versions`): what was fetched is compared with its name before it
counts.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from contextlib import AbstractContextManager
from io import BufferedReader
from pathlib import Path
from typing import cast

from fsspec.core import url_to_fs
from fsspec.spec import AbstractFileSystem

from features.errors import InputError
from features.storage.stores import copy_to, has_buckets, store_errors, without_secrets, write_to
from features.storage.versions import CURRENT, Place, current_of, digest_of, is_damaged
from serving.release.release import check_release, store_of

SETTING = "[serving] releases"
_AGAIN = "publish it again: churn publish"
_VERSION = re.compile(r"[0-9a-f]{16}")


def publish(release: Path, to: str) -> list[Path]:
    """Copy a release to a place, and make it the current one there. Doing it again completes what a killed run left half-done.

    Parameters
    ----------
    to
        A folder, or a URL that fsspec knows: ``s3://bucket/churn``.

    Returns
    -------
    The files that were not there yet.

    Raises
    ------
    InputError
        When the release is damaged or has no store, or the place refuses.
    """
    version = release.name
    check_release(release)
    if not _VERSION.fullmatch(version) or store_of(release) is None:
        raise InputError(
            f"{release} cannot be published: there is no profile store", hint="fill it: churn score --as-of DATE"
        )
    with _errors(to, f"the release cannot be taken to {without_secrets(to)}"):
        store, top = _opened(to)
        copied = [path for path in _files(release) if _copy(path, release, store=store, top=f"{top}/{version}")]
        write_to(version.encode(), store, target=f"{top}/{CURRENT}")
    return copied


def fetch(place: Place, source: str, *, heals: bool = False) -> Path | None:
    """Fetch the release that is current in a place, unless it is current here; return its folder, None where nothing has changed.

    Parameters
    ----------
    heals
        Read the one that is current here, and fetch it again where it is damaged.

    Raises
    ------
    InputError
        When there is none, it is not what was published, or the place does not answer.
    """
    shown = without_secrets(source)
    with _errors(source, f"no release can be fetched from {shown}"):
        store, top = _opened(source)
        version = cast("bytes", store.cat_file(f"{top}/{CURRENT}")).decode("ascii", "replace").strip()
        here = current_of(place.folder)
        if here is not None and here.name == version and not (heals and is_damaged(here)):
            return None
        if not _VERSION.fullmatch(version):
            raise InputError(f"{shown}/{CURRENT} names no release", hint=_AGAIN)
        return place.add(lambda draft: _fetch(store, f"{top}/{version}", draft=draft))


def _fetch(store: AbstractFileSystem, source: str, *, draft: Path) -> None:
    """Fetch the files of a release, and compare them with its name."""
    found = cast("Sequence[str]", store.find(source))
    for path in found:
        target = draft / path.removeprefix(source).lstrip("/")
        if ".." in target.parts:
            raise InputError(f"a file of the release is outside of it: {Path(path).name}", hint=_AGAIN)
        target.parent.mkdir(parents=True, exist_ok=True)
        store.get_file(path, str(target))
    version = source.rpartition("/")[2]
    if digest_of(draft) != version:
        raise InputError(f"release {version} is not what was published: {len(found)} files", hint=_AGAIN)


def _opened(url: str) -> tuple[AbstractFileSystem, str]:
    store, top = url_to_fs(url)
    store.invalidate_cache()  # of what this process saw earlier
    return store, top.rstrip("/")


def _errors(url: str, what: str) -> AbstractContextManager[None]:
    return store_errors(
        url, what, setting=SETTING, hint="check the name, the credentials and the network; then do it again"
    )


def _files(release: Path) -> list[Path]:
    return sorted(path for path in release.rglob("*") if path.is_file())


def _copy(path: Path, release: Path, *, store: AbstractFileSystem, top: str) -> bool:
    """Copy a file of a release, unless the same one is there; one that was damaged there is replaced."""
    target = f"{top}/{path.relative_to(release).as_posix()}"
    if _is_equal(path, store, target=target):
        return False
    if not has_buckets(store):
        store.makedirs(target.rpartition("/")[0], exist_ok=True)
    copy_to(path, store, target=target)
    return True


def _is_equal(path: Path, store: AbstractFileSystem, *, target: str) -> bool:
    """Tell whether a file is in a store as it is here; it is read there, which a run that is done again can afford."""
    if not store.exists(target) or store.size(target) != path.stat().st_size:
        return False
    with path.open("rb") as here, cast("BufferedReader", store.open(target, "rb")) as there:
        return hashlib.file_digest(here, "sha256").digest() == hashlib.file_digest(there, "sha256").digest()
