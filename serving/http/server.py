"""Run the service in the foreground, in its own process and environment, with telemetry switched off."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec

from features.errors import InputError, SettingsError
from features.storage.versions import in_use
from serving.release.bundle import read_bundle
from serving.release.release import check_release

_MAX_PORT = 65535
SERVED_VARIABLE = "CHURN_SERVED"  # folder of the release
PARENT_VARIABLE = "CHURN_SERVE_PID"  # set by churn serve: the processes of its server end with their parents
_FORWARDED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def serve(bundle_folder: Path, *, port: int, workers: int, host: str = "127.0.0.1") -> int:
    """Serve the bundle in the folder until a signal ends it.

    Returns
    -------
    The exit code of the server.

    Raises
    ------
    InputError
        When there is nothing to serve, it is damaged, or the port is taken.
    """
    read_bundle(bundle_folder)
    check_release(bundle_folder.resolve())
    _check_port(host, port)
    # BentoML counts requests in a folder of its home and empties it at each start: two services must not share a home.
    with in_use(bundle_folder.resolve()), TemporaryDirectory(prefix="churn-serve-") as home:
        environment = os.environ | _environment(bundle_folder, home=home, workers=workers)
        return _run([*_COMMAND, "--host", host, "--port", str(port)], environment)


# --quiet, because the service writes its own lines to the log.
_COMMAND = (sys.executable, "-m", "bentoml", "serve", "--quiet", "serving.service:ChurnService")


def _environment(bundle_folder: Path, *, home: str, workers: int) -> dict[str, str]:
    overrides = {"services": {"churn": {"workers": workers}}}
    return {
        SERVED_VARIABLE: str(bundle_folder.resolve()),
        PARENT_VARIABLE: str(os.getpid()),
        "BENTOML_HOME": home,
        "BENTOML_CONFIG_OVERRIDES": msgspec.json.encode(overrides).decode(),
        "BENTOML_DO_NOT_TRACK": "true",  # no other value is understood
        "DO_NOT_TRACK": "1",
    }


def checked_port(port: int) -> int:
    """Return a port that there can be.

    Raises
    ------
    SettingsError
        When there cannot.
    """
    if not 1 <= port <= _MAX_PORT:
        hint = "choose another port: churn serve --port, or [serving] port"
        raise SettingsError(f"the port: got {port}, expected 1 to {_MAX_PORT}", hint=hint)
    return port


def _check_port(host: str, port: int) -> None:
    try:
        socket.create_server((host, port)).close()
    except OSError as error:
        raise InputError(
            f"cannot listen on {host}:{port}: {error.strerror}", hint="choose another port: churn serve --port"
        ) from error


def _run(command: list[str], environment: dict[str, str]) -> int:
    """Run in the folder where the packages are, so that no folder of the caller shadows them."""
    top = Path(__file__).parents[2]
    # In a process group of its own: Ctrl-C in the terminal comes to this process only, and reaches the server once.
    server = subprocess.Popen(command, env=environment, cwd=top, process_group=0)  # noqa: S603  # made here, no shell
    with server, _forwarding(server):
        return server.wait()


@contextmanager
def _forwarding(process: subprocess.Popen[bytes]) -> Generator[None]:
    """Forward the signals that would end this process to the server."""
    before = {number: signal.signal(number, lambda *_: process.terminate()) for number in _FORWARDED}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
