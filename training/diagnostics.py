"""How the recipe would have done before, and with fewer users: it is fitted again, as often as the settings ask for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from features.activity.store import Activity
from features.profiles.specification import Specification
from training.data.dataset import Dataset
from training.data.specification import with_categories
from training.evaluation.backtest import Backtest, backtest, history, past_splits_of
from training.evaluation.learning_curve import LearningCurve, learning_curve
from training.fit.fit import Fit, Fitter
from training.plan.outages import Outage
from training.plan.plan import Recipe, is_sound, plan_of
from training.plan.splits import Split
from training.trained import Trained

Say = Callable[[str], None]


@dataclass(frozen=True)
class Refit:
    """Fits the recipe to any rows: categories are found anew, everything else is as frozen."""

    specification: Specification
    recipe: Recipe

    def __call__(self, training_rows: Dataset, split: Split) -> Fit:
        """Fit on the rows of a split's learning cutoffs."""
        known = with_categories(
            self.specification, training_rows.at(split.train).profiles, most=self.recipe.model.max_categories
        )
        return Fitter(known, self.recipe.model, self.recipe.training).fit(training_rows, split)


@dataclass(frozen=True)
class Diagnostics:
    """What the further fits showed; None where the settings do not ask for them."""

    backtest: Backtest | None = None
    learning_curve: LearningCurve | None = None


def diagnose(activity: Activity, trained: Trained, *, say: Say) -> Diagnostics:
    """Run the backtest and the learning curve that the settings ask for."""
    t = trained.recipe.training
    if not trained.split.train:
        return Diagnostics()
    outages = trained.layout.outages
    past = backtest_of(activity, trained.recipe, outages=outages, say=say) if t.backtest_weeks else None
    return Diagnostics(past, _learning_curve(trained, say=say) if t.learning_curve else None)


def backtest_of(activity: Activity, recipe: Recipe, *, outages: Sequence[Outage], say: Say) -> Backtest:
    """Train and test the recipe at every past week, the latest ``backtest_weeks`` of them, away from the outages of the log."""
    t = recipe.training
    latest = plan_of(activity, recipe, sound=is_sound(recipe, outages)).test
    splits = past_splits_of(activity, recipe, outages=outages, latest=latest, most=t.backtest_weeks)
    say(f"backtest: {len(splits)} past tests")
    specification, whole = history(activity, recipe, splits=splits)
    return backtest(whole, splits, fit=Refit(specification, recipe), minimum=t.min_class_users, seed=t.seed)


def _learning_curve(trained: Trained, *, say: Say) -> LearningCurve:
    say("learning curve: fitting on growing shares of the users")
    fit = Refit(trained.model.specification, trained.recipe)
    seed = trained.recipe.training.seed
    return learning_curve(trained.training_rows, trained.test, split=trained.split, fit=fit, seed=seed)
