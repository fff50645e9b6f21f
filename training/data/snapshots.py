"""One build of profiles for the models of all horizons: frozen once, built once, labelled for each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date

import pyarrow as pa
import pyarrow.compute as pc

from features.activity.store import Activity
from features.profiles.specification import Specification
from training.data.dataset import Dataset, eligible, labelled, sampled, snapshots_of
from training.data.specification import freeze
from training.plan.bots import excluding, find_bots
from training.plan.plan import Recipe, TrainingPlan


@dataclass(frozen=True)
class ProfileSet:
    """Profiles without labels.

    Attributes
    ----------
    left_out
        Feature to why there is no such column, or why the model does not look at it.
    learnt, tests
        Profiles of the eligible users at the cutoffs that any horizon learns from, and at those that test.
    """

    activity: Activity
    specification: Specification
    left_out: dict[str, str]
    training_rows: pa.Table
    tests: pa.Table

    @classmethod
    def of(cls, activity: Activity, layouts: Sequence[TrainingPlan], *, say: Callable[[str], None]) -> ProfileSet:
        """Freeze one specification, where training ends the earliest, and build the profiles of all cutoffs under it."""
        recipe, splits = layouts[0].recipe, [layout.split for layout in layouts]
        training_cutoffs = min((split.train or (split.test,) for split in splits), key=max)
        specification, left_out = freeze(
            activity, recipe.features, churn=recipe.churn, training_cutoffs=training_cutoffs
        )
        training_rows = sorted({cutoff for split in splits for cutoff in split.training_cutoffs})
        tests = sorted({split.test for split in splits})
        names = f"{len(specification.feature_names)} features, {len(left_out)} left out"
        say(f"{names}; profiles at {len(training_rows) + len(tests)} cutoffs")
        found = _profiles(activity, specification, cutoffs=tests, recipe=recipe)
        before = (
            _profiles(activity, specification, cutoffs=training_rows, recipe=recipe)
            if training_rows
            else found.slice(0, 0)
        )
        return cls(activity, specification, left_out, before, found)

    def training_rows_of(self, layout: TrainingPlan) -> Dataset:
        """Label what one horizon learns from."""
        return labelled(self.activity, _at(self.training_rows, layout.split.training_cutoffs), churn=layout.label_churn)

    def test_of(self, layout: TrainingPlan) -> Dataset:
        """Label what one horizon is tested on: always the asked label."""
        return labelled(self.activity, _at(self.tests, [layout.split.test]), churn=layout.recipe.churn)

    def also_at(self, cutoffs: Sequence[date], layout: TrainingPlan) -> Dataset:
        """Label the asked horizon at any finished cutoffs, from profiles that are built where they are not there yet."""
        training_rows, tested = _cutoffs(self.training_rows), _cutoffs(self.tests)
        tables = [_at(self.training_rows, cutoffs), _at(self.tests, set(cutoffs) - training_rows)]
        if missing := sorted(set(cutoffs) - training_rows - tested):
            tables.append(_profiles(self.activity, self.specification, cutoffs=missing, recipe=layout.recipe))
        return labelled(self.activity, pa.concat_tables(tables), churn=layout.recipe.churn)


def _cutoffs(profiles: pa.Table) -> set[date]:
    return set(snapshots_of(profiles))


def _at(profiles: pa.Table, cutoffs: Iterable[date]) -> pa.Table:
    wanted = set(cutoffs)
    if _cutoffs(profiles) <= wanted:
        return profiles
    return profiles.filter(pc.is_in(profiles.column("cutoff"), value_set=pa.array(sorted(wanted), pa.date32())))


def _profiles(activity: Activity, specification: Specification, *, cutoffs: Sequence[date], recipe: Recipe) -> pa.Table:
    """Build the profiles of the eligible users that a training takes."""
    where = condition(activity, cutoffs, recipe=recipe)
    return eligible(activity, specification, cutoffs=cutoffs, churn=recipe.churn, where=where)


def condition(activity: Activity, cutoffs: Sequence[date], *, recipe: Recipe) -> str:
    """Return which profiles a training takes: no more than the settings allow, without bots where those are left out."""
    t = recipe.training
    where = sampled(activity, cutoffs, churn=recipe.churn, most=t.max_training_rows, seed=t.seed)
    if not recipe.bots.exclude:
        return where
    bots = [find_bots(activity, before=cutoff) for cutoff in cutoffs]
    return f"{where} and {excluding(activity.connection, bots)}"
