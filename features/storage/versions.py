"""A place where results compete: each is a folder of its own that never changes, and ``current`` points to one of them.

::

    <place>/3f0c19d2a7b84e65/    a version, named by a digest of its content: the same content is the same version
    <place>/91ab07c3d2e4f586/
    <place>/current -> 91ab07c3d2e4f586

Writers at the same time write drafts of their own; a lock lets one after the other give a draft its name and swap the link. A
reader looks up ``current`` once (:func:`current_of`) and opens files only inside the version found: they belong together.
"""

from __future__ import annotations

import hashlib
import os
import re
import time
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path

from features.errors import InputError
from features.storage.atomic import draft_folder, replace_folder, sync, sync_tree
from features.storage.drafts import clear_abandoned, discard, draft_of, is_abandoned, remove
from features.storage.full_disk import room_for
from features.storage.locks import locked

CURRENT = "current"
WAIT_SECONDS = 60
READ_FOR_SECONDS = 3600  # a version that is not current any more may still be read for so long
_VERSION = re.compile(r"[0-9a-f]{16}")
Say = Callable[[str], None]


@dataclass(frozen=True)
class Place:
    """A folder of versions.

    Attributes
    ----------
    keeps_all
        False: versions that were current earlier than the one before the current one are removed.
    say
        Told once where the writer has to wait for another.
    guard
        A lock to hold as well while it is decided what becomes current.
    """

    folder: Path
    keeps_all: bool = True
    say: Say = lambda _: None
    guard: Callable[[], AbstractContextManager[None]] = nullcontext

    def add(
        self, write: Callable[[Path], object], *, becomes_current: Callable[[Path | None], bool] = lambda _: True
    ) -> Path:
        """Write a version into an empty folder that is passed to ``write``, and make it the current one; return its folder.

        Parameters
        ----------
        becomes_current
            Decides with the version that is current, while no other writer can change it.

        Raises
        ------
        InputError
            When another run holds the place for a minute, or the disk is full.
        """
        clear_abandoned(self.folder)
        with room_for(self.folder), draft_folder(self.folder / "version") as draft:
            write(draft)
            sync_tree(draft)
            version = self.folder / digest_of(draft)
            with self.alone():
                _keep(draft, version)
                if becomes_current(current_of(self.folder)):
                    make_current(version)
                if not self.keeps_all:
                    _forget(self.folder)
        return version

    @contextmanager
    def alone(self) -> Generator[None]:
        """Let one run at a time change what is current here."""
        busy = InputError(
            f"{self.folder}: another run has been writing here for {WAIT_SECONDS} seconds", hint="wait for it or end it"
        )
        waiting = f"another run is writing {self.folder}; waiting for it"
        lock = locked(self.folder / ".lock", busy, wait_seconds=WAIT_SECONDS, waiting=lambda: self.say(waiting))
        with lock, self.guard():
            yield


def digest_of(folder: Path) -> str:
    """Return the name of a version: a digest of the names and bytes of its files."""
    found = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        with path.open("rb") as file:
            found.update(
                f"{path.relative_to(folder).as_posix()} {hashlib.file_digest(file, 'sha256').hexdigest()}\n".encode()
            )
    return found.hexdigest()[:16]


def is_damaged(version: Path) -> bool:
    """Tell whether the files of a version are not those that were written; unknown of a folder of another name, which is not."""
    return bool(_VERSION.fullmatch(version.name)) and digest_of(version) != version.name


def current_of(place: Path) -> Path | None:
    """Return the folder of the current version; None where there is none. Open files only below what it returns."""
    link = place / CURRENT
    try:
        found = place / link.readlink()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError:  # not a link: a copy that followed links left a folder here
        found = link
    return found if found.is_dir() else None


def versions_of(place: Path) -> list[Path]:
    """Return the versions of a place, the one that was current last first."""
    found = [path for path in place.iterdir() if _VERSION.fullmatch(path.name)] if place.is_dir() else []
    return sorted(found, key=lambda path: (path.stat().st_mtime_ns, path.name), reverse=True)


def make_current(version: Path) -> None:
    """Let ``current`` point to a version, in one step; the lock of the place is held."""
    place = version.parent
    before, link, aside = current_of(place), place / CURRENT, draft_of(place / CURRENT)
    if before and before.name == version.name:
        return
    aside.symlink_to(version.name)
    if link.is_dir() and not link.is_symlink():
        remove(link)
    aside.replace(link)
    sync(place)
    if before and before.is_dir():
        os.utime(before)  # from now on it is the one before


@contextmanager
def in_use(version: Path) -> Generator[None]:
    """Keep a version from being removed while the block runs, by a mark that belongs to this process."""
    mark = draft_of(version, "used")
    with suppress(OSError):  # nothing is removed where nothing can be written
        mark.touch()
    try:
        yield
    finally:
        mark.unlink(missing_ok=True)


def _keep(draft: Path, version: Path) -> None:
    """Give a draft its name; where an equal version is there already, that one is kept, unless it is damaged."""
    if version.is_dir() and not is_damaged(version):
        return
    replace_folder(draft, version)
    sync(version.parent)


def _forget(place: Path) -> None:
    """Remove versions that nobody needs: not the current one, the one before it, one in use, or one left within the hour."""
    current, used = current_of(place), _used(place)
    others = [path for path in versions_of(place) if current is None or path.name != current.name]
    for version in others[1:]:
        if version.name not in used and time.time() - version.stat().st_mtime > READ_FOR_SECONDS:
            discard(version)


def _used(place: Path) -> set[str]:
    """Return the names of the versions that a process marked as in use; marks of processes that are gone are removed."""
    marks = list(place.glob(".*.used"))
    for mark in marks:
        if is_abandoned(mark):
            mark.unlink(missing_ok=True)
    return {mark.name.split(".")[1] for mark in marks if mark.exists()}
