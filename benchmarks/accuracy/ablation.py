"""Which families of features carry the AUC: every family left out in turn, on real logs that `examples/` maps.

    REAL_LOGS=folder/with/kuaishou.parquet python -m benchmarks.accuracy.ablation

The difference that a family makes has an interval of its own: users of the test cutoff are drawn again and again, the same for
both models. Choosing families by this table would be choosing on the test; it is here to be read.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

from benchmarks.measuring import PAGES
from churn.project import Project
from features.activity.store import Activity
from features.catalogue.definition import Feature
from models.evaluation.metrics import paired
from training.data.specification import freeze
from training.evaluation.evaluate import Evaluation
from training.pipeline import train
from training.plan.plan import Recipe
from training.plan.splits import make_split

LOGS = ("kuaishou", "cdnow")
RESAMPLES = 1000
BEFORE = {  # `churn train` with the catalogue of some 95 features, at commit d1a7f40
    "kuaishou": "34 features, AUC 0.8220 (0.8099 to 0.8338)",
    "cdnow": "63 features, AUC 0.7290 (0.7168 to 0.7431)",
}


@dataclass(frozen=True)
class Fit:
    """One trained model on the test cutoff's users, in the order of their ids."""

    features: int
    evaluation: Evaluation
    churned: NDArray[np.bool_]
    probability: NDArray[np.float64]


def fit(activity: Activity, recipe: Recipe) -> Fit:
    found = train(activity, recipe, say=lambda _: None)
    probability = found.model.predict_probability(found.test.profiles)
    specification = found.model.specification
    return Fit(
        len(specification.feature_names) - len(specification.unused), found.evaluation, found.test.churned, probability
    )


def without(recipe: Recipe, family: str) -> Recipe:
    return replace(recipe, features=recipe.features.model_copy(update={"exclude": (family,)}))


def table(name: str, log: Path, *, home: Path) -> list[str]:
    project = Project(PAGES.parent / "examples" / f"{name}.toml", home=home, events=log)
    activity, recipe = project.activity(), project.recipe
    whole = fit(activity, recipe)
    found = whole.evaluation.auc
    rules = ", ".join(f"{name} {one.auc.value:.3f}" for name, one in whole.evaluation.baselines.items())
    lines = [
        f"\n## {name}\n",
        (
            f"{len(whole.churned):,} users at the test cutoff. All {whole.features} features: AUC {found.value:.4f} "
            f"({found.low:.4f} to {found.high:.4f}); {rules}. Before, at commit d1a7f40: {BEFORE[name]}.\n"
        ),
        "| left out | features | AUC | difference | 95 % interval |",
        "|---|---|---|---|---|",
    ]
    families = dict.fromkeys(feature.family for feature in train_features(activity, recipe))
    for family in families:
        print(f"{name}: without {family}", file=sys.stderr, flush=True)
        part = fit(activity, without(recipe, family))
        gain = paired(whole.churned, part.probability, whole.probability, of="auc", seed=recipe.training.seed)
        lines.append(
            f"| {family} | {whole.features - part.features} | {part.evaluation.auc.value:.4f} | {gain.value:+.4f} | "
            f"{gain.low:+.4f} to {gain.high:+.4f} |"
        )
    return lines


def train_features(activity: Activity, recipe: Recipe) -> tuple[Feature, ...]:
    """Return the features of the whole model."""
    split = make_split(
        activity.coverage, recipe.churn, training=recipe.training, windows_days=recipe.features.windows_days
    )
    return freeze(activity, recipe.features, churn=recipe.churn, training_cutoffs=split.train)[0].features


def main() -> None:
    folder = Path(os.environ.get("REAL_LOGS", "nowhere"))
    lines = [
        "# Which families carry the model",
        "",
        (
            f"Measured on {datetime.now(UTC):%Y-%m-%d} by `REAL_LOGS=... python -m benchmarks.accuracy.ablation`, defaults only. Each "
            "line is a model trained again that does not look at one family; the interval is a paired bootstrap over users."
        ),
    ]
    with TemporaryDirectory() as home:
        for name in LOGS:
            if not (folder / f"{name}.parquet").exists():
                sys.exit(f"REAL_LOGS names no folder with {name}.parquet")
            lines += table(name, folder / f"{name}.parquet", home=Path(home) / name)
    (PAGES / "ablation.md").write_text("\n".join(lines) + "\n")
    print("benchmarks/ablation.md")


if __name__ == "__main__":
    main()
