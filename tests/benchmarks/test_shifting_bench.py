"""The worlds in which something changes hold what they say, and their page judges the figures as it says."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from numpy.typing import NDArray

from benchmarks.accuracy.shifting_page import bars, write_page
from benchmarks.accuracy.shifting_worlds import TEST, WORLDS, simulate


def rate(name: str, folder: Path, *, cutoff: int) -> float:
    """Churn rate of the users who were active in the last horizon before a cutoff, in days from the test."""
    world = WORLDS[name]
    found = simulate(world, folder / name, people=6_000)
    start = cutoff - found.first
    recent: NDArray[np.bool_] = np.any(found.active[:, max(0, start - world.horizon_days) : start], axis=1)
    users = [user for user, was_active in zip(found.users, recent, strict=True) if was_active]
    return float(found.churned(users, cutoff=cutoff, horizon_days=world.horizon_days).mean())


def test_a_label_is_what_the_log_shows(tmp_path: Path):
    world = WORLDS["steady"]
    found = simulate(world, tmp_path / "world", people=300)
    events = pq.read_table(tmp_path / "world/events.parquet").to_pandas()
    start, end = (np.datetime64(TEST + timedelta(days=days)) for days in (0, world.horizon_days))
    seen = set(events.user_id[(events.event_time >= start) & (events.event_time < end)])
    churned = found.churned(found.users, cutoff=0, horizon_days=world.horizon_days)
    assert {user for user, gone in zip(found.users, churned, strict=True) if not gone} == seen


@pytest.mark.parametrize(
    ("name", "times"), [("step_up", (1.2, 2.0)), ("step_down", (0.5, 0.85)), ("doubling", (1.2, 2.0))]
)
def test_the_base_rate_is_another_than_in_the_steady_world(tmp_path: Path, name: str, times: tuple[float, float]):
    changed, steady = (rate(one, tmp_path, cutoff=28) for one in (name, "steady"))
    assert times[0] < changed / steady < times[1]


@pytest.mark.parametrize("name", ["step_up", "step_down"])
def test_before_the_step_it_is_the_same(tmp_path: Path, name: str):
    changed, steady = (rate(one, tmp_path, cutoff=-60) for one in (name, "steady"))
    assert changed == steady


def test_a_closed_shop_has_no_event(tmp_path: Path):
    world = replace(WORLDS["holidays"], closed=(-30, -29))
    found = simulate(world, tmp_path / "world", people=300)
    a_day: NDArray[np.bool_] = np.any(found.active, axis=0)
    assert not a_day[[-30 - found.first, -29 - found.first]].any()
    assert a_day.sum() == len(a_day) - 2


def measured(*, errors: tuple[float, ...] = (0.01,) * 4, loss: float = -0.001) -> Any:
    way = {"shift": 0.0, "log_loss": 0.3, "calibration_error": 0.04}
    week = {
        "users": 20_000, "mean_probability": 0.2, "shift": 0.1, "intercept": 0.01, "by_chance": 0.005, "auc": 0.8,
        "log_loss": 0.3, "calibration_slope": 1.0, "churn_rate": 0.2,
        "other_ways": dict.fromkeys(("none", "last known", "linear trend", "expectation-maximisation"), way),
    }  # fmt: skip
    weeks = [
        week | {"weeks_after": after, "calibration_error": error}
        for after, error in zip((0, 1, 2, 4), errors, strict=True)
    ]
    baselines = {"logistic": {"auc": 0.79, "log_loss": 0.31, "difference": [loss, loss - 0.002, loss + 0.002]}}
    trained = {
        "snapshots": 10, "split": "separate periods", "trees": 300, "parts": [[0.75, "trees"], [0.25, "line"]],
        "calibration": "Platt", "why": "",
    }  # fmt: skip
    return {"people": 85_000, "trained": trained, "baselines": baselines, "weeks": weeks}


@pytest.mark.parametrize(
    ("name", "found", "met"),
    [
        ("steady", measured(), [True, True]),
        ("steady", measured(errors=(0.01, 0.01, 0.016, 0.01)), [False, True]),
        ("step_up", measured(errors=(0.05, 0.05, 0.05, 0.029)), [True, True]),
        ("step_up", measured(errors=(0.01, 0.01, 0.01, 0.031)), [False, True]),
        ("campaign", measured(loss=0.003), [False]),
        ("trend", measured(loss=0.001), [True, True]),
    ],
)
def test_the_targets_are_judged_by_the_figures(name: str, found: Any, met: list[bool]):
    assert [bar.is_met for bar in bars({name: found})] == met


def test_the_page_has_every_week(tmp_path: Path):
    write_page({"steady": measured()}, tmp_path)
    page = (tmp_path / "shifting.md").read_text()
    assert "## steady" in page
    assert page.count("| 20,000 |") == 4
