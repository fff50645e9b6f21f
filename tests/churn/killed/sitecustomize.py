"""Imported by every Python process whose PYTHONPATH names this folder: dies, without a word, in the middle of the writing.

Counts what the process does to files under ``/lists/`` (open, make, rename, remove) and sends itself SIGKILL at the moment
that KILL_AT names at that time: 1 is the first, before it is done. At the moments before that COPY_AT names, it copies the folder
COPY_OF
to a folder next to it: what is on the disk then is what a death would leave. Without KILL_AT nothing happens.
"""

import itertools
import os
import shutil
import signal
import sys

_FILE_EVENTS = {"open", "os.mkdir", "os.rename", "os.symlink", "os.remove", "os.rmdir", "shutil.rmtree"}
_COPY_AT = {int(moment) for moment in os.environ.get("COPY_AT", "").split(",") if moment}
_moments = itertools.count(1)
_is_copying = False


def _die_in_time(event: str, arguments: tuple[object, ...]) -> None:
    if _is_copying or event not in _FILE_EVENTS or "/lists/" not in str(arguments):
        return
    moment = next(_moments)
    if moment in _COPY_AT:
        _copy(moment)
    if moment == int(os.environ.get("KILL_AT", "0")):
        os.kill(os.getpid(), signal.SIGKILL)


def _copy(moment: int) -> None:
    global _is_copying  # noqa: PLW0603  # a hook cannot be taken off
    _is_copying = True
    home = os.environ["COPY_OF"]
    shutil.copytree(home, f"{home}_at_{moment}", symlinks=True)
    _is_copying = False


sys.addaudithook(_die_in_time)
