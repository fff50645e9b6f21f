"""The server's HTTP protocol, which waits only so long for headers, for its answers to be read, and at its end for others to close.

The server has no such limits of its own.

An answer is written at once: the server itself hands its headers and its body to the system one after the other, and each of the two calls
takes longer than looking a user up. The headers that protect every answer are added here, as one piece: the server checks those that an
application sends one by one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, cast

import uvicorn.config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from serving.http.front.headers import SECURITY_LINES

HEADER_SECONDS = 10.0
READ_SECONDS = 10.0
CLOSE_SECONDS = 1.0
_STATUS, _INTERIM, _LINE_END, _END = b"HTTP/1.1 ", b"HTTP/1.1 1", b"\r\n", b"\r\n\r\n"


class WholeAnswers:
    """A transport that keeps the headers of an answer, and those that protect it, until its body comes, or its end. All else is the same.

    Parameters
    ----------
    on_close
        Called once it was told to close, which it does when everything is sent.
    """

    def __init__(self, transport: asyncio.Transport, *, on_close: Callable[[], object] = lambda: None) -> None:
        self._transport = transport
        self._on_close = on_close
        self._write = transport.write
        self._headers = b""
        self._has_begun = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        """Write; final headers wait."""
        if self._headers:
            data, self._headers = self._headers + data, b""
        elif not self._has_begun and _is_final(data):
            self._headers = data.removesuffix(_LINE_END) + SECURITY_LINES + _LINE_END
            self._has_begun = True
            return
        self._write(data)

    def finish(self) -> None:
        """End an answer: write its headers, if it has no body."""
        if self._headers:
            self.write(b"")
        self._has_begun = False

    def close(self) -> None:
        """Write what waits, and close."""
        self.finish()
        self._transport.close()
        self._on_close()

    def drop(self) -> None:
        """Write nothing any more, what waits included: nobody is there, and the transport would raise."""
        self._headers = b""
        self._write = _into_nothing


def _is_final(data: bytes) -> bool:
    """Tell whether these are the headers of an answer, and not of an interim one."""
    return data.startswith(_STATUS) and not data.startswith(_INTERIM) and data.endswith(_END)


def _into_nothing(_: bytes) -> None:
    pass


class ImpatientProtocol(HttpToolsProtocol):
    """Closes a connection whose headers are not complete in time, or whose client reads nothing of what it is sent.

    The time for headers runs from the start of the connection, or from the first byte of what comes after an answer, whatever it is.
    """

    _deadline: asyncio.TimerHandle | None = None
    _is_waiting = False
    _unread: asyncio.TimerHandle | None = None
    _ending: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Wait for the first request."""
        self._answers = WholeAnswers(transport, on_close=self._await_reading)
        super().connection_made(cast("asyncio.Transport", self._answers))
        self._start()

    def data_received(self, data: bytes) -> None:
        """Read; wait for the rest of headers that are not complete, or for the next ones where this is no request.

        A request that is complete needs no timer, which takes longer than a look-up: its answer is under way by now.
        """
        super().data_received(data)
        is_answered = getattr(self.cycle, "response_complete", False)
        if self._deadline is None and (self._is_waiting or is_answered) and not self.transport.is_closing():
            self._start()

    def on_message_begin(self) -> None:
        """Wait for the headers of a request."""
        super().on_message_begin()
        self._is_waiting = True

    def on_headers_complete(self) -> None:
        """Wait no more."""
        self._stop()
        super().on_headers_complete()

    def on_response_complete(self) -> None:
        """Send what is left of the answer, and go on."""
        self._answers.finish()
        super().on_response_complete()

    def pause_writing(self) -> None:
        """Wait for the client to read."""
        super().pause_writing()
        self._await_reading()

    def resume_writing(self) -> None:
        """Wait no more, unless all that is left is to send the rest and close."""
        super().resume_writing()
        if not self.transport.is_closing():
            self._unread = _cancelled(self._unread)

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no more."""
        self._answers.drop()
        super().connection_lost(exc)
        self._stop()
        self._unread, self._ending = _cancelled(self._unread), _cancelled(self._ending)

    def shutdown(self) -> None:
        """End with the server: what is under way is answered, and then nobody is waited for, as TLS would for half a minute."""
        super().shutdown()
        self._ending = self.loop.call_later(CLOSE_SECONDS, self._end, 0)

    def _end(self, left_before: int) -> None:
        """End, unless an answer is under way or being read."""
        left = self.transport.get_write_buffer_size()
        is_stuck = 0 < left_before <= left
        is_answered = getattr(self.cycle, "response_complete", True)  # there is no cycle before the first request
        if is_stuck or (is_answered and not left):
            self.transport.abort()
        else:
            self._ending = self.loop.call_later(CLOSE_SECONDS, self._end, left)

    def _await_reading(self) -> None:
        """Drop the connection once its client has read nothing for so long, where something is to be read."""
        left = self.transport.get_write_buffer_size()
        if left and not self._unread:
            self._unread = self.loop.call_later(READ_SECONDS, self._check_reading, left)

    def _check_reading(self, left_before: int) -> None:
        self._unread = None
        if self.transport.get_write_buffer_size() >= left_before:
            self.transport.abort()
        else:
            self._await_reading()

    def _start(self) -> None:
        self._deadline = self.loop.call_later(HEADER_SECONDS, self.transport.close)

    def _stop(self) -> None:
        self._is_waiting = False
        self._deadline = _cancelled(self._deadline)


def _cancelled(timer: asyncio.TimerHandle | None) -> None:
    """Cancel a timer, if there is one; nothing is what is left of it."""
    if timer:
        timer.cancel()


def install() -> None:
    """Make it the protocol that the server chooses by itself."""
    uvicorn.config.HTTP_PROTOCOLS["auto"] = f"{__name__}:{ImpatientProtocol.__name__}"
