"""The profiles of all horizons that see the same history: one frozen specification, built once, labelled for each horizon."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from features.activity.store import Activity, Say
from features.profiles.build import KEYS
from features.profiles.specification import Specification
from training.data.dataset import Dataset, eligible_profiles, label, sample_condition, sampled_share, snapshots_of
from training.data.specification import freeze
from training.data.treatment import Exclusion, Treatment
from training.plan.bots import exclusion_condition, find_bots
from training.plan.plan import Recipe, TrainingPlan
from training.plan.splits import Split

UntreatedRows = tuple[Dataset, Dataset, str]  # to train on, to test on, and what was done


@dataclass(frozen=True)
class ProfileSet:
    """Profiles without labels.

    Attributes
    ----------
    excluded
        Feature to the reason why the profile does not have it, or the model does not use it.
    training_rows, tests
        Profiles of the eligible users at the training cutoffs of all horizons, and at their test cutoffs.
    treatment
        Whose label a contact may have changed.
    """

    activity: Activity
    specification: Specification
    excluded: dict[str, str]
    training_rows: pa.Table
    tests: pa.Table
    treatment: Treatment = field(default_factory=Treatment)

    @classmethod
    def of(
        cls, activity: Activity, plans: Sequence[TrainingPlan], *, say: Say, treatment: Treatment | None = None
    ) -> ProfileSet:
        """Freeze one specification, at the training cutoffs that end earliest, and build the profiles of all cutoffs with it."""
        recipe, splits = plans[0].recipe, [plan.split for plan in plans]
        training_cutoffs = min((split.train or (split.test,) for split in splits), key=max)
        specification, excluded = freeze(
            activity, recipe.features, churn=recipe.churn, training_cutoffs=training_cutoffs
        )
        training_days = sorted({cutoff for split in splits for cutoff in split.training_cutoffs})
        tests = sorted({split.test for split in splits})
        names = f"{len(specification.feature_names)} features, {len(excluded)} excluded"
        say(f"{names}; profiles at {len(training_days) + len(tests)} cutoffs")
        test_profiles = _profiles(activity, specification, cutoffs=tests, recipe=recipe)
        training_profiles = (
            _profiles(activity, specification, cutoffs=training_days, recipe=recipe)
            if training_days
            else test_profiles.slice(0, 0)
        )
        return cls(activity, specification, excluded, training_profiles, test_profiles, treatment or Treatment())

    def training_rows_of(self, plan: TrainingPlan) -> Dataset:
        """Label the training rows of a plan."""
        return label(self.activity, _at(self.training_rows, plan.split.training_cutoffs), churn=plan.label_churn)

    def test_of(self, plan: TrainingPlan) -> Dataset:
        """Label the test rows of a plan: always with the target horizon."""
        return label(self.activity, _at(self.tests, [plan.split.test]), churn=plan.recipe.churn)

    def eligible_at(self, split: Split) -> tuple[pa.Table, pa.Table]:
        """Return the profiles of everybody who was eligible, contacted or not: at the training cutoffs, and at the test cutoff."""
        return _at(self.training_rows, split.train), _at(self.tests, [split.test])

    def capacity_in(self, test: Dataset, plan: TrainingPlan) -> float | None:
        """Return how many rows of a test are as large a share of it as the team can contact of all eligible users.

        A test has fewer rows than there are eligible users where these are sampled, and where contacted users are excluded.
        """
        t = plan.recipe.training
        if t.capacity is None:
            return None
        tested = sorted(_cutoffs(self.tests))
        share = sampled_share(self.activity, tested, churn=plan.recipe.churn, maximum=t.max_training_rows)
        return t.capacity * len(test.churned) / (_at(self.tests, [plan.split.test]).num_rows / share)

    def without_treated(self, training_rows: Dataset, test: Dataset, *, plan: TrainingPlan) -> UntreatedRows:
        """Exclude rows whose label a contact may have changed, where enough users were held out; and say what was done."""
        if plan.recipe.training.treated_users == "keep":
            return training_rows, test, ""
        exclusion = Exclusion(self.treatment, plan.label_window, plan.recipe.training.min_class_users)
        kept, words = exclusion.of(training_rows, what="training rows")
        if kept is training_rows:
            return training_rows, test, words
        return kept, self.treatment.of(test, plan.recipe.window).untreated(), words

    def dataset_at(self, cutoffs: Sequence[date], plan: TrainingPlan) -> Dataset:
        """Label rows at any finished cutoffs with the target horizon; missing profiles are built.

        Where there are many users, the same ones are sampled at all cutoffs: at most as many rows as the settings allow, and no
        cutoff has a greater share of its users than another.
        """
        training_rows, tested = _cutoffs(self.training_rows), _cutoffs(self.tests)
        tables = [_at(self.training_rows, cutoffs), _at(self.tests, set(cutoffs) - training_rows)]
        where = condition(self.activity, sorted({*cutoffs, *training_rows, *tested}), recipe=plan.recipe)
        tables = [_where(self.activity, table, where=where) for table in tables]
        if missing := sorted(set(cutoffs) - training_rows - tested):
            built = eligible_profiles(
                self.activity, self.specification, cutoffs=missing, churn=plan.recipe.churn, where=where
            )
            tables.append(built)
        return label(self.activity, pa.concat_tables(tables), churn=plan.recipe.churn)


def profile_sets_of(
    activity: Activity, plans: Sequence[TrainingPlan], *, say: Say, treatment: Treatment | None = None
) -> list[ProfileSet]:
    """Return the profiles of each plan; plans whose profiles see as many days of history share them."""
    shared: dict[int | None, list[TrainingPlan]] = {}
    for plan in plans:
        shared.setdefault(plan.recipe.features.observation_days, []).append(plan)
    found = {days: ProfileSet.of(activity, some, say=say, treatment=treatment) for days, some in shared.items()}
    return [found[plan.recipe.features.observation_days] for plan in plans]


def _cutoffs(profiles: pa.Table) -> set[date]:
    return set(snapshots_of(profiles))


def _at(profiles: pa.Table, cutoffs: Iterable[date]) -> pa.Table:
    wanted = set(cutoffs)
    if _cutoffs(profiles) <= wanted:
        return profiles
    return profiles.filter(pc.is_in(profiles.column("cutoff"), value_set=pa.array(sorted(wanted), pa.date32())))


def _where(activity: Activity, profiles: pa.Table, *, where: str) -> pa.Table:
    """Return the rows of profiles that a condition on their keys is true of, in their order."""
    keys = profiles.select(KEYS).append_column("place", pa.array(np.arange(profiles.num_rows)))
    activity.connection.register("sampled_profiles", keys)
    found = activity.connection.sql(f"select place from sampled_profiles where {where} order by place").to_arrow_table()
    activity.connection.unregister("sampled_profiles")
    return profiles if found.num_rows == profiles.num_rows else profiles.take(found.column("place"))


def _profiles(activity: Activity, specification: Specification, *, cutoffs: Sequence[date], recipe: Recipe) -> pa.Table:
    """Build the profiles of the eligible users that a training uses."""
    where = condition(activity, cutoffs, recipe=recipe)
    return eligible_profiles(activity, specification, cutoffs=cutoffs, churn=recipe.churn, where=where)


def condition(activity: Activity, cutoffs: Sequence[date], *, recipe: Recipe) -> str:
    """Return the condition for the profiles that a training uses: at most as many as the settings allow, without bots if excluded."""
    t = recipe.training
    where = sample_condition(activity, cutoffs, churn=recipe.churn, maximum=t.max_training_rows, seed=t.seed)
    if not recipe.bots.exclude:
        return where
    bots = [find_bots(activity, before=cutoff, timezone=recipe.churn.timezone) for cutoff in cutoffs]
    return f"{where} and {exclusion_condition(activity.connection, bots)}"
