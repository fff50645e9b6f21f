"""The gates of a promotion, on made-up users with metrics computed by hand."""

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from models.evaluation.reliability import Reliability
from tests.training.tested import made_up
from training.data.dataset import Dataset
from training.promotion.comparison import Comparison
from training.promotion.gates import Gate, PromotionGates, power
from training.settings import PromotionSettings


def judged(comparison: Comparison, *, minimum: int = 10, **settings: Any) -> dict[str, Gate]:
    gates = PromotionGates(comparison, "clean", PromotionSettings(**settings), minimum, 3).all()
    return {gate.name: gate for gate in gates}


def compared(users: int = 2_000) -> Comparison:
    """A champion that knows the truth, and a challenger that knows it too."""
    test, truth = made_up(users)
    return Comparison(test, truth, truth, "champion (version 1)")


def test_the_metrics_are_those_computed_by_hand():
    found = replace(compared(4), test=replace(compared(4).test, churned=np.array([True, False, True, False])))
    found = replace(found, challenger=np.array([0.8, 0.2, 0.8, 0.2]), other=np.full(4, 0.5))
    gates = judged(found, minimum=2)
    assert gates["log loss"].metrics == pytest.approx(dict.fromkeys(("difference", "low", "high"), math.log(0.5 / 0.8)))
    # the riskiest tenth of four is one user, a churner at .8, and anybody at .5: lift 2 against 1
    assert gates["lift at 10 %"].metrics["ratio"] == pytest.approx(2.0)
    # every probability is off by .2
    assert gates["calibration error"].metrics["value"] == pytest.approx(0.2)
    assert judged(found, minimum=3).keys() == {"enough users", "leakage audit"}


def test_shuffled_scores_fail():
    found = compared()
    shuffled = np.random.default_rng(1).permutation(found.challenger)
    gates = judged(replace(found, challenger=shuffled))
    assert {"log loss", "lift at 10 %"} <= {name for name, gate in gates.items() if not gate.passed}
    assert all(gate.passed for gate in judged(found).values())


@pytest.mark.parametrize(
    ("audit", "needed", "passed", "says"),
    [
        ("clean", True, True, "clean"),
        ("", True, False, "no result was recorded"),
        ("FEATURE_JUMP, ALREADY_GONE", True, False, "found FEATURE_JUMP, ALREADY_GONE"),
        ("FEATURE_JUMP", False, True, "found FEATURE_JUMP; not required"),
    ],
)
def test_the_audit_has_to_be_clean_where_that_is_needed(*, audit: str, needed: bool, passed: bool, says: str):
    gate = PromotionGates(compared(4), audit, PromotionSettings(needs_clean_audit=needed), 10, 3).clean()
    assert (gate.name, gate.passed, gate.details) == ("leakage audit", passed, says)


def test_a_slice_that_got_worse_fails_and_is_named():
    found = compared()
    is_ios = np.array(found.test.profiles["last_device_os"].to_pylist()) == "ios"
    worse = np.where(is_ios, np.clip(2.5 * found.challenger, 0, 0.99), found.challenger)
    gates = judged(replace(found, challenger=worse), max_worse_log_loss=1, max_calibration_error=1, min_lift_ratio=0)
    assert [name for name, gate in gates.items() if not gate.passed] == ["slices"]
    assert "device ios" in gates["slices"].details
    assert "android" not in gates["slices"].details
    assert gates["slices"].metrics["device android"] == 0
    assert gates["slices"].metrics["device ios"] > 0.03


def test_the_rows_of_a_user_count_as_one_user():
    found = compared(400)
    worse = replace(found, challenger=np.clip(found.challenger + 0.05, 0, 0.99))
    again = Dataset(found.test.concatenated(found.test).profiles, np.tile(found.test.churned, 2))
    twice = Comparison(again, np.tile(worse.challenger, 2), np.tile(worse.other, 2), "champion (version 1)")
    one, two = judged(worse)["log loss"].metrics, judged(twice)["log loss"].metrics
    assert two == pytest.approx(one)
    assert twice.users == 400


@pytest.mark.parametrize("side", ["challenger", "other"])
def test_what_is_not_a_number_is_never_promoted(side: str):
    found = compared(500)
    broken = getattr(found, side).copy()
    broken[3] = np.nan
    gates = judged(replace(found, **{side: broken}))
    assert not gates["enough users"].passed
    assert "1 probabilities are not numbers" in gates["enough users"].details


def test_an_undefined_metric_fails_the_gate():
    found = compared(500)
    nobody = replace(found, test=replace(found.test, churned=np.zeros(500, dtype=np.bool_)))
    gates = PromotionGates(nobody, "clean", PromotionSettings(), 0, 3)
    assert not gates.lift().passed
    assert gates.lift().to_json()["figures"]["difference"] is None


def test_the_power_says_how_many_users_the_limit_takes():
    # an interval of .0098 either way has standard error .005; 2.8 of those are .014; a quarter of it takes sixteen times as many
    assert "0.0140" in power(-0.0098, 0.0098, users=1000, limit=0.0035)
    assert power(-0.0098, 0.0098, users=1000, limit=0.0035).endswith("takes about 16,000.")
    assert power(-0.0098, 0.0098, users=1000, limit=0.02).endswith("does not take more.")
    assert power(-0.0098, 0.0098, users=1000, limit=0).endswith("four times in five.")


@pytest.mark.parametrize(("by", "passes"), [(0.0, True), (0.15, False)])
def test_a_small_test_may_be_as_miscalibrated_as_chance_allows(*, by: float, passes: bool):
    found = compared(200)
    off = replace(found, challenger=np.clip(found.challenger + by, 0, 0.99))
    gate = judged(off, max_calibration_error=0.001)["calibration error"]
    chance = Reliability.of(off.test.churned, off.challenger, seed=3).by_chance_95
    assert gate.metrics["allowed"] == pytest.approx(max(chance, gate.metrics["other"]))
    assert gate.passed is passes


def test_several_rows_of_a_user_leave_as_much_to_chance_as_one():
    found = compared(200)
    again = Dataset(found.test.concatenated(found.test).profiles, np.tile(found.test.churned, 2))
    twice = Comparison(again, np.tile(found.challenger, 2), np.full(400, 0.5), "a rule", is_rule=True)
    once = replace(found, other=np.full(200, 0.5), is_rule=True)
    one, two = (judged(both, max_calibration_error=0.001)["calibration error"].metrics for both in (once, twice))
    assert two["allowed"] == pytest.approx(one["allowed"], rel=0.1)


def test_a_slice_of_few_users_with_many_weeks_is_not_compared():
    found = compared(3_000)
    is_web = np.array(found.test.profiles["last_device_os"].to_pylist()) == "web"
    weeks = np.concatenate([np.arange(3_000), *[np.flatnonzero(is_web)] * 5])  # six weeks of each of some 60 users
    assert is_web.sum() < 100 < 6 * is_web.sum()
    assert found.test.churned[is_web].sum() >= 10  # enough churners: only the number of users excludes the slice
    many = Dataset(found.test.profiles.take(weeks), found.test.churned[weeks])
    again = replace(found, test=many, challenger=found.challenger[weeks], other=found.other[weeks])
    assert "device web" not in judged(again)["slices"].metrics
    assert "device ios" in judged(again)["slices"].metrics
