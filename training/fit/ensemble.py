"""How many trees, how large, and the weight of logistic regression: chosen on later periods than those that each is fitted on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from features.profiles.specification import Specification
from models.arrays import Values
from models.scorers.calibration import fit_platt
from models.scorers.ensemble import LogisticPart, Scorer, Trees
from models.scorers.logistic import Linear, fit_linear
from models.scorers.trees import Rows, TreeFitter, explainable
from models.settings import ModelSettings
from training.fit.folds import Fold

USUAL_WEIGHT = 0.25  # of logistic regression; won on earlier cutoffs of real logs (decision 6)
_WEIGHTS = (0.0, 0.25, 0.5, 0.75, 1.0)
_SURE = (
    1.96  # standard errors by which another weight must be better: users of one period are hardly independent evidence
)


@dataclass(frozen=True)
class EnsembleFitter:
    """Fits trees and logistic regression on the same rows.

    Attributes
    ----------
    weight
        Of logistic regression, 0 to 1; None: chosen by :func:`choose`.
    """

    trees: TreeFitter
    linear: LinearFitter
    weight: float | None

    @property
    def larger(self) -> EnsembleFitter | None:
        """The same with the largest trees, which learn twice as fast: half of them do, and cost half; None: these are as large."""
        of = self.trees.settings
        if of.max_leaves <= of.num_leaves:
            return None
        larger = {"num_leaves": of.max_leaves, "learning_rate": min(1.0, 2 * of.learning_rate)}
        return replace(self, trees=replace(self.trees, settings=of.model_copy(update=larger)))

    def fit(
        self, train: Rows, *, weight: float, validation: Rows | None = None, rounds: int | None = None
    ) -> tuple[Scorer, int]:
        """Fit on rows; return the scorer, and its number of trees: that of the best validation log loss, or ``rounds``."""
        logistic = LogisticPart(self.linear(train)) if weight else None
        booster = self.trees.fit(train, validation=validation, rounds=rounds)
        found = booster.best_iteration if validation else booster.num_trees()
        return scorer_of(Trees(booster), logistic, weight=weight), found


@dataclass(frozen=True)
class LinearFitter:
    """Fits logistic regression under one specification."""

    specification: Specification
    seed: int

    def __call__(self, rows: Rows) -> Linear:
        """Fit on rows, with their weights: those of held-out users, and of the age of a snapshot where the settings say so."""
        return fit_linear(
            rows.matrix, rows.churned, specification=self.specification, seed=self.seed, weights=rows.weights
        )


@dataclass(frozen=True)
class Chosen:
    """What was chosen, and the log loss of each held-out row, fold after fold.

    Attributes
    ----------
    rounds
        Number of trees: the mean of the folds.
    settings
        Of the trees.
    scorer
        As fitted on the first fold.
    why
        In a sentence.
    """

    rounds: int
    settings: ModelSettings
    weight: float
    losses: Values
    scorer: Scorer
    why: str


def choose(folds: Sequence[Fold], fitter: EnsembleFitter) -> Chosen:
    """Choose rounds, leaves and weight by the log loss in later periods, after Platt scaling: the base rate should not decide.

    The usual weight is kept unless another is better by more than the 95 % interval of the paired difference, and so are the leaves,
    which are only in question where more trees would still be better.
    """
    weights = _WEIGHTS if fitter.weight is None else (fitter.weight,)
    first, larger = _measure(folds[0], fitter, weights=weights), fitter.larger
    if larger and first.is_at_limit(fitter.trees):
        found = _measure(folds[0], larger, weights=weights, logistic=first.logistic)
        if is_better(found.lowest, first.lowest, by=_SURE):
            fitter, first = larger, found
    measured = [first, *(_measure(fold, fitter, weights=weights) for fold in folds[1:])]
    rounds = max(1, round(float(np.mean([one.trees.booster.best_iteration for one in measured]))))
    losses = {weight: np.concatenate([one.losses[weight] for one in measured]) for weight in weights}
    weight = _chosen_weight(losses) if fitter.weight is None else fitter.weight
    compared = ", ".join(f"{one:g}: {values.mean():.4f}" for one, values in losses.items())
    periods = f"{len(folds)} later period{'s' if len(folds) > 1 else ''}"
    settings = fitter.trees.settings
    what = f"{rounds} trees of {settings.num_leaves} leaves and weight {weight:g} of logistic regression"
    why = f"{what}, chosen on {periods} (log loss by weight {compared})"
    return Chosen(rounds, settings, weight, losses[weight], scorer_of(first.trees, first.logistic, weight=weight), why)


def scorer_of(trees: Trees, logistic: LogisticPart | None, *, weight: float) -> Scorer:
    """Put the parts that have a weight together."""
    parts: list[tuple[float, Trees | LogisticPart]] = [(1 - weight, trees)] if weight < 1 else []
    return Scorer((*parts, *([(weight, logistic)] if logistic and weight else [])))


@dataclass(frozen=True)
class _FoldResult:
    """Both parts as fitted on a fold, and the log loss of each held-out row by weight."""

    trees: Trees
    logistic: LogisticPart | None
    losses: dict[float, Values]

    @property
    def lowest(self) -> Values:
        """The log losses by the best weight."""
        return min(self.losses.values(), key=lambda losses: float(losses.mean()))

    def is_at_limit(self, fitter: TreeFitter) -> bool:
        """Whether boosting did not stop by itself: more trees would have been better."""
        return self.trees.booster.num_trees() >= explainable(fitter.settings)[1]


def _measure(
    fold: Fold, fitter: EnsembleFitter, *, weights: Sequence[float], logistic: LogisticPart | None = None
) -> _FoldResult:
    trees = Trees(fitter.trees.fit(fold.train, validation=fold.held_out))
    if any(weights):
        logistic = logistic or LogisticPart(fitter.linear(fold.train))
    scorers = {weight: scorer_of(trees, logistic, weight=weight) for weight in weights}
    losses = {weight: _losses(scorer.raw(fold.held_out.matrix), fold.held_out) for weight, scorer in scorers.items()}
    return _FoldResult(trees, logistic, losses)


def _losses(raw: Values, rows: Rows) -> Values:
    """Return the log loss of each row, shape (n,), times its weight.

    Held-out rows are of one cutoff, so that the age of the snapshot weighs all alike: what is left are the weights of users who stand
    for others.
    """
    weights = None if rows.weights is None else rows.weights / rows.weights.mean()
    probability = fit_platt(raw, rows.churned, weights=weights).probability(raw)
    losses = -np.log(np.clip(np.where(rows.churned, probability, 1 - probability), 1e-15, 1))
    return losses if weights is None else losses * weights


def _chosen_weight(losses: dict[float, Values]) -> float:
    best = min(losses, key=lambda weight: float(losses[weight].mean()))
    return best if is_better(losses[best], losses[USUAL_WEIGHT], by=_SURE) else USUAL_WEIGHT


def is_better(losses: Values, others: Values, *, by: float) -> bool:
    """Whether losses are lower than others of the same rows by more than so many standard errors of the mean difference."""
    gain = others - losses
    return bool(gain.mean() > by * gain.std() / np.sqrt(len(gain)))
