"""A small model, its profiles and its bundle, shared by the tests that do not change them."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from models.churn_model import ChurnModel
from serving.release.bundle import ServingBundle, write_bundle
from serving.settings import ScoringSettings, ServingSettings
from tests.models.model_builder import profiles_of, tiny_model
from tests.serving.finished import NEVER_STALE

BANDS = ScoringSettings()


@pytest.fixture(scope="session")
def model() -> ChurnModel:
    return tiny_model()


@pytest.fixture(scope="session")
def profiles() -> pa.Table:
    return profiles_of(120, seed=3)


@pytest.fixture
def bundle(model: ChurnModel, tmp_path: Path) -> ServingBundle:
    """The bundle of a model in its own home, without profiles yet."""
    settings = ServingSettings(max_items=50, **NEVER_STALE)
    bundle = ServingBundle(model, "shop", "7", "champion", tmp_path / "store", BANDS, settings)
    write_bundle(tmp_path / "served", bundle)
    return bundle
