"""Metrics by slice: every user is in one slice of each dimension, and small slices say nothing."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.evaluation.metrics import auc
from models.evaluation.results import Slice
from tests.training.tested import made_up
from training.data.dataset import Dataset
from training.evaluation.slices import DIMENSIONS, MAX_VALUES, MIN_USERS, Dimension, slices

ACTIVITY = DIMENSIONS[3]


def by(dimension: str, found: tuple[Slice, ...]) -> dict[str, Slice]:
    return {part.value: part for part in found if part.dimension == dimension}


@pytest.fixture(scope="module")
def found() -> tuple[Slice, ...]:
    test, truth = made_up()
    return slices(test, truth, seed=1)


def test_the_figures_of_a_slice_are_those_of_its_users(found: tuple[Slice, ...]):
    test, truth = made_up()
    ios = test.profiles["last_device_os"].to_numpy(zero_copy_only=False) == "ios"
    part = by("device", found)["ios"]
    assert part.users == ios.sum()
    assert part.metrics["auc"].value == pytest.approx(auc(test.churned[ios], truth[ios]))
    assert part.metrics["churn_rate"].value == pytest.approx(test.churned[ios].mean())
    assert part.metrics["mean_probability"].value == pytest.approx(truth[ios].mean())
    assert all(
        metric.low <= metric.value <= metric.high
        for name, metric in part.metrics.items()
        if name != "calibration_error"
    )


def test_a_slice_says_how_true_its_probabilities_are_and_what_chance_shows(found: tuple[Slice, ...]):
    part = by("device", found)["android"]
    assert part.metrics["calibration_slope"].low < 1 < part.metrics["calibration_slope"].high
    assert part.metrics["calibration_intercept"].low < 0 < part.metrics["calibration_intercept"].high
    chance = part.reliability
    assert chance is not None
    assert chance.error == part.metrics["calibration_error"].value
    assert chance.debiased < chance.error < chance.by_chance_95  # the probabilities are true
    assert part.to_json()["calibration_error_by_chance_95"] == chance.by_chance_95


def test_every_dimension_counts_every_user_once(found: tuple[Slice, ...]):
    assert {part.dimension for part in found} == {"device", "tenure", "activity"}  # the profiles have no channel
    for dimension in ("device", "tenure", "activity"):
        assert sum(part.users for part in by(dimension, found).values()) == 1_000


def test_values_of_too_few_users_go_together(found: tuple[Slice, ...]):
    assert list(by("device", found)) == ["android", "ios", "other"]
    assert by("device", found)["other"].users < MIN_USERS
    assert by("device", found)["other"].metrics == {}


def test_a_slice_of_one_class_says_nothing():
    profiles = pa.table({"active_days": [3.0] * 400})
    assert slices(Dataset(profiles, np.zeros(400, dtype=np.bool_)), np.full(400, 0.2), seed=1) == (
        Slice("activity", "2 to 3 active days", 400, {}),
    )


def test_at_most_eight_values_stand_alone_and_the_absent_are_unknown():
    values = [f"os{number}" for number in range(10) for _ in range(MIN_USERS + number)] + [None] * MIN_USERS
    test = Dataset(pa.table({"last_device_os": values}), np.arange(len(values)) % 3 == 0)
    names = list(by("device", slices(test, np.full(len(values), 0.3), seed=1)))
    assert names == [*(f"os{number}" for number in range(9, 1, -1)), "other", "unknown"]
    assert len(names) == MAX_VALUES + 2


@pytest.mark.parametrize(
    ("days", "band"),
    [
        (0, "0 to 1 active days"), (1, "0 to 1 active days"), (2, "2 to 3 active days"), (3, "2 to 3 active days"),
        (7, "4 to 7 active days"), (8, "8 to 14 active days"), (15, "15 active days or more"), (None, "unknown"),
    ],
)  # fmt: skip
def test_bands_are_half_open(days: float | None, band: str):
    values = ACTIVITY.values(pa.table({"active_days": pa.array([days], pa.float64())}))
    assert values is not None
    assert values.tolist() == [band]


@pytest.mark.parametrize(
    ("features", "band"), [(("none", "a", "b"), "0 to 9 days"), (("b", "a"), "10 days or more"), (("none",), None)]
)
def test_the_first_feature_that_the_profiles_have_is_cut_by(features: tuple[str, ...], band: str | None):
    values = Dimension("x", features, edges=(0, 10), unit="days").values(pa.table({"b": [20.0], "a": [5.0]}))
    assert (None if values is None else values[0]) == band


@given(st.lists(st.floats(0, 1000), min_size=1, max_size=30))
def test_every_number_has_a_band(days: list[float]):
    values = ACTIVITY.values(pa.table({"active_days": days}))
    assert values is not None
    assert set(values.tolist()) <= set(ACTIVITY.labels)
