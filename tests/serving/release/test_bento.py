"""A Bento holds the model and runs without MLflow, training code or the checkout."""

import os
import shutil
import subprocess
import sys
import tomllib
from functools import partial
from pathlib import Path

import pyarrow as pa
import pytest
import yaml

from features.storage.versions import Place
from serving.release.bundle import ServingBundle
from serving.release.release import write_release
from serving.store.profile_store import write_store

TOP = Path(__file__).parents[3]
ANSWER = """
import asyncio, sys
sys.modules |= dict.fromkeys(["mlflow", "training", "churn"])  # as if they were not installed
from serving import service
from serving.http.front.page import page
from serving.http.openapi import RequestBody

event = b'{"event_time":"2026-06-01T10:00:00Z","event_type":"open"}'
with_events = b'{"user_id":"u2","events":[' + event + b'],"as_of":"2026-06-02T00:00:00Z"}'
body = RequestBody.model_construct(content=b'{"items":[{"user_id":"u1"},' + with_events + b']}', request_id="r1")
print(service.__file__, [page(path).status_code for path in ("/", "/docs")])
print(asyncio.run(service.ChurnService().score.local(body)).body.decode())
"""


@pytest.fixture
def project(bundle: ServingBundle, profiles: pa.Table, tmp_path: Path) -> Path:
    """The packages, the build file and a served model, as in a checkout that is in use."""
    project = tmp_path / "project"
    for package in ("features", "models", "serving"):
        shutil.copytree(TOP / package, project / package, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(TOP / "bentofile.yaml", project)
    releases = Place(project / ".churn/releases/shop")
    write_release(
        releases, bundle, fill=partial(write_store, profiles=profiles, specification=bundle.model.specification)
    )
    shutil.copytree(releases.folder / "current", project / "release")  # as docs/guides/serving.md does: cp -rL
    return project


@pytest.mark.slow
def test_a_bento_holds_the_model_and_answers_without_mlflow(project: Path, tmp_path: Path):
    build = [sys.executable, "-m", "bentoml", "build", "--version", "one"]
    environment = os.environ | {"BENTOML_HOME": str(tmp_path / "home")}
    built = subprocess.run(build, cwd=project, env=environment, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stdout + built.stderr

    bento = tmp_path / "home/bentos/churn/one"
    held = {path.name for path in (bento / "src/release").rglob("*.*")}
    assert held == {"booster.txt", "churn_model.json", "release.json", "profiles.sqlite"}
    assert not (bento / "src/.churn").exists()
    assert "mlflow" not in (bento / "bento.yaml").read_text()

    shutil.rmtree(project)
    ran = subprocess.run([sys.executable, "-c", ANSWER], cwd=bento / "src", capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    assert f"{bento / 'src/serving/service.py'} [200, 200]" in ran.stdout
    assert '"results":[{"user_id":"u1"' in ran.stdout
    assert '{"user_id":"u2","status":"scored"' in ran.stdout


def test_a_bento_requires_a_subset_of_the_dependencies():
    dependencies = tomllib.loads((TOP / "pyproject.toml").read_text())["project"]["dependencies"]
    wanted = yaml.safe_load((TOP / "bentofile.yaml").read_text())["python"]["packages"]
    assert set(wanted) < set(dependencies)
