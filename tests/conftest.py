"""The same surroundings for every test, whoever runs them; and one trained world for all that only look at it."""

import os
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from tests.churn.command import TrainedWorld, make_trained_world

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

# A busy machine is slow, and that is no failure.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")


def _forget_the_store() -> None:
    """MLflow writes the store it was told of into the environment, for its child processes."""
    for name in ("MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI"):
        os.environ.pop(name, None)


@pytest.fixture(autouse=True)
def _no_test_inherits_the_store_of_another() -> Iterator[None]:
    _forget_the_store()
    yield
    _forget_the_store()


@pytest.fixture(scope="session")
def trained_world(tmp_path_factory: pytest.TempPathFactory) -> TrainedWorld:
    """A world that went the whole way through the real command: simulate, train, promote, score, export. Look, do not touch."""
    return make_trained_world(tmp_path_factory.mktemp("trained"))
