"""The contract as BentoML's descriptors, so that ``/docs.json`` shows exactly what is read and written."""

from __future__ import annotations

from contextlib import suppress
from datetime import date
from typing import Any, ClassVar
from uuid import uuid4

import msgspec
from bentoml import IODescriptor
from starlette.requests import ClientDisconnect, Request

from models.reasons import Reason
from serving.http.contract import ModelInfo, ModelQuality, Refusal, ScoreRequest, ScoreResponse
from serving.score import Score

MAX_BODY_BYTES = 8 * 2**20
MAX_ID_CHARACTERS = 128

_ABOUT = "Churn probabilities of users, with reasons. Each answer says which model it is from and how good that was."
_REQUEST = {"items": [{"user_id": "u-1042"}, {"user_id": "u-7"}]}
_REASONS = [Reason("recency", "days_since_last_event", "last active 6 days ago (usual for this user: 2)", 0.84)]
_RESPONSE = ScoreResponse(
    "4f1c2a",
    ModelInfo("churn", "3", "champion", date(2026, 6, 1)),
    ModelQuality(date(2026, 6, 15), 0.81, 0.012, 18240),
    [
        Score("u-1042", "scored", None, 0.4127, 93.4, "high", date(2026, 6, 29), _REASONS),
        Score("u-7", "unscored", "unknown_user"),
    ],
)
_REFUSAL = Refusal(
    "items[0]: got both, expected either user_id or profile", 'for example {"items": [{"user_id": "..."}]}', "4f1c2a"
)
_REFUSALS = {
    "400": "The body is not JSON, or not of the contract.",
    "413": "The body is too large.",
    "503": "Not ready; Retry-After says when to come back.",
}


class Described(IODescriptor):
    """A descriptor whose schema is that of a struct of the contract."""

    contract: ClassVar[type]
    example: ClassVar[Any]

    @classmethod
    def model_json_schema(cls, *_: Any, ref_template: str = "#/$defs/{model}", **__: Any) -> dict[str, Any]:
        """Describe the struct; what it refers to is in ``$defs``."""
        template = ref_template.replace("{model}", "{name}")
        _, parts = msgspec.json.schema_components((cls.contract,), ref_template=template)
        return parts.pop(cls.contract.__name__) | {"example": cls.example, "$defs": parts}


class RequestBody(Described):
    """The body as it came: it is read later, where errors can be answered in our own words."""

    __root_input__ = True
    contract: ClassVar[type] = ScoreRequest
    example: ClassVar[Any] = _REQUEST

    content: bytes
    request_id: str

    @classmethod
    async def from_http_request(cls, request: Request, serde: Any) -> RequestBody:
        """Take the body and the request's id."""
        del serde
        request_id = request_id_of(request.headers.get("x-request-id", ""))
        return cls.model_construct(content=await _content(request), request_id=request_id)


class ResponseBody(Described):
    """What is answered, for the documentation."""

    contract: ClassVar[type] = ScoreResponse
    example: ClassVar[Any] = msgspec.to_builtins(_RESPONSE)


class RefusalBody(Described):
    """What is answered where there is nothing to answer, for the documentation."""

    contract: ClassVar[type] = Refusal
    example: ClassVar[Any] = msgspec.to_builtins(_REFUSAL)


async def _content(request: Request) -> bytes:
    """Read the body until it ends, the sender is gone, or it is too large."""
    content = bytearray()
    with suppress(ClientDisconnect):
        async for chunk in request.stream():
            content += chunk
            if len(content) > MAX_BODY_BYTES:
                break
    return bytes(content)


def request_id_of(sent: str) -> str:
    """Take the sender's id where it is short and printable, else make one."""
    is_sane = 0 < len(sent) <= MAX_ID_CHARACTERS and sent.isascii() and sent.isprintable()
    return sent if is_sane else uuid4().hex


def documented(found: Any, path: str) -> Any:
    """Replace what BentoML says of every service, its errors too, by what is true of this one."""
    schemas = {name: schema for body in _BODIES for name, schema in body.openapi_components("").items()}
    responses = found.paths[path].post["responses"]
    found.paths[path].post["responses"] = {"200": responses[200]} | _refusals()
    return type(found)(
        openapi="3.1.0",
        info=type(found.info)(found.info.title, "1", _ABOUT),
        paths=found.paths,
        servers=found.servers,
        components={"schemas": schemas},
    )


_BODIES = (RequestBody, ResponseBody, RefusalBody)


def _refusals() -> dict[str, Any]:
    content = {"application/json": {"schema": {"$ref": f"#/components/schemas/{RefusalBody.__name__}"}}}
    return {status: {"description": words, "content": content} for status, words in _REFUSALS.items()}
