"""Load for a server on this machine, from a process of its own: each connection sends its next request when it has read the answer.

Nothing but sockets and a poll: the client must cost less than what it measures.
"""

from __future__ import annotations

import json
import random
import selectors
import socket
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

SCORE_PATH = "/v1/score"
OK, BUSY = b"HTTP/1.1 200", b"HTTP/1.1 503"
MAY_BE_REFUSED = "may-be-refused"
_LENGTH = b"content-length: "


@dataclass
class Client:
    """A connection, and when its last request was sent."""

    connection: socket.socket
    sent_at: float = 0.0
    received: bytes = b""


def request(body: bytes, path: str = SCORE_PATH) -> bytes:
    """Return a request with a body."""
    about = f"Host: localhost\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
    return f"POST {path} HTTP/1.1\r\n{about}\r\n\r\n".encode() + body


def is_whole(received: bytes, *, expected: tuple[bytes, ...] = (OK,)) -> bool:
    """Tell whether an answer is complete; one that does not begin as expected ends the measurement."""
    end = received.find(b"\r\n\r\n")
    if end < 0:
        return False
    if not received.startswith(expected):
        raise RuntimeError(received[:400].decode("latin-1"))
    start = received.lower().find(_LENGTH) + len(_LENGTH)
    return len(received) >= end + 4 + int(received[start : received.find(b"\r", start)])


def measure(
    port: int, requests: list[bytes], *, connections: int, seconds: float, expected: tuple[bytes, ...]
) -> list[float]:
    """Return the latency in seconds of each request that was sent in the time, and not refused; all are answered when it returns."""
    found = list[float]()
    with selectors.DefaultSelector() as poll:
        for _ in range(connections):
            client = Client(socket.create_connection(("127.0.0.1", port)))
            client.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            poll.register(client.connection, selectors.EVENT_READ, client)
            _ask(client, requests)
        end = time.perf_counter() + seconds
        while poll.get_map():
            for key, _ in poll.select(timeout=1):
                _read(key.data, found, expected=expected)
                if not key.data.received and time.perf_counter() < end:
                    _ask(key.data, requests)
                elif not key.data.received:
                    poll.unregister(key.data.connection)
                    key.data.connection.close()
    return found


def _ask(client: Client, requests: list[bytes]) -> None:
    client.sent_at = time.perf_counter()
    client.connection.sendall(random.choice(requests))


def _read(client: Client, found: list[float], *, expected: tuple[bytes, ...]) -> None:
    more = client.connection.recv(2**20)
    if not more:
        raise RuntimeError("the server closed the connection")
    client.received += more
    if is_whole(client.received, expected=expected):
        if client.received.startswith(OK):
            found.append(time.perf_counter() - client.sent_at)
        client.received = b""


def main() -> None:
    """Read a port, a number of connections, the seconds, a file of bodies, one a line, a path, and whether some may be refused.

    Print the result as JSON.
    """
    port, connections, seconds, path = int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]), sys.argv[5]
    expected = (OK, BUSY) if sys.argv[6:] == [MAY_BE_REFUSED] else (OK,)
    requests = [request(line, path) for line in Path(sys.argv[4]).read_bytes().splitlines()]
    warm_up = measure(port, requests, connections=connections, seconds=min(1.0, seconds), expected=expected)
    began, start = time.monotonic(), time.perf_counter()
    found = measure(port, requests, connections=connections, seconds=seconds, expected=expected)
    latencies = np.array(found) * 1000
    rate = len(latencies) / (time.perf_counter() - start)
    p50, p99, p999 = np.percentile(latencies, [50, 99, 99.9])
    quantiles = {"p50": p50, "p99": p99, "p999": p999}
    print(json.dumps({"began": began, "all": len(warm_up) + len(latencies), "rate": rate} | quantiles))


if __name__ == "__main__":
    main()
