"""Imported by every Python process whose PYTHONPATH names this folder: dies, without a word, in the middle of the writing.

Counts what the process does to files under ``/lists/`` (open, make, rename, remove) and sends itself SIGKILL at the moment
that KILL_AT names at that time: 1 is the first, before it is done. Without KILL_AT nothing happens.
"""

import itertools
import os
import signal
import sys

_FILE_EVENTS = {"open", "os.mkdir", "os.rename", "os.symlink", "os.remove", "os.rmdir", "shutil.rmtree"}
_moments = itertools.count(1)


def _die_in_time(event: str, arguments: tuple[object, ...]) -> None:
    if event not in _FILE_EVENTS or "/lists/" not in str(arguments):
        return
    if next(_moments) == int(os.environ.get("KILL_AT", "0")):
        os.kill(os.getpid(), signal.SIGKILL)


sys.addaudithook(_die_in_time)
