"""Pictures for a notebook, and the page about a model of one's own, whose code runs."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import churn
from models.charts import svg
from tests.churn.command import TrainedWorld

PAGE = (Path(__file__).parents[2] / "docs/guides/your-own-model.md").read_text()
CODE = re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL)
SCORES = pd.DataFrame(
    {
        "user_id": ["a", "b"],
        "reason_1": ["inactive 9.7x longer", None],
        "reason_1_contribution": [1.5, np.nan],
        "reason_2": ["uses many channels", None],
        "reason_2_contribution": [-0.5, np.nan],
        "reason_3": [None, None],
        "reason_3_contribution": [np.nan, np.nan],
    }
)


def _rows(chart: Any) -> list[dict[str, Any]]:
    """The data of all layers of a picture that can be drawn."""
    assert "<svg" in svg(chart)
    drawn = chart.to_dict()
    return [row for part in (drawn, *drawn["layer"]) for row in part.get("data", {}).get("values", [])]


def test_gains_find_all_churners_first_where_the_ranking_is_perfect():
    churned = np.arange(100) < 20
    rows = _rows(churn.plots.gains(churned, {"perfect": churned * 1.0, "none": np.zeros(100)}))
    found = {(row["model"], row["x"]): row["y"] for row in rows}
    assert found["perfect", 0.2] == 1.0
    assert found["none", 0.2] == pytest.approx(0.2)


def test_a_picture_of_calibration_shows_churn_rates_of_bins_with_their_intervals():
    churned = np.tile([True, False, False, False], 100)
    rows = [row for row in _rows(churn.plots.calibration(churned, np.linspace(0.2, 0.3, 400))) if "low" in row]
    assert len({row["x"] for row in rows}) == 10
    assert all(row["low"] < row["y"] == 0.25 < row["high"] for row in rows)


@pytest.mark.parametrize("labels", [[1, 0, np.nan], ["yes", "no", ""], [True, False, None], [2, 1, 0]])
def test_a_label_that_is_not_known_is_nobody_who_churned(labels: list[Any]):
    for draw in (
        lambda: churn.plots.calibration(labels, [0.1, 0.2, 0.3]),
        lambda: churn.plots.gains(labels, {"model": [0.1, 0.2, 0.3]}),
    ):
        with pytest.raises(churn.InputError, match="churned: expected True or False, or 1 or 0, for every user"):
            draw()


def test_labels_are_booleans_or_ones_and_zeros():
    wanted, scores = np.arange(100) < 20, np.linspace(1, 0, 100)
    drawn = _rows(churn.plots.gains(wanted, {"model": scores}))
    for labels in (wanted * 1.0, wanted.tolist(), pd.array(wanted, dtype="boolean")):
        assert _rows(churn.plots.gains(labels, {"model": scores})) == drawn


def test_the_reasons_of_a_user_are_bars_of_their_contributions():
    rows = _rows(churn.plots.reasons(SCORES, "a"))
    assert [(row["reason"], row["effect"]) for row in rows] == [
        ("inactive 9.7x longer", 1.5),
        ("uses many channels", -0.5),
    ]
    with pytest.raises(churn.InputError, match="no score"):
        churn.plots.reasons(SCORES, "b")


@pytest.mark.slow
def test_the_page_about_a_model_of_ones_own_runs(
    trained_world: TrainedWorld, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.chdir(trained_world.folder.parent)
    assert trained_world.config == trained_world.folder.parent / "world/churn.toml"
    monkeypatch.setenv("CHURN_HOME", str(trained_world.home))
    names: dict[str, Any] = {}
    for block in CODE:
        exec(block.replace("ChurnClassifier(", "ChurnClassifier(max_rounds=20, logistic_weight=0.25, "), names)  # noqa: S102
    printed = capsys.readouterr().out
    assert [line.split()[0] for line in printed.splitlines()] == ["ChurnClassifier", "HistGradientBoosting"]
    assert all(found.min() > 0 for found in names["probability"].values())
    assert names["champion"].quality.metrics["auc"] > 0.5
    share = _rows(churn.plots.retention(names["project"]))
    assert all(0 <= row["share"] <= 1 for row in share if "share" in row)
