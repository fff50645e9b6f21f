"""Recipes of challenger and champion, each retrained before past weeks: for models that have seen every finished week."""

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
from models.registry.run_record import is_cut
from models.settings import ModelSettings
from training.data.dataset import Dataset
from training.data.treatment import Exclusion
from training.diagnostics import Refit
from training.evaluation.backtest import has_enough_users, history, past_splits_of
from training.fit.fit import Fit
from training.plan.outages import Outage
from training.plan.plan import Recipe, outages_of
from training.plan.splits import Split
from training.promotion.comparison import Comparison, Contender, Predictions, compare_predictions, compare_with_rule
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
# settings that do not change the model
_NOT_OF_THE_MODEL = (
    "test_cutoff",
    "horizons_days",
    "search_trials",
    "refit",
    "backtest_weeks",
    "learning_curve",
    "capacity",
)


def recipe_of(parameters: Mapping[str, str], today: Recipe) -> Recipe | None:
    """Read the settings that a run recorded; None where it recorded none, or one that this version of churn does not know.

    A setting that was renamed since is read under its former name; one that was added since has its default.
    """
    recorded = _recorded(parameters)
    if not all(recorded[name] for name in _ALWAYS):
        return None
    try:
        read: dict[str, Any] = {name: kind.model_validate(recorded[name]) for name, kind in _SECTIONS.items()}
    except ValidationError:
        return None
    defaults = {key: getattr(TrainingSettings(), key) for key in _NOT_OF_THE_MODEL}
    return replace(today, **read | {"training": read["training"].model_copy(update=defaults)})


def _recorded(parameters: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """Return the settings that a run recorded, by section and under their present names."""
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


@dataclass(frozen=True)
class PastWeeks:
    """The past weeks that recipes are compared on.

    Attributes
    ----------
    today
        Today's settings.
    outages
        Of the log, by today's settings.
    maximum
        Number of weeks; the latest are used.
    exclusion
        Of users whom a contact may have kept: from the weeks, and from the rows of recipes that exclude them.
    """

    today: Recipe
    outages: Sequence[Outage]
    maximum: int
    exclusion: Exclusion


def compare_recipes(challenger: Contender, champion: Contender | None, *, weeks: PastWeeks) -> Comparison:
    """Retrain both recipes before each past week, and test them on that week; without a champion, compare with a rule.

    Equal recipes are trained once.

    Raises
    ------
    CheckFailed
        When a run did not record its settings, or no past week is possible.
    """
    own = _Past.of(challenger, weeks)
    if champion is None:
        return replace(compare_with_rule(own.predictions(own.tests, weeks.exclusion)), of="recipes")
    other = _Past.of(champion, weeks)
    predictions = own.predictions(own.tests & other.tests, weeks.exclusion)
    is_same = own.recipe == other.recipe
    as_own = weeks.exclusion.as_in(predictions.test)
    others = predictions if is_same else other.predictions(own.tests & other.tests, as_own)
    found = compare_predictions(predictions, others, version=champion.version)
    return replace(found, of="recipes", against=f"{found.against}, with the same recipe" if is_same else found.against)


@dataclass(frozen=True)
class _Past:
    """A recipe, and the past weeks before which it can be trained."""

    activity: Activity
    recipe: Recipe
    splits: tuple[Split, ...]

    @classmethod
    def of(cls, contender: Contender, weeks: PastWeeks) -> _Past:
        recipe = recipe_of(contender.parameters, weeks.today)
        if recipe is None:
            cut = [name for name, value in contender.parameters.items() if is_cut(value)]
            recorded = f"recorded {', '.join(cut)} only in part" if cut else "did not record its settings"
            raise CheckFailed(
                "the models have seen every finished week, so only their recipes can be compared, and the run of "
                f"version {contender.version} {recorded}",
                hint="wait until a week is finished that no compared model has seen, or train again with this version of churn",
            )
        activity, outages = contender.activity, weeks.outages
        if recipe.outages != weeks.today.outages:
            outages = outages_of(activity, recipe)
        latest = recipe.window.latest_finished(activity.coverage.covered_until)
        return cls(
            activity, recipe, past_splits_of(activity, recipe, outages=outages, latest=latest, maximum=weeks.maximum)
        )

    @property
    def tests(self) -> set[date]:
        return {split.test for split in self.splits}

    def predictions(self, tests: set[date], exclusion: Exclusion) -> Predictions:
        """Fit before each week, and score its users; weeks with too few churners or retained users are excluded."""
        splits = [split for split in self.splits if split.test in tests]
        if not splits:
            raise CheckFailed(
                "the models have seen every finished week, and the log is too short to train again before a past one",
                hint="try again when a week is finished that no compared model has seen",
            )
        specification, everybody = history(self.activity, self.recipe, splits=splits)
        refit = Refit(specification, self.recipe, self.activity.coverage.first_day)
        minimum = self.recipe.training.min_class_users
        tested, treated = exclusion.of(everybody, what="rows of past weeks")
        trained_on = tested if self.recipe.training.treated_users == "exclude" else everybody
        found = _stacked(
            [
                _week(tested.at([split.test]), refit(trained_on.at(split.training_cutoffs), split))
                for split in splits
                if has_enough_users(tested, split, minimum=minimum)
            ]
            or [Predictions(tested.at([]), np.zeros(0))]
        )
        return replace(found, treated=treated)


def _week(test: Dataset, fit: Fit) -> Predictions:
    return Predictions(test, fit.predict_probability(test.profiles))


def _stacked(weeks: Sequence[Predictions]) -> Predictions:
    first, *others = [week.test for week in weeks]
    return Predictions(
        reduce(Dataset.concatenated, others, first), np.concatenate([week.probability for week in weeks])
    )
