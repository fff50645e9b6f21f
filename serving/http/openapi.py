"""The contract as BentoML descriptors, so that ``/docs.json`` shows exactly what is read and written."""

from __future__ import annotations

from datetime import date
from typing import Any, ClassVar

import msgspec
from bentoml import IODescriptor
from starlette.requests import Request

from models.reasons import Reason
from serving.batch.difference import Difference
from serving.http.contract import (
    ExplainRequest,
    Explanation,
    FeatureValue,
    ModelInfo,
    ModelQuality,
    Refusal,
    ScoreRequest,
    ScoreResponse,
)
from serving.http.front.about import (
    REASON_UNIT,
    ModelDocument,
    ReasonFamily,
    ReasonFeature,
    ReasonsDocument,
    ShadowDocument,
)
from serving.http.front.headers import request_id_of
from serving.http.front.paths import EXPLAIN_PATH, MODEL_PATH, PROBES, REASONS_PATH
from serving.http.front.route import body_of
from serving.http.problems import (
    FORBIDDEN,
    INVALID,
    KINDS,
    METHOD,
    MODEL_HEADER,
    NOT_READY,
    PROBLEM_TYPE,
    UNAUTHORIZED,
    Kind,
    refusal_document,
)
from serving.score import Score

_ABOUT = "Churn probabilities of users, with reasons. Each answer names its model and the test metrics of that model."
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
_REFUSAL = refusal_document(
    INVALID,
    "items: expected array of length >= 1",
    hint='for example {"items": [{"user_id": "..."}]}',
    request_id="4f1c2a",
)


class ContractDescriptor(IODescriptor):
    """A descriptor that takes its schema from a struct of the contract."""

    contract: ClassVar[type]
    example: ClassVar[Any]

    @classmethod
    def model_json_schema(cls, *_: Any, ref_template: str = "#/$defs/{model}", **__: Any) -> dict[str, Any]:
        """Return the schema of the struct; what it refers to is in ``$defs``."""
        template = ref_template.replace("{model}", "{name}")
        _, parts = msgspec.json.schema_components((cls.contract,), ref_template=template)
        return parts.pop(cls.contract.__name__) | {"example": cls.example, "$defs": parts}


class RequestBody(ContractDescriptor):
    """The body as it was sent: it is decoded later, where errors are answered as the contract says."""

    __root_input__ = True
    contract: ClassVar[type] = ScoreRequest
    example: ClassVar[Any] = _REQUEST

    content: bytes
    request_id: str

    @classmethod
    def model_json_schema(cls, *arguments: Any, **options: Any) -> dict[str, Any]:
        """Return the schema of the struct; an item that breaks the contract is answered as invalid, not refused."""
        schema = super().model_json_schema(*arguments, **options)
        items = schema["properties"]["items"]
        anything = {"description": "Anything else is answered as an invalid item; the others are scored."}
        items["items"] = {"anyOf": [items["items"], anything]}
        return schema

    @classmethod
    async def from_http_request(cls, request: Request, serde: Any) -> RequestBody:
        """Take the body and the request's id."""
        del serde
        request_id = request_id_of(request.headers.get("x-request-id", ""))
        return cls.model_construct(content=await body_of(request.receive), request_id=request_id)


class ResponseBody(ContractDescriptor):
    """The answer, for the documentation."""

    contract: ClassVar[type] = ScoreResponse
    example: ClassVar[Any] = msgspec.to_builtins(_RESPONSE)


class RefusalBody(ContractDescriptor):
    """The refusal of a request, for the documentation."""

    contract: ClassVar[type] = Refusal
    example: ClassVar[Any] = msgspec.to_builtins(_REFUSAL)


def openapi_document(found: Any, path: str, *, needs_key: bool) -> Any:
    """Replace what BentoML states about every service, including its errors, by what holds for this one.

    Parameters
    ----------
    needs_key
        Whether the service answers nobody without a key.
    """
    schemas = {name: schema for body in _BODIES for name, schema in body.openapi_components("").items()}
    responses = found.paths[path].post["responses"]
    found.paths[path].post["responses"] = {"200": responses[200]} | _refusals()
    found.paths[path].post["parameters"] = list(_HEADERS)
    found.paths[path].post["requestBody"]["required"] = True
    found.paths[EXPLAIN_PATH] = type(found.paths[path])(post=_explain())
    for place, (summary, body) in _DOCUMENTS.items():
        found.paths[place] = type(found.paths[path])(get=_get(summary, body))
    document = type(found)(
        openapi="3.1.0",
        info=type(found.info)(found.info.title, "1", _ABOUT),
        paths=found.paths,
        servers=found.servers,
        components={"schemas": schemas, "securitySchemes": _SECURITY},
    ).asdict()
    for place, item in document["paths"].items():
        for operation in item.values():
            _complete(operation, needs_key=needs_key and place not in PROBES)
    return Document(document)


class Document:
    """The content of ``/docs.json``, as the server asks for it."""

    def __init__(self, content: dict[str, Any]) -> None:
        self._content = content

    def asdict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return self._content


def _complete(operation: dict[str, Any], *, needs_key: bool) -> None:
    """Say whether a key is needed, and how an operation of the server itself is refused."""
    operation["security"] = [{"key": []}, {"password": []}] if needs_key else []
    for status, about in _common_refusals().items():
        operation["responses"].setdefault(status, about)


class ExplainBody(ContractDescriptor):
    """The user to explain, for the documentation."""

    contract: ClassVar[type] = ExplainRequest
    example: ClassVar[Any] = {"user_id": "u-1042", "changes": {"events_7d": 0}}

    @classmethod
    def model_json_schema(cls, *arguments: Any, **options: Any) -> dict[str, Any]:
        """Return the schema of the struct: one of id and profile is given."""
        one, other = (
            {"required": [name], "properties": {name: {"not": {"type": "null"}}, missing: {"type": "null"}}}
            for name, missing in (("user_id", "profile"), ("profile", "user_id"))
        )
        return super().model_json_schema(*arguments, **options) | {"oneOf": [one, other]}


class ExplanationBody(ContractDescriptor):
    """The explanation of a score, for the documentation."""

    contract: ClassVar[type] = Explanation
    example: ClassVar[Any] = msgspec.to_builtins(
        Explanation(
            *(
                "4f1c2a",
                _RESPONSE.model,
                _RESPONSE.quality,
                _RESPONSE.results[0],
                None,
                [],
                90.0,
                70.0,
                -1.19,
                _REASONS,
            ),
            [
                FeatureValue(
                    *(
                        "days_since_last_event",
                        "recency",
                        "days",
                        "Days since the last event.",
                        6.0,
                        False,
                        0.0,
                        None,
                        [],
                    )
                )
            ],
        )
    )


class ModelBody(ContractDescriptor):
    """The model in service, for the documentation."""

    contract: ClassVar[type] = ModelDocument
    example: ClassVar[Any] = msgspec.to_builtins(
        ModelDocument(
            *("churn", "3", "champion", "ok", ""),
            *(date(2026, 6, 1), date(2026, 6, 15), {"auc": 0.81, "calibration_error": 0.012}),
            *(28, 0, 28, 0, 90.0, 70.0, ["days_since_last_event"], date(2026, 6, 29), 18240),
            ShadowDocument("4", "challenger", Difference(16911, 37, 412, -0.0021, 0.0113)),
        )
    )


class ReasonsBody(ContractDescriptor):
    """The reasons that there are, for the documentation."""

    contract: ClassVar[type] = ReasonsDocument
    example: ClassVar[Any] = msgspec.to_builtins(
        ReasonsDocument(
            REASON_UNIT,
            [ReasonFamily("recency", [ReasonFeature("days_since_last_event", "days", "Days since the last event.")])],
        )
    )


_SECURITY = {
    "key": {"type": "http", "scheme": "bearer", "description": "A key of the service: churn keys add NAME."},
    "password": {"type": "http", "scheme": "basic", "description": "Any name, and a key as the password."},
}
_HEADERS = tuple(
    {"name": name, "in": "header", "description": description, "schema": {"type": "string"}}
    for name, description in (
        ("X-Request-Id", "Comes back in body and header; short and printable."),
        (MODEL_HEADER, "Version, or name/version, of the model that must answer; 409 where another one is in service."),
    )
)
_BODIES = (RequestBody, ResponseBody, RefusalBody, ExplainBody, ExplanationBody, ModelBody, ReasonsBody)
_DOCUMENTS = {MODEL_PATH: ("The model in service", ModelBody), REASONS_PATH: ("The reasons of the model", ReasonsBody)}


def _get(summary: str, body: type[ContractDescriptor]) -> dict[str, Any]:
    """Describe an operation without parameters."""
    content = {"schema": {"$ref": f"#/components/schemas/{body.__name__}"}, "example": body.example}
    answer = {"description": summary, "content": {"application/json": content}}
    return {"summary": summary, "operationId": f"get_{body.__name__}", "responses": {"200": answer}}


def _common_refusals() -> dict[str, Any]:
    statuses = {kind.status for kind in (UNAUTHORIZED, FORBIDDEN, METHOD, NOT_READY)}
    return {status: about for status, about in _refusals().items() if int(status) in statuses}


def _explain() -> dict[str, Any]:
    """Describe the operation that explains one user."""
    summary = "The score of one user with all that it is made of, and the model's answer on a changed profile"
    sent, answer = (
        {"application/json": {"schema": {"$ref": f"#/components/schemas/{body.__name__}"}, "example": body.example}}
        for body in (ExplainBody, ExplanationBody)
    )
    return {
        "summary": summary,
        "operationId": "explain",
        "parameters": list(_HEADERS),
        "requestBody": {"required": True, "content": sent},
        "responses": {"200": {"description": "The explanation.", "content": answer}} | _refusals(),
    }


def _refusals() -> dict[str, Any]:
    found: dict[str, Any] = {}
    for kind in KINDS:
        described = found.setdefault(str(kind.status), {"description": "", "content": {PROBLEM_TYPE: {"examples": {}}}})
        described["description"] = f"{described['description']} {kind.description}".strip()
        content = described["content"][PROBLEM_TYPE]
        content["schema"] = {"$ref": f"#/components/schemas/{RefusalBody.__name__}"}
        content["examples"][kind.name] = {"value": _example(kind)}
    return found


def _example(kind: Kind) -> dict[str, Any]:
    """Return an example of a kind of problem."""
    document = refusal_document(kind, kind.description, hint="what to do about it", request_id="4f1c2a")
    example: dict[str, Any] = msgspec.to_builtins(document)
    return example
