"""What schemathesis makes of the contract: every phase and every check, with keys on. Nothing is undocumented."""

import importlib.util
import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime

import pyarrow as pa
import pytest

from models.churn_model import ChurnModel
from serving.http.server import Access
from serving.keys import SCOPES, KeyFolder, NewKey
from serving.release.bundle import ServingBundle, write_bundle
from serving.settings import ScoringSettings, ServingSettings
from serving.store.profile_store import write_store
from tests.serving.finished import NEVER_STALE
from tests.serving.running import Server, running

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("schemathesis") is None, reason="schemathesis is not installed: make setup"
)


@pytest.fixture(scope="module")
def server(model: ChurnModel, profiles: pa.Table, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    home = tmp_path_factory.mktemp("home")
    settings = ServingSettings(**NEVER_STALE)
    bundle = ServingBundle(model, "shop", "7", "champion", home / "store", ScoringSettings(), settings)
    write_bundle(home / "served", bundle)
    write_store(home / "store", profiles, specification=model.specification)
    _, token = KeyFolder(home / "keys").add(NewKey("all", SCOPES), now=datetime.now(UTC))
    with running(home / "served", folder=home, access=Access(keys=home / "keys")) as server:
        server.wait_until(200)
        server.client.headers["Authorization"] = f"Bearer {token}"
        (home / "docs.json").write_text(server.client.get("/docs.json").text)
        yield server


def run(server: Server, *, cases: int) -> str:
    """Run it; return what it says."""
    folder = server.log.parent
    command = [sys.executable, "-m", "schemathesis.cli", "run", str(folder / "docs.json"), "--url", server.address]
    options = ["--header", f"Authorization: {server.client.headers['Authorization']}", "--max-examples", str(cases)]
    options += ["--checks", "all", "--phases", "examples,coverage,fuzzing,stateful", "--seed", "7", "--no-color"]
    options += ["--generation-database", "none", "--warnings", "off", "--suppress-health-check", "all"]
    ran = subprocess.run([*command, *options], cwd=folder, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout[-6000:] + ran.stderr[-2000:]
    (folder / "said.txt").write_text(ran.stdout)
    return ran.stdout


def test_every_operation_is_as_documented(server: Server):
    found = run(server, cases=5)
    assert "ignored_auth" not in found
    assert "Traceback" not in server.log.read_text()


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_two_hundred_cases_for_each_operation_find_nothing_undocumented(server: Server):
    run(server, cases=200)
    assert "Traceback" not in server.log.read_text()


def test_with_keys_on_every_operation_but_the_probes_says_that_it_needs_one(server: Server):
    paths = json.loads((server.log.parent / "docs.json").read_text())["paths"]
    needs = {path: bool(one["security"]) for path, item in paths.items() for one in item.values()}
    assert needs == {path: path not in {"/livez", "/readyz", "/healthz"} for path in needs}
    assert {"/v1/score", "/v1/explain", "/v1/model", "/v1/reasons", "/metrics"} <= set(needs)
