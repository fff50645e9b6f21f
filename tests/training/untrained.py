"""The result of a training, put together by hand: nothing is fitted."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa

from features.profiles.specification import Specification
from features.settings import ChurnSettings, FeatureSettings
from models.churn_model import ChurnModel, Quality, Reference
from models.definition import ChurnDefinition
from models.evaluation.results import Evaluation, Grade
from models.scorers.calibration import CalibrationFit, Platt
from models.scorers.ensemble import Scorer
from models.settings import ModelSettings
from training.data.dataset import Dataset
from training.fit.fit import Fit
from training.plan.plan import Recipe, Strategy, TrainingPlan
from training.plan.splits import Split
from training.settings import TrainingSettings
from training.trained import TrainingResult

WEEKS = tuple(date(2026, 3, day) for day in (2, 9, 16, 23))
SPECIFICATION = Specification(("tenure_days",), (7,))
CHURN = ChurnSettings(horizon_days=7)


def recipe_of(churn: ChurnSettings = CHURN, *, model: ModelSettings | None = None, **training: Any) -> Recipe:
    return Recipe(churn, FeatureSettings(windows_days=(7,)), model or ModelSettings(), TrainingSettings(**training))


def plan_of(recipe: Recipe, split: Split, *, label_days: int | None = None) -> TrainingPlan:
    """A plan whose labels have the target horizon, or a shorter one."""
    label = recipe.churn.model_copy(update={"horizon_days": label_days or recipe.churn.horizon_days})
    strategy = Strategy.SHORTER if label_days else Strategy.DIRECT
    return TrainingPlan(recipe, split, strategy, label, split.why)


def split_of(*train: date, test: date) -> Split:
    return Split(train, (), train[-1:], test, "folds of users")


def empty() -> Dataset:
    keys = {"user_id": pa.array([], pa.string()), "cutoff": pa.array([], pa.date32())}
    return Dataset(pa.table(keys), np.zeros(0, dtype=np.bool_))


def result_of(recipe: Recipe, split: Split) -> TrainingResult:
    """A result without a single tree, row or metric."""
    platt, scorer = Platt(1.0, 0.0), Scorer(())
    definition, quality = ChurnDefinition.of(recipe.churn), Quality(split.test, split.test, {})
    model = ChurnModel(scorer, SPECIFICATION, platt, definition, Reference((), {}), quality)
    fit = Fit(SPECIFICATION, scorer, CalibrationFit(platt, {}), 0)
    evaluation = Evaluation(0, {}, {}, (), Grade("weak", "", ""))
    plan = plan_of(replace(recipe, training=TrainingSettings()), split)
    return TrainingResult(model, evaluation, plan, recipe, {}, empty(), empty(), fit)
