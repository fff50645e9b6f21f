"""The release of a running service: another one is checked as a whole, and comes instead of the one before or not at all."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from features.storage.versions import CURRENT, current_of
from serving.release.bundle import FILE as RELEASE_FILE
from serving.release.bundle import ServingBundle, read_bundle, store_folder
from serving.release.release import check_release
from serving.store.profile_store import FILE, ProfileStore, open_store

_Stat = tuple[int, int] | None


class Release(NamedTuple):
    """A model and the store of its answers, which belong together."""

    bundle: ServingBundle
    store: ProfileStore


class ReleaseWatch:
    """Looks where the release of a service is, and which one is current by then.

    A service that was started for an alias follows the alias; one that was started for a version stays with the version, and takes
    its newer profiles. Where there is no other release, a store that is replaced in its folder is taken.

    Parameters
    ----------
    first
        Folder of the release to start with.
    """

    def __init__(self, first: Path) -> None:
        self._first = first.resolve()
        self._seen: tuple[object, ...] = ()
        self._served: ServingBundle | None = None

    def look(self) -> Release | None:
        """Return the release that is there, if it is another one than at the last look.

        Raises
        ------
        InputError
            When it is damaged, of a newer format, or its store is missing or of another model; once for each.
        """
        folder = self._folder()
        mark = (folder, _stat(folder / RELEASE_FILE), _stat(store_folder(folder) / FILE))
        if mark == self._seen:
            return None
        self._seen = mark
        check_release(folder)
        bundle = read_bundle(folder)
        if self._served and bundle.alias != self._served.alias and bundle.version != self._served.version:
            return None
        self._served = self._served or bundle
        return Release(bundle, open_store(bundle.store, bundle.model.specification))

    def _folder(self) -> Path:
        """Return the first release at first, then what is current next to it."""
        if not self._seen or not (self._first.parent / CURRENT).is_symlink():
            return self._first
        return current_of(self._first.parent) or self._first


def _stat(path: Path) -> _Stat:
    """Return what changes when a file is replaced; None where there is no file."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns
