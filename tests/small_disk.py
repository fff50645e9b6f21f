"""A real file system of a few kilobytes, for what happens when a disk is full; where none may be mounted, the test is skipped."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def small_disk(place: Path, *, kilobytes: int) -> Generator[Path]:
    """Mount an empty file system of this size (to be sized anew by :func:`resize`) for the time of the block."""
    if not may_mount():
        pytest.skip("only root of a Linux machine may mount a file system")
    place.mkdir(parents=True, exist_ok=True)
    _mount("-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs", str(place))
    try:
        yield place
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)


def may_mount() -> bool:
    """Whether this process may mount a file system; containers forbid it even to root."""
    if not sys.platform.startswith("linux") or os.geteuid() != 0:
        return False
    tried = "mount -t tmpfs -o size=4k tmpfs /mnt"
    return subprocess.run(["unshare", "-m", "sh", "-c", tried], capture_output=True, check=False).returncode == 0


def resize(place: Path, *, kilobytes: int) -> None:
    """Give the file system another size, at least that of what it holds."""
    _mount("-o", f"remount,size={kilobytes}k", str(place))


def used_kilobytes(place: Path) -> int:
    found = os.statvfs(place)
    return (found.f_blocks - found.f_bfree) * found.f_bsize // 1024


def _mount(*options: str) -> None:
    subprocess.run(["mount", *options], check=True, capture_output=True)
