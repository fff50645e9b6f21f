"""The same surroundings for every test, whoever runs them; and one trained world for all that only look at it."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from filelock import FileLock
from hypothesis import HealthCheck, settings

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
_SLOW_IS_FINE = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}
settings.register_profile("dev", max_examples=25, **_SLOW_IS_FINE)
settings.register_profile("ci", max_examples=100, **_SLOW_IS_FINE)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "dev"))

# Expensive fixtures of a session: tests that share one run in the same worker, so that each is made once.
_MADE_ONCE = ("postgres_url", "gather", "trainer")


def _forget_the_store() -> None:
    """MLflow writes the store it was told of into the environment, for its child processes."""
    for name in ("MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI"):
        os.environ.pop(name, None)


@pytest.fixture(autouse=True)
def _no_test_inherits_the_store_of_another() -> Iterator[None]:
    _forget_the_store()
    yield
    _forget_the_store()


def pytest_collection_modifyitems(items: Sequence[pytest.Item]) -> None:
    """Keep the tests of a file, and those that share an expensive fixture, in one worker (``--dist loadgroup``)."""
    for item in items:
        if item.get_closest_marker("xdist_group") is None:
            item.add_marker(pytest.mark.xdist_group(_group_of(item)))


def _group_of(item: pytest.Item) -> str:
    shared = [name for name in _MADE_ONCE if name in getattr(item, "fixturenames", ())]
    return shared[0] if shared else item.path.relative_to(item.config.rootpath).as_posix()


@pytest.fixture(scope="session")
def shared_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of this run of the tests, the same for all workers."""
    own = tmp_path_factory.getbasetemp()
    return own.parent if "PYTEST_XDIST_WORKER" in os.environ else own


@pytest.fixture(scope="session")
def trained_world(shared_folder: Path) -> TrainedWorld:
    """A world that ran end to end through the real command: simulate, train, promote, score, export. Look, do not touch."""
    with FileLock(shared_folder / "trained.lock"):
        place = shared_folder / "trained"
        return made_trained_world(place) if place.exists() else make_trained_world(place)


@pytest.fixture(scope="session")
def empty_store(shared_folder: Path) -> Path:
    """A home whose tracking store holds nothing: laying one out takes MLflow's migrations seconds, a copy takes none."""
    from models.registry.registry import Registry

    home = shared_folder / "empty_store"
    with FileLock(shared_folder / "empty_store.lock"):
        if not home.exists():
            Registry(home, "nothing").has("champion")
    return home
