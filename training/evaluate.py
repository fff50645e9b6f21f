"""How the model does on the test cutoff, beside the rules; and the pictures."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from models.baselines import RULES, rule_scores
from models.metrics import Interval, auc, equal_count_bins, interval, summary
from training.dataset import Dataset

mpl.use("Agg")
_BINS = 10


@dataclass(frozen=True)
class Evaluation:
    """Figures of the model and of the rules on the same users."""

    metrics: dict[str, float]
    auc: Interval
    baselines: dict[str, Interval]

    @property
    def better_rule(self) -> str:
        """The rule with the higher AUC."""
        return max(self.baselines, key=lambda rule: self.baselines[rule].value)

    def to_json(self) -> dict[str, Any]:
        """``test.*`` and ``baselines.<rule>.auc``, with intervals."""
        test = self.metrics | {"auc_low": self.auc.low, "auc_high": self.auc.high}
        rules = {
            rule: {"auc": found.value, "auc_low": found.low, "auc_high": found.high}
            for rule, found in self.baselines.items()
        }
        return {"test": test | {"users": int(self.metrics["users"])}, "baselines": rules}

    def flat(self) -> dict[str, float]:
        """All figures under dotted names, as MLflow keeps them."""
        rules = {
            f"baselines.{rule}.{key}": value
            for rule, found in self.baselines.items()
            for key, value in zip(("auc", "auc_low", "auc_high"), asdict(found).values(), strict=True)
        }
        return {f"test.{key}": float(value) for key, value in self.to_json()["test"].items()} | rules


def evaluate(test: Dataset, probability: NDArray[np.float64], *, seed: int) -> Evaluation:
    """Measure probabilities, and the rules, on one test cutoff; intervals by bootstrap over users."""
    rules = {rule: interval(test.churned, rule_scores(test.profiles, rule), of=auc, seed=seed) for rule in RULES}
    return Evaluation(summary(test.churned, probability), interval(test.churned, probability, of=auc, seed=seed), rules)


def draw(folder: Path, test: Dataset, *, probability: NDArray[np.float64], importance: dict[str, float]) -> None:
    """Write ``calibration.png``, ``gains.png`` and ``importance.png`` into a folder."""
    _picture(folder / "calibration.png", lambda axes: _calibration(axes, test.churned, probability=probability))
    _picture(folder / "gains.png", lambda axes: _gains(axes, test, probability=probability))
    _picture(folder / "importance.png", lambda axes: _importance(axes, importance))


def _picture(path: Path, paint: Any) -> None:
    figure = Figure(figsize=(7, 5), layout="constrained")
    paint(figure.add_subplot())
    figure.savefig(path, dpi=110, metadata={"Software": None})


def _calibration(axes: Axes, churned: NDArray[np.bool_], *, probability: NDArray[np.float64]) -> None:
    bins = equal_count_bins(churned, probability, bins=_BINS)
    axes.plot([0, 1], [0, 1], color="grey", linestyle=":", label="perfect")
    axes.plot([p.mean() for p, _ in bins], [c.mean() for _, c in bins], marker="o", label="model, bins of equal count")
    axes.set(title="Calibration on the test cutoff", xlabel="mean churn probability", ylabel="share that churned")
    axes.legend()


def _gains(axes: Axes, test: Dataset, *, probability: NDArray[np.float64]) -> None:
    scores = {"model": probability} | {f"{rule} rule": rule_scores(test.profiles, rule) for rule in RULES}
    share = np.arange(1, len(test.churned) + 1) / len(test.churned)
    for name, score in scores.items():
        found = test.churned[np.argsort(-score, kind="stable")].cumsum() / max(1, test.churned.sum())
        axes.plot(share, found, label=name)
    axes.plot([0, 1], [0, 1], color="grey", linestyle=":", label="by chance")
    axes.set(title="Gains: who is found", xlabel="share of users contacted", ylabel="share of churners among them")
    axes.legend()


def _importance(axes: Axes, importance: dict[str, float]) -> None:
    top = sorted(importance.items(), key=lambda pair: pair[1])[-20:]
    axes.barh([name for name, _ in top], [value for _, value in top])
    axes.set(title="Mean |contribution| on the test cutoff, log-odds")
    axes.tick_params(axis="y", labelsize=7)
