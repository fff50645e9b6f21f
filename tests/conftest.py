"""The same surroundings for every test, whoever runs them; and one trained world for all that only look at it."""

import gc
import os
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock
from hypothesis import HealthCheck, settings
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

from tests.churn.command import TrainedWorld, made_trained_world, make_trained_world

# Before any test module is imported: libraries read these when they load.
os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
os.environ["BENTOML_DO_NOT_TRACK"] = "true"
os.environ["DO_NOT_TRACK"] = "1"
os.environ["MPLBACKEND"] = "Agg"
# Threads that wait for each other by spinning are ten times slower on a machine that does other things too.
os.environ["OMP_WAIT_POLICY"] = "passive"

# Settings and a tracking store of the developer's own would change what is tested.
for _name in [name for name in os.environ if name.startswith(("CHURN_", "MLFLOW_TRACKING_", "MLFLOW_REGISTRY_"))]:
    del os.environ[_name]

# Tables are as wide as a terminal says when the command is imported; workers of xdist are given a width of their own.
for _name in ("COLUMNS", "LINES"):
    os.environ.pop(_name, None)

# A busy machine is slow, which is not a failure. `make test` tries some random logs, `make test-slow` many more.
_SLOW_IS_FINE: dict[str, Any] = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}
settings.register_profile("dev", max_examples=12, **_SLOW_IS_FINE)
settings.register_profile("ci", max_examples=100, **_SLOW_IS_FINE)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "dev"))

# Tests of a file run in the same worker; so do those of a folder, where they share a fixture that is expensive to make.
_FAULTS = "tests/faults/"  # those with parameters take minutes each, and are handed out one by one
_TOGETHER = ("tests/training/audit/", "tests/training/", "tests/features/log/", _FAULTS)
_WITH = {"tests/serving/test_schemathesis.py": "tests/serving/test_page_in_chromium.py"}  # they ask the same server


def _forget_the_store() -> None:
    """MLflow writes the store it was told of into the environment, for its child processes."""
    for name in ("MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI"):
        os.environ.pop(name, None)


@pytest.fixture(autouse=True)
def _no_test_inherits_the_store_of_another() -> Iterator[None]:
    _forget_the_store()
    yield
    _forget_the_store()


# Seconds that the longest take.
_SECONDS = {
    "tests/faults/": 900,  # first of all: they fork, which is safe only where no other test has started a thread
    "tests/features/spark/test_cluster.py": 800,  # begins without the trained world, which another worker makes meanwhile
    "tests/training/": 200,
    "tests/churn/test_train_more.py": 40,
    "tests/serving/test_service.py": 20,
    "tests/churn/test_replay.py": 25,
    "tests/churn/test_treated.py": 20,
    "tests/training/audit/": 25,
    "tests/test_end_to_end.py": 25,
    "tests/features/log/": 30,
    "tests/churn/test_learning.py": 20,
    "tests/churn/test_delivery.py": 20,
    "tests/test_leakage.py": 18,
    "tests/features/activity/test_killed_roll_up.py": 17,
    "tests/churn/test_killed.py": 16,
    "tests/test_older_homes.py": 15,
    "tests/features/users/test_identities.py": 14,
    "tests/seeds/test_truth.py": 12,
    "tests/benchmarks/test_profiles_bench.py": 12,
    "tests/serving/test_page_in_chromium.py": 30,
    "tests/serving/test_access.py": 20,
    "tests/serving/test_shadow.py": 15,
}


def pytest_collection_finish() -> None:
    """Whatever is loaded by now stays: without this, each garbage collection looks at all of it again."""
    gc.collect()
    gc.freeze()


class LongestFirst(OrderedDict[str, dict[str, bool]]):
    """Work by scope; what takes longest is handed out first, so that no worker waits at the end for another."""

    def popitem(self, last: bool = False) -> tuple[str, dict[str, bool]]:
        scope = max(self, key=lambda scope: (_SECONDS.get(scope, 0), len(self[scope])))
        return scope, self.pop(scope)


class ByFolderOrFile(LoadScopeScheduling):
    """Hands whole files and folders to workers, the longest first."""

    def __init__(self, config: pytest.Config, log: Producer) -> None:
        super().__init__(config, log)
        self.workqueue = LongestFirst()

    def _split_scope(self, nodeid: str) -> str:
        if nodeid.startswith(_FAULTS) and "[" in nodeid:
            return nodeid
        file = nodeid.partition("::")[0]
        return next((folder for folder in _TOGETHER if nodeid.startswith(folder)), _WITH.get(file, file))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> ByFolderOrFile:
    """Choose how tests are shared out: marks of groups (``--dist loadgroup``) say nothing to pytest-xdist 3.8 from pytest 9.2 on."""
    return ByFolderOrFile(config, log)


@pytest.fixture(scope="session")
def shared_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of this run of the tests, the same for all workers."""
    own = tmp_path_factory.getbasetemp()
    return own.parent if "PYTEST_XDIST_WORKER" in os.environ else own


@pytest.fixture(scope="session")
def trained_world(shared_folder: Path, empty_store: Path) -> TrainedWorld:
    """A world that ran end to end through the real command: simulate, train, promote, score, export. Look, do not touch."""
    with FileLock(shared_folder / "trained.lock"):
        place = shared_folder / "trained"
        return made_trained_world(place) if place.exists() else make_trained_world(place, empty_store=empty_store)


@pytest.fixture(scope="session")
def empty_store(shared_folder: Path) -> Path:
    """A home whose tracking store holds nothing: laying one out takes MLflow's migrations seconds, a copy takes none."""
    from models.registry.registry import Registry

    home = shared_folder / "empty_store"
    with FileLock(shared_folder / "empty_store.lock"):
        if not home.exists():
            Registry(home, "nothing").has("champion")
    return home
