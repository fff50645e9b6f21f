from typing import Any

import msgspec
import pytest

from serving.http.contract import Refusal, ScoreRequest, ScoreResponse
from serving.http.front.about import ModelDocument, ReasonsDocument
from serving.http.front.headers import request_id_of
from serving.http.openapi import RefusalBody, RequestBody, ResponseBody
from serving.http.problems import KINDS, PROBLEM_TYPE
from serving.service import ChurnService

DOCUMENT = ChurnService.openapi_spec.asdict()
OPERATION = DOCUMENT["paths"]["/v1/score"]["post"]


def schema_of(part: dict[str, Any]) -> dict[str, Any]:
    return part["content"]["application/json"]["schema"]


def refer(node: object):
    """Every reference in a document."""
    if isinstance(node, dict):
        yield from (value for key, value in node.items() if key == "$ref")
    children = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
    for child in children:
        yield from refer(child)


def test_the_document_describes_request_and_answer():
    assert set(schema_of(OPERATION["requestBody"])["properties"]) == {"items", "reasons", "curve"}
    answer = schema_of(OPERATION["responses"]["200"])
    assert set(answer["properties"]) == {"request_id", "model", "quality", "results"}
    score = DOCUMENT["components"]["schemas"]["Score"]["properties"]
    always = {"user_id", "status", "code", "churn_probability", "percentile", "risk_band", "as_of", "reasons"}
    assert always | {"cutoff_at", "detail", "arm", "epoch", "scored_by", "curve"} == set(score)
    codes = {"unknown_user", "not_eligible", "incomplete_profile"}
    codes |= {"invalid_event", "no_events", "no_kept_activity", "not_midnight", "unsupported", "invalid"}
    assert codes == set(score["code"]["anyOf"][0]["enum"])


def test_anything_may_be_an_item_as_it_is_answered_as_invalid():
    items = schema_of(OPERATION["requestBody"])["properties"]["items"]["items"]["anyOf"]
    assert [set(one) for one in items] == [{"$ref"}, {"description"}]
    assert OPERATION["requestBody"]["required"] is True


def test_the_headers_of_a_request_are_described():
    assert [one["name"] for one in OPERATION["parameters"]] == ["X-Request-Id", "X-Churn-Model"]


def test_every_refusal_is_described():
    for kind in KINDS:
        found = OPERATION["responses"][str(kind.status)]["content"][PROBLEM_TYPE]
        assert found["schema"]["$ref"].endswith("RefusalBody")
        assert msgspec.convert(found["examples"][kind.name]["value"], Refusal).type == kind.urn
    refusal = DOCUMENT["components"]["schemas"]["RefusalBody"]["properties"]
    assert set(refusal) == {"type", "title", "status", "detail", "error", "hint", "request_id"}


def test_whatever_the_document_refers_to_is_in_it():
    schemas = DOCUMENT["components"]["schemas"]
    assert {place.removeprefix("#/components/schemas/") for place in refer(DOCUMENT)} <= set(schemas)


def test_the_examples_are_of_the_contract():
    for body, contract in ((RequestBody, ScoreRequest), (ResponseBody, ScoreResponse), (RefusalBody, Refusal)):
        assert msgspec.convert(body.example, contract)
    assert schema_of(OPERATION["requestBody"])["example"] == RequestBody.example


@pytest.mark.parametrize("sent", ["", "a" * 129, "two\nlines", "ümlaut", "\x00"])
def test_an_id_that_is_long_or_not_printable_is_replaced(sent: str):
    made = request_id_of(sent)
    assert made != sent
    assert len(made) == 32
    assert made != request_id_of(sent)


@pytest.mark.parametrize("sent", ["a" * 128, "order 17/b", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"])
def test_a_short_printable_id_is_kept(sent: str):
    assert request_id_of(sent) == sent


@pytest.mark.parametrize(("path", "contract"), [("/v1/model", ModelDocument), ("/v1/reasons", ReasonsDocument)])
def test_what_is_in_service_is_described_with_an_example(path: str, contract: type):
    found = DOCUMENT["paths"][path]["get"]["responses"]
    assert msgspec.convert(found["200"]["content"]["application/json"]["example"], contract)
    assert {"405", "503"} <= set(found)
