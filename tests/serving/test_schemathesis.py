"""What schemathesis makes of the contract: every phase and every check, with keys on. Nothing is undocumented."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.serving.conftest import WithKeys

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("schemathesis") is None, reason="schemathesis is not installed: make setup"
)


@pytest.fixture(scope="module")
def described(with_keys: WithKeys) -> Path:
    """The description of the interface, as the server gives it."""
    place = with_keys.server.log.parent / "docs.json"
    place.write_text(with_keys.server.client.get("/docs.json", headers=allowed(with_keys)).text)
    return place


def allowed(with_keys: WithKeys) -> dict[str, str]:
    return {"Authorization": f"Bearer {with_keys.everything}"}


def run(with_keys: WithKeys, described: Path, *, cases: int) -> str:
    """Run it; return what it says."""
    folder, (header,) = described.parent, allowed(with_keys).items()
    command = [sys.executable, "-m", "schemathesis.cli", "run", str(described), "--url", with_keys.server.address]
    options = ["--header", ": ".join(header), "--max-examples", str(cases)]
    options += ["--checks", "all", "--phases", "examples,coverage,fuzzing,stateful", "--seed", "7", "--no-color"]
    options += ["--generation-database", "none", "--warnings", "off", "--suppress-health-check", "all"]
    ran = subprocess.run([*command, *options], cwd=folder, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout[-6000:] + ran.stderr[-2000:]
    (folder / "said.txt").write_text(ran.stdout)
    return ran.stdout


def test_every_operation_is_as_documented(with_keys: WithKeys, described: Path):
    found = run(with_keys, described, cases=5)
    assert "ignored_auth" not in found
    assert "Traceback" not in with_keys.server.log.read_text()


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_two_hundred_cases_for_each_operation_find_nothing_undocumented(with_keys: WithKeys, described: Path):
    run(with_keys, described, cases=200)
    assert "Traceback" not in with_keys.server.log.read_text()


def test_with_keys_on_every_operation_but_the_probes_says_that_it_needs_one(described: Path):
    paths = json.loads(described.read_text())["paths"]
    needs = {path: bool(one["security"]) for path, item in paths.items() for one in item.values()}
    assert needs == {path: path not in {"/livez", "/readyz", "/healthz"} for path in needs}
    assert {"/v1/score", "/v1/explain", "/v1/model", "/v1/reasons", "/metrics"} <= set(needs)
