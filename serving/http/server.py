"""Run the service in the foreground, in its own process and environment, with telemetry switched off."""

from __future__ import annotations

import os
import signal
import socket
import ssl
import subprocess
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec

from features.errors import InputError, SettingsError
from features.storage.versions import in_use
from serving.http.front.gate import KEYS_VARIABLE, REQUIRED_VARIABLE, is_loopback
from serving.http.lookout import keep_looking
from serving.keys import KeyFolder
from serving.release.bundle import read_bundle
from serving.release.release import check_release

_MAX_PORT = 65535
FETCH_SECONDS = 10.0
SERVED_VARIABLE = "CHURN_SERVED"  # folder of the release
ADDRESS_VARIABLE = "CHURN_ADDRESS"  # where it answers, for the log
PARENT_VARIABLE = "CHURN_SERVE_PID"  # set by churn serve: the processes of its server end with their parents
_FORWARDED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclass(frozen=True)
class Access:
    """Where a service listens, and who may ask.

    Attributes
    ----------
    host
        IP address.
    keys
        Folder of the keys; None: there are none, and there will be none.
    certificate, private_key
        Files for TLS; None: without encryption.
    """

    host: str = "127.0.0.1"
    keys: Path | None = None
    certificate: Path | None = None
    private_key: Path | None = None

    def environment(self) -> dict[str, str]:
        """Return what the workers are told.

        Raises
        ------
        SettingsError
            When others than this machine could ask without a key.
        """
        keys = KeyFolder(self.keys).read() if self.keys else ()
        is_open = not any(key.state(datetime.now(UTC)) == "active" for key in keys)
        if is_open and not is_loopback(self.host):
            hint = "make a key first: churn keys add NAME; or listen on 127.0.0.1"
            raise SettingsError(f"[serving] host: got {self.host}, which others reach, and there is no key", hint=hint)
        named = {KEYS_VARIABLE: str(self.keys.resolve())} if self.keys else {}
        return named | ({REQUIRED_VARIABLE: "1"} if keys else {})

    def address(self, port: int) -> str:
        """Return where it answers."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'https' if self.certificate else 'http'}://{host}:{port}"

    def options(self) -> list[str]:
        """Return the options of the server.

        Raises
        ------
        SettingsError
            When the certificate cannot be used.
        """
        if not (self.certificate and self.private_key):
            return ["--host", self.host]
        try:
            ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(self.certificate, self.private_key)
        except OSError as error:  # of ssl, too
            what = f"[serving] tls_certificate and tls_key: {self.certificate} and {self.private_key} cannot be used"
            raise SettingsError(
                f"{what}: {error.strerror or error}", hint="both are PEM, and belong together"
            ) from error
        return ["--host", self.host, "--ssl-certfile", str(self.certificate), "--ssl-keyfile", str(self.private_key)]


def serve(
    bundle_folder: Path,
    *,
    port: int,
    workers: int,
    access: Access | None = None,
    fetch: Callable[[], object] | None = None,
) -> int:
    """Serve the bundle in the folder until a signal ends it.

    Parameters
    ----------
    access
        Default: loopback, without keys.
    fetch
        Called every ten seconds, by one process for all workers: it makes a newer release current, which they take then.

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
    found = access or Access()
    allowed, options = found.environment() | {ADDRESS_VARIABLE: found.address(port)}, found.options()
    _check_port(found.host, port)
    # BentoML counts requests in a folder of its home and empties it at each start: two services must not share a home.
    with in_use(bundle_folder.resolve()), TemporaryDirectory(prefix="churn-serve-") as home:
        environment = _surroundings() | _environment(bundle_folder, home=home, workers=workers) | allowed
        if fetch:
            keep_looking(fetch, "releases", every_seconds=FETCH_SECONDS)
        return _run([*_COMMAND, *options, "--port", str(port)], environment)


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


def _surroundings() -> dict[str, str]:
    """Return the environment, without keys of another service: this one's are those of its project."""
    return {name: value for name, value in os.environ.items() if name not in {KEYS_VARIABLE, REQUIRED_VARIABLE}}


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
        socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET).close()
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
