"""Folders and files that appear completely or not at all: written as a draft of one's own, synced, renamed.

A killed run leaves nothing half-written under a final name, and two runs at once leave the whole result of one of them. Where
several results compete, and readers open more than one file, see :mod:`features.storage.versions`.
"""

from __future__ import annotations

import ctypes
import errno
import os
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

from features.storage.drafts import clear_abandoned, draft_of, remove
from features.storage.full_disk import room_for

_HERE, _EXCHANGE = -100, 2  # AT_FDCWD and RENAME_EXCHANGE of linux/fs.h


@contextmanager
def atomic_folder(final: Path) -> Generator[Path]:
    """Return an empty draft of a folder; when the block succeeds, it replaces ``final``.

    An error inside the block, or a kill, leaves ``final`` as it was.

    Raises
    ------
    InputError
        When the disk is full.
    """
    with room_for(final), draft_folder(final) as draft:
        yield draft
        sync_tree(draft)
        replace_folder(draft, final)
    sync(final.parent)


@contextmanager
def draft_folder(final: Path) -> Generator[Path]:
    """Return an empty draft of a folder, next to its final name; what is still there at the end of the block is removed."""
    clear_abandoned(final.parent, name=final.name)
    draft = draft_of(final)
    draft.mkdir(parents=True)
    try:
        yield draft
    finally:
        remove(draft)


def replace_folder(draft: Path, final: Path) -> None:
    """Replace a folder by another, in one step where the system can: a kill leaves the old one or the new one."""
    while not _is_moved(draft, final):
        if _exchanged(draft, final):
            remove(draft)  # what was there before
            return
        aside = draft_of(final)
        with suppress(FileNotFoundError):
            final.rename(aside)
        remove(aside)


def _is_moved(draft: Path, final: Path) -> bool:
    """Move a folder to a name that is free; False where another folder has it."""
    try:
        draft.rename(final)
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
            raise
        return False
    return True


def _exchanged(one: Path, other: Path) -> bool:
    """Swap two folders at once (Linux only; Python has no name for it)."""
    swap = getattr(ctypes.CDLL(None), "renameat2", None)
    return swap is not None and swap(_HERE, os.fsencode(one), _HERE, os.fsencode(other), _EXCHANGE) == 0


@contextmanager
def atomic_file(final: Path) -> Generator[Path]:
    """Return the free path of a draft; when the block succeeds, the file written there replaces ``final``.

    An error inside the block, or a kill, leaves ``final`` as it was.

    Raises
    ------
    InputError
        When the disk is full.
    """
    clear_abandoned(final.parent, name=final.name)
    draft = draft_of(final)
    try:
        with room_for(final):
            yield draft
            sync(draft)
            draft.replace(final)
    finally:
        draft.unlink(missing_ok=True)
    sync(final.parent)


def write_atomic(final: Path, content: bytes) -> None:
    """Write a file as a draft and rename it."""
    with atomic_file(final) as draft:
        draft.write_bytes(content)


def sync_tree(folder: Path) -> None:
    """Flush a folder and all below it to the disk."""
    for path in [*folder.rglob("*"), folder]:
        sync(path)


def sync(path: Path) -> None:
    """Flush a file or a folder to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
