"""A crowd: the people of a simulated world over and over, under other names, so that there are as many as are asked for.

Only profiles are simulated. Who is learnt from is drawn by the condition that ``max_training_rows`` always means, and all that
follows is a training as it is: fits, baselines, evaluation, audit, pictures, MLflow.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any
from unittest.mock import patch

import pyarrow as pa
import pyarrow.compute as pc

from features.activity.store import Activity, Say
from features.settings import ChurnSettings
from training.data.dataset import Dataset, label, sample_condition
from training.data.snapshots import ProfileSet
from training.data.treatment import Treatment
from training.plan.plan import TrainingPlan

_AT_ONCE = 8  # times that the world is repeated in one query


@contextmanager
def crowded(times: int) -> Generator[list[int]]:
    """Train on a crowd meanwhile, in place of the log's own people; tells how many rows there were to draw from."""
    rows = list[int]()

    class Crowd(ProfileSet):
        """Every profile so many times; the label is that of the person who is repeated."""

        @classmethod
        def of(
            cls, activity: Activity, plans: Sequence[TrainingPlan], *, say: Say, treatment: Treatment | None = None
        ) -> ProfileSet:
            build = super().of(activity, plans, say=say, treatment=treatment)
            rows[:] = [times * some.num_rows for some in (build.training_rows, build.tests)]
            say(f"drawing from {sum(rows):,} rows")
            training_rows, tests = (
                drawn(activity, some, times=times, plan=plans[0]) for some in (build.training_rows, build.tests)
            )
            return replace(build, training_rows=training_rows, tests=tests)

        def training_rows_of(self, plan: TrainingPlan) -> Dataset:
            return _labelled(self.activity, self.training_rows, churn=plan.label_churn)

        def test_of(self, plan: TrainingPlan) -> Dataset:
            return _labelled(self.activity, self.tests, churn=plan.recipe.churn)

    with patch("training.pipeline.ProfileSet", Crowd):
        yield rows


def drawn(activity: Activity, once: pa.Table, *, times: int, plan: TrainingPlan) -> pa.Table:
    """Draw from the crowd as from a log: whole users by the hash of their names, at natural class rates."""
    cutoffs: list[Any] = once.column("cutoff").unique().to_pylist()
    t = plan.recipe.training
    maximum = t.max_training_rows // times  # of those who are there once: the same share of them
    where = sample_condition(activity, cutoffs, churn=plan.recipe.churn, maximum=maximum, seed=t.seed)
    return pa.concat_tables(_chunks(activity, once, times=times, where=where))


def _chunks(activity: Activity, once: pa.Table, *, times: int, where: str) -> Iterator[pa.Table]:
    """Yield the sample in parts; nobody ever holds the whole crowd."""
    connection = activity.connection.cursor()
    connection.register("once", once)
    for start in range(0, times, _AT_ONCE):
        copies = f"range({start}, {min(times, start + _AT_ONCE)}) copy(number)"
        yield connection.sql(
            f"select * from (select once.* replace (once.user_id || '-' || number as user_id) from once, {copies}) where {where}"
        ).to_arrow_table()


def _labelled(activity: Activity, profiles: pa.Table, *, churn: ChurnSettings) -> Dataset:
    place = profiles.column_names.index("user_id")
    persons = pc.replace_substring_regex(profiles.column("user_id"), pattern=r"-\d+$", replacement="")
    return Dataset(profiles, label(activity, profiles.set_column(place, "user_id", persons), churn=churn).churned)
