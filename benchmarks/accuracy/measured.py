"""One log, trained on once with defaults: the model, its baselines and, in a simulated world, the truth on the same users."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import astuple
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pyarrow.compute as pc
from numpy.typing import NDArray

from benchmarks.accuracy.logs import Log
from benchmarks.measuring import measure
from churn.project import Project
from features.errors import ChurnError
from models.evaluation.baselines import RULES
from models.evaluation.metrics import intervals, paired
from seeds.truth import true_probabilities
from training.pipeline import train
from training.trained import TrainingResult

FIGURES, PAIRED = ("auc", "log_loss", "calibration_error"), ("auc", "log_loss")
MODEL, TRUTH = "model", "truth"
Values = NDArray[np.float64]


def measured(log: Log) -> dict[str, Any]:
    """Train as ``churn train`` does, and measure; or say why it was refused."""
    about = {"date": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC", "says": log.says}
    try:
        with TemporaryDirectory() as home:
            cost, trained = measure(lambda: _train(log, home))
    except ChurnError as error:
        return about | {"why_not": str(error)}
    found = compared(contenders(trained, log), trained.test.churned, seed=trained.recipe.training.seed)
    return about | {"seconds": cost.wall_seconds, "peak_bytes": cost.peak_bytes} | told(trained) | found


def _train(log: Log, home: str) -> TrainingResult:
    project = Project(log.config, home=Path(home), events=log.events)
    return train(project.activity(), project.recipe, say=lambda _: None)


def told(trained: TrainingResult) -> dict[str, Any]:
    """Say what was trained."""
    specification, test = trained.model.specification, trained.test.churned
    return {
        "users": len(test),
        "churn_rate": float(test.mean()),
        "test_cutoff": str(trained.split.test),
        "horizon_days": trained.recipe.churn.horizon_days,
        "way": str(trained.plan.strategy),
        "why": trained.plan.why,
        "snapshots": len(trained.split.training_cutoffs),
        "rows": len(trained.training_rows.churned),
        "features": len(specification.feature_names) - len(specification.unused),
        "trees": trained.model.scorer.trees,
        "calibration": type(trained.model.calibration).__name__,
    }


def contenders(trained: TrainingResult, log: Log) -> dict[str, Values]:
    """Return the probabilities of the model, of every baseline and, where it is known, the true one; each of shape (n,)."""
    profiles = trained.test.profiles
    found = {MODEL: trained.model.predict_probability(profiles)}
    found |= {baseline.name: baseline.probability(profiles) for baseline in trained.baselines}
    return found | ({TRUTH: truth_of(trained, log.world)} if log.world else {})


def truth_of(trained: TrainingResult, world: Path) -> Values:
    """Return the true probabilities in the order of the test users."""
    known = true_probabilities(world, trained.split.test)
    place = pc.index_in(trained.test.profiles.column("user_id"), value_set=known.column("user_id").combine_chunks())
    return known.column("true_probability").take(place).to_numpy()


def compared(found: Mapping[str, Values], churned: NDArray[np.bool_], *, seed: int) -> dict[str, Any]:
    """Measure all of them, and the model less each of the others, on the same resampled users.

    Returns
    -------
    ``figures`` and ``differences`` by contender and figure, each as value, low and high; and the ``better_rule``.
    """
    figures = {name: _figures(probability, churned, seed=seed) for name, probability in found.items()}
    others = {name: probability for name, probability in found.items() if name != MODEL}
    differences = {
        name: {of: astuple(paired(churned, found[MODEL], other, of=of, seed=seed)) for of in PAIRED}
        for name, other in others.items()
    }
    better = max((name for name in found if name in RULES), key=lambda name: figures[name]["auc"][0], default="")
    return {"figures": figures, "differences": differences, "better_rule": better}


def _figures(probability: Values, churned: NDArray[np.bool_], *, seed: int) -> dict[str, tuple[float, ...]]:
    measured = intervals(churned, probability, seed=seed)
    return {name: astuple(measured[name]) for name in FIGURES}
