"""A training that excludes contacted users: percentiles and typical values are those of everybody, and the capacity is as large a share."""

# pyright: reportPrivateUsage=false

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from churn.project import Project
from models.churn_model import ChurnModel, Reference
from models.encoding import by_rows, encode
from tests.builders import values_of
from tests.churn.command import TrainedWorld
from tests.training.conftest import EASY, QUICK, Training
from training.data.snapshots import ProfileSet
from training.data.treatment import ENTRIES, Treatment
from training.diagnostics import Diagnostics
from training.pipeline import train_horizons
from training.plan.plan import TrainingPlan
from training.refit import _as_trained
from training.report.training_report import TrainingReport
from training.trained import TrainingResult

CAPACITY = 40
LINE = "model.logistic_weight=0.25"  # trees alone give few users a score of their own


def risky_lists(training: Training) -> Treatment:
    """Weekly lists of the third who were away longest, of whom half was held out."""
    entries = []
    for rows in (training.trained.training_rows, training.trained.test):
        away = np.array(values_of(rows.profiles, "days_since_last_event"))
        for user, day, is_listed in zip(
            values_of(rows.profiles, "user_id"),
            values_of(rows.profiles, "cutoff"),
            away >= np.quantile(away, 2 / 3),
            strict=True,
        ):
            if is_listed:
                out = int(user.encode().hex(), 16) % 2 == 0
                entries.append({"user_id": user, "day": day, "epoch": "q1", "is_held_out": out, "share": 0.5})
    return Treatment(pa.Table.from_pylist(entries, schema=ENTRIES))


@pytest.fixture(scope="module")
def contacted(trained_world: TrainedWorld, easy: Training) -> TrainingResult:
    settings = (
        *QUICK,
        *EASY,
        LINE,
        "training.min_class_users=20",
        "training.refit=true",
        f"training.capacity={CAPACITY}",
    )
    project = Project(trained_world.config, home=trained_world.home, settings=settings)
    treatment = risky_lists(easy)
    (found,) = train_horizons(project.activity(), [project.recipe], say=lambda _: None, treatment=treatment)
    return found


def test_percentiles_and_typical_values_are_those_of_everybody(contacted: TrainingResult, easy: Training):
    everybody = easy.trained  # the same log and cutoffs
    assert len(contacted.test.churned) < 0.9 * len(everybody.test.churned)
    assert contacted.refitted is not None
    for model in (contacted.model, contacted.refitted):
        raw = raw_of(model, everybody)
        assert model.reference.raw_scores == Reference.quantiles(raw)
        assert (model.reference.percentile(raw) > 90).mean() == pytest.approx(0.1, abs=0.01)
    typical = everybody.training_rows.at(everybody.split.train).profiles
    for name, median in contacted.model.reference.medians.items():
        assert median == np.median(typical.column(name).drop_null().to_numpy()), name


def test_a_refit_excludes_contacted_users_where_the_training_did_and_keeps_them_where_it_kept_them(
    contacted: TrainingResult, easy: Training
):
    plan = replace(contacted.plan, recipe=contacted.recipe)
    profiles = ProfileSet.of(easy.activity, [plan], say=lambda _: None, treatment=risky_lists(easy))
    rows = profiles.dataset_at([plan.split.test], plan)
    excluded = profiles.treatment.of(rows, plan.recipe.window).untreated()
    few = replace(
        plan, recipe=replace(plan.recipe, training=plan.recipe.training.model_copy(update={"min_class_users": 10**6}))
    )
    kept = replace(contacted, training_rows=easy.trained.training_rows)
    none_yet = replace(plan, treated="")

    def found(trained: TrainingResult, plan: TrainingPlan) -> int:
        return len(_as_trained(rows, trained, profile_set=profiles, plan=plan).churned)

    assert found(contacted, few) == len(excluded.churned) < len(rows.churned)
    assert found(kept, plan) == len(rows.churned)  # as without them too few users were left
    assert (found(kept, none_yet), found(kept, replace(few, treated=""))) == (len(excluded.churned), len(rows.churned))


def raw_of(model: ChurnModel, of: TrainingResult) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    return np.asarray(by_rows(of.test.profiles, model.specification, score=model.raw))


def test_features_matter_as_much_as_to_the_users_for_whom_the_rows_stand(contacted: TrainingResult):
    model, test = contacted.model, contacted.test
    size = np.abs(model.contributions(encode(test.profiles, model.specification)))
    found = TrainingReport(contacted, Diagnostics()).importance
    assert [*found.values()] == pytest.approx(np.average(size, axis=0, weights=test.weights))
    assert [*found.values()] != pytest.approx(size.mean(axis=0))


def test_the_capacity_is_as_large_a_share_of_the_test_as_of_all_eligible_users(
    contacted: TrainingResult, easy: Training
):
    share = CAPACITY / len(easy.trained.test.churned)
    found = contacted.evaluation.metric_values
    assert found["recall_at_capacity"] == pytest.approx(share * found["lift_at_capacity"])


def test_in_a_sample_of_users_the_capacity_is_as_large_a_share_of_the_sample(easy: Training):
    trained, users = easy.trained, len(easy.trained.test.churned)
    settings = trained.recipe.training.model_copy(update={"capacity": CAPACITY, "max_training_rows": users // 3})
    plan = replace(trained.plan, recipe=replace(trained.recipe, training=settings))
    sampled = ProfileSet.of(easy.activity, [plan], say=lambda _: None)
    test = sampled.test_of(plan)
    assert len(test.churned) == pytest.approx(users / 3, rel=0.2)
    assert sampled.capacity_in(test, plan) == pytest.approx(CAPACITY * len(test.churned) / users, rel=0.2)
    unlimited = replace(plan, recipe=trained.recipe)
    assert sampled.capacity_in(test, unlimited) is None
