"""Processes, told apart across machines and time: whether the one that wrote a name or opened a run still runs."""

from __future__ import annotations

import hashlib
import os
import re
import socket
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

_TEXT = re.compile(r"(.*) (\S*) (\d+) (\d*)")
_STATE, _STARTED = 0, 19  # fields of /proc/<process>/stat behind the name of the program


@dataclass(frozen=True)
class Process:
    """A process of a machine, or of a container: its number means nothing outside of its name space.

    Attributes
    ----------
    started
        Clock ticks from the start of the machine to that of the process; empty where the system does not say.
    """

    host: str
    namespace: str
    number: int
    started: str = ""

    @classmethod
    def own(cls) -> Process:
        """Return this process."""
        return cls(socket.gethostname(), _namespace(), os.getpid(), _started(os.getpid()))

    @classmethod
    def parse(cls, text: str) -> Process | None:
        """Read what ``str`` gives; None where it is something else."""
        found = _TEXT.fullmatch(text)
        return cls(found[1], found[2], int(found[3]), found[4]) if found else None

    def __str__(self) -> str:
        """One line, for a tag."""
        return f"{self.host} {self.namespace} {self.number} {self.started}"

    @property
    def is_dead(self) -> bool:
        """Whether it is of this machine and has ended, though another may have its number by now."""
        if (self.host, self.namespace) != (socket.gethostname(), _namespace()):
            return False
        return not is_running(self.number) or bool(self.started and self.started != _started(self.number))


@cache
def machine() -> str:
    """Tell machines apart, and containers that share a host name, in eight characters."""
    return hashlib.sha256(f"{socket.gethostname()} {_namespace()}".encode()).hexdigest()[:8]


def is_running(process: int) -> bool:
    """Tell whether a process of this machine runs; not if only its parent has yet to hear that it ended."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # it runs, under another user
        return True
    return _stat(process)[_STATE : _STATE + 1] != ["Z"]


def _started(process: int) -> str:
    return "".join(_stat(process)[_STARTED : _STARTED + 1])


def _stat(process: int) -> list[str]:
    """Return what Linux says of a process behind the name of its program, which may hold anything; elsewhere nothing."""
    with suppress(OSError):
        return Path(f"/proc/{process}/stat").read_text(errors="replace").rpartition(")")[2].split()
    return []


@cache
def _namespace() -> str:
    with suppress(OSError):
        return str(Path("/proc/self/ns/pid").readlink())
    return ""
