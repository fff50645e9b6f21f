"""Refusals of requests as problem documents (RFC 9457), each of a kind that a client can rely on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import msgspec

from features.errors import InputError
from serving.http.contract import Refusal

PROBLEM_TYPE = "application/problem+json"
RETRY_AFTER_SECONDS = 5
MODEL_HEADER = "X-Churn-Model"
Headers = tuple[tuple[str, str], ...]
PathKind = Literal["stored", "computed", "events", "large", "explain", "refused"]


@dataclass(frozen=True)
class Kind:
    """A kind of problem: its status, the last part of its URN, and its title."""

    status: int
    name: str
    title: str
    description: str

    @property
    def urn(self) -> str:
        """The member ``type``."""
        return f"urn:churn:problem:{self.name}"


INVALID = Kind(400, "invalid-request", "Invalid request", "The body is not JSON, or breaks the contract.")
UNAUTHORIZED = Kind(401, "unauthorized", "Unauthorized", "No key, or one that is not known, expired or revoked.")
FORBIDDEN = Kind(
    403, "forbidden", "Forbidden", "The key is for something else; without keys only loopback is answered."
)
NOT_FOUND = Kind(404, "not-found", "Not found", "There is nothing at this path.")
METHOD = Kind(405, "method-not-allowed", "Method not allowed", "Another method; Allow says which ones there are.")
SLOW = Kind(408, "slow-request", "Request timeout", "The body did not arrive in time.")
OTHER_MODEL = Kind(409, "other-model", "Another model", "X-Churn-Model names another model than is in service.")
IMPOSSIBLE = Kind(
    409,
    "impossible-change",
    "Impossible change",
    "The change contradicts the rest of the profile, or names what the model in service does not have or derives.",
)
TOO_LARGE = Kind(413, "body-too-large", "Content too large", "The body is too large.")
MEDIA_TYPE = Kind(415, "media-type", "Unsupported media type", "The body is not JSON, or is compressed.")
LIMITED = Kind(
    429, "too-many-items", "Too many requests", "The key's limit is used up; Retry-After says when to try again."
)
INTERNAL = Kind(500, "internal", "Internal error", "An error of the service; its log says which.")
BUSY = Kind(
    503,
    "busy",
    "Service busy",
    "Too much is under way; Retry-After says when to try again, RateLimit how much is left.",
)
NOT_READY = Kind(503, "not-ready", "Service unavailable", "Not ready; Retry-After says when to try again.")
TIMEOUT = Kind(504, "timeout", "Timeout", "Scoring took too long.")
KINDS = (
    *(INVALID, UNAUTHORIZED, FORBIDDEN, NOT_FOUND, METHOD, SLOW, OTHER_MODEL, IMPOSSIBLE, TOO_LARGE),
    *(MEDIA_TYPE, LIMITED, INTERNAL, NOT_READY, BUSY, TIMEOUT),
)


class RequestProblem(InputError):
    """A request that is not answered, with the kind of problem; of an :class:`InputError` alone it is :data:`INVALID`."""

    def __init__(self, message: str, *, kind: Kind, hint: str, headers: Headers = ()) -> None:
        super().__init__(message, hint=hint)
        self.kind = kind
        self.headers = headers


class Answer(msgspec.Struct, frozen=True):
    """What is sent back.

    Attributes
    ----------
    kind
        How it was found; for metrics.
    model
        Name and version of the model that answered; empty where none did.
    problem
        Name of the kind of problem; empty where there is none.
    """

    status: int
    content: bytes
    media_type: str = "application/json"
    headers: Headers = ()
    kind: PathKind = "refused"
    model: str = ""
    problem: str = ""


def refusal(error: InputError, *, request_id: str) -> Answer:
    """Return the problem document of an error."""
    kind = error.kind if isinstance(error, RequestProblem) else INVALID
    document = refusal_document(kind, error.message, hint=error.hint, request_id=request_id)
    headers = error.headers if isinstance(error, RequestProblem) else ()
    if kind.status == NOT_READY.status and not headers:
        headers = (("Retry-After", str(RETRY_AFTER_SECONDS)),)
    return Answer(kind.status, msgspec.json.encode(document), PROBLEM_TYPE, headers, problem=kind.name)


def refusal_document(kind: Kind, error: str, *, hint: str, request_id: str) -> Refusal:
    """Return the content of a problem document."""
    return Refusal(kind.urn, kind.title, kind.status, error, error, hint, request_id)


def not_ready() -> RequestProblem:
    """Return the problem of a service without a model, or without a store that fits."""
    return RequestProblem("the service is not ready", kind=NOT_READY, hint="the log says why")
