"""Backtest and learning curve: the recipe is refitted on past weeks and on fewer users, where the settings say so."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from features.activity.store import Activity, Say
from features.profiles.specification import Specification
from training.data.dataset import Dataset
from training.data.specification import with_categories
from training.data.treatment import Treatment
from training.evaluation.backtest import Backtest, backtest, history, past_splits_of
from training.evaluation.learning_curve import LearningCurve, learning_curve
from training.fit.fit import Fit, Fitter
from training.horizon.advice import mislabelling
from training.plan.outages import Outage
from training.plan.plan import Recipe, Strategy, is_sound, split_of
from training.plan.splits import Split
from training.settings import AdviceSettings
from training.trained import TrainingResult


@dataclass(frozen=True)
class Refit:
    """Fits the recipe to any rows: categories are fitted anew, everything else is frozen."""

    specification: Specification
    recipe: Recipe

    def __call__(self, training_rows: Dataset, split: Split) -> Fit:
        """Fit on the rows of a split's training cutoffs."""
        known = with_categories(
            self.specification, training_rows.at(split.train).profiles, maximum=self.recipe.model.max_categories
        )
        return Fitter(known, self.recipe.model, self.recipe.training).fit(training_rows, split)


@dataclass(frozen=True)
class Diagnostics:
    """What else is found out about a training.

    Attributes
    ----------
    backtest, learning_curve
        The results of further fits; None where the settings do not request them, and for a backtest where no label of the target
        horizon was known in time: a warning of the training says so.
    mislabelling
        The warning of ``churn horizon`` that many of those labelled churned come back; empty: they do not.
    """

    backtest: Backtest | None = None
    learning_curve: LearningCurve | None = None
    mislabelling: str = ""


def diagnose(
    activity: Activity,
    trained: TrainingResult,
    *,
    advice: AdviceSettings,
    say: Say,
    treatment: Treatment | None = None,
) -> Diagnostics:
    """Run the backtest and the learning curve, where the settings request them, and see who comes back after the horizon.

    Parameters
    ----------
    treatment
        Whose label a contact may have changed; None: nobody's. The backtest excludes these rows where the training did.
    """
    t = trained.recipe.training
    if not trained.split.train:
        return Diagnostics()
    asked = replace(trained.recipe, churn=trained.plan.label_churn)
    returning = mislabelling(activity, asked, settings=advice)
    past = None
    if t.backtest_weeks and trained.plan.strategy is Strategy.DIRECT:
        treated = treatment if treatment and trained.training_rows.weights is not None else Treatment()
        past = backtest_of(activity, trained.recipe, outages=trained.plan.outages, treatment=treated, say=say)
    return Diagnostics(past, _learning_curve(trained, say=say) if t.learning_curve else None, returning)


def backtest_of(
    activity: Activity, recipe: Recipe, *, outages: Sequence[Outage], treatment: Treatment, say: Say
) -> Backtest:
    """Train and test the recipe at every past week, the latest ``backtest_weeks`` of them, unaffected by the outages of the log.

    Parameters
    ----------
    treatment
        Whose rows are excluded; users who were held out on the same lists stand for them, with weights.
    """
    t = recipe.training
    latest = split_of(activity, recipe, sound=is_sound(recipe, outages)).test
    splits = past_splits_of(activity, recipe, outages=outages, latest=latest, maximum=t.backtest_weeks)
    say(f"backtest: {len(splits)} past tests")
    specification, dataset = history(activity, recipe, splits=splits)
    dataset = treatment.of(dataset, recipe.window).untreated() if treatment.entries.num_rows else dataset
    return backtest(dataset, splits, fit=Refit(specification, recipe), minimum=t.min_class_users, seed=t.seed)


def _learning_curve(trained: TrainingResult, *, say: Say) -> LearningCurve:
    say("learning curve: fitting on growing shares of the users")
    fit = Refit(trained.model.specification, trained.recipe)
    seed = trained.recipe.training.seed
    return learning_curve(trained.training_rows, trained.test, split=trained.split, fit=fit, seed=seed)
