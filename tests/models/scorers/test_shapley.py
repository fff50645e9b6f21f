"""Contributions compared with Shapley values by their definition: all 1,024 coalitions of ten features, no algorithm in between.

What a coalition is worth, when only its features are known: of trees, the mean over the training rows of each branch that is not known; of
logistic regression, the mean over the rows that it was fitted on; of BG/NBD, the score with the other values of a typical user.

Source: Shapley 1953, "A Value for n-Person Games"; Lundberg et al. 2020, "From local explanations to global understanding with explainable
AI for trees", Nature Machine Intelligence 2, for the coalitions of trees.
"""

from __future__ import annotations

from math import factorial
from typing import Any

import numpy as np
import pytest
from msgspec import structs

from features.catalogue.fitted import BgNbd
from features.profiles.specification import Specification
from models.arrays import Matrix, Values
from models.scorers.ensemble import BgNbdPart, LogisticPart, Part, Scorer, Trees
from models.scorers.logistic import fit_linear
from models.scorers.trees import Rows, TreeFitter
from models.settings import ModelSettings
from tests.models.model_builder import CATEGORIES, specification

TEXTS = ("last_device_os", "last_network")
FEATURES, ROWS, TRAINED_ON = 10, 3, 240
MASKS = np.arange(2**FEATURES)
MISSING = float("nan")


@pytest.fixture(scope="module")
def of() -> Specification:
    numbers = [feature.name for feature in specification().features if not feature.is_text][: FEATURES - len(TEXTS)]
    names = (*numbers, *TEXTS)
    return structs.replace(specification(), feature_names=names, categories={name: CATEGORIES[name] for name in TEXTS})


@pytest.fixture(scope="module")
def matrix() -> Matrix:
    """Purchases, tenure and days since the last one, for BG/NBD; five numbers with gaps; two codes with gaps."""
    random = np.random.default_rng(4)
    tenure = random.uniform(60, 400, TRAINED_ON)
    bought = (random.integers(2, 12, TRAINED_ON).astype(float), tenure, tenure * random.uniform(0, 1, TRAINED_ON))
    numbers = random.gamma(2, 3, (TRAINED_ON, 5))
    codes = np.column_stack([random.integers(0, len(CATEGORIES[name]), TRAINED_ON) for name in TEXTS]).astype(float)
    found = np.column_stack([*bought, numbers, codes])
    found[:, 3:][random.random((TRAINED_ON, FEATURES - 3)) < 0.15] = MISSING
    return found


@pytest.fixture(scope="module")
def churned(matrix: Matrix) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Features that act together, so that orders of coalitions differ."""
    known = np.nan_to_num(matrix, nan=4.0)
    odds = 0.3 * (known[:, 3] - 6) * (known[:, 8] == 1) - 0.2 * known[:, 4] + 0.01 * known[:, 2] * (known[:, 5] > 5)
    return np.random.default_rng(5).random(len(matrix)) < 1 / (1 + np.exp(-odds))


@pytest.fixture(scope="module")
def parts(matrix: Matrix, churned: np.ndarray[Any, np.dtype[np.bool_]], of: Specification) -> dict[str, Part]:
    settings = ModelSettings(num_leaves=7, min_data_in_leaf=10, lambda_l2=1.0)
    learner = TreeFitter(settings, 0, of.feature_names, tuple(of.categories))
    bg_nbd = BgNbdPart(
        BgNbd(0.8, 40.0, 1.2, 3.5),
        (0, 1, 2),
        usual=(4.0, 200.0, 20.0),
        never=(2.0, 300.0, 290.0),
        gap_days=7,
        horizon_days=28,
    )
    return {
        "trees": Trees(learner.fit(Rows(matrix, churned, np.arange(len(matrix))), rounds=25)),
        "logistic": LogisticPart(fit_linear(matrix, churned, specification=of, seed=0)),
        "bg_nbd": bg_nbd,
    }


def knows(feature: int) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Which coalitions a feature is in."""
    return (MASKS >> feature & 1).astype(bool)


def shapley(worth: Values) -> Values:
    """Each feature's value, by the definition."""
    sizes = np.array([int(mask).bit_count() for mask in MASKS])
    found = np.zeros(FEATURES)
    for feature in range(FEATURES):
        without = MASKS[~knows(feature)]
        shares = [factorial(size) * factorial(FEATURES - 1 - size) / factorial(FEATURES) for size in sizes[without]]
        found[feature] = np.dot(shares, worth[without | 1 << feature] - worth[without])
    return found


def worth_of_trees(part: Trees, row: Values) -> Values:
    return sum(
        (branch(one["tree_structure"], row) for one in part.booster.dump_model()["tree_info"]), np.zeros(len(MASKS))
    )


def branch(node: dict[str, Any], row: Values) -> Values:
    """Where the feature is known: its branch; elsewhere the mean of both, by the training rows in each."""
    if "leaf_value" in node:
        return np.full(len(MASKS), node["leaf_value"])
    left, right = (branch(node[side], row) for side in ("left_child", "right_child"))
    counts = [rows_in(node[side]) for side in ("left_child", "right_child")]
    mean = (counts[0] * left + counts[1] * right) / sum(counts)
    return np.where(
        knows(node["split_feature"]), left if goes_left(node, float(row[node["split_feature"]])) else right, mean
    )


def rows_in(node: dict[str, Any]) -> int:
    return node["leaf_count"] if "leaf_value" in node else node["internal_count"]


def goes_left(node: dict[str, Any], value: float) -> bool:
    if node["decision_type"] == "==":
        return not np.isnan(value) and str(int(value)) in node["threshold"].split("||")
    if np.isnan(value) and node["missing_type"] == "NaN":
        return node["default_left"]
    return bool(np.nan_to_num(value, nan=0.0) <= node["threshold"])


def worth_of_logistic(part: LogisticPart, row: Values, *, background: Matrix) -> Values:
    found = np.empty(len(MASKS))
    for mask in MASKS:
        known = [feature for feature in range(FEATURES) if mask >> feature & 1]
        mixed = background.copy()
        mixed[:, known] = row[known]
        found[mask] = part.linear.raw(mixed).mean()
    return found


def worth_of_bg_nbd(part: BgNbdPart, row: Values) -> Values:
    values = [np.where(knows(place), row[place], usual) for place, usual in zip(part.places, part.usual, strict=True)]
    return part.score(np.column_stack(values))


@pytest.fixture(scope="module")
def expected(parts: dict[str, Any], matrix: Matrix) -> dict[str, Matrix]:
    """Of each part, shape (rows, features)."""
    rows = matrix[:ROWS]
    return {
        "trees": np.array([shapley(worth_of_trees(parts["trees"], row)) for row in rows]),
        "logistic": np.array([shapley(worth_of_logistic(parts["logistic"], row, background=matrix)) for row in rows]),
        "bg_nbd": np.array([shapley(worth_of_bg_nbd(parts["bg_nbd"], row)) for row in rows]),
    }


@pytest.mark.parametrize("name", ["trees", "logistic", "bg_nbd"])
def test_the_contributions_of_each_part_are_shapley_values(
    name: str, parts: dict[str, Part], expected: dict[str, Matrix], matrix: Matrix
):
    found = parts[name].contributions(matrix[:ROWS], threads=1)
    assert np.abs(expected[name]).max() > 0.1
    assert found == pytest.approx(expected[name], abs=1e-9)


def test_those_of_the_ensemble_are_shapley_values_of_the_whole(
    parts: dict[str, Part], expected: dict[str, Matrix], matrix: Matrix
):
    """Of many rows and of a single one, which LightGBM computes on another path."""
    weights = {"trees": 0.5, "logistic": 0.3, "bg_nbd": 0.2}
    scorer = Scorer(tuple((weight, parts[name]) for name, weight in weights.items()))
    whole = np.sum([weight * expected[name] for name, weight in weights.items()], axis=0)
    assert scorer.contributions(matrix[:ROWS], threads=1) == pytest.approx(whole, abs=1e-9)
    assert scorer.explain(matrix[:1], threads=1).contributions == pytest.approx(whole[:1], abs=1e-9)
