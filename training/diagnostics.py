"""Backtest and learning curve: the recipe is refitted on past weeks and on fewer users, where the settings say so."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date

from features.activity.store import Activity, Say
from features.profiles.specification import Specification
from training.data.dataset import Dataset
from training.data.treatment import Treatment
from training.evaluation.backtest import Backtest, backtest, history, past_splits_of
from training.evaluation.learning_curve import LearningCurve, learning_curve
from training.fit.fit import Fit, Fitter
from training.fit.used_features import used_features
from training.horizon.advice import mislabelling
from training.plan.outages import Outage
from training.plan.plan import Recipe, Strategy, is_history_limited, is_sound, split_of
from training.plan.splits import Split
from training.settings import AdviceSettings
from training.trained import TrainingResult


@dataclass(frozen=True)
class Refit:
    """Fits the recipe to any rows, as a training does: categories, and the features that are used, are those of the rows.

    Attributes
    ----------
    specification
        The columns of the profiles and the constants in them, which are frozen.
    first_day
        Of the log.
    """

    specification: Specification
    recipe: Recipe
    first_day: date

    def __call__(self, training_rows: Dataset, split: Split) -> Fit:
        """Fit on the rows of a split's training cutoffs."""
        recipe = self.recipe
        used = used_features(
            training_rows,
            self.specification,
            split=split,
            recipe=recipe,
            is_history_limited=is_history_limited(recipe, split, first_day=self.first_day),
        )
        fitter = Fitter(used.stable.specification, recipe.model, recipe.training)
        return fitter.fit(training_rows, split, chosen=used.chosen)


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
    first_day = activity.coverage.first_day
    curve = _learning_curve(trained, first_day=first_day, say=say) if t.learning_curve else None
    return Diagnostics(past, curve, returning)


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
    fit = Refit(specification, recipe, activity.coverage.first_day)
    return backtest(dataset, splits, fit=fit, minimum=t.min_class_users, seed=t.seed)


def _learning_curve(trained: TrainingResult, *, first_day: date, say: Say) -> LearningCurve:
    say("learning curve: fitting on growing shares of the users")
    fit = Refit(trained.model.specification, trained.recipe, first_day)
    seed = trained.recipe.training.seed
    return learning_curve(trained.training_rows, trained.test, split=trained.split, fit=fit, seed=seed)
