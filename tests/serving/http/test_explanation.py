"""The explanation of one user: what the score is made of, and the answer on a changed profile."""

import json
from math import log
from typing import Any

import msgspec
import pyarrow as pa
import pytest

from features.errors import InputError
from serving.http.contract import Explanation
from serving.http.endpoint import Endpoint
from serving.http.problems import IMPOSSIBLE, RequestProblem
from serving.release.bundle import ServingBundle
from serving.store.profile_store import write_store
from tests.models.model_builder import rows_of


@pytest.fixture
def endpoint(bundle: ServingBundle, profiles: pa.Table) -> Endpoint:
    write_store(bundle.store, profiles, specification=bundle.model.specification)
    return Endpoint(bundle)


def explained(endpoint: Endpoint, **asked: Any) -> Explanation:
    found = endpoint.explain(json.dumps(asked, default=str).encode(), request_id="r1")
    return msgspec.json.decode(found, type=Explanation)


def scored_user(endpoint: Endpoint, profiles: pa.Table) -> str:
    rows = rows_of(profiles)
    return next(row["user_id"] for row in rows if explained(endpoint, user_id=row["user_id"]).result.status == "scored")


def test_an_id_and_its_profile_have_the_score_that_apps_get(endpoint: Endpoint, profiles: pa.Table):
    for row in rows_of(profiles)[:20]:
        by_id, by_profile = explained(endpoint, user_id=row["user_id"]), explained(endpoint, profile=row)
        assert by_id.result == by_profile.result
        body = json.dumps({"items": [{"user_id": row["user_id"]}]}).encode()
        (app,) = json.loads(endpoint.answer(body, request_id="r1"))["results"]
        assert msgspec.to_builtins(by_id.result) == app
        assert by_id.reasons[: len(by_id.result.reasons)] == by_id.result.reasons


def test_base_and_reasons_add_up_to_the_log_odds_of_the_probability(endpoint: Endpoint, profiles: pa.Table):
    bases = set[float]()
    for row in rows_of(profiles):
        found = explained(endpoint, profile=row)
        if found.result.churn_probability is None:
            assert (found.base, found.reasons) == (None, [])
            continue
        odds = log(found.result.churn_probability / (1 - found.result.churn_probability))
        assert found.base is not None
        assert found.base + sum(one.contribution for one in found.reasons) == pytest.approx(odds, abs=1e-5)
        bases.add(round(found.base, 6))
        sizes = [abs(one.contribution) for one in found.reasons]
        assert sizes == sorted(sizes, reverse=True)
    assert len(bases) == 1  # whoever it is


def test_every_feature_is_there_with_its_value_and_what_it_can_be(endpoint: Endpoint, profiles: pa.Table):
    row = rows_of(profiles)[0]
    found = {one.name: one for one in explained(endpoint, profile=row).features}
    assert {name: one.value for name, one in found.items()} == {name: row[name] for name in found}
    assert (found["active_days_7d"].low, found["active_days_7d"].high) == (0, 7)
    assert found["last_network"].known == ["wifi", "4g", "5g"]
    assert found["is_in_first_week"].is_derived


def test_a_change_changes_the_score_and_what_is_derived(endpoint: Endpoint, profiles: pa.Table):
    user = scored_user(endpoint, profiles)
    before = explained(endpoint, user_id=user)
    values = {one.name: one.value for one in before.features}
    changes = {"tenure_days": 5, "events_7d": 25, "events_28d": 25}
    values |= {name: float(value) for name, value in changes.items()}
    after = explained(endpoint, user_id=user, changes=changes)
    assert after.before == before.result
    assert "events_per_active_day_7d" in after.recomputed
    shown: dict[str, Any] = {one.name: one.value for one in after.features}
    assert (shown["events_7d"], shown["is_in_first_week"]) == (25, 1)
    assert shown["events_per_active_day_7d"] == pytest.approx(25 / shown["active_days_7d"])
    assert all(shown[name] == values[name] for name in values if name not in after.recomputed)
    assert after.result == explained(endpoint, profile=shown | {"user_id": user, "cutoff": before.result.as_of}).result
    assert after.result.churn_probability != before.result.churn_probability


def test_a_user_who_is_not_there_is_said_to_be_unknown(endpoint: Endpoint):
    found = explained(endpoint, user_id="nobody", changes={"events_7d": 1})
    assert (found.result.code, found.before, found.features) == ("unknown_user", None, [])


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({}, "got neither"),
        ({"user_id": "u1", "profile": {}}, "got both"),
        ({"user": "u1"}, "an unknown key"),
        ({"user_id": ["u1"]}, "expected"),
        ({"user_id": "u1", "changes": {"nonsense": 1}}, "an unknown feature"),
        ({"user_id": "u1", "changes": {"is_in_first_week": 1}}, "derived from other features"),
        ({"user_id": "u1", "changes": {"events_7d": "many"}}, "changes.events_7d: expected a number"),
        ({"user_id": "u1", "changes": {"last_network": 5}}, "changes.last_network: expected text"),
        ({"user_id": "u1", "changes": {"events_7d": None}}, "known of everybody"),
        ({"user_id": "u1", "changes": {"tenure_days": 10**400}}, "changes.tenure_days: expected a number"),
        ({"user_id": "u1", "changes": {"tenure_days": -1e300}}, "changes.tenure_days: expected a number"),
        ({"user_id": "u1", "changes": {"active_days_7d": 9}}, "active_days_7d is at"),
        ({"profile": {"events_7d": 1}, "changes": {"events_7d": 2}}, "the profile lacks features"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_its_place(endpoint: Endpoint, asked: dict[str, Any], said: str):
    with pytest.raises(InputError, match=said) as refused:
        explained(endpoint, **asked)
    assert refused.value.hint
    is_impossible = isinstance(refused.value, RequestProblem) and refused.value.kind is IMPOSSIBLE
    assert is_impossible == ("changes" in asked)


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b'{"user_id": "\xff"}', b"[" * 5000, b'{"user_id": "u1", "changes": {"tenure_days": 1e999}}'],
)
def test_what_is_not_json_is_refused(endpoint: Endpoint, body: bytes):
    with pytest.raises(InputError):
        endpoint.explain(body, request_id="r1")
