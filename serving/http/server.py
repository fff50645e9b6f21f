"""Start the service in the foreground: its own process, its own environment, nothing reported home."""

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

from features.errors import InputError
from serving.release.bundle import read_bundle

_FORWARDED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def serve(served_folder: Path, *, port: int, workers: int, host: str = "127.0.0.1") -> int:
    """Serve what is in the folder until told to stop.

    Returns
    -------
    The exit code of the server.

    Raises
    ------
    InputError
        When there is nothing to serve, or the port is taken.
    """
    read_bundle(served_folder)
    _check_port(host, port)
    # BentoML counts requests in a folder of its home and empties it at each start: two services must not share one.
    with TemporaryDirectory(prefix="churn-serve-") as home:
        environment = os.environ | _environment(served_folder, home=home, workers=workers)
        return _run([*_COMMAND, "--host", host, "--port", str(port)], environment)


# --quiet, because the service says itself what there is to say.
_COMMAND = (sys.executable, "-m", "bentoml", "serve", "--quiet", "serving.service:ChurnService")


def _environment(served_folder: Path, *, home: str, workers: int) -> dict[str, str]:
    overrides = {"services": {"churn": {"workers": workers}}}
    return {
        "CHURN_SERVED": str(served_folder.resolve()),
        "BENTOML_HOME": home,
        "BENTOML_CONFIG_OVERRIDES": msgspec.json.encode(overrides).decode(),
        "BENTOML_DO_NOT_TRACK": "true",  # the word, nothing else is understood
        "DO_NOT_TRACK": "1",
    }


def _check_port(host: str, port: int) -> None:
    try:
        socket.create_server((host, port)).close()
    except OSError as error:
        raise InputError(
            f"cannot listen on {host}:{port}: {error.strerror}", hint="take another: churn serve --port"
        ) from error


def _run(command: list[str], environment: dict[str, str]) -> int:
    """Run in the folder where the packages are, so that no folder of the caller's shadows them."""
    top = Path(__file__).parents[2]
    # A group of its own: the terminal's Ctrl-C comes here alone, and reaches the server once.
    server = subprocess.Popen(command, env=environment, cwd=top, process_group=0)  # noqa: S603  # made here, no shell
    with server, _forwarding(server):
        return server.wait()


@contextmanager
def _forwarding(process: subprocess.Popen[bytes]) -> Generator[None]:
    """Whatever would end this process ends the server instead."""
    before = {number: signal.signal(number, lambda *_: process.terminate()) for number in _FORWARDED}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
