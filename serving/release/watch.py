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


class _Mark(NamedTuple):
    """A release as it was at a look: another one, or another store in its place, has another mark."""

    folder: Path
    about: _Stat
    store: _Stat


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
        self._seen: set[_Mark] = set()  # nothing: what is there is read, whatever it is
        self._last = _Mark(self._first, None, None)
        self._set_aside: Path | None = None  # what was current and failed before anything was served
        self._before: ServingBundle | None = None
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
        new = [mark for mark in map(_mark_of, self._folders()) if mark not in self._seen]
        if not new:
            return None
        self._last, self._before = new[0], self._served
        try:
            found = self._read(self._last.folder)
        except Exception as error:
            self.refuse(error)
            raise
        self._seen = {self._last}
        return found

    def refuse(self, error: Exception) -> None:
        """Take note that the release of the last look cannot be served; what was served before is followed on.

        Where nothing was, the next look finds the release to start with. A release that could not be read is tried again.
        """
        self._served = self._before
        if self._served:
            self._seen = set()
        elif self._last.folder != self._first:
            self._set_aside = self._last.folder
        if _may_pass(error):
            self._seen.discard(self._last)
        else:
            self._seen.add(self._last)

    def _read(self, folder: Path) -> Release | None:
        """Check a release and read it; None where it is not of the alias or version that is served."""
        check_release(folder)
        bundle = read_bundle(folder)
        if self._served and bundle.alias != self._served.alias and bundle.version != self._served.version:
            return None
        store = open_store(bundle.store, bundle.model.specification)
        self._served = self._served or bundle
        return Release(bundle, store, folder)

    def _folders(self) -> list[Path]:
        """Return where to look: what is current next to the first release, if it is followed; before anything is served, in both."""
        link = self._first.parent / CURRENT
        current = current_of(self._first.parent) if link.is_symlink() else None
        if current is None:
            return [self._first]
        if self._served:
            return [current]
        if not _follows(self._first, current):
            return [self._first]
        return [self._first, current] if current == self._set_aside else [current, self._first]


def _follows(first: Path, current: Path) -> bool:
    """Tell whether a service that starts with the first release may start with the current one: of its alias, or its version."""
    one, other = names_of(first), names_of(current)
    return bool(one) and any(one[name] == other.get(name) for name in ("alias", "version"))


def _may_pass(error: Exception) -> bool:
    """Tell whether a release could not be read, as when a disk or the limit of open files says no; its content may be good."""
    cause = error.__cause__ if isinstance(error, InputError) else error
    is_gone = isinstance(cause, FileNotFoundError | NotADirectoryError) and cause is not error
    return isinstance(cause, OSError | sqlite3.OperationalError) and not is_gone


def _mark_of(folder: Path) -> _Mark:
    return _Mark(folder, _stat(folder / RELEASE_FILE), _stat(store_folder(folder) / FILE))


def _stat(path: Path) -> _Stat:
    """Return what changes when a file is replaced; None where there is no file."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns
