"""The release of a running service: another one is checked as a whole, and comes instead of the one before or not at all."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import NamedTuple

from features.errors import InputError
from features.storage.versions import CURRENT, current_of
from serving.release.bundle import FILE as RELEASE_FILE
from serving.release.bundle import ServingBundle, names_of, read_bundle, store_folder
from serving.release.release import check_release
from serving.store.profile_store import FILE, ProfileStore, open_store

_Stat = tuple[int, int] | None


class Release(NamedTuple):
    """A model and the store of its answers, which belong together, and the folder that they are from."""

    bundle: ServingBundle
    store: ProfileStore
    folder: Path


class ReleaseWatch:
    """Looks where the release of a service is, and which one is current by then.

    A service starts with what is current, if it may; a worker that is started again is not behind the others.

    A service that was started for an alias follows the alias; one that was started for a version stays with the version, and takes
    its newer profiles. Where there is no other release, a store that is replaced in its folder is taken.

    Parameters
    ----------
    first
        Folder of the release to start with.
    """

    def __init__(self, first: Path) -> None:
        self._first = first.resolve()
        self._seen: tuple[object, ...] = ()  # nothing: what is there is read, whatever it is
        self._has_failed = False
        self._served: ServingBundle | None = None

    def look(self) -> Release | None:
        """Return the release that is there, if it is another one than at the last look.

        Raises
        ------
        InputError
            When it is damaged, of a newer format, or its store is missing or of another model; once for each.
        OSError
            When it cannot be read just now. The next look tries again, also where that comes as an InputError.
        """
        folder = self._folder()
        mark = (folder, _stat(folder / RELEASE_FILE), _stat(store_folder(folder) / FILE))
        if mark == self._seen:
            return None
        try:
            found = self._read(folder)
        except (InputError, OSError, sqlite3.OperationalError) as error:
            self._seen = () if _may_pass(error) else mark
            self._has_failed = True
            raise
        self._seen = mark
        return found

    def _read(self, folder: Path) -> Release | None:
        """Check a release and read it; None where it is not of the alias or version that is served."""
        check_release(folder)
        bundle = read_bundle(folder)
        if self._served and bundle.alias != self._served.alias and bundle.version != self._served.version:
            return None
        self._served = self._served or bundle
        return Release(bundle, open_store(bundle.store, bundle.model.specification), folder)

    def _folder(self) -> Path:
        """Return what is current next to the first release, unless it is not followed, or failed before anything was served."""
        link = self._first.parent / CURRENT
        current = current_of(self._first.parent) if link.is_symlink() else None
        if current is None or (self._served is None and (self._has_failed or not _follows(self._first, current))):
            return self._first
        return current


def _follows(first: Path, current: Path) -> bool:
    """Tell whether a service that starts with the first release may start with the current one: of its alias, or its version."""
    one, other = names_of(first), names_of(current)
    return bool(one) and any(one[name] == other.get(name) for name in ("alias", "version"))


def _may_pass(error: Exception) -> bool:
    """Tell whether a release could not be read, as when a disk or the limit of open files says no; its content may be good."""
    cause = error.__cause__ if isinstance(error, InputError) else error
    is_gone = isinstance(cause, FileNotFoundError | NotADirectoryError) and cause is not error
    return isinstance(cause, OSError | sqlite3.OperationalError) and not is_gone


def _stat(path: Path) -> _Stat:
    """Return what changes when a file is replaced; None where there is no file."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns
