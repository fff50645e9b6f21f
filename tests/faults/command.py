"""The command in a process of its own, forked from this one, which has everything loaded: it may be killed, and nothing is lost here."""

from __future__ import annotations

import hashlib
import importlib
import json
import os
import signal
import sys
import threading
import time
import warnings
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from threadpoolctl import threadpool_limits

from features.storage.versions import current_of, digest_of
from tests.races import fork

Run = Callable[[], int | None]
PLACES = ("scores/*/*/*", "ledger/*/*/*", "lists/*/*/*", "releases/*", "fetched_releases/*")


@dataclass(frozen=True)
class Ended:
    """How a process ended, and what it said."""

    code: int
    said: str

    @property
    def was_killed(self) -> bool:
        return self.code == -signal.SIGKILL


@dataclass
class Trace:
    """What a run did: renames under its home, and the named steps with the seconds that each took."""

    renames: int = 0
    steps: list[tuple[str, float]] = field(default_factory=list[tuple[str, float]])


def forked(run: Run, log: Path) -> Ended:
    """Run a function in a child; return its exit code, negative for a signal."""
    child = fork()
    if not child:
        os._exit(_in_a_child(run, log))
    _, status = os.waitpid(child, 0)
    return Ended(os.waitstatus_to_exitcode(status), log.read_text(errors="replace"))


def warmed(run: Callable[[], object], log: Path) -> None:
    """Run a function in a child, and import here what it imported: children to come need not. No thread starts here."""
    place = log.with_suffix(".json")

    def noting() -> int:
        code = run()
        place.write_text(json.dumps([*sys.modules]))
        return code if isinstance(code, int) else 0

    ended = forked(noting, log)
    assert ended.code == 0, ended.said
    for name in json.loads(place.read_text()):
        with suppress(Exception), warnings.catch_warnings(action="ignore"):  # some are made by others as they run
            importlib.import_module(name)


def _in_a_child(run: Run, log: Path) -> int:
    try:
        threadpool_limits(1)  # OpenMP waits for ever for the threads that a child does not have
        sys.stdout = sys.stderr = log.open("w", buffering=1)
        os.dup2(sys.stdout.fileno(), 1)
        os.dup2(sys.stdout.fileno(), 2)
        warnings.simplefilter("ignore")
        return run() or 0
    except BaseException as error:  # noqa: BLE001  # a child ends here, whatever happened
        sys.stderr.write(f"a traceback: {type(error).__name__}: {error}\n")
        return 1
    finally:
        sys.stdout.flush()


def churn(*arguments: str | Path) -> int:
    """The command, in this process."""
    from churn.cli.app import run

    sys.argv = ["churn", *map(str, arguments)]
    return run()


def at_step(act: Callable[[int, str], object]) -> None:
    """Have a function called in this process with number and name of each step that begins."""
    from churn.cli.console import Steps

    tell, number = Steps._tell, 0  # pyright: ignore[reportPrivateUsage]

    def counted(self: Steps, message: str, *, advance: int) -> None:
        nonlocal number
        tell(self, message, advance=advance)
        number += 1
        act(number, message)

    Steps._tell = counted  # pyright: ignore[reportPrivateUsage]  # a child's own: nothing has to be put back


def at_rename(home: Path, act: Callable[[int], object]) -> None:
    """Have a function called in this process before each rename and link under a home."""
    number, inside = 0, f"{home}/"

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal number
        if event in ("os.rename", "os.symlink") and inside in str(arguments):
            number += 1
            act(number)

    sys.addaudithook(hook)


def die(*_: object) -> None:
    """End this process as kill -9 does."""
    os.kill(os.getpid(), signal.SIGKILL)


def die_in(seconds: float) -> None:
    """End this process so many seconds from now, whatever it does then."""
    timer = threading.Timer(seconds, die)
    timer.daemon = True
    timer.start()


def traced(run: Run, home: Path, log: Path) -> tuple[Ended, Trace]:
    """Run undisturbed; return what it did as well."""
    place = log.with_suffix(".json")

    def noting() -> int | None:
        begun: list[tuple[str, float]] = []
        renames = [0]
        at_step(lambda _, message: begun.append((message, time.monotonic())))
        at_rename(home, lambda number: renames.__setitem__(0, number))
        code = run()
        ends = [*(at for _, at in begun), time.monotonic()][1:]
        steps = [(message, end - at) for (message, at), end in zip(begun, ends, strict=True)]
        place.write_text(json.dumps([renames[0], steps]))
        return code

    ended = forked(noting, log)
    assert ended.code == 0, ended.said
    renames, steps = json.loads(place.read_text())
    return ended, Trace(renames, [(message, seconds) for message, seconds in steps])


def results(home: Path) -> dict[str, str]:
    """What is current in each place of a home, and its rejected rows, by the digest of their content."""
    places = [path for pattern in PLACES for path in sorted(home.glob(pattern)) if path.is_dir()]
    found = {place: digest_of(current) for place in places if (current := current_of(place)) is not None}
    rejected = {path: hashlib.sha256(path.read_bytes()).hexdigest() for path in home.glob("rejected/*/*.parquet")}
    return {str(path.relative_to(home)): digest for path, digest in (found | rejected).items()}


def mixed(home: Path) -> list[str]:
    """Versions under a final name whose content is not what they are named after."""
    found = [path for pattern in PLACES for path in home.glob(f"{pattern}/*") if len(path.name) == 16 and path.is_dir()]
    return [str(path) for path in found if digest_of(path) != path.name]
