"""The fields of the contract are shipped: they are only added. This test fails where one is renamed or removed."""

from typing import Any

import msgspec
import pytest

from serving.http.contract import Event, Item, ModelInfo, ModelQuality, Refusal, ScoreRequest, ScoreResponse
from serving.score import Score

FIELDS: dict[type[msgspec.Struct], str] = {
    Event: "event_time event_type count session_id duration_seconds device_os device_model app_version network channel "
    "amount ingested_at",
    Item: "user_id profile events events_since as_of",
    ScoreRequest: "items reasons",
    ModelInfo: "name version alias trained_through",
    ModelQuality: "test_cutoff auc calibration_error users",
    ScoreResponse: "request_id model quality results",
    Refusal: "type title status detail error hint request_id",
    Score: "user_id status code churn_probability percentile risk_band as_of reasons cutoff_at detail",
}


@pytest.mark.parametrize("kind", FIELDS, ids=lambda kind: kind.__name__)
def test_no_field_is_renamed_or_removed(kind: type[msgspec.Struct]):
    assert set(FIELDS[kind].split()) <= {field.encode_name for field in msgspec.structs.fields(kind)}


@pytest.mark.parametrize(
    "item",
    [
        {"user_id": "anna"},
        {"profile": {"events_7d": 3, "last_network": "wifi", "rate": None}},
        {"user_id": "anna", "events": [], "as_of": "2026-06-01T00:00:00Z"},
        {"user_id": "anna", "events_since": [{"event_time": "2026-06-01T10:00:00+02:00", "event_type": "open"}]},
    ],
)
def test_every_kind_of_item_is_decoded(item: dict[str, Any]):
    (found,) = msgspec.convert({"items": [item]}, ScoreRequest).items
    assert {name for name in item if getattr(found, name) is not None} == set(item)


@pytest.mark.parametrize(
    "item",
    [
        {"user": "anna"},
        {"user_id": 5.5},
        {"user_id": "anna", "as_of": "2026-06-01T00:00:00"},
        {"user_id": "anna", "events": [{"event_type": "open"}]},
    ],
    ids=["unknown key", "number as id", "instant without offset", "event without time"],
)
def test_an_item_outside_the_contract_is_refused(item: dict[str, Any]):
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"items": [item]}, ScoreRequest)


def test_a_score_without_events_has_neither_cutoff_at_nor_detail():
    assert not {"cutoff_at", "detail"} & msgspec.to_builtins(Score("anna", "unscored", "unknown_user")).keys()
