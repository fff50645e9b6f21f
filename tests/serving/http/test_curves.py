"""Curves on request: computed from the stored profile, and consistent with the finished answer."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from features.storage.versions import Place
from serving.http.endpoint import Endpoint
from serving.release.bundle import ServingBundle, read_bundle
from serving.store.profile_store import open_store
from tests.models.model_builder import curved_model, rows_of
from tests.serving.finished import finished_release

ITEMS = [{"user_id": f"u{place}"} for place in range(20)] + [{"user_id": "nobody"}]


@pytest.fixture
def curved(bundle: ServingBundle) -> ServingBundle:
    return replace(bundle, model=curved_model())


@pytest.fixture
def endpoint(curved: ServingBundle, profiles: pa.Table, tmp_path: Path) -> Endpoint:
    folder = finished_release(Place(tmp_path / "releases", keeps_all=False), curved, profiles)
    found = read_bundle(folder)
    return Endpoint(found, open_store(found.store, found.model.specification))


def answers(endpoint: Endpoint, items: list[Any], **more: bool) -> list[dict[str, Any]]:
    body = json.dumps({"items": items} | more, default=str).encode()
    return json.loads(endpoint.answer(body, request_id="r1"))["results"]


def test_a_curve_comes_with_every_score_and_goes_through_its_probability(endpoint: Endpoint):
    found = answers(endpoint, ITEMS, curve=True)
    scored = [one for one in found if one["status"] == "scored"]
    assert len(scored) > 5
    for one in scored:
        days, probability = one["curve"]["days"], one["curve"]["churn_probability"]
        assert days == [7, 14, 30]
        assert (np.diff(probability) <= 0).all()
        assert probability[days.index(14)] == pytest.approx(one["churn_probability"], abs=1e-9)
        assert (one["curve"]["expected_days"] is None) == (probability[-1] > 0.5)
    assert all("curve" not in one for one in found if one["status"] == "unscored")


def test_the_rest_of_the_answer_is_the_finished_one(endpoint: Endpoint):
    finished = answers(endpoint, ITEMS)
    assert all("curve" not in one for one in finished)
    for one, known in zip(answers(endpoint, ITEMS, curve=True), finished, strict=True):
        probability = one.get("churn_probability")
        assert probability == pytest.approx(known.get("churn_probability"), abs=1e-9)
        rest = {name: value for name, value in one.items() if name not in {"curve", "churn_probability", "reasons"}}
        assert rest == {name: known[name] for name in rest}


def test_who_was_scored_by_the_model_of_new_users_keeps_that_answer(
    curved: ServingBundle, profiles: pa.Table, tmp_path: Path
):
    folder = finished_release(Place(tmp_path / "releases", keeps_all=False), curved, profiles, new=["u9"])
    found = answers(Endpoint(read_bundle(folder)), [{"user_id": "u9"}, {"user_id": "u12"}], curve=True)
    assert [(one["status"], one.get("scored_by"), "curve" in one) for one in found] == [
        ("scored", "shop-new/3", False),
        ("scored", None, True),
    ]


def test_an_item_that_breaks_the_contract_costs_no_other_its_curve(endpoint: Endpoint, profiles: pa.Table):
    profile = rows_of(profiles)[9]
    found = answers(endpoint, [{"user_id": 1.5}, {"profile": profile}], curve=True, reasons=False)
    assert [one["code"] for one in found] == ["invalid", None]
    assert found[1]["reasons"] == []
    assert len(found[1]["curve"]["churn_probability"]) == 3


def test_a_model_without_curves_says_null(bundle: ServingBundle, profiles: pa.Table, tmp_path: Path):
    folder = finished_release(Place(tmp_path / "releases", keeps_all=False), bundle, profiles)
    found = answers(Endpoint(read_bundle(folder)), ITEMS, curve=True)
    assert {one["curve"] for one in found if one["status"] == "scored"} == {None}
