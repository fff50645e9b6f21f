"""The profile store of a running service: scoring swaps the current release, and the next look-up reads the new store."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from pathlib import Path

from features.errors import InputError
from features.profiles.specification import Specification
from serving.store.profile_store import FILE, ProfileStore, open_store

CHECK_EVERY_SECONDS = 1.0

_log = logging.getLogger("churn.serving")
_Mark = tuple[int, int] | None


class StoreReload:
    """Opens the store again after another took its place.

    A store that does not fit the model is refused with a line in the log, and the store before it stays open.

    Parameters
    ----------
    folder
        Where the store is, and each that follows it.
    first
        Where the first one is, if that is another folder.
    on_refusal
        Called once for each refused file.
    """

    def __init__(
        self, folder: Path, specification: Specification, *, on_refusal: Callable[[], None], first: Path | None = None
    ) -> None:
        self._folder = folder
        self._specification = specification
        self._on_refusal = on_refusal
        self._store: ProfileStore | None = None
        self._mark: _Mark = (0, 0)
        self._next_check = 0.0
        if first and (first / FILE).exists():
            self._open(first)

    def current(self) -> ProfileStore | None:
        """Return the store to read from; None until there is one that fits."""
        now = time.monotonic()
        if now >= self._next_check:
            self._next_check = now + CHECK_EVERY_SECONDS
            self._check()
        return self._store

    def _check(self) -> None:
        mark = _mark(self._folder / FILE)
        if mark != self._mark:
            self._open(self._folder)

    def _open(self, folder: Path) -> None:
        self._mark = _mark(folder / FILE)
        try:
            store = open_store(folder, self._specification)
        except InputError as error:
            self._on_refusal()
            _log.error("profile store refused: %s", str(error).replace("\n", " "))
        else:
            self._store = store  # the previous store closes itself after its last look-up


def _mark(path: Path) -> _Mark:
    """Return what changes when a file is replaced; None where there is no file."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns
