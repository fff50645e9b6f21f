"""Writers at the same time, each in a process of its own, forked from this one: nothing has to be imported again."""

from __future__ import annotations

import gc
import os
import sys
import time
import traceback
import warnings
from collections.abc import Callable, Sequence
from functools import cache

from threadpoolctl import ThreadpoolController


def race(
    *writers: Callable[[], object], read: Callable[[], object] = lambda: time.sleep(0.001), apart_ms: float = 0
) -> list[int]:
    """Start every writer at the same moment, or so many milliseconds after the one before; return their exit codes.

    Parameters
    ----------
    read
        Called in this process, again and again, until the last writer has ended.
    """
    threads = _threads(len(sys.modules))
    begin = time.monotonic() + 0.02
    children = [
        _forked(writer, begin + number * apart_ms / 1000, threads=threads) for number, writer in enumerate(writers)
    ]
    codes: dict[int, int] = {}
    while len(codes) < len(children):
        for child in children:
            if child not in codes and (found := os.waitpid(child, os.WNOHANG))[0]:
                codes[child] = os.waitstatus_to_exitcode(found[1])
        start = time.monotonic()
        read()
        time.sleep(3 * (time.monotonic() - start))  # else the reader takes a core from the writers
    return [codes[child] for child in children]


def in_turns(values: Sequence[Callable[[], object]], rounds: int) -> list[tuple[Callable[[], object], ...]]:
    """Return the writers of each round, the other one first every other time."""
    return [tuple(values if turn % 2 else values[::-1]) for turn in range(rounds)]


def fork() -> int:
    """Fork; return the child's number, 0 in the child, which never collects what earlier tests left behind.

    Some of it belongs to libraries whose threads a child does not have: to finalize it there ends in a segmentation fault.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of Python 3.12, of these threads
        child = os.fork()
    if not child:
        gc.freeze()
    return child


@cache
def _threads(modules: int) -> ThreadpoolController:
    """Find the libraries with threads of their own: again only where more modules are loaded, as each search takes a while."""
    del modules
    return ThreadpoolController()


def _forked(writer: Callable[[], object], begin: float, *, threads: ThreadpoolController) -> int:
    if child := fork():
        return child
    try:
        threads.limit(limits=1)  # OpenMP waits for ever for the threads that a child does not have
        time.sleep(max(0.0, begin - time.monotonic()))
        writer()
    except BaseException:  # noqa: BLE001  # a child ends here, whatever happened
        traceback.print_exc(file=sys.stderr)
        os._exit(1)
    os._exit(0)
