"""A small model, its profiles and its bundle, shared by the tests that do not change them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pytest

from models.churn_model import ChurnModel
from serving.http.server import Access
from serving.keys import SCOPES, KeyFolder, NewKey
from serving.release.bundle import ServingBundle, write_bundle
from serving.settings import ScoringSettings, ServingSettings
from serving.store.profile_store import write_store
from tests.models.model_builder import profiles_of, tiny_model
from tests.serving.finished import NEVER_STALE
from tests.serving.running import Server, running

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


class WithKeys(NamedTuple):
    """A server, the token of a key for its page alone, and that of one for everything."""

    server: Server
    page: str
    everything: str


@pytest.fixture(scope="session")
def with_keys(model: ChurnModel, profiles: pa.Table, tmp_path_factory: pytest.TempPathFactory) -> Iterator[WithKeys]:
    """As over the network; nobody changes what it serves."""
    home = tmp_path_factory.mktemp("with_keys")
    scoring, settings = ScoringSettings(high_percentile=80), ServingSettings(**NEVER_STALE)
    write_bundle(home / "served", ServingBundle(model, "shop", "7", "champion", home / "store", scoring, settings))
    write_store(home / "store", profiles, specification=model.specification)
    keys, now = KeyFolder(home / "keys"), datetime.now(UTC)
    wanted = NewKey("desk", ("page",)), NewKey("all", SCOPES)
    page, everything = (keys.add(one, now=now)[1] for one in wanted)
    with running(home / "served", folder=home, access=Access(keys=home / "keys")) as server:
        server.wait_until(200)
        yield WithKeys(server, page, everything)
