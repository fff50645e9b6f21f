"""Hyperparameter search for LightGBM, on request: seeded, over inner folds that run forward in time, never over the test.

A trial is judged by its mean log loss over the folds, after Platt scaling: what calibration corrects in any case should not decide
which trees are better. The first trial has the current settings, so the result is never worse than these on the folds.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from sklearn.metrics import log_loss

from features.activity.store import Say
from features.errors import SettingsError
from models.scorers.calibration import fit_platt
from models.scorers.trees import TreeFitter, raw_scores
from models.settings import ModelSettings
from training.fit.folds import Fold, Folds

if TYPE_CHECKING:
    import optuna

_UNPRUNED = 5
_HALF_LIVES = (0, 1, 3)


@dataclass(frozen=True)
class Choice:
    """What is searched for: the settings of the trees, and the half-life of snapshot weights (None: equal weights)."""

    settings: ModelSettings
    recency_half_life_days: float | None = None

    @property
    def parameters(self) -> dict[str, Any]:
        """The parameters that the search varies, by name."""
        s = self.settings
        return {name: getattr(s, name) for name in _SEARCHED} | {"recency_half_life_days": self.recency_half_life_days}


_SEARCHED = (
    "num_leaves",
    "learning_rate",
    "min_data_in_leaf",
    "feature_fraction",
    "bagging_fraction",
    "lambda_l2",
    "monotone",
)


@dataclass(frozen=True)
class Budget:
    """When to stop. With ``minutes`` the number of trials, and so the result, depends on how fast the machine is."""

    trials: int
    minutes: float | None = None


@dataclass(frozen=True)
class TrialResult:
    """One trial. ``log_loss`` is the mean over the folds that it was tried on: fewer than all, if it was pruned."""

    number: int
    parameters: dict[str, Any]
    log_loss: float
    state: Literal["complete", "pruned"]


@dataclass(frozen=True)
class SearchResult:
    """The best choice (the current settings, where no trial was better), all trials, and why that one."""

    choice: Choice
    trials: tuple[TrialResult, ...]
    why: str


def search(folds: Folds, tree_fitter: TreeFitter, *, start: Choice, budget: Budget, say: Say) -> SearchResult:
    """Try settings and return the best.

    Parameters
    ----------
    tree_fitter
        With the seed and the features; each trial replaces its settings.
    start
        The current settings: the first trial.
    say
        Called with each trial that is better than all before, one line each.

    Raises
    ------
    SettingsError
        When Optuna is not installed.
    """
    optuna = _optuna()
    say(f"search: {folds.why}")
    objective = _Objective(folds, tree_fitter, start, say)
    study = optuna.create_study(
        sampler=optuna.samplers.TPESampler(seed=tree_fitter.seed),
        pruner=optuna.pruners.MedianPruner(n_startup_trials=_UNPRUNED),
    )
    seconds = None if budget.minutes is None else 60 * budget.minutes
    study.optimize(objective, n_trials=budget.trials, timeout=seconds)
    return objective.result()


def _optuna() -> Any:
    try:
        import optuna  # noqa: PLC0415 -- an extra
    except ImportError as error:
        raise SettingsError(
            "[training] search_trials: Optuna, which does the search, is not installed",
            hint='install the extra "search", or set training.search_trials = 0',
        ) from error
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna


@dataclass(frozen=True)
class _Objective:
    """Optuna's objective, which also records the trials."""

    folds: Folds
    tree_fitter: TreeFitter
    start: Choice
    say: Say
    trials: list[tuple[Choice, TrialResult]] = field(default_factory=list[tuple[Choice, TrialResult]])

    def __call__(self, trial: optuna.Trial) -> float:
        """Return the mean log loss of a trial over the folds; a trial that is worse than the median so far is pruned."""
        choice = self.start if trial.number == 0 else _suggest(trial, self.start, purge_days=self.folds.purge_days)
        losses: list[float] = []
        for step, fold in enumerate(self.folds.parts):
            losses.append(_loss(fold, self.tree_fitter, choice=choice))
            trial.report(float(np.mean(losses)), step)
            if len(losses) < len(self.folds.parts) and trial.should_prune():
                self._record(trial.number, choice, losses=losses, state="pruned")
                raise _optuna().TrialPruned
        return self._record(trial.number, choice, losses=losses, state="complete")

    def _record(
        self, number: int, choice: Choice, *, losses: list[float], state: Literal["complete", "pruned"]
    ) -> float:
        found = TrialResult(number, choice.parameters, float(np.mean(losses)), state)
        before = self._best.log_loss if self.trials else float("inf")
        self.trials.append((choice, found))
        if state == "complete" and found.log_loss < before:
            self.say(f"trial {number}: log loss {found.log_loss:.5f}, the best so far")
        return found.log_loss

    @property
    def _best(self) -> TrialResult:
        return min((one for _, one in self.trials if one.state == "complete"), key=lambda one: one.log_loss)

    def result(self) -> SearchResult:
        """Return the best trial; the first of equal ones."""
        trials, best = tuple(one for _, one in self.trials), self._best
        choice = self.trials[best.number][0]
        losses = f"log loss {best.log_loss:.5f}, compared with {trials[0].log_loss:.5f} of the configured settings"
        why = f"trial {best.number} of {len(trials)}: {losses}; {self.folds.why}"
        return SearchResult(choice, trials, why)


def _suggest(trial: optuna.Trial, start: Choice, *, purge_days: int) -> Choice:
    half_life = trial.suggest_categorical("recency_half_life_horizons", _HALF_LIVES)
    found = {
        "num_leaves": trial.suggest_int("num_leaves", 4, 31, log=True),
        "learning_rate": trial.suggest_float("learning_rate", 0.02, 0.15, log=True),
        "min_data_in_leaf": trial.suggest_int("min_data_in_leaf", 20, 500, log=True),
        "feature_fraction": trial.suggest_float("feature_fraction", 0.15, 1.0),
        "bagging_fraction": trial.suggest_float("bagging_fraction", 0.5, 1.0),
        "lambda_l2": trial.suggest_float("lambda_l2", 0.1, 100.0, log=True),
        "monotone": trial.suggest_categorical("monotone", ("known", "none")),
    }
    return Choice(start.settings.model_copy(update=found), float(half_life * purge_days) or None)


def _loss(fold: Fold, tree_fitter: TreeFitter, *, choice: Choice) -> float:
    chosen = replace(tree_fitter, settings=choice.settings)
    booster = chosen.fit(
        fold.train.with_recency_weights(fold.cutoffs, choice.recency_half_life_days), validation=fold.held_out
    )
    raw, churned = raw_scores(booster, fold.held_out.matrix), fold.held_out.churned
    weights = fold.held_out.weights  # of users who stand for others; the half-life weighs the rows to fit on only
    probability = fit_platt(raw, churned, weights=weights).probability(raw)
    return float(log_loss(churned, probability, labels=[False, True], sample_weight=weights))
