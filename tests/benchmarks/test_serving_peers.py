"""What the service is compared with does the same work: each server gives the probability of the model to the requests of the benchmark."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from starlette.testclient import TestClient

from benchmarks.serving.others import Peer, log_model, peers, write_page
from features.storage.versions import Place
from serving.release.bundle import ServingBundle
from serving.score import score
from serving.settings import ScoringSettings, ServingSettings
from tests.models.model_builder import profiles_of, rows_of, tiny_model
from tests.serving.finished import finished_release

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def row() -> dict[str, Any]:
    """Somebody who is scored."""
    return next(one for one in rows_of(profiles_of(60, seed=3)) if one["days_since_last_qualifying_day"] <= 7)


@pytest.fixture(scope="module")
def expected(row: dict[str, Any]) -> float:
    found = score(tiny_model(), [row], bands=ScoringSettings())[0].churn_probability
    assert found
    return found


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> tuple[Peer, ...]:
    """All of them, for a small release; those that read its folder when they are imported do that here."""
    home = tmp_path_factory.mktemp("peers")
    profiles: pa.Table = profiles_of(60, seed=3)
    bundle = ServingBundle(tiny_model(), "churn", "1", "champion", home, ScoringSettings(), ServingSettings())
    served = finished_release(Place(home / "releases"), bundle, profiles)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CHURN_SERVED", str(served))
        for name in ("bare", "in_fastapi"):
            importlib.import_module(f"benchmarks.serving.{name}")
    return peers(served, log_model(tiny_model(), home))


def asked(application: Any, peer: Peer, path: str, *, row: dict[str, Any]) -> Any:
    """Answer one of the requests of the benchmark."""
    body = json.dumps(peer.bodies[path](row), default=str)
    with TestClient(application) as client:
        answer = client.post(peer.path, content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.mark.parametrize("path", ["stored", "computed"])
@pytest.mark.parametrize(("place", "module"), [(1, "bare"), (2, "in_fastapi")])
def test_starlette_and_fastapi_answer_as_the_service_does(
    servers: tuple[Peer, ...], row: dict[str, Any], expected: float, *, path: str, place: int, module: str
):
    application = importlib.import_module(f"benchmarks.serving.{module}").app
    (found,) = asked(application, servers[place], path, row=row)["results"]
    assert found["churn_probability"] == pytest.approx(expected, abs=1e-9)
    assert found["reasons"]


@pytest.mark.filterwarnings(
    "ignore:Accessing the 'model_fields' attribute:DeprecationWarning"
)  # BentoML's, by pydantic
def test_the_dataframe_service_of_bentoml_gives_the_probability(
    servers: tuple[Peer, ...], row: dict[str, Any], expected: float, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("CHURN_SERVED", servers[0].command(1)(1)[3])
    service: Any = importlib.import_module("benchmarks.serving.in_bentoml").DataFrameService
    assert asked(service.to_asgi(), servers[3], "computed", row=row) == pytest.approx([expected], abs=1e-9)


def test_the_server_of_mlflow_gives_the_probability(servers: tuple[Peer, ...], row: dict[str, Any], expected: float):
    from mlflow.pyfunc import load_model, scoring_server

    command = servers[4].command(1)(1)
    application = scoring_server.init(load_model(command[command.index("-m", 3) + 1]))
    found = asked(application, servers[4], "computed", row=row)
    assert found["predictions"] == pytest.approx([expected], abs=1e-9)


def test_the_page_has_a_row_for_each_case(tmp_path: Path):
    case = {"server": "FastAPI", "workers": 2, "path": "stored", "rate": 1234.4, "p50": 1.0, "p99": 2.0, "cpu_us": 300}
    found = {"cases": [case], "users": 10, "seconds": 1.0, "machine": {"cores": 2, "cpu": "x", "load": 0.1}}
    (tmp_path / "found.json").write_text(json.dumps(found))
    write_page(tmp_path / "found.json", tmp_path / "found.md")
    assert (tmp_path / "found.md").read_text().endswith("| FastAPI | 2 | stored | 1234 | 1.00 | 2.00 | 300 |\n")
    assert (tmp_path / "found.png").stat().st_size > 10_000
