"""Connections whose headers do not come, or that nobody reads from, are closed; others are left alone, and an answer is one piece."""

import asyncio
import socket
import threading
import time
from collections.abc import Callable, Coroutine, Generator, Iterator
from contextlib import contextmanager, suppress

import pytest
import uvicorn
import uvicorn.server
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from serving.http.front import protocol as protocol_module
from serving.http.front.headers import SECURITY_LINES
from serving.http.front.protocol import ImpatientProtocol, WholeAnswers, install
from tests.serving.running import free_port, wait_for

REQUEST = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
WITH_BODY = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n"
LARGE_BYTES = 2**25  # more than the system takes at once


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers of every form: by default a short text."""
    match scope["path"]:
        case "/none":
            found = Response(status_code=204)
        case "/parts":
            found = StreamingResponse(iter([b"one, ", b"two and ", b"fine"]))
        case "/sent":
            found = PlainTextResponse(await Request(scope, receive).body())
        case "/large":
            found = Response(bytes(LARGE_BYTES))
        case _:
            found = PlainTextResponse("fine")
    await found(scope, receive, send)


@contextmanager
def running() -> Generator[uvicorn.Server]:
    """A server in this process."""
    config = uvicorn.Config(application, port=free_port(), http=ImpatientProtocol, log_config=None, lifespan="off")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    wait_for(lambda: server.started)
    try:
        yield server
    finally:
        server.should_exit = True
        thread.join()


@pytest.fixture(scope="module")
def server() -> Iterator[uvicorn.Server]:
    """It waits a fifth of a second for headers, and a second for a client to read."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(protocol_module, "HEADER_SECONDS", 0.2)
        patch.setattr(protocol_module, "READ_SECONDS", 1.0)
        with running() as server:
            yield server


@pytest.fixture
def port(server: uvicorn.Server) -> int:
    return server.config.port


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


@pytest.mark.parametrize(("sent", "further"), [(REQUEST, b"\r\n"), (WITH_BODY, b"x")])
def test_what_comes_after_an_answer_and_is_no_request_does_not_keep_the_connection(
    port: int, sent: bytes, further: bytes
):
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(sent)
        assert answer(connection).startswith(b"HTTP/1.1 200")
        connection.sendall(further)
        assert is_closed_after(connection, 3)


@pytest.mark.parametrize(("sent", "rest"), [(REQUEST, b"\r\n"), (WITH_BODY, b"x" * 100)])
def test_a_request_that_follows_in_time_is_answered_and_the_connection_stays(port: int, sent: bytes, rest: bytes):
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(sent)
        assert answer(connection).startswith(b"HTTP/1.1 200")
        connection.sendall(rest)
        for _ in range(2):
            connection.sendall(REQUEST)
            assert answer(connection).startswith(b"HTTP/1.1 200")
            time.sleep(0.25)


def test_a_request_that_comes_whole_needs_no_timer(port: int, monkeypatch: pytest.MonkeyPatch):
    started: list[float] = []
    monkeypatch.setattr(ImpatientProtocol, "_start", lambda _: started.append(time.monotonic()))
    with socket.create_connection(("127.0.0.1", port)) as connection:
        for _ in range(3):
            connection.sendall(REQUEST)
            assert answer(connection).startswith(b"HTTP/1.1 200")
    assert len(started) == 1  # for the first


# --- Answers that are not read -------------------------------------------------------------------------------------


@contextmanager
def asked_for_much(server: uvicorn.Server) -> Generator[socket.socket]:
    """A connection whose answer is on its way."""
    with socket.create_connection(("127.0.0.1", server.config.port)) as connection:
        connection.settimeout(5)
        connection.sendall(closing("GET", "/large"))
        assert connection.recv(1)
        yield connection


def test_a_client_that_does_not_read_its_answer_is_dropped(server: uvicorn.Server):
    with asked_for_much(server):
        assert server.server_state.connections
        wait_for(lambda: not server.server_state.connections)


def test_a_client_that_reads_slowly_gets_all(server: uvicorn.Server):
    found = 0
    with asked_for_much(server) as connection:
        while piece := connection.recv(2**21):
            found += len(piece)
            time.sleep(1.5 * len(piece) / LARGE_BYTES)
    assert found > LARGE_BYTES


def test_a_client_that_does_not_read_does_not_hold_up_the_end(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(protocol_module, "READ_SECONDS", 600)
    monkeypatch.setattr(protocol_module, "CLOSE_SECONDS", 0.2)
    with running() as server, asked_for_much(server):
        server.should_exit = True
        wait_for(lambda: not server.server_state.connections)


class Written(asyncio.Transport):
    """Records what is written, and whether it is closed.

    Parameters
    ----------
    unread
        Bytes that the other side does not take.
    """

    def __init__(self, *, unread: int = 0) -> None:
        super().__init__()
        self.pieces: list[bytes] = []
        self.unread = unread

    def get_write_buffer_size(self) -> int:
        return self.unread

    def is_closing(self) -> bool:
        return b"closed" in self.pieces

    def abort(self) -> None:
        self.pieces.append(b"aborted")

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.pieces.append(bytes(data))

    def close(self) -> None:
        self.pieces.append(b"closed")


HEADERS = b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\n"
PROTECTED = HEADERS[:-2] + SECURITY_LINES + b"\r\n"


def test_headers_wait_for_the_body():
    written = Written()
    answers = WholeAnswers(written)
    answers.write(HEADERS)
    assert written.pieces == []
    answers.write(b"fine")
    answers.write(b"more")
    assert written.pieces == [PROTECTED + b"fine", b"more"]


def test_headers_without_a_body_are_written_at_the_end_of_the_answer():
    written = Written()
    answers = WholeAnswers(written)
    answers.finish()
    answers.write(HEADERS)
    answers.finish()
    answers.write(HEADERS)
    answers.close()
    assert written.pieces == [PROTECTED, PROTECTED, b"closed"]


def test_a_piece_of_a_body_that_looks_like_headers_is_none():
    written = Written()
    answers = WholeAnswers(written)
    for piece in (HEADERS, b"fine", HEADERS):
        answers.write(piece)
    assert written.pieces == [PROTECTED + b"fine", HEADERS]


@pytest.mark.parametrize("path", ["/", "/none", "/parts"])
def test_every_answer_has_the_headers_that_protect_it_once(port: int, path: str):
    assert all_answers(port, closing("GET", path)).count(SECURITY_LINES) == 1


def test_headers_that_wait_are_dropped_with_the_connection():
    assert pieces_of(Written(), lost) == [b"closed"]


def test_a_connection_that_was_to_close_does_not_wait_for_a_little_that_is_not_read(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(protocol_module, "READ_SECONDS", 0.01)
    assert pieces_of(Written(unread=1000), closed) == [b"closed", b"aborted"]
    assert pieces_of(Written(), closed) == [b"closed"]


def pieces_of(written: Written, happens: Callable[[ImpatientProtocol], Coroutine[None, None, None]]) -> list[bytes]:
    """Return what is written to a connection to which this happens."""

    async def run() -> None:
        config = uvicorn.Config(application, log_config=None)
        protocol = ImpatientProtocol(config, uvicorn.server.ServerState(), {})
        protocol.connection_made(written)
        await happens(protocol)

    asyncio.run(run())
    return written.pieces


async def lost(protocol: ImpatientProtocol) -> None:
    """Between the headers of an answer and its body; then the application fails."""
    protocol.transport.write(HEADERS)
    protocol.connection_lost(None)
    protocol.transport.write(b"fine")
    protocol.on_response_complete()


async def closed(protocol: ImpatientProtocol) -> None:
    protocol.transport.close()
    await asyncio.sleep(0.1)


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
