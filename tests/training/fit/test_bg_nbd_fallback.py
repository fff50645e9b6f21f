"""BG/NBD without labels of the target horizon: its own probabilities, or those that the middle of the history corrects."""

from datetime import date, timedelta

import numpy as np
import pyarrow as pa
import pytest

from features.activity.store import Activity
from features.catalogue.fitted import BgNbd, FittedConstants
from features.profiles.specification import Specification
from features.settings import ChurnSettings
from models.scorers.bg_nbd import PURCHASE_FEATURES
from tests.builders import world_of
from tests.training.untrained import recipe_of
from training.data.dataset import Dataset
from training.data.snapshots import ProfileSet
from training.fit.bg_nbd_fallback import fit_bg_nbd_fallback
from training.fit.fit import Fit
from training.plan.plan import Strategy, TrainingPlan
from training.plan.splits import Split

START, MIDDLE, TEST = (date(2026, 3, 1) + timedelta(days=day) for day in (0, 10, 20))
SPECIFICATION = Specification(PURCHASE_FEATURES, (7,), FittedConstants(bg_nbd=BgNbd(1, 1, 1, 1)))
CHURN = ChurnSettings(horizon_days=10)


def rows(cutoff: date, *histories: tuple[float, float, float], churned: tuple[bool, ...]) -> Dataset:
    """One user for each history: purchase days, days since the first of them, days since the last."""
    keys = {"user_id": [f"u{user}" for user in range(len(histories))]}
    columns = dict(zip(PURCHASE_FEATURES, map(list, zip(*histories, strict=True)), strict=True))
    table = pa.table(keys | {"cutoff": pa.array([cutoff] * len(histories), pa.date32())} | columns)
    return Dataset(table, np.array(churned))


TESTED = rows(TEST, (1, 9, 9), (1, 4, 4), churned=(True, False))
HALVES = rows(MIDDLE, (2, 9, 1), (1, 9, 9), (2, 8, 2), (1, 2, 2), churned=(False, True, True, False))


def fitted(activity: Activity, *, minimum: int) -> Fit:
    recipe = recipe_of(CHURN, min_class_users=minimum)
    plan = TrainingPlan(recipe, Split((), (), (MIDDLE,), TEST, ""), Strategy.BG_NBD, CHURN, "")
    profiles = ProfileSet(activity, SPECIFICATION, {}, HALVES.profiles, TESTED.profiles)
    return fit_bg_nbd_fallback(profiles, plan, specification=SPECIFICATION, test=TESTED, midpoint=HALVES)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Activity:
    """A hundred users who buy on the first day and three days later: just enough to fit BG/NBD in the middle."""
    lines = [f"u{user} {START + timedelta(days=day)}T10:00 buy amount=5" for user in range(100) for day in (0, 3)]
    return world_of(tmp_path_factory.mktemp("shop"), lines).activity()


@pytest.fixture(scope="module")
def small_shop(tmp_path_factory: pytest.TempPathFactory) -> Activity:
    return world_of(tmp_path_factory.mktemp("small"), [f"anna {START}T10:00 buy amount=5"]).activity()


def test_where_the_first_half_has_too_few_buyers_the_probabilities_are_those_of_bg_nbd(small_shop: Activity):
    # after one purchase T days ago, with all parameters one: no purchase in 10 days has probability (1 + T) / (1 + T + 10)
    found = fitted(small_shop, minimum=2)
    assert found.predict_probability(TESTED.profiles) == pytest.approx([10 / 20, 5 / 15], abs=1e-4)
    assert found.scorer.kinds == ("buying",)
    assert found.rounds == 0


def test_so_they_are_where_a_class_is_too_small_to_calibrate_on(shop: Activity):
    assert HALVES.smaller_class == 2
    assert fitted(shop, minimum=3).predict_probability(TESTED.profiles) == pytest.approx([0.5, 1 / 3], abs=1e-4)


def test_else_they_are_calibrated_on_the_outcomes_of_the_second_half(shop: Activity, small_shop: Activity):
    own, calibrated = fitted(small_shop, minimum=2), fitted(shop, minimum=2)
    assert calibrated.calibration.calibration != own.calibration.calibration
    assert calibrated.raw(TESTED.profiles).tolist() == own.raw(TESTED.profiles).tolist()  # the ranking is the same
