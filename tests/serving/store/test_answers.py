"""Finished answers have the bytes that the service would compute."""

import json
from pathlib import Path

import pyarrow as pa
import pytest

from models.churn_model import ChurnModel
from serving.release.bundle import ServingBundle
from serving.store.answers import StoredAnswer
from serving.store.profile_store import ProfileStore, StoreArms, StoreBatch, write_store
from tests.models.model_builder import specification
from tests.serving.finished import batch_answers

USERS = [f"u{place}" for place in range(120)]


@pytest.fixture
def store(bundle: ServingBundle, model: ChurnModel, profiles: pa.Table, tmp_path: Path) -> ProfileStore:
    answers = batch_answers(tmp_path / "served", model, profiles)
    batch = StoreBatch(arms=StoreArms("2026-Q2", ["u2"]), answers=answers)
    write_store(bundle.store, profiles, specification=specification(), batch=batch)
    return ProfileStore(bundle.store)


def test_everybody_has_an_answer_with_the_arm_and_nobody_else(store: ProfileStore):
    found = store.answers([*USERS, "nobody"])
    assert found[-1] is None
    answers = [json.loads(one.json(with_reasons=True)) for one in found if one]
    assert [one["user_id"] for one in answers] == USERS
    assert [one["user_id"] for one in answers if one["arm"] == "held_out"] == ["u2"]
    assert {one["epoch"] for one in answers} == {"2026-Q2"}


def test_the_outcome_is_the_code_or_scored(store: ProfileStore):
    for one in store.answers(USERS):
        assert one
        found = json.loads(one.json(with_reasons=False))
        assert one.outcome == (found["code"] or found["status"])
        assert ("detail" in found) == (one.outcome == "not_eligible")


def test_reasons_are_put_into_their_place_whatever_the_id_looks_like():
    user_id = 'a","reasons":[],"x":"'
    answer = json.dumps({"user_id": user_id, "reasons": [], "arm": "treated"}, separators=(",", ":")).encode()
    stored = StoredAnswer(None, answer, b'[{"code":"usage"}]')
    found = json.loads(stored.json(with_reasons=True))
    assert found == {"user_id": user_id, "reasons": [{"code": "usage"}], "arm": "treated"}
    assert json.loads(stored.json(with_reasons=False))["reasons"] == []


def test_a_store_without_answers_says_so(profiles: pa.Table, tmp_path: Path):
    write_store(tmp_path, profiles, specification=specification())
    assert ProfileStore(tmp_path).info.answers is None


def test_a_store_says_what_its_answers_depend_on(store: ProfileStore):
    found = store.info.answers
    assert found
    assert (found.version, found.high_percentile, found.medium_percentile) == ("7", 90.0, 70.0)
    assert len(found.model) == 16
