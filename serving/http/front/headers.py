"""Headers of answers: those that protect them, and those by which a request is found again in the logs of who asked."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Any, TypedDict

MAX_ID_CHARACTERS = 128
_TRACE = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")

SECURITY_HEADERS: tuple[tuple[bytes, bytes], ...] = (
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
    (b"cross-origin-resource-policy", b"same-origin"),
)
SECURITY_LINES = b"".join(b"%b: %b\r\n" % header for header in SECURITY_HEADERS)
# What the pages of an origin in [serving] cors_origins may send and read. They send a key themselves: browsers add none to their requests.
CORS: dict[str, Any] = {
    "allow_methods": ("GET", "POST"),
    "allow_headers": ("Authorization", "Content-Type", "X-Request-Id", "X-Churn-Model", "traceparent"),
    "expose_headers": ("X-Request-Id", "X-Churn-Model", "Retry-After", "RateLimit", "RateLimit-Policy", "traceparent"),
    "allow_credentials": False,
}


class Names(TypedDict):
    """Under which names a request is found again: ours, and the ``traceparent`` of who asked; empty where there is none."""

    request_id: str
    traceparent: str


def named(headers: Mapping[bytes, bytes]) -> Names:
    """Return the names of a request.

    Source: W3C, Trace Context, section 3.2, for the form of ``traceparent``.
    """
    trace = headers.get(b"traceparent", b"").decode("latin-1")
    request_id = request_id_of(headers.get(b"x-request-id", b"").decode("latin-1"))
    return {"request_id": request_id, "traceparent": trace if trace and _TRACE.fullmatch(trace) else ""}


def echoed(names: Names) -> tuple[tuple[str, str], ...]:
    """Return them as headers of the answer; an empty one is not sent."""
    found = (("X-Request-Id", names["request_id"]), ("traceparent", names["traceparent"]))
    return tuple(one for one in found if one[1])


def request_id_of(sent: str) -> str:
    """Keep the client's id where it is short and printable, else make one."""
    is_usable = 0 < len(sent) <= MAX_ID_CHARACTERS and sent.isascii() and sent.isprintable()
    return sent if is_usable else os.urandom(16).hex()
