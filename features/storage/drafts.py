"""Drafts: what is being written has a name of its own until it is renamed, so that no two writers meet in one.

The name says who writes: the machine (host name and process namespace), the process, and a token. So what a killed run left
behind is known by its owner: cleared at once where the process is gone, after a day where it ran on another machine.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

from features.storage.full_disk import room_for
from features.storage.processes import is_running, machine

_LIVE_SECONDS = {".tmp": 24 * 3600, ".used": 30 * 24 * 3600}  # of names of other machines, since they were last written
_OWNED = re.compile(r"\..*\.([0-9a-f]{8})-(\d+)-[0-9a-f]{8}\.(?:tmp|used)")


def draft_of(final: Path, suffix: str = "tmp") -> Path:
    """Return a free name next to a final one, which no other writer has."""
    return final.with_name(f".{final.name[:50]}.{machine()}-{os.getpid()}-{secrets.token_hex(4)}.{suffix}")


@contextmanager
def temporary_folder(parent: Path) -> Generator[Path]:
    """Return an empty folder for the time of the block; those of killed runs are cleared."""
    parent.mkdir(parents=True, exist_ok=True)
    clear_abandoned(parent, name="temporary")
    folder = draft_of(parent / "temporary")
    folder.mkdir()
    try:
        with room_for(folder):
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def clear_abandoned(folder: Path, *, name: str = "") -> None:
    """Remove the drafts in a folder whose writers are gone.

    Parameters
    ----------
    name
        Only those of this final name; default: all.
    """
    for path in _entries(folder):
        if path.name.startswith(f".{name[:50]}") and path.suffix == ".tmp" and is_abandoned(path):
            remove(path)


def is_abandoned(path: Path) -> bool:
    """Tell whether the process that a name belongs to is gone; one of another machine is taken to be, in time."""
    found = _OWNED.fullmatch(path.name)
    if not found:
        return False
    written_on, process = found.groups()
    if written_on == machine():
        return not is_running(int(process))
    return _age_seconds(path) > _LIVE_SECONDS[path.suffix]


def remove(path: Path) -> None:
    """Remove a file or a folder, which another run may be removing too."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def discard(folder: Path) -> None:
    """Remove a folder so that it is gone at once, and never seen half removed."""
    aside = draft_of(folder)
    folder.rename(aside)
    remove(aside)


def _entries(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []


def _age_seconds(path: Path) -> float:
    """Return how long ago anything below a path was last written."""
    newest = 0.0
    for place in (path, *path.rglob("*")):
        with suppress(FileNotFoundError):
            newest = max(newest, place.lstat().st_mtime)
    return time.time() - newest
