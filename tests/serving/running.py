"""The real server, in its own processes, on a free port of 127.0.0.1; ended with the block."""

from __future__ import annotations

import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil

from serving.http.server import Access

PATIENCE_SECONDS = 40
SERVE = """
import sys
from pathlib import Path
from serving.http.server import Access, serve
keys, certificate, private_key = (Path(one) if one else None for one in sys.argv[5:])
access = Access(sys.argv[4], keys, certificate, private_key)
sys.exit(serve(Path(sys.argv[1]), port=int(sys.argv[2]), workers=int(sys.argv[3]), access=access))
"""


@dataclass(frozen=True)
class Server:
    """A running server; ``client`` talks to it."""

    address: str
    process: subprocess.Popen[bytes]
    client: httpx.Client
    log: Path

    def ask(self, *user_ids: str, **headers: str) -> httpx.Response:
        items = [{"user_id": user_id} for user_id in user_ids]
        return self.client.post("/v1/score", json={"items": items}, headers=headers)

    def wait_until(self, status: int, path: str = "/readyz") -> None:
        def has_happened() -> bool:
            assert self.process.poll() is None, self.log.read_text()
            with suppress(httpx.TransportError):
                return self.client.get(path).status_code == status
            return False

        wait_for(has_happened)

    def family(self) -> list[psutil.Process]:
        """Every process it consists of."""
        own = psutil.Process(self.process.pid)
        return [own, *own.children(recursive=True)]

    def stop(self) -> int:
        """End it as a process manager does; return the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE_SECONDS)


def workers_of(server: Server) -> list[psutil.Process]:
    """Workers that live."""
    found: list[psutil.Process] = []
    for one in server.family():
        with suppress(psutil.Error):  # it has just ended
            found += [one] if "_bentoml_impl.worker.service" in " ".join(one.cmdline()) else []
    return found


def wait_for(has_happened: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not has_happened():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.1)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        return found.getsockname()[1]


def client_of(address: str, trusted: str | bool) -> httpx.Client:
    verify = ssl.create_default_context(cafile=trusted) if isinstance(trusted, str) else trusted
    return httpx.Client(base_url=address, timeout=20, verify=verify)


@contextmanager
def running(bundle: Path, *, workers: int = 1, folder: Path, access: Access | None = None) -> Generator[Server]:
    """Start a server from a folder, and end all its processes, whatever happens."""
    port, log, found = free_port(), folder / "server.log", access or Access()
    address = f"{'https' if found.certificate else 'http'}://127.0.0.1:{port}"
    options = [found.host, *(str(one or "") for one in (found.keys, found.certificate, found.private_key))]
    command = [sys.executable, "-c", SERVE, str(bundle), str(port), str(workers), *options]
    trusted = str(found.certificate) if found.certificate else True
    with log.open("wb") as output, client_of(address, trusted) as client:
        server = Server(address, subprocess.Popen(command, cwd=folder, stdout=output, stderr=output), client, log)
        try:
            yield server
        finally:
            _end(server)


def _end(server: Server) -> None:
    if server.process.poll() is not None:
        return
    family = server.family()
    try:
        server.stop()
    except subprocess.TimeoutExpired:
        for process in family:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        server.process.wait()
