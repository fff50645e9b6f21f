"""train(): from activity to a registered challenger, a line a step."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from features.activity import Activity
from features.errors import GuardRefused
from features.settings import ChurnSettings, FeatureSettings
from features.snapshots import LabelWindow
from features.specification import Specification
from models.calibration import Calibration, fit_platt
from models.churn_model import ChurnModel, Definition, Quality, Reference
from models.classifier import Learner, raw_scores
from models.encoding import encode
from models.registry import Registered, Registry, Run
from models.settings import ModelSettings
from training.dataset import Dataset, freeze, sampled, stack, with_categories
from training.evaluate import Evaluation, draw, evaluate
from training.settings import TrainingSettings
from training.splits import Split, plan

_QUANTILES = 1001
_EXPLAINED = 5_000


@dataclass(frozen=True)
class Recipe:
    """The sections that decide how a model is trained."""

    churn: ChurnSettings
    features: FeatureSettings
    model: ModelSettings
    training: TrainingSettings


@dataclass(frozen=True)
class Trained:
    """What a training found, before it is registered."""

    model: ChurnModel
    evaluation: Evaluation
    split: Split
    left_out: dict[str, str]
    learnt: Dataset
    test: Dataset


Say = Callable[[str], None]


def train(activity: Activity, recipe: Recipe, *, say: Say) -> Trained:
    """Train, calibrate and test one model.

    Parameters
    ----------
    say
        Told what is being done, one line a step.

    Raises
    ------
    InputError
        When the test cutoff does not fit the log.
    GuardRefused
        When a part has too few churners or stayers.
    """
    split = plan(activity.coverage, recipe.churn, training=recipe.training, windows_days=recipe.features.windows_days)
    say(f"test cutoff {split.test}; {split.why}")
    specification, left_out = freeze(activity, recipe.features, churn=recipe.churn, learnt_from=split.train)
    say(
        f"{len(specification.feature_names)} features, {len(left_out)} left out; profiles at {len(split.learnt_from)} cutoffs"
    )
    learnt, test = _datasets(activity, specification, split=split, recipe=recipe)
    _guard(split, learnt, test=test, recipe=recipe)
    specification = with_categories(specification, learnt.at(split.train).profiles, most=recipe.model.max_categories)
    say(f"fitting on {len(learnt.churned):,} rows")
    booster, calibration = _fit(learnt, specification, split=split, recipe=recipe)
    say(f"{booster.num_trees()} trees; testing on {len(test.churned):,} users")
    raw = raw_scores(booster, encode(test.profiles, specification))
    evaluation = evaluate(test, calibration.probability(raw), seed=recipe.training.seed)
    quality = Quality(split.test, split.trained_through(_window(recipe)), evaluation.metrics)
    reference = Reference(_quantiles(raw), _medians(learnt.at(split.train).profiles, specification))
    model = ChurnModel(booster, specification, calibration, _definition(recipe.churn), reference, quality)
    return Trained(model, evaluation, split, left_out, learnt, test)


def _window(recipe: Recipe) -> LabelWindow:
    return LabelWindow(recipe.churn.gap_days, recipe.churn.horizon_days)


def _definition(churn: ChurnSettings) -> Definition:
    return Definition(churn.horizon_days, churn.gap_days, churn.active_within_days, churn.min_tenure_days)


def _datasets(
    activity: Activity, specification: Specification, *, split: Split, recipe: Recipe
) -> tuple[Dataset, Dataset]:
    t = recipe.training
    where = sampled(activity, split.learnt_from, churn=recipe.churn, most=t.max_training_rows, seed=t.seed)
    learnt = stack(activity, specification, cutoffs=split.learnt_from, churn=recipe.churn, where=where)
    return learnt, stack(activity, specification, cutoffs=[split.test], churn=recipe.churn)


def _guard(split: Split, learnt: Dataset, *, test: Dataset, recipe: Recipe) -> None:
    """Refuse to learn from, or to report on, a handful of users."""
    parts = {"training": learnt.at(split.train), "calibration": learnt.at(split.calibration), "test": test}
    if not split.uses_folds:
        parts["validation"] = learnt.at(split.validation)
    fewest = recipe.training.min_class_rows
    for name, part in parts.items():
        churners, stayers = int(part.churned.sum()), int((~part.churned).sum())
        if min(churners, stayers) < fewest:
            raise GuardRefused(
                f"the {name} part has {churners} churners and {stayers} stayers, expected at least {fewest} of each",
                hint=_when_possible(learnt, test, split=split, recipe=recipe),
            )


def _when_possible(learnt: Dataset, test: Dataset, *, split: Split, recipe: Recipe) -> str:
    """Say from which date on the log would do, if it goes on as it does."""
    fewest = recipe.training.min_class_rows
    counts = _class_counts(learnt, test)
    enough = [cutoff for cutoff, rarer in sorted(counts.items()) if rarer >= fewest]
    if enough:
        later = max(_window(recipe).end(enough[0]), split.test + timedelta(days=1))
        return f"cutoff {enough[0]} has {fewest} of each: if the log goes on like this, training is possible from test cutoff {later} on"
    most = max(counts.values(), default=0)
    return f"at no cutoff has the rarer class more than {most} users: a log of more users, or another [churn] horizon_days, is needed"


def _class_counts(*datasets: Dataset) -> dict[date, int]:
    counts: dict[date, int] = {}
    for dataset in datasets:
        cutoffs = np.asarray(dataset.profiles.column("cutoff").to_pylist(), dtype="datetime64[D]")
        for cutoff in np.unique(cutoffs):
            churned = dataset.churned[cutoffs == cutoff]
            counts[cutoff.astype(object)] = int(min(churned.sum(), (~churned).sum()))
    return counts


def _fit(learnt: Dataset, specification: Specification, *, split: Split, recipe: Recipe) -> tuple[Any, Calibration]:
    """Fit the booster, and the calibration on rows that it was not fitted on."""
    learner = Learner(recipe.model, recipe.training.seed, specification.feature_names, tuple(specification.categories))
    calibration = learnt.at(split.calibration)
    if split.uses_folds:
        rows = learnt.rows(specification)
        booster, unseen = learner.fit_by_folds(rows)
        latest = np.isin(
            np.asarray(learnt.profiles.column("cutoff").to_pylist(), dtype="datetime64[D]"),
            np.asarray(split.calibration, dtype="datetime64[D]"),
        )
        return booster, fit_platt(unseen[latest], calibration.churned)
    booster = learner.fit(
        learnt.at(split.train).rows(specification), validation=learnt.at(split.validation).rows(specification)
    )
    return booster, fit_platt(raw_scores(booster, encode(calibration.profiles, specification)), calibration.churned)


def _quantiles(raw: NDArray[np.float64]) -> tuple[float, ...]:
    ordered = np.sort(raw)
    few = len(ordered) <= _QUANTILES
    return tuple((ordered if few else np.quantile(ordered, np.linspace(0, 1, _QUANTILES))).tolist())


def _medians(profiles: pa.Table, specification: Specification) -> dict[str, float]:
    numbers = [f.name for f in specification.features if not f.is_text]
    columns = {name: profiles.column(name).drop_null().to_numpy() for name in numbers}
    return {name: float(np.median(values)) for name, values in columns.items() if len(values)}


def register(trained: Trained, registry: Registry, *, recipe: Recipe) -> Registered:
    """Log a training with its pictures and register the model as challenger."""
    model = trained.model
    sample = encode(trained.test.profiles.slice(0, _EXPLAINED), model.specification)
    weight = np.abs(model.contributions(sample)).mean(axis=0)
    importance = dict(zip(model.specification.feature_names, weight.tolist(), strict=True))
    with TemporaryDirectory() as name:
        folder = Path(name)
        draw(folder, trained.test, probability=model.predict_probability(trained.test.profiles), importance=importance)
        _write_json(folder / "features.json", {"used": importance, "left_out": trained.left_out})
        _write_json(folder / "split.json", asdict(trained.split))
        return registry.log(
            Run(
                model=model,
                parameters=_parameters(recipe) | {"trees": model.booster.num_trees()},
                metrics=trained.evaluation.flat(),
                tags={
                    "sensitive": ", ".join(model.specification.sensitive) or "none",
                    "better_rule": trained.evaluation.better_rule,
                    "split": "folds" if trained.split.uses_folds else "periods",
                },
                datasets={"training": digest(trained.learnt.profiles), "test": digest(trained.test.profiles)},
                artifacts=folder,
            )
        )


def _parameters(recipe: Recipe) -> dict[str, Any]:
    return {
        f"{section}.{key}": value
        for section in ("churn", "features", "model", "training")
        for key, value in getattr(recipe, section).model_dump(mode="json").items()
    }


def _write_json(path: Path, values: Any) -> None:
    path.write_text(json.dumps(values, indent=1, default=str))


def digest(profiles: pa.Table) -> str:
    """SHA-256 over all values, in their order."""
    sink = hashlib.sha256()
    for batch in profiles.combine_chunks().to_batches():
        sink.update(batch.serialize())
    return sink.hexdigest()
