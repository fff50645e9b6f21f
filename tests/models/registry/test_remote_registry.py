"""A tracking server of somebody else's: it keeps everything, and may refuse aliases."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from features.errors import InputError
from models.registry.registry import CHALLENGER, CHAMPION, Registry
from tests.models.model_builder import profiles_of, tiny_model
from tests.models.run_builder import run_of
from tests.models.tracking_server import gate, tracking_server

ALIASES = "/registered-models/alias"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with tracking_server(tmp_path_factory.mktemp("server") / "server") as address:
        yield address


def remote(address: str, tmp_path: Path, *, project: str, monkeypatch: pytest.MonkeyPatch) -> Registry:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
    return Registry(tmp_path / "home", project)


@pytest.mark.slow
def test_a_tracking_server_keeps_runs_models_and_champions(
    server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    registry = remote(server, tmp_path, project="remote", monkeypatch=monkeypatch)
    version = registry.log(run_of(tmp_path / "artifacts")).version
    registry.promote(version, why="it is the first")
    profiles = profiles_of(50, seed=3)
    found = registry.get(CHAMPION).model.predict_probability(profiles)
    assert found.tobytes() == tiny_model().predict_probability(profiles).tobytes()
    assert list((tmp_path / "home").rglob("*")) == []  # nothing is kept here


@pytest.fixture
def refusing(server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Registry]:
    with gate(server, refused=ALIASES) as address:
        yield remote(address, tmp_path, project="refusing", monkeypatch=monkeypatch)


@pytest.mark.slow
def test_where_aliases_are_refused_a_training_is_registered_and_says_so(refusing: Registry, tmp_path: Path):
    import mlflow

    found = refusing.log(run_of(tmp_path / "artifacts"))
    assert f"--model {found.version}" in found.refused
    run = mlflow.MlflowClient(refusing.uri).get_run(found.run_id)
    assert (run.data.tags["alias"], run.info.status) == ("refused by the server", "FINISHED")
    assert refusing.get(found.version).run_id == found.run_id
    with pytest.raises(InputError, match="no model") as asked:
        refusing.get(CHALLENGER)
    assert f"alias challenger to version {found.version}" in str(asked.value)
    with pytest.raises(InputError, match="the permission to edit it is missing") as promoted:
        refusing.promote(found.version, why="it is the first")
    assert f"alias champion to version {found.version}" in str(promoted.value)
