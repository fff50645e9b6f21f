import json
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from msgspec import structs

from features.errors import InputError
from models.definition import ChurnDefinition
from serving.http.endpoint import Endpoint, quality_of, synthetic_profile
from serving.release.bundle import ServingBundle, read_bundle
from serving.score import score
from serving.settings import ScoringSettings
from serving.store.profile_store import FILE, StoreArms, StoreBatch, StoreShift, write_store
from tests.models.model_builder import CUTOFF, rows_of, tiny_model
from tests.serving.finished import batch_answers


@pytest.fixture
def endpoint(bundle: ServingBundle, profiles: pa.Table) -> Endpoint:
    write_store(bundle.store, profiles, specification=bundle.model.specification)
    return Endpoint(bundle)


def answer(endpoint: Endpoint, *items: Any) -> Any:
    found = endpoint.answer(json.dumps({"items": items}, default=str).encode(), request_id="r1")
    return json.loads(found)


def test_an_answer_says_which_model_it_is_from_and_how_good_that_was(endpoint: Endpoint):
    found = answer(endpoint, {"user_id": "u1"})
    assert found["request_id"] == "r1"
    assert found["model"] == {"name": "shop", "version": "7", "alias": "champion", "trained_through": "2026-05-04"}
    tested = {"test_cutoff": "2026-05-18", "auc": 0.8125, "calibration_error": 0.0125, "users": 800}
    assert found["quality"] == tested | {"status": "ok", "why": ""}


def test_ids_and_profiles_are_answered_in_their_order(endpoint: Endpoint, profiles: pa.Table, bundle: ServingBundle):
    rows = rows_of(profiles)
    known = bundle.model.specification.feature_names
    incomplete = {"user_id": "half", "events_7d": 1}
    items = [
        {"user_id": "u3"},
        {"user_id": "nobody"},
        {"profile": rows[9]},
        {"profile": incomplete},
        {"profile": {name: rows[9][name] for name in known}},
        {"user_id": "u3"},
    ]
    found = answer(endpoint, *items)["results"]
    assert [one["user_id"] for one in found] == ["u3", "nobody", "u9", "half", None, "u3"]
    assert [one["code"] for one in found if one["user_id"] in {"nobody", "half"}] == [
        "unknown_user",
        "incomplete_profile",
    ]
    assert found[0] == found[5]
    assert found[2]["churn_probability"] == found[4]["churn_probability"]
    assert [one["as_of"] for one in found] == [str(CUTOFF), None, str(CUTOFF), None, None, str(CUTOFF)]


def test_without_a_store_there_is_no_endpoint(bundle: ServingBundle):
    with pytest.raises(InputError, match="no profile store"):
        Endpoint(bundle)


def test_more_items_than_allowed_are_refused(endpoint: Endpoint):
    with pytest.raises(InputError, match="items: got 51, expected at most 50"):
        answer(endpoint, *[{"user_id": "u1"}] * 51)


def test_the_synthetic_profile_is_scored_whatever_the_model_asks_of_its_users(bundle: ServingBundle):
    for definition in (ChurnDefinition(14, 0, 1, 0), ChurnDefinition(14, 0, 0, 0), ChurnDefinition(14, 0, 7, 400)):
        model = replace(tiny_model(), definition=definition)
        (one,) = score(model, [synthetic_profile(model)], bands=bundle.scoring)
        assert one.status == "scored"


def test_the_quality_is_that_of_the_test_cutoff():
    assert quality_of(tiny_model()).users == 800


def test_a_model_read_from_its_folder_answers_alike(endpoint: Endpoint, tmp_path: Path):
    items = [{"user_id": f"u{place}"} for place in range(20)]
    assert answer(Endpoint(read_bundle(tmp_path / "served")), *items) == answer(endpoint, *items)


def test_an_answer_says_who_is_to_be_left_alone_and_nothing_of_users_whom_the_store_does_not_know(
    bundle: ServingBundle, profiles: pa.Table
):
    arms = StoreBatch(arms=StoreArms("2026-Q2", ["u2", "u4"]))
    write_store(bundle.store, profiles, specification=bundle.model.specification, batch=arms)
    items = [{"user_id": user} for user in ("u1", "u2", "nobody")] + [{"profile": rows_of(profiles)[4]}]
    found = answer(Endpoint(bundle), *items)["results"]
    assert [(one["user_id"], one.get("arm"), one.get("epoch")) for one in found] == [
        ("u1", "treated", "2026-Q2"),
        ("u2", "held_out", "2026-Q2"),
        ("nobody", None, None),
        ("u4", "held_out", "2026-Q2"),
    ]


def test_without_arms_in_the_store_an_answer_has_none(endpoint: Endpoint):
    assert {"arm", "epoch"}.isdisjoint(answer(endpoint, {"user_id": "u1"})["results"][0])


def test_without_reasons_an_answer_is_the_same_but_for_them(endpoint: Endpoint, profiles: pa.Table):
    items = [{"user_id": "u1"}, {"profile": rows_of(profiles)[5]}]
    with_them = answer(endpoint, *items)["results"]
    body = json.dumps({"items": items, "reasons": False}, default=str).encode()
    without = json.loads(endpoint.answer(body, request_id="r1"))["results"]
    assert any(one["reasons"] for one in with_them)
    assert without == [one | {"reasons": []} for one in with_them]


@pytest.fixture
def stored(bundle: ServingBundle, profiles: pa.Table, tmp_path: Path) -> Endpoint:
    """An endpoint whose store has the finished answers of its model."""
    answers = batch_answers(tmp_path / "served", bundle.model, profiles)
    batch = StoreBatch(StoreShift("7", 0.0), StoreArms("2026-Q2", ["u2", "u4"]), answers)
    write_store(bundle.store, profiles, specification=bundle.model.specification, batch=batch)
    return Endpoint(read_bundle(tmp_path / "served"))


@pytest.mark.parametrize("reasons", [True, False])
def test_a_finished_answer_has_the_bytes_of_the_computed_one(stored: Endpoint, profiles: pa.Table, reasons: bool):
    def results(items: list[Any]) -> str:
        body = json.dumps({"items": items, "reasons": reasons}, default=str).encode()
        return stored.answer(body, request_id="r1").decode().partition('"results":')[2]

    items = [{"user_id": f"u{place}"} for place in range(50)]
    assert stored.find(stored.read(json.dumps({"items": items}).encode())).to_compute == 0
    assert results(items) == results([{"profile": row} for row in rows_of(profiles)[:50]])


def test_answers_of_another_model_version_or_other_bands_are_not_used(
    stored: Endpoint, bundle: ServingBundle, tmp_path: Path
):
    body = b'{"items":[{"user_id":"u1"}]}'
    served = read_bundle(tmp_path / "served")
    bands = ScoringSettings(high_percentile=1, medium_percentile=0)
    endpoint = Endpoint(replace(served, scoring=bands))
    others = [Endpoint(replace(served, version="8")), Endpoint(replace(served, digest="another")), endpoint]
    assert stored.find(stored.read(body)).to_compute == 0
    for other in others:
        assert other.find(other.read(body)).to_compute == 1
    assert answer(endpoint, {"user_id": "u1"})["results"][0]["risk_band"] == "high"


def test_who_is_not_scored_learns_why(stored: Endpoint, endpoint: Endpoint, profiles: pa.Table):
    away = next(row for row in rows_of(profiles) if row["days_since_last_qualifying_day"] > 14)
    days = away["days_since_last_qualifying_day"]
    item = {"user_id": away["user_id"]}
    for one in (stored, endpoint):
        (found,) = answer(one, item)["results"]
        assert found["code"] == "not_eligible"
        assert found["detail"] == f"inactive: last active {days:g} days before the cutoff, expected at most 14"


def test_a_store_of_the_format_without_answers_is_answered_by_computing(
    stored: Endpoint, bundle: ServingBundle, tmp_path: Path
):
    items = [{"user_id": f"u{place}"} for place in range(50)]
    expected = answer(stored, *items)
    with closing(sqlite3.connect(bundle.store / FILE)) as connection, connection:
        info = json.loads(connection.execute("select info from meta").fetchone()[0])
        info = {name: value for name, value in info.items() if name != "answers"} | {"format_version": 3}
        connection.execute("update meta set info = ?", (json.dumps(info),))
        connection.execute("drop table answers")
    older = Endpoint(read_bundle(tmp_path / "served"))
    assert older.find(older.read(json.dumps({"items": items}).encode())).to_compute == len(items)
    assert answer(older, *items) == expected


def test_answers_that_are_not_the_models_are_refused_before_they_count(
    bundle: ServingBundle, stored: Endpoint, tmp_path: Path
):
    del stored
    with closing(sqlite3.connect(bundle.store / FILE)) as connection, connection:
        other = "replace(answer, '\"churn_probability\":0.', '\"churn_probability\":0.0')"
        connection.execute(f"update answers set answer = cast({other} as blob)")
    with pytest.raises(InputError, match="are not the model's"):
        Endpoint(read_bundle(tmp_path / "served"))


def test_a_model_that_scores_its_golden_profile_otherwise_is_refused(stored: Endpoint, tmp_path: Path):
    del stored
    served = read_bundle(tmp_path / "served")
    assert served.golden
    Endpoint(served)
    with pytest.raises(InputError, match="another score here"):
        Endpoint(replace(served, golden=structs.replace(served.golden, raw_score=served.golden.raw_score + 1e-6)))
