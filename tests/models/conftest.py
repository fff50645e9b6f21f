"""Read by several tests of models, changed by none: a store with one model in it, and users with their probabilities."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from models.registry.registry import RegisteredModel, Registry
from tests.models.run_builder import PROJECT, run_of

Users = tuple[NDArray[np.bool_], NDArray[np.float64]]


@pytest.fixture(scope="session")
def home(empty_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Path(shutil.copytree(empty_store, tmp_path_factory.mktemp("home") / "home"))


@pytest.fixture(scope="session")
def logged(home: Path, tmp_path_factory: pytest.TempPathFactory) -> RegisteredModel:
    return Registry(home, PROJECT).log(run_of(tmp_path_factory.mktemp("artifacts")))


@pytest.fixture
def registry(home: Path, logged: RegisteredModel) -> Registry:
    """The store of all tests that only look: version 1 is challenger, nobody is champion."""
    return Registry(home, PROJECT)


@pytest.fixture(scope="session")
def users_400() -> Users:
    """Who of 400 users churned, and the probabilities that they were sampled with."""
    random = np.random.default_rng(5)
    probability = random.uniform(0.05, 0.95, 400)
    return random.random(400) < probability, probability
