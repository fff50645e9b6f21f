"""The wheel is the product: built here, installed elsewhere, run from a folder that knows nothing of the checkout.

What is isolated: the code of `churn` itself. It comes from the wheel, in an environment of its own, and the checkout
is on no path. What is not: the dependencies. They are read from the environment the tests run in, because installing
them again needs the network.
"""

import json
import os
import re
import subprocess
import sys
import sysconfig
import tomllib
import venv
import zipfile
from importlib.metadata import distribution, requires
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest
from packaging.requirements import Requirement

from features.storage.versions import Place
from serving.release.bundle import ServingBundle
from serving.settings import ScoringSettings, ServingSettings
from tests.models.model_builder import profiles_of, tiny_model
from tests.serving.finished import NEVER_STALE, finished_release
from tests.serving.running import free_port, wait_for

TOP = Path(__file__).parents[1]
PYPROJECT = tomllib.loads((TOP / "pyproject.toml").read_text())
LISTED = PYPROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["only-include"]
SHIPPED = {name for name in LISTED if (TOP / name).exists()}


class Environment(NamedTuple):
    bin: Path
    elsewhere: Path

    def run(self, program: str, *arguments: str) -> str:
        """What the program prints, run from an empty folder with no path of ours in its environment."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
        run = subprocess.run(
            [self.bin / program, *arguments],
            cwd=self.elsewhere,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert run.returncode == 0, run.stdout + run.stderr
        return run.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built by the backend that the lock installed: no build isolation, so no network."""
    folder = tmp_path_factory.mktemp("dist")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(build, cwd=TOP, check=True, capture_output=True)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    folder = tmp_path_factory.mktemp("installed")
    venv.create(folder / "env", with_pip=False, symlinks=True)
    binaries = folder / "env/bin"
    uv = [Path(sys.executable).with_name("uv"), "pip", "install", "--offline", "--no-deps", "--no-config"]
    subprocess.run([*uv, "--python", binaries / "python", wheel], check=True, capture_output=True)
    (site_packages,) = (folder / "env/lib").glob("python*/site-packages")
    # A folder named in a .pth file is searched, but no .pth file in it is read: not the one that leads to the checkout.
    dependencies = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    (site_packages / "dependencies.pth").write_text("\n".join(dependencies))
    (folder / "empty").mkdir()
    return Environment(binaries, folder / "empty")


def test_the_wheel_holds_the_packages_and_nothing_else(wheel: Path):
    names = {name.split("/")[0] for name in zipfile.ZipFile(wheel).namelist()}
    assert {name for name in names if not name.endswith(".dist-info")} == SHIPPED


def test_the_wheel_refuses_to_be_uploaded_and_carries_its_license(wheel: Path):
    archive = zipfile.ZipFile(wheel)
    (metadata,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
    assert "Classifier: Private :: Do Not Upload" in archive.read(metadata).decode()
    assert any(name.endswith("licenses/LICENSE") for name in archive.namelist())


def test_every_package_is_imported_from_the_wheel(installed: Environment):
    names = sorted(Path(name).stem for name in SHIPPED)
    code = f"import importlib, json; print(json.dumps([importlib.import_module(n).__file__ for n in {names}]))"
    files = json.loads(installed.run("python", "-c", code))
    home = installed.bin.parent
    assert all(Path(file).is_relative_to(home) for file in files), files


def test_the_installed_command_explains_itself(installed: Environment):
    assert "Usage" in installed.run("churn", "--help")


# The verbs of one process, so that what they import is imported once; what each answers, as a list.
VERBS = """
import json, sys
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from churn.cli.app import run
sys.modules.update(dict.fromkeys(sys.argv[2:]))
answers = []
for arguments in json.loads(sys.argv[1]):
    sys.argv[1:] = arguments
    with redirect_stdout(StringIO()) as out, redirect_stderr(StringIO()) as err:
        code = run()
    answers.append([code, out.getvalue(), err.getvalue()])
print(json.dumps(answers))
"""


def test_the_installed_command_recognises_the_exports_of_known_products_and_lists_its_features(installed: Environment):
    log = TOP / "examples/formats/kkbox/user_logs.csv"
    verbs = [["init", str(log), "--dry-run", "--json"], ["features", "--json"]]
    (recognised, listed) = json.loads(installed.run("python", "-c", VERBS, json.dumps(verbs)))
    assert json.loads(recognised[1])["layout"] == "KKBox's user_logs data set"
    assert json.loads(listed[1])


def test_an_extra_that_is_missing_is_named(installed: Environment):
    nobody = "postgresql+psycopg://nobody@127.0.0.1:1/x"
    verbs = [["mcp"], ["init", "s3://nobody/log.csv"], ["init", "--connection", nobody, "--query", "q"]]
    hints = ['pip install mcp (the extra "mcp")', 'Install s3fs to access S3 (the extra "s3")', 'the extra "postgres"']
    ran = json.loads(installed.run("python", "-c", VERBS, json.dumps(verbs), "mcp", "s3fs", "psycopg"))
    for (code, _, err), hint in zip(ran, hints, strict=True):
        assert (code, hint in err) == (2, True), err


@pytest.mark.skipif(sys.platform != "linux", reason="the guide says how large it is on Linux")
def test_the_base_is_as_large_as_the_guide_says():
    """The files of what a user without extras installs, as they are in the environment of the tests, without bytecode."""
    page = (TOP / "docs/guides/installing.md").read_text()
    (said,) = re.findall(r"the environment takes (\d+) MB", page)
    size = sum(size_of(name) for name in needed_by("churn")) / 1e6
    assert size == pytest.approx(int(said), rel=0.03)
    assert size < 900


def test_every_extra_is_in_the_guide():
    page = (TOP / "docs/guides/installing.md").read_text()
    assert set(re.findall(r"^\| `(\w+)` \|", page, flags=re.MULTILINE)) == set(
        PYPROJECT["project"]["optional-dependencies"]
    )


def needed_by(name: str, found: frozenset[str] = frozenset()) -> frozenset[str]:
    """Names of what a distribution needs here, itself aside, and of what these need."""
    for text in requires(name) or []:
        one = Requirement(text)
        key = one.name.lower().replace("_", "-")
        if key not in found and (one.marker is None or one.marker.evaluate({"extra": ""})):
            found = needed_by(key, found | {key})
    return found


def size_of(name: str) -> int:
    files = (Path(str(one.locate())) for one in distribution(name).files or [] if one.suffix != ".pyc")
    return sum(path.stat().st_size for path in files if path.is_file())


def environment_of(requirements: Path, folder: Path) -> Path:
    """An environment with these packages and nothing else, linked from the one that the tests run in; return its Python."""
    venv.create(folder, with_pip=False, symlinks=True)
    (site_packages,) = folder.glob("lib/python*/site-packages")
    for line in requirements.read_text().splitlines():
        name, _, pin = line.partition("==")
        found = distribution(name)
        assert found.version == pin
        for file in found.files or ():
            target = site_packages / file
            if ".." not in file.parts and not target.exists():
                target.parent.mkdir(parents=True, exist_ok=True)
                target.symlink_to(file.locate())
    return folder / "bin/python"


def is_up(address: str) -> bool:
    try:
        return httpx.get(f"{address}/readyz").status_code == 200
    except httpx.TransportError:
        return False


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The current one of a home."""
    home = tmp_path_factory.mktemp("home")
    serving = ServingSettings(**NEVER_STALE)
    bundle = ServingBundle(tiny_model(), "churn", "7", "champion", home, ScoringSettings(), serving)
    return finished_release(Place(home / "releases/churn"), bundle, profiles_of(120, seed=3))


@pytest.fixture(scope="module")
def bento(installed: Environment, release: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the installed command says of the Bento that it built, twice: the same content is the same Bento."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BENTOML_HOME", str(tmp_path_factory.mktemp("bentoml")))
        command = ("churn", "bento", "--home", str(release.parents[2]), "--json")
        found = json.loads(installed.run(*command))
        assert json.loads(installed.run(*command)) == found
        return found


@pytest.mark.slow
def test_a_bento_of_the_installed_command_holds_the_service_and_the_release(bento: dict[str, Any], release: Path):
    folder = Path(bento["path"])
    assert bento["image"] == f"bentoml containerize churn:{folder.name}"
    assert 0 < bento["bytes"] < 400e6
    held = {path.name for path in (folder / "src").iterdir()}
    assert held >= {"features", "models", "serving", "release"}
    assert not held & {"churn", "training", "insights", "seeds"}
    assert not (folder / "src/models/registry").exists()
    for path in release.rglob("*"):
        assert path.is_dir() or (folder / "src/release" / path.relative_to(release)).read_bytes() == path.read_bytes()
    dockerfile = (folder / "env/docker/Dockerfile").read_text()
    assert "libgomp1" in dockerfile
    assert f"python:{sys.version_info.major}.{sys.version_info.minor}" in dockerfile


@pytest.mark.slow
def test_a_bento_answers_with_its_own_requirements_and_nothing_else(bento: dict[str, Any], tmp_path: Path):
    """Neither MLflow, nor `churn`, nor the checkout is there."""
    python = environment_of(Path(bento["path"]) / "env/python/requirements.txt", tmp_path / "alone")
    surroundings = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    surroundings |= {"BENTOML_HOME": str(tmp_path / "run"), "BENTOML_DO_NOT_TRACK": "true"}
    lacks = "from importlib.util import find_spec; print(*map(find_spec, ('mlflow', 'churn', 'training')))"
    ran = subprocess.run([python, "-c", lacks], env=surroundings, cwd=tmp_path, capture_output=True, check=True)
    assert ran.stdout.split() == [b"None"] * 3
    port, log = free_port(), tmp_path / "server.log"
    serve = [python, "-m", "bentoml", "serve", bento["path"], "--port", str(port)]
    with (
        log.open("wb") as output,
        subprocess.Popen(serve, env=surroundings, cwd=tmp_path, stdout=output, stderr=output) as server,
    ):
        try:
            wait_for(lambda: server.poll() is not None or is_up(f"http://127.0.0.1:{port}"))
            assert server.poll() is None, log.read_text()
            check_answers(f"http://127.0.0.1:{port}")
        finally:
            server.terminate()


def check_answers(address: str) -> None:
    """By id, by events, and the pages."""
    event = {"event_time": "2026-06-01T10:00:00Z", "event_type": "open"}
    items = [{"user_id": "u1"}, {"user_id": "u2", "events": [event], "as_of": "2026-06-02T00:00:00Z"}]
    results = httpx.post(f"{address}/v1/score", json={"items": items}).json()["results"]
    assert [(one["user_id"], one["status"]) for one in results] == [("u1", "scored"), ("u2", "scored")]
    assert {httpx.get(address + path).status_code for path in ("/", "/docs", "/docs.json", "/metrics")} == {200}
