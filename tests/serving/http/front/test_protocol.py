"""Connections whose headers do not come are closed; others are left alone."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress

import pytest
import uvicorn
from starlette.responses import PlainTextResponse

from serving.http.front import protocol as protocol_module
from serving.http.front.protocol import ImpatientProtocol, install
from tests.serving.running import free_port, wait_for

REQUEST = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """A server in this process that waits a fifth of a second."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(protocol_module, "HEADER_SECONDS", 0.2)
        port = free_port()
        config = uvicorn.Config(
            PlainTextResponse("fine"), port=port, http=ImpatientProtocol, log_config=None, lifespan="off"
        )
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run)
        thread.start()
        wait_for(lambda: server.started)
        yield port
        server.should_exit = True
        thread.join()


def answer(connection: socket.socket) -> bytes:
    """Read a whole answer: its body may come later than its head."""
    found = b""
    while not found.endswith(b"fine"):
        found += connection.recv(1000)
    return found


def is_closed_after(connection: socket.socket, seconds: float) -> bool:
    connection.settimeout(seconds)
    try:
        return connection.recv(1000) == b""
    except TimeoutError:
        return False


@pytest.mark.parametrize("sent", [b"", b"GET / HT", b"GET / HTTP/1.1\r\nHost: x\r\n"])
def test_a_connection_without_complete_headers_is_closed(port: int, sent: bytes):
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(sent)
        assert is_closed_after(connection, 5)


def test_headers_that_trickle_in_do_not_gain_time(port: int):
    with socket.create_connection(("127.0.0.1", port)) as connection:
        start = time.monotonic()
        with suppress(OSError):  # reset, or a broken pipe
            while time.monotonic() - start < 5:
                connection.sendall(REQUEST[:1])
                time.sleep(0.05)
        assert time.monotonic() - start < 3


def test_a_connection_that_is_kept_and_used_again_is_answered(port: int):
    with socket.create_connection(("127.0.0.1", port)) as connection:
        for _ in range(3):
            connection.sendall(REQUEST)
            assert answer(connection).startswith(b"HTTP/1.1 200")
            time.sleep(0.25)


def test_a_further_request_that_stalls_is_closed_too(port: int):
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(REQUEST)
        assert answer(connection).startswith(b"HTTP/1.1 200")
        connection.sendall(REQUEST[:-2])
        assert is_closed_after(connection, 3)


def test_the_server_chooses_it_by_itself():
    install()
    config = uvicorn.Config(PlainTextResponse("fine"), log_config=None)
    config.load()
    assert config.http_protocol_class is ImpatientProtocol
