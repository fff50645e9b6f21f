"""Connections whose headers do not come are closed; others are left alone, and an answer is one piece."""

import asyncio
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress

import pytest
import uvicorn
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from serving.http.front import protocol as protocol_module
from serving.http.front.protocol import ImpatientProtocol, WholeAnswers, install
from tests.serving.running import free_port, wait_for

REQUEST = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers of every form: by default a short text."""
    match scope["path"]:
        case "/none":
            found = Response(status_code=204)
        case "/parts":
            found = StreamingResponse(iter([b"one, ", b"two and ", b"fine"]))
        case "/sent":
            found = PlainTextResponse(await Request(scope, receive).body())
        case _:
            found = PlainTextResponse("fine")
    await found(scope, receive, send)


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """A server in this process that waits a fifth of a second."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(protocol_module, "HEADER_SECONDS", 0.2)
        port = free_port()
        config = uvicorn.Config(application, port=port, http=ImpatientProtocol, log_config=None, lifespan="off")
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run)
        thread.start()
        wait_for(lambda: server.started)
        yield port
        server.should_exit = True
        thread.join()


def answer(connection: socket.socket) -> bytes:
    """Read an answer, which comes as one piece."""
    return connection.recv(10_000)


def all_answers(port: int, sent: bytes) -> bytes:
    """Send requests the last of which closes the connection; return everything that comes back."""
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.settimeout(5)
        connection.sendall(sent)
        return b"".join(iter(lambda: connection.recv(10_000), b""))


def closing(method: str, path: str, *, more: str = "", body: str = "") -> bytes:
    return f"{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{more}\r\n{body}".encode()


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


class Written(asyncio.Transport):
    """Records what is written, and whether it is closed."""

    def __init__(self) -> None:
        super().__init__()
        self.pieces: list[bytes] = []

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.pieces.append(bytes(data))

    def close(self) -> None:
        self.pieces.append(b"closed")


HEADERS = b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\n"


def test_headers_wait_for_the_body():
    written = Written()
    answers = WholeAnswers(written)
    answers.write(HEADERS)
    assert written.pieces == []
    answers.write(b"fine")
    answers.write(b"more")
    assert written.pieces == [HEADERS + b"fine", b"more"]


def test_headers_without_a_body_are_written_at_the_end_of_the_answer():
    written = Written()
    answers = WholeAnswers(written)
    answers.flush()
    answers.write(HEADERS)
    answers.flush()
    answers.write(HEADERS)
    answers.close()
    assert written.pieces == [HEADERS, HEADERS, b"closed"]


@pytest.mark.parametrize("piece", [b"HTTP/1.1 100 Continue\r\n\r\n", HEADERS + b"fine", b"text\r\n\r\n", b""])
def test_everything_else_is_written_at_once(piece: bytes):
    written = Written()
    WholeAnswers(written).write(piece)
    assert written.pieces == [piece]


def test_an_answer_without_a_body_ends(port: int):
    for sent in (closing("HEAD", "/"), closing("GET", "/none")):
        found = all_answers(port, sent)
        assert found.startswith(b"HTTP/1.1 20")
        assert found.endswith(b"\r\n\r\n")


def test_an_answer_in_parts_arrives_whole(port: int):
    found = all_answers(port, closing("GET", "/parts"))
    assert [one in found for one in (b"one, ", b"two and ", b"fine")] == [True] * 3
    assert found.endswith(b"0\r\n\r\n")


def test_who_asks_before_sending_a_body_is_told_to_go_on(port: int):
    more = "Expect: 100-continue\r\nContent-Length: 4\r\n"
    found = all_answers(port, closing("POST", "/sent", more=more, body="mine"))
    assert found.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n")
    assert found.endswith(b"mine")


def test_requests_that_come_together_are_answered_one_after_the_other(port: int):
    found = all_answers(port, b"HEAD / HTTP/1.1\r\nHost: x\r\n\r\n" + REQUEST + closing("GET", "/none"))
    assert found.count(b"HTTP/1.1 20") == 3
    assert found.count(b"\r\n\r\nfine") == 1


def test_the_server_chooses_it_by_itself():
    install()
    config = uvicorn.Config(PlainTextResponse("fine"), log_config=None)
    config.load()
    assert config.http_protocol_class is ImpatientProtocol
