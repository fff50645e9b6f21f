from datetime import date
from pathlib import Path

import pyarrow as pa
import pytest

from serving.http.front.about import model_document, reasons_document
from serving.http.standing import Standing
from serving.release.bundle import ServingBundle
from serving.store.profile_store import StoreInfo, write_store
from tests.models.model_builder import CUTOFF, tiny_model


@pytest.fixture
def info(bundle: ServingBundle, profiles: pa.Table, tmp_path: Path) -> StoreInfo:
    return write_store(tmp_path / "store", profiles, specification=bundle.model.specification)


def test_the_model_in_service_says_what_it_predicts_for_whom_and_how_well(bundle: ServingBundle, info: StoreInfo):
    found = model_document(bundle, info, standing=Standing())
    assert (found.name, found.version, found.alias, found.status) == ("shop", "7", "champion", "ok")
    assert (found.horizon_days, found.active_within_days, found.high_percentile) == (14, 14, 90.0)
    assert (found.as_of, found.users, found.test_cutoff) == (CUTOFF, 120, date(2026, 5, 18))
    assert found.metrics["auc"] == 0.8125
    assert tuple(found.features) == bundle.model.specification.feature_names


def test_a_refused_release_shows_as_degraded_with_the_reason(bundle: ServingBundle, info: StoreInfo):
    found = model_document(bundle, info, standing=Standing("degraded", "a release is damaged"))
    assert (found.status, found.why) == ("degraded", "a release is damaged")


def test_every_code_of_a_reason_is_listed_with_its_features_once():
    found = reasons_document(tiny_model())
    assert found.unit == "log-odds of the churn probability"
    codes = [one.code for one in found.reasons]
    assert codes == sorted(set(codes))
    names = [feature.name for one in found.reasons for feature in one.features]
    assert sorted(names) == sorted(tiny_model().specification.feature_names)
