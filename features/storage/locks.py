"""One run at a time: files that two runs at once would corrupt have a lock next to them."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from features.errors import InputError


@contextmanager
def locked(
    place: Path, busy: InputError, *, wait_seconds: float = 0, waiting: Callable[[], None] = lambda: None
) -> Generator[None]:
    """Hold the lock at a place while the block runs.

    Parameters
    ----------
    busy
        Raised where another run holds the lock to the end of the wait.
    wait_seconds
        How long to wait for another run; default: it is refused at once.
    waiting
        Called once, when a wait begins.
    """
    place.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(place)
    try:
        _acquire(lock, wait_seconds, waiting=waiting)
    except Timeout as error:
        raise busy from error
    try:
        yield
    finally:
        lock.release()


def is_held(place: Path) -> bool:
    """Tell whether some run holds the lock at a place."""
    lock = FileLock(place)
    try:
        lock.acquire(blocking=False)
    except Timeout:
        return True
    lock.release()
    return False


def _acquire(lock: FileLock, wait_seconds: float, *, waiting: Callable[[], None]) -> None:
    try:
        lock.acquire(blocking=False)
    except Timeout:
        if not wait_seconds:
            raise
        waiting()
        lock.acquire(timeout=wait_seconds)
