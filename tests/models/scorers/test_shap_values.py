"""Contributions of trees compared with those of shap's TreeExplainer, by its own algorithm, as ``shap_values.py`` wrote them down."""

import json
from pathlib import Path
from typing import Any

import lightgbm as lgb
import numpy as np
import pytest

from models.scorers.ensemble import Scorer, Trees

KNOWN: dict[str, Any] = json.loads((Path(__file__).parents[2] / "fixtures/shap_values.json").read_text())
ROWS = np.array(KNOWN["rows"], dtype=np.float64)
EXPECTED = np.array(KNOWN["contributions"])


@pytest.fixture(scope="module")
def trees() -> Trees:
    return Trees(lgb.Booster(model_str=KNOWN["booster"]))


def test_contributions_of_trees_are_those_of_tree_explainer(trees: Trees):
    assert np.abs(EXPECTED).max(axis=0).min() > 0.01  # every feature speaks
    assert np.isnan(ROWS).mean() > 0.1
    assert trees.contributions(ROWS, threads=1) == pytest.approx(EXPECTED, abs=1e-9)


def test_those_of_a_single_row_and_of_an_ensemble_are_too(trees: Trees):
    scorer = Scorer(((0.5, trees),))
    for row, expected in zip(ROWS, EXPECTED, strict=True):
        assert scorer.explain(row[None], threads=1).contributions[0] == pytest.approx(0.5 * expected, abs=1e-9)
