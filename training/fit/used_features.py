"""The features that a fit uses: none that drifts, that tells the date, or that depends on a first day which means another thing later."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa

from features.profiles.specification import Specification
from training.data.dataset import Dataset
from training.data.date_tellers import CERTAIN, date_tellers, describe
from training.data.drift import StableFeatures, stable_features
from training.data.specification import with_categories
from training.fit.ensemble import Chosen, is_better
from training.fit.fit import Fitter
from training.plan.plan import Recipe
from training.plan.splits import Split


@dataclass(frozen=True)
class UsedFeatures:
    """What a fit uses.

    Attributes
    ----------
    stable
        The specification with its categories, and what it does not use and why.
    chosen
        What was chosen on later periods, where these had to be predicted to decide on features.
    """

    stable: StableFeatures
    chosen: Chosen | None = None


def used_features(
    training_rows: Dataset, specification: Specification, *, split: Split, recipe: Recipe, is_history_limited: bool
) -> UsedFeatures:
    """Freeze the categories, and exclude features as the recipe says: a training and every refit of it do the same, on their own rows.

    Parameters
    ----------
    training_rows
        At the training cutoffs of the split.
    is_history_limited
        Whether the history at the test is so much longer than in training that a user's first day means another thing.
    """
    train = training_rows.at(split.train).profiles
    stable = select_stable(train, specification, recipe=recipe, is_history_limited=is_history_limited)
    return _without_date_tellers(stable, training_rows, split=split, recipe=recipe)


def select_stable(
    profiles: pa.Table, specification: Specification, *, recipe: Recipe, is_history_limited: bool
) -> StableFeatures:
    """Freeze the categories, and exclude what drifts between the training snapshots, or means another thing later."""
    known = with_categories(specification, profiles, maximum=recipe.model.max_categories)
    drift = recipe.drift
    stable = stable_features(profiles, known, settings=drift) if drift.exclude else StableFeatures(known, {}, {})
    return _without_first_day(stable) if is_history_limited else stable


def _without_first_day(stable: StableFeatures) -> StableFeatures:
    why = "it depends on the day a user was first seen, which in training is the start of the log for most"
    specification = stable.specification
    names = (one.name for one in specification.features if one.depends_on_first_day)
    return stable.without({name: why for name in names if name not in specification.unused})


def _without_date_tellers(
    stable: StableFeatures, training_rows: Dataset, *, split: Split, recipe: Recipe
) -> UsedFeatures:
    """Exclude numbers that tell the date within a group, unless a later period is predicted better with them.

    Where no later period can be predicted, only those are excluded that the date alone decides.
    """
    if not recipe.drift.exclude:
        return UsedFeatures(stable)
    found = date_tellers(training_rows.at(split.train).profiles, stable.specification)
    if not found:
        return UsedFeatures(stable)
    without = stable.without({name: describe(*one) for name, one in found.items()})
    fitters = [Fitter(one.specification, recipe.model, recipe.training) for one in (stable, without)]
    later = [fitter.later_folds(training_rows, split) for fitter in fitters]
    if not later[0]:
        certain = {name: describe(*one) for name, one in found.items() if one[0] > CERTAIN}
        return UsedFeatures(stable.without(certain))
    with_them, without_them = (fitter.choose(folds) for fitter, folds in zip(fitters, later, strict=True))
    is_needed = is_better(with_them.losses, without_them.losses, by=1)
    return UsedFeatures(stable, with_them) if is_needed else UsedFeatures(without, without_them)
