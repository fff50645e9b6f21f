"""Search for settings of LightGBM, on request: seeded, over inner folds that run forward in time, never over the test.

Every trial is told by its mean log loss over the folds, after Platt scaling: what the calibration will set right in any case
should not decide which trees are better. The settings as they are come first, so the result is never worse than they are there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import log_loss
from sklearn.model_selection import GroupKFold

from features.errors import SettingsError
from models.scorers.calibration import fit_platt
from models.scorers.trees import Rows, TreeFitter, raw_scores
from models.settings import ModelSettings

if TYPE_CHECKING:
    import optuna

Cutoffs = NDArray[np.datetime64]
Say = Callable[[str], None]

_MOST_FOLDS = 3
_UNPRUNED = 5
_HALF_LIVES = (0, 1, 3)


@dataclass(frozen=True)
class Fold:
    """Learn from some rows, of these cutoffs, and be measured on others."""

    train: Rows
    cutoffs: Cutoffs
    held_out: Rows


@dataclass(frozen=True)
class Folds:
    """Inner folds, the latest first, and why they are what they are; ``purge_days`` is gap + horizon."""

    parts: tuple[Fold, ...]
    purge_days: int
    why: str

    @classmethod
    def of(cls, rows: Rows, cutoffs: Cutoffs, *, purge_days: int) -> Folds:
        """Lay out the folds: learn from cutoffs whose labels are known at a later one, and be measured there.

        Parameters
        ----------
        rows, cutoffs
            Training rows, and the cutoff of each, shape (n,).
        """
        distinct = np.unique(cutoffs)
        measured = [cutoff for cutoff in distinct if cutoff - purge_days >= distinct[0]]
        if not measured:
            why = f"folds of users: no training cutoff is {purge_days} days, gap and horizon, after another"
            return cls(tuple(_of_users(rows, cutoffs)), purge_days, why)
        chosen = measured[:: -max(1, len(measured) // _MOST_FOLDS)][:_MOST_FOLDS]
        why = f"folds in time: measured on {', '.join(map(str, chosen))}, trained on cutoffs {purge_days} days before or earlier"
        return cls(
            tuple(_before(rows, cutoffs, known_until=cutoff - purge_days, at=cutoff) for cutoff in chosen),
            purge_days,
            why,
        )


def _before(rows: Rows, cutoffs: Cutoffs, *, known_until: np.datetime64, at: np.datetime64) -> Fold:
    known = cutoffs <= known_until
    return Fold(rows.take(known), cutoffs[known], rows.take(cutoffs == at))


def _of_users(rows: Rows, cutoffs: Cutoffs) -> Iterator[Fold]:
    for seen, unseen in GroupKFold(n_splits=_MOST_FOLDS).split(rows.users, groups=rows.users):
        yield Fold(rows.take(seen), cutoffs[seen], rows.take(unseen))


@dataclass(frozen=True)
class Choice:
    """What is searched for: the settings of the trees, and how fast older snapshots fade (None: not at all)."""

    settings: ModelSettings
    recency_half_life_days: float | None = None

    @property
    def parameters(self) -> dict[str, Any]:
        """The searched ones, by name."""
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
    """One trial. ``log_loss`` is the mean over the folds that it was tried on: not all of them, if it was pruned."""

    number: int
    parameters: dict[str, Any]
    log_loss: float
    state: Literal["complete", "pruned"]


@dataclass(frozen=True)
class Searched:
    """The best of the trials (the settings as they were, where nothing beat them), all of them, and why that one."""

    choice: Choice
    trials: tuple[TrialResult, ...]
    why: str


def search(folds: Folds, learner: TreeFitter, *, start: Choice, budget: Budget, say: Say) -> Searched:
    """Try settings and return the best.

    Parameters
    ----------
    learner
        Gives seed and features; each trial replaces its settings.
    start
        The settings as they are; the first trial.
    say
        UserEvents each better trial, one line each.

    Raises
    ------
    SettingsError
        When Optuna is not installed.
    """
    optuna = _optuna()
    say(f"search: {folds.why}")
    trying = _Trying(folds, learner, start, say)
    study = optuna.create_study(
        sampler=optuna.samplers.TPESampler(seed=learner.seed),
        pruner=optuna.pruners.MedianPruner(n_startup_trials=_UNPRUNED),
    )
    seconds = None if budget.minutes is None else 60 * budget.minutes
    study.optimize(trying, n_trials=budget.trials, timeout=seconds)
    return trying.result()


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
class _Trying:
    """Optuna's objective, which also keeps what each trial was."""

    folds: Folds
    learner: TreeFitter
    start: Choice
    say: Say
    tried: list[tuple[Choice, TrialResult]] = field(default_factory=list[tuple[Choice, TrialResult]])

    def __call__(self, trial: optuna.Trial) -> float:
        """Return the mean log loss of a trial over the folds, unless those so far already are worse than the median's."""
        choice = self.start if trial.number == 0 else _suggest(trial, self.start, purge_days=self.folds.purge_days)
        losses: list[float] = []
        for step, fold in enumerate(self.folds.parts):
            losses.append(_loss(fold, self.learner, choice=choice))
            trial.report(float(np.mean(losses)), step)
            if len(losses) < len(self.folds.parts) and trial.should_prune():
                self._keep(trial.number, choice, losses=losses, state="pruned")
                raise _optuna().TrialPruned
        return self._keep(trial.number, choice, losses=losses, state="complete")

    def _keep(self, number: int, choice: Choice, *, losses: list[float], state: Literal["complete", "pruned"]) -> float:
        found = TrialResult(number, choice.parameters, float(np.mean(losses)), state)
        before = self._best.log_loss if self.tried else float("inf")
        self.tried.append((choice, found))
        if state == "complete" and found.log_loss < before:
            self.say(f"trial {number}: log loss {found.log_loss:.5f}, the best so far")
        return found.log_loss

    @property
    def _best(self) -> TrialResult:
        return min((one for _, one in self.tried if one.state == "complete"), key=lambda one: one.log_loss)

    def result(self) -> Searched:
        """Return the best; of equals the first."""
        trials, best = tuple(one for _, one in self.tried), self._best
        choice = self.tried[best.number][0]
        figures = f"log loss {best.log_loss:.5f} against {trials[0].log_loss:.5f} of the settings as they were"
        why = f"trial {best.number} of {len(trials)}: {figures}; {self.folds.why}"
        return Searched(choice, trials, why)


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


def _loss(fold: Fold, learner: TreeFitter, *, choice: Choice) -> float:
    chosen = replace(learner, settings=choice.settings)
    booster = chosen.fit(fold.train.fading(fold.cutoffs, choice.recency_half_life_days), validation=fold.held_out)
    raw, churned = raw_scores(booster, fold.held_out.matrix), fold.held_out.churned
    return float(log_loss(churned, fit_platt(raw, churned).probability(raw), labels=[False, True]))
