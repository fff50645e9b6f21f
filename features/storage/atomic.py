"""Folders and files that appear completely or not at all: written under a temporary name, synced, renamed.

A killed run leaves nothing half-written under a final name.
"""

from __future__ import annotations

import ctypes
import os
import shutil
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

_HERE, _EXCHANGE = -100, 2  # AT_FDCWD and RENAME_EXCHANGE of linux/fs.h


@contextmanager
def atomic_folder(final: Path) -> Generator[Path]:
    """Return an empty temporary folder; when the block succeeds, it replaces ``final``.

    An error inside the block, or a kill, leaves ``final`` as it was.
    """
    draft = _temporary(final)
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    yield draft
    for path in [*draft.rglob("*"), draft]:
        _sync(path)
    _replace(draft, final)
    _sync(final.parent)


def _replace(draft: Path, final: Path) -> None:
    """Replace a folder by another, in one step where the system can: a kill leaves the old one or the new one."""
    old = final.with_name(f".{final.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if not final.exists():
        draft.rename(final)
    elif _exchanged(draft, final):
        shutil.rmtree(draft)
    else:
        final.rename(old)
        draft.rename(final)
        shutil.rmtree(old)


def _exchanged(one: Path, other: Path) -> bool:
    """Swap two folders at once (Linux only; Python has no name for it)."""
    swap = getattr(ctypes.CDLL(None), "renameat2", None)
    return swap is not None and swap(_HERE, os.fsencode(one), _HERE, os.fsencode(other), _EXCHANGE) == 0


@contextmanager
def atomic_file(final: Path) -> Generator[Path]:
    """Return a free temporary path; when the block succeeds, the file written there replaces ``final``.

    An error inside the block, or a kill, leaves ``final`` as it was.
    """
    draft = _temporary(final)
    draft.unlink(missing_ok=True)
    yield draft
    _sync(draft)
    draft.replace(final)
    _sync(final.parent)


def write_atomic(final: Path, content: bytes) -> None:
    """Write a file under a temporary name and rename it."""
    with atomic_file(final) as draft:
        draft.write_bytes(content)


def clear_temporary(folder: Path) -> None:
    """Remove temporary files of killed runs from a folder whose names are not reused; no other run may be writing to it."""
    for path in folder.glob("*.tmp"):
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def _temporary(final: Path) -> Path:
    return final.with_name(f".{final.name}.tmp")


def _sync(path: Path) -> None:
    """Flush a file or a folder to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
