"""Which further fits are run, and what a refit takes from its own rows."""

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from features.activity.store import Activity
from features.profiles.specification import Specification
from features.settings import ChurnSettings
from models.settings import ModelSettings
from tests.builders import world_of
from tests.training.conftest import Trainer
from tests.training.untrained import WEEKS, recipe_of, result_of, split_of
from training.data.dataset import Dataset
from training.data.treatment import Treatment
from training.diagnostics import Diagnostics, Refit, backtest_of, diagnose
from training.plan.plan import Strategy
from training.plan.splits import Split
from training.report.warnings import warnings_of
from training.settings import AdviceSettings

ONE_TREE = ModelSettings(num_leaves=2, max_rounds=1, min_data_in_leaf=1, logistic_weight=0)
FIRST_DAY = WEEKS[0] - timedelta(days=70)
NO_LABELS = Split((), (), WEEKS[:1], WEEKS[3], "BG/NBD")


@pytest.fixture(scope="module")
def activity(tmp_path_factory: pytest.TempPathFactory) -> Activity:
    return world_of(tmp_path_factory.mktemp("log"), ["anna 2026-03-01"]).activity()


@pytest.mark.parametrize(
    ("training", "split"),
    [({}, split_of(WEEKS[0], test=WEEKS[3])), ({"backtest_weeks": 4, "learning_curve": True}, NO_LABELS)],
    ids=["not requested", "nothing to train on"],
)
def test_without_a_request_or_without_labels_nothing_is_refitted(
    activity: Activity, training: dict[str, Any], split: Split
):
    said: list[str] = []
    assert diagnose(
        activity, result_of(recipe_of(**training), split), advice=AdviceSettings(), say=said.append
    ) == Diagnostics(None, None)
    assert said == []


@pytest.mark.parametrize("strategy", [Strategy.SHORTER, Strategy.BG_NBD])
def test_a_backtest_that_no_label_allows_is_skipped_and_a_warning_says_so(activity: Activity, strategy: Strategy):
    made = result_of(recipe_of(ChurnSettings(horizon_days=365), backtest_weeks=2), split_of(WEEKS[0], test=WEEKS[3]))
    short = replace(made, plan=replace(made.plan, strategy=strategy))
    assert diagnose(activity, short, advice=AdviceSettings(), say=lambda _: None).backtest is None
    assert [one for one in warnings_of(short) if one.startswith("no backtest was made")]
    assert not [one for one in warnings_of(made) if one.startswith("no backtest was made")]


def rows_at(cutoff: date, system: str) -> Dataset:
    """Twenty users with one operating system, the first half of whom churned."""
    profiles = pa.table(
        {
            "user_id": [f"{system}{user}" for user in range(20)],
            "cutoff": pa.array([cutoff] * 20, pa.date32()),
            "last_device_os": [system] * 20,
        }
    )
    return Dataset(profiles, np.arange(20) < 10)


def test_a_refit_fits_the_categories_anew_on_its_own_training_cutoffs():
    frozen = Specification(("last_device_os",), (7,), categories={"last_device_os": ("android",)})
    rows = rows_at(WEEKS[0], "ios").concatenated(rows_at(WEEKS[1], "web")).concatenated(rows_at(WEEKS[2], "tv"))
    split = Split(WEEKS[:1], WEEKS[1:2], WEEKS[2:3], WEEKS[3], "separate periods")
    found = Refit(frozen, recipe_of(model=ONE_TREE), FIRST_DAY)(rows, split)
    assert found.specification.categories == {"last_device_os": ("ios",)}
    assert found.predict_probability(rows.profiles) == pytest.approx(np.full(60, 0.5))  # half of each system churned


@pytest.mark.parametrize(("days", "unused"), [(14, ("tenure_days",)), (43, ())])
def test_a_refit_excludes_what_depends_on_the_first_day_where_the_test_sees_far_more_history(
    days: int, unused: tuple[str, ...]
):
    # 21 days after the training cutoff: 1.5 times the history where that is 42 days or less
    profiles = rows_at(WEEKS[0], "ios").profiles.append_column("tenure_days", pa.array(range(20)))
    frozen, split = Specification(("tenure_days",), (7,)), Split(WEEKS[:1], (), WEEKS[:1], WEEKS[3], "folds of users")
    refit = Refit(frozen, recipe_of(model=ONE_TREE), WEEKS[0] - timedelta(days=days))
    assert refit(Dataset(profiles, np.arange(20) % 2 == 0), split).specification.unused == unused


def test_the_backtest_of_the_test_cutoff_is_the_training_without_what_drifts(trainer: Trainer):
    every_drift = ("drift.max_number_auc=0.52", "drift.max_category_auc=0.52")
    made = trainer(*every_drift, "training.backtest_weeks=1", "model.max_rounds=15")
    assert len(made.trained.model.specification.unused) > 20
    found = backtest_of(made.activity, made.trained.recipe, outages=(), treatment=Treatment(), say=lambda _: None)
    (week,) = found.weeks
    assert (week.cutoff, week.auc) == (made.trained.split.test, made.trained.evaluation.auc)


def test_a_learning_curve_needs_no_backtest(activity: Activity):
    empty = result_of(recipe_of(learning_curve=True), split_of(WEEKS[0], test=WEEKS[3]))
    said: list[str] = []
    found = diagnose(activity, empty, advice=AdviceSettings(), say=said.append)
    assert found.backtest is None
    assert found.learning_curve is not None
    assert found.learning_curve.points == ()  # no share of no users is large enough
    assert said == ["learning curve: fitting on growing shares of the users"]
