"""A real MLflow server on 127.0.0.1, and a gate before it that refuses what a path names, as a server with permissions does."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import httpx

REFUSAL = b'{"error_code": "PERMISSION_DENIED", "message": "not yours to change"}'
HOP = {"connection", "content-length", "host", "transfer-encoding", "content-encoding", "date", "server"}
PATIENCE_SECONDS = 60


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@contextmanager
def running(arguments: Sequence[str], *, ready: str, log: Path) -> Generator[None]:
    """Run ``mlflow <arguments>`` until it answers at ``ready``; stop it, and the workers it started, afterwards."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"  # mlflow starts uvicorn by its name
    environment = os.environ | {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "PATH": path}
    with log.open("wb") as said:
        command = [sys.executable, "-m", "mlflow", *arguments]
        server = subprocess.Popen(command, stdout=said, stderr=said, env=environment, start_new_session=True)
        try:
            wait_for(ready, server, log=log)
            yield
        finally:
            with suppress(ProcessLookupError):  # it ended by itself
                os.killpg(server.pid, signal.SIGTERM)
            server.wait(timeout=20)


def wait_for(address: str, server: subprocess.Popen[bytes], *, log: Path) -> None:
    for _ in range(PATIENCE_SECONDS * 10):
        assert server.poll() is None, log.read_text()
        try:
            if httpx.get(address, timeout=5).status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.1)
    raise AssertionError(log.read_text())


@contextmanager
def tracking_server(folder: Path) -> Generator[str]:
    """Serve a store and its artifacts, which clients reach through the server only."""
    port = free_port()
    folder.mkdir(parents=True)
    arguments = ["server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    arguments += ["--backend-store-uri", f"sqlite:///{folder}/mlflow.db", "--artifacts-destination", f"{folder}/files"]
    with running(arguments, ready=f"http://127.0.0.1:{port}/health", log=folder / "log.txt"):
        yield f"http://127.0.0.1:{port}"


@contextmanager
def gate(server: str, *, refused: str) -> Generator[str]:
    """Hand every request on, except those that would change something at a path ending with ``refused``: they get a 403."""

    class Gate(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            if self.command != "GET" and self.path.endswith(refused):
                self.reply(403, {"content-type": "application/json"}, body=REFUSAL)
                return
            sent = {name: value for name, value in self.headers.items() if name.lower() not in HOP}
            found = onward.request(self.command, self.path, content=body, headers=sent)
            self.reply(found.status_code, dict(found.headers), body=found.content)

        def reply(self, status: int, headers: dict[str, str], *, body: bytes) -> None:
            self.send_response(status)
            for name, value in headers.items():
                if name.lower() not in HOP:
                    self.send_header(name, value)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = answer  # noqa: N815  # the names that the server looks for

        def log_message(self, *_: object, **__: object) -> None:
            """Say nothing."""

    listening = ThreadingHTTPServer(("127.0.0.1", 0), Gate)
    with httpx.Client(base_url=server, timeout=30) as onward, listening:
        thread = Thread(target=listening.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listening.server_port}"
        finally:
            listening.shutdown()
            thread.join()
