"""A run whose process was killed with -9 does not stay open for ever: who opens the store next closes it."""

# pyright: reportPrivateUsage=false

import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from models.registry.killed_runs import PROCESS
from models.registry.registry import Registry

DIES = """
import os, signal, sys
from pathlib import Path
from models.registry.registry import Registry
registry = Registry(Path(sys.argv[1]), "shop")
with registry.run("of a process that is killed") as recorder:
    client, experiment = registry._client, registry._store.experiment()
    client.create_logged_model(experiment, name="half", source_run_id=recorder.run_id)
    client.create_run(experiment, run_name="by hand")
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture(scope="module")
def home(empty_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with the run of a process that was killed, and one without a process, as a person makes it."""
    found = Path(shutil.copytree(empty_store, tmp_path_factory.mktemp("killed") / "home"))
    ran = subprocess.run([sys.executable, "-c", DIES, str(found)], capture_output=True, text=True, check=False)
    assert ran.returncode == -signal.SIGKILL, ran.stderr
    return found


def runs(registry: Registry) -> dict[str | None, Any]:
    import mlflow

    client = mlflow.MlflowClient(registry.uri)
    experiment = client.get_experiment_by_name("shop")
    assert experiment
    return {run.info.run_name: run for run in client.search_runs([experiment.experiment_id])}


def models(registry: Registry) -> list[str]:
    import mlflow

    client = mlflow.MlflowClient(registry.uri)
    experiment = client.get_experiment_by_name("shop")
    assert experiment
    return [str(model.status) for model in client.search_logged_models([experiment.experiment_id])]


def test_runs_of_dead_processes_are_closed_as_killed_and_no_others(home: Path, caplog: pytest.LogCaptureFixture):
    registry = Registry(home, "shop")
    said = "the process of the run of a process that is killed in MLflow was killed; the run is closed as killed"
    assert [record.getMessage() for record in caplog.records if record.name == "churn"] == [f"churn: {said}"]
    with registry.run("this one"):
        Registry(home, "shop")
        found = runs(registry)
        assert {name: run.info.status for name, run in found.items()} == {
            "of a process that is killed": "KILLED",
            "by hand": "RUNNING",
            "this one": "RUNNING",
        }
    killed = found["of a process that is killed"]
    assert killed.data.tags["error"] == "its process ended without a word, as under kill -9"
    assert killed.info.end_time
    assert models(registry) == ["FAILED"]
    assert len(caplog.records) == 1


def test_a_run_of_another_machine_is_left_alone(home: Path):
    registry = Registry(home, "shop")
    with registry.run("elsewhere") as recorder:
        registry._client.set_tag(recorder.run_id, PROCESS, f"elsewhere pid:[1] {2**22 + 1} 1")
        Registry(home, "shop")
        assert runs(registry)["elsewhere"].info.status == "RUNNING"


def test_a_project_without_an_experiment_has_nothing_to_close(home: Path):
    assert not Registry(home, "nothing").has("champion")
