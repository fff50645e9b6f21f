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

from features.activity import Activity
from features.errors import GuardRefused
from features.settings import FeatureSettings, Section
from models.settings import ModelSettings
from training.backtest import history, past_splits, rarer
from training.comparing import Comparison, Contender, Said, against, against_rule
from training.dataset import Dataset
from training.layout import Recipe, is_sound, outages_of, plan_of
from training.looking_back import Refit
from training.settings import TrainingSettings
from training.splits import Split

_SECTIONS: dict[str, type[Section]] = {
    "features": FeatureSettings,
    "model": ModelSettings,
    "training": TrainingSettings,
}
# what is asked for beside a model, and changes none
_BESIDE = ("test_cutoff", "horizons_days", "search_trials", "refit", "backtest_weeks", "learning_curve", "capacity")


def recipe_of(parameters: Mapping[str, str], today: Recipe) -> Recipe | None:
    """Read back with which settings a run trained; None where they are not those that this version of churn knows.

    Sections that no run writes down (outages, bots, drift) are today's.
    """
    if any(_recorded(name, parameters) != set(kind.model_fields) for name, kind in _SECTIONS.items()):
        return None
    try:
        read: dict[str, Any] = {name: _read(name, parameters) for name in _SECTIONS}
    except ValidationError:
        return None
    beside = {key: getattr(TrainingSettings(), key) for key in _BESIDE}
    return replace(today, **read | {"training": read["training"].model_copy(update=beside)})


def _recorded(section: str, parameters: Mapping[str, str]) -> set[str]:
    return {key.partition(".")[2] for key in parameters if key.startswith(f"{section}.")}


def _read(section: str, parameters: Mapping[str, str]) -> Section:
    kind = _SECTIONS[section]
    return kind.model_validate({key: _value(parameters[f"{section}.{key}"]) for key in kind.model_fields})


def _value(text: str) -> Any:
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text


def of_recipes(challenger: Contender, champion: Contender | None, *, today: Recipe, weeks: int) -> Comparison:
    """Train both recipes again before each past week, and test them on that week; without a champion, beside a rule.

    Equal recipes are trained once: they say the same.

    Raises
    ------
    GuardRefused
        When a run does not tell its recipe, or no past week fits.
    """
    own = _Past.of(challenger, today, most=weeks)
    if champion is None:
        return replace(against_rule(own.tested_at(own.tests)), of="recipes")
    other = _Past.of(champion, today, most=weeks)
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
    def of(cls, contender: Contender, today: Recipe, *, most: int) -> _Past:
        recipe = recipe_of(contender.parameters, today)
        if recipe is None:
            raise GuardRefused(
                "the models have seen every finished week, so only their recipes can be compared, and the run of "
                f"version {contender.version} does not tell its recipe",
                hint="wait until a week is finished that neither has seen, or train both again with this version of churn",
            )
        return cls(contender.activity, recipe, _past_splits(contender.activity, recipe, most=most))

    @property
    def tests(self) -> set[date]:
        return {split.test for split in self.splits}

    def tested_at(self, tests: set[date]) -> Said:
        """Fit before each week, and score its users; weeks of a handful of churners or stayers are left out."""
        splits = [split for split in self.splits if split.test in tests]
        if not splits:
            raise GuardRefused(
                "the models have seen every finished week, and the log is too short to train both recipes before a past one",
                hint="try again when a week is finished that neither has seen",
            )
        recipe = self.recipe
        specification, whole = history(
            self.activity, recipe.features, churn=recipe.churn, training=recipe.training, splits=splits
        )
        refit, fewest = Refit(specification, recipe), recipe.training.min_class_rows
        return _stacked(
            [_week(whole, split, refit=refit) for split in splits if _is_enough(whole, split, fewest=fewest)]
            or [Said(whole.at([]), np.zeros(0))]
        )


def _past_splits(activity: Activity, recipe: Recipe, *, most: int) -> tuple[Split, ...]:
    sound = is_sound(recipe, outages_of(activity, recipe))

    def plan_at(test: date) -> Split:
        then = recipe.training.model_copy(update={"test_cutoff": test})
        return plan_of(activity, replace(recipe, training=then), sound=sound)

    latest = recipe.window.latest_finished(activity.coverage.covered_until)
    return past_splits(plan_at, first=activity.coverage.first_day, latest=latest, most=most)


def _is_enough(whole: Dataset, split: Split, *, fewest: int) -> bool:
    return min(rarer(whole.at([split.test])), rarer(whole.at(split.calibration))) >= fewest


def _week(whole: Dataset, split: Split, *, refit: Refit) -> Said:
    test = whole.at([split.test])
    return Said(test, refit(whole.at(split.learnt_from), split).predict_probability(test.profiles))


def _stacked(weeks: Sequence[Said]) -> Said:
    first, *others = [week.test for week in weeks]
    return Said(reduce(Dataset.joined, others, first), np.concatenate([week.probability for week in weeks]))
