"""The server's HTTP protocol, which waits only so long for headers, and at its end for others to close: it has no limits of its own.

An answer is written at once: the server itself hands its headers and its body to the system one after the other, and each of the two calls
takes longer than looking a user up.
"""

from __future__ import annotations

import asyncio
from typing import Any, cast

import uvicorn.config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEADER_SECONDS = 10.0
CLOSE_SECONDS = 1.0
_STATUS, _INTERIM, _END = b"HTTP/1.1 ", b"HTTP/1.1 1", b"\r\n\r\n"


class WholeAnswers:
    """A transport that keeps the headers of an answer until its body comes, or its end; all else is that of the transport."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._write = transport.write
        self._headers = b""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        """Write; final headers wait."""
        if self._headers:
            data, self._headers = self._headers + data, b""
        elif data.startswith(_STATUS) and not data.startswith(_INTERIM) and data.endswith(_END):
            self._headers = data
            return
        self._write(data)

    def flush(self) -> None:
        """Write the headers of an answer without a body."""
        if self._headers:
            self.write(b"")

    def close(self) -> None:
        """Write what waits, and close."""
        self.flush()
        self._transport.close()


class ImpatientProtocol(HttpToolsProtocol):
    """Closes a connection whose headers are not complete in time, from its start or from the first byte of a further request."""

    _deadline: asyncio.TimerHandle | None = None
    _is_waiting = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Wait for the first request."""
        self._answers = WholeAnswers(transport)
        super().connection_made(cast("asyncio.Transport", self._answers))
        self._start()

    def data_received(self, data: bytes) -> None:
        """Read; wait for the rest of headers that are not complete, and for those alone: a timer takes longer than a look-up."""
        super().data_received(data)
        if self._is_waiting and self._deadline is None:
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
        self._answers.flush()
        super().on_response_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no more."""
        self._stop()
        super().connection_lost(exc)

    def shutdown(self) -> None:
        """End with the server: what is under way is answered, and then nobody is waited for, as TLS would for half a minute."""
        super().shutdown()
        self.loop.call_later(CLOSE_SECONDS, self._end)

    def _end(self) -> None:
        is_answered = getattr(self.cycle, "response_complete", True)  # there is no cycle before the first request
        if is_answered and not self.transport.get_write_buffer_size():
            self.transport.abort()
        else:
            self.loop.call_later(CLOSE_SECONDS, self._end)

    def _start(self) -> None:
        self._deadline = self.loop.call_later(HEADER_SECONDS, self.transport.close)

    def _stop(self) -> None:
        self._is_waiting = False
        if self._deadline:
            self._deadline.cancel()
            self._deadline = None


def install() -> None:
    """Make it the protocol that the server chooses by itself."""
    uvicorn.config.HTTP_PROTOCOLS["auto"] = f"{__name__}:{ImpatientProtocol.__name__}"
