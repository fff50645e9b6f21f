"""Folders and files that appear whole or not at all: written aside, synced, renamed. A killed run leaves nothing under a final name."""

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
    """Hand out an empty folder aside; when the block ends well, it takes the place of ``final``.

    An error inside the block, or a kill, leaves ``final`` as it was.
    """
    aside = _aside(final)
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir(parents=True)
    yield aside
    for path in [*aside.rglob("*"), aside]:
        _sync(path)
    _replace(aside, final)
    _sync(final.parent)


def _replace(aside: Path, final: Path) -> None:
    """Put a folder in the place of another, in one step where the system can: a kill leaves the old one or the new one."""
    old = final.with_name(f".{final.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if not final.exists():
        aside.rename(final)
    elif _exchanged(aside, final):
        shutil.rmtree(aside)
    else:
        final.rename(old)
        aside.rename(final)
        shutil.rmtree(old)


def _exchanged(one: Path, other: Path) -> bool:
    """Swap two folders at once (Linux only; Python has no name for it)."""
    swap = getattr(ctypes.CDLL(None), "renameat2", None)
    return swap is not None and swap(_HERE, os.fsencode(one), _HERE, os.fsencode(other), _EXCHANGE) == 0


@contextmanager
def atomic_file(final: Path) -> Generator[Path]:
    """Hand out a free path aside; when the block ends well, the file written there takes the place of ``final``.

    An error inside the block, or a kill, leaves ``final`` as it was.
    """
    aside = _aside(final)
    aside.unlink(missing_ok=True)
    yield aside
    _sync(aside)
    aside.replace(final)
    _sync(final.parent)


def write_atomic(final: Path, content: bytes) -> None:
    """Write a file aside and put it in its place at once."""
    with atomic_file(final) as aside:
        aside.write_bytes(content)


def clear_temporary(folder: Path) -> None:
    """Remove what killed runs left aside in a folder whose names do not come again; nobody else may be writing to it."""
    for path in folder.glob("*.tmp"):
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def _aside(final: Path) -> Path:
    return final.with_name(f".{final.name}.tmp")


def _sync(path: Path) -> None:
    """Have the system write a file or a folder down for good."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
