"""Recipes of challenger and champion, each trained again before past weeks: for models that have seen every finished week."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import reduce
from typing import Any

import numpy as np
from pydantic import ValidationError

from features.activity.store import Activity
from features.errors import CheckFailed
from features.settings import FeatureSettings, Section, former_names
from models.settings import ModelSettings
from training.data.dataset import Dataset
from training.diagnostics import Refit
from training.evaluation.backtest import history, is_enough, past_splits_of
from training.plan.outages import Outage
from training.plan.plan import Recipe, outages_of
from training.plan.splits import Split
from training.promotion.comparison import Comparison, Contender, Predictions, against, against_rule
from training.settings import BotsSettings, DriftSettings, OutagesSettings, TrainingSettings

_SECTIONS: dict[str, type[Section]] = {
    "features": FeatureSettings,
    "model": ModelSettings,
    "training": TrainingSettings,
    "outages": OutagesSettings,
    "bots": BotsSettings,
    "drift": DriftSettings,
}
_ALWAYS = ("features", "model", "training")  # every run has recorded these
# what is asked for beside a model, and changes none
_BESIDE = ("test_cutoff", "horizons_days", "search_trials", "refit", "backtest_weeks", "learning_curve", "capacity")


def recipe_of(parameters: Mapping[str, str], today: Recipe) -> Recipe | None:
    """Read back with which settings a run trained; None where it recorded none, or one that this version of churn does not know.

    A setting that is older than its present name is read under its former one; one that was added later has its default.
    """
    recorded = _recorded(parameters)
    if not all(recorded[name] for name in _ALWAYS):
        return None
    try:
        read: dict[str, Any] = {name: kind.model_validate(recorded[name]) for name, kind in _SECTIONS.items()}
    except ValidationError:
        return None
    beside = {key: getattr(TrainingSettings(), key) for key in _BESIDE}
    return replace(today, **read | {"training": read["training"].model_copy(update=beside)})


def _recorded(parameters: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """Return the settings that a run recorded, by section and under their names of today."""
    renamed = {old: new for name, kind in _SECTIONS.items() for old, new in former_names(name, kind).items()}
    recorded: dict[str, dict[str, Any]] = {name: {} for name in _SECTIONS}
    for name, value in parameters.items():
        section, _, key = renamed.get(name, name).partition(".")
        if section in recorded:
            recorded[section][key] = _value(value)
    return recorded


def _value(text: str) -> Any:
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text


def of_recipes(
    challenger: Contender, champion: Contender | None, *, today: Recipe, outages: Sequence[Outage], weeks: int
) -> Comparison:
    """Train both recipes again before each past week, and test them on that week; without a champion, beside a rule.

    Equal recipes are trained once: they say the same.

    Parameters
    ----------
    outages
        Of the log, by today's settings.

    Raises
    ------
    CheckFailed
        When a run does not tell its recipe, or no past week fits.
    """
    own = _Past.of(challenger, today, outages=outages, most=weeks)
    if champion is None:
        return replace(against_rule(own.tested_at(own.tests)), of="recipes")
    other = _Past.of(champion, today, outages=outages, most=weeks)
    said = own.tested_at(own.tests & other.tests)
    is_same = own.recipe == other.recipe
    beside = said if is_same else other.tested_at(own.tests & other.tests)
    found = against(said, beside, version=champion.version)
    return replace(
        found, of="recipes", against=f"{found.against}, whose recipe is the same" if is_same else found.against
    )


@dataclass(frozen=True)
class _Past:
    """A recipe, and the past weeks before which it can be trained."""

    activity: Activity
    recipe: Recipe
    splits: tuple[Split, ...]

    @classmethod
    def of(cls, contender: Contender, today: Recipe, *, outages: Sequence[Outage], most: int) -> _Past:
        recipe = recipe_of(contender.parameters, today)
        if recipe is None:
            raise CheckFailed(
                "the models have seen every finished week, so only their recipes can be compared, and the run of "
                f"version {contender.version} does not tell its recipe",
                hint="wait until a week is finished that neither has seen, or train both again with this version of churn",
            )
        activity = contender.activity
        if recipe.outages != today.outages:
            outages = outages_of(activity, recipe)
        latest = recipe.window.latest_finished(activity.coverage.covered_until)
        return cls(activity, recipe, past_splits_of(activity, recipe, outages=outages, latest=latest, most=most))

    @property
    def tests(self) -> set[date]:
        return {split.test for split in self.splits}

    def tested_at(self, tests: set[date]) -> Predictions:
        """Fit before each week, and score its users; weeks of a handful of churners or retained are left out."""
        splits = [split for split in self.splits if split.test in tests]
        if not splits:
            raise CheckFailed(
                "the models have seen every finished week, and the log is too short to train both recipes before a past one",
                hint="try again when a week is finished that neither has seen",
            )
        specification, whole = history(self.activity, self.recipe, splits=splits)
        refit, minimum = Refit(specification, self.recipe), self.recipe.training.min_class_users
        return _stacked(
            [_week(whole, split, refit=refit) for split in splits if is_enough(whole, split, minimum=minimum)]
            or [Predictions(whole.at([]), np.zeros(0))]
        )


def _week(whole: Dataset, split: Split, *, refit: Refit) -> Predictions:
    test = whole.at([split.test])
    return Predictions(test, refit(whole.at(split.training_cutoffs), split).predict_probability(test.profiles))


def _stacked(weeks: Sequence[Predictions]) -> Predictions:
    first, *others = [week.test for week in weeks]
    return Predictions(reduce(Dataset.joined, others, first), np.concatenate([week.probability for week in weeks]))
