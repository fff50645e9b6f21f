"""Trainings on the log of the trained world, each done once."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import pytest

from churn.project import Project
from features.activity.store import Activity
from models.encoding import encode
from models.scorers.calibration import fit_platt
from tests.churn.command import TrainedWorld
from tests.training.contenders import parameters
from training.audit.audit import AuditedTraining
from training.pipeline import to_audit, train
from training.plan.plan import Recipe
from training.promotion.decide import Contender, Decision, decide
from training.settings import PromotionSettings
from training.trained import TrainingResult

QUICK = (
    *("model.max_rounds=25", "model.early_stopping_rounds=10", "features.windows_days=[7, 28]"),
    *("features.main_event_types=1", "audit.max_rows=2000", "audit.rebuilt_profiles=100"),
)
FOLDS = ("churn.horizon_days=28", "churn.active_within_days=28")  # too long for separate periods in 120 days
EASY = ("model.max_rounds=5", "model.logistic_weight=0", "training.max_snapshots=2", "features.windows_days=[7, 14]")
FEW = (
    "features.windows_days=[7, 28]",
    "features.main_event_types=1",
    "audit.max_rows=5000",
    "audit.rebuilt_profiles=200",
)
BOTH = pytest.mark.parametrize("way", ["periods", "folds"])


@dataclass(frozen=True)
class Training:
    """What was trained, from what, and what was said on the way."""

    trained: TrainingResult
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
        return train_in(Project(trained_world.config, home=trained_world.home, settings=(*QUICK, *pairs)))

    return run


@pytest.fixture(scope="session")
def periods(trainer: Trainer) -> Training:
    return trainer()


@pytest.fixture(scope="session")
def folds(trainer: Trainer) -> Training:
    return trainer(*FOLDS)


@pytest.fixture
def training(way: str, request: pytest.FixtureRequest) -> Training:
    """What is called periods, or folds, as in :data:`BOTH`, or easy."""
    return request.getfixturevalue(way)


# --- Audits --------------------------------------------------------------------------------------------------------

Gather = Callable[..., AuditedTraining]


@pytest.fixture(scope="session")
def gather(trained_world: TrainedWorld) -> Gather:
    """What a training under some settings would learn from; the same settings once."""

    @cache
    def run(*pairs: str) -> AuditedTraining:
        project = Project(trained_world.config, home=trained_world.home, settings=(*FEW, *pairs))
        return to_audit(project.activity(), project.recipe, say=lambda _: None)

    return run


@pytest.fixture(scope="session")
def clean(gather: Gather) -> AuditedTraining:
    return gather()


# --- Promotions ----------------------------------------------------------------------------------------------------

Against = Callable[..., Decision]


@pytest.fixture(scope="session")
def champion(periods: Training) -> Contender:
    """As it was trained, with a calibration that a test can turn."""
    model, test = periods.trained.model, periods.trained.test
    platt = fit_platt(model.raw(encode(test.profiles, model.specification)), test.churned)
    recorded = parameters(periods.recipe)
    return Contender("1", replace(model, calibration=platt), periods.activity, "clean", recorded)


@pytest.fixture(scope="session")
def challenger(champion: Contender) -> Contender:
    return replace(champion, version="2")


@pytest.fixture(scope="session")
def easy(trainer: Trainer) -> Training:
    """Another specification, quickly trained again."""
    return trainer(*EASY)


@pytest.fixture(scope="session")
def against(periods: Training) -> Against:
    def decided(challenger: Contender, champion: Contender | None = None, **settings: Any) -> Decision:
        return decide(challenger, champion=champion, recipe=periods.recipe, settings=PromotionSettings(**settings))

    return decided
