"""Trainings on the log of the trained world, each done once."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import pytest

from cli.project import Project, open_project
from features.activity import Activity
from tests.cli.command import TrainedWorld
from training.layout import Recipe
from training.pipeline import Trained, train

QUICK = ("model.max_rounds=25", "model.early_stopping_rounds=10")
FOLDS = ("churn.horizon_days=28", "churn.active_within_days=28")  # too long for separate periods in 120 days


@dataclass(frozen=True)
class Training:
    """What was trained, from what, and what was said on the way."""

    trained: Trained
    activity: Activity
    recipe: Recipe
    said: tuple[str, ...]


Trainer = Callable[..., Training]


def train_in(project: Project) -> Training:
    said: list[str] = []
    activity = project.activity()
    return Training(train(activity, project.recipe, say=said.append), activity, project.recipe, tuple(said))


@pytest.fixture(scope="session")
def trainer(trained_world: TrainedWorld) -> Trainer:
    """Train with some settings; the same settings are trained once."""

    @cache
    def run(*pairs: str) -> Training:
        return train_in(open_project(trained_world.config, home=trained_world.home, pairs=(*QUICK, *pairs)))

    return run


@pytest.fixture(scope="session")
def periods(trainer: Trainer) -> Training:
    return trainer()


@pytest.fixture(scope="session")
def folds(trainer: Trainer) -> Training:
    return trainer(*FOLDS)
