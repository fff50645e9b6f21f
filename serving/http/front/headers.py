"""Headers that every answer has, so that a browser does nothing with it but what is meant."""

from __future__ import annotations

from typing import Any

SECURITY_HEADERS: tuple[tuple[bytes, bytes], ...] = (
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
    (b"cross-origin-resource-policy", b"same-origin"),
)
# What the pages of an origin in [serving] cors_origins may send and read. They send a key themselves: browsers add none to their requests.
CORS: dict[str, Any] = {
    "allow_methods": ("GET", "POST"),
    "allow_headers": ("Authorization", "Content-Type", "X-Request-Id", "X-Churn-Model", "traceparent"),
    "expose_headers": ("X-Request-Id", "X-Churn-Model", "Retry-After", "RateLimit", "RateLimit-Policy", "traceparent"),
    "allow_credentials": False,
}
