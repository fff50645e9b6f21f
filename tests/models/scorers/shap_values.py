"""Write ``tests/fixtures/shap_values.json``: a model of trees, rows, and what ``shap.TreeExplainer`` makes of them.

In an environment of its own, as shap brings 190 MB of LLVM for Python 3.11: ``pip install shap==0.51.0`` next to what the lock
installs, then ``python -m tests.models.scorers.shap_values``.

Of a LightGBM model, TreeExplainer by default asks LightGBM itself for its contributions, which would compare it with itself. Its own
algorithm computes those of a model that it takes to be its own ("internal"); that one knows no categories, so the model has numbers alone.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from models.scorers.trees import Rows, TreeFitter
from models.settings import ModelSettings
from tests.models.model_builder import specification

FIXTURE = Path(__file__).parents[2] / "fixtures/shap_values.json"
FEATURES, TRAINED_ON, ROWS = 12, 400, 40


def made() -> dict[str, Any]:
    """A model of features that act together, and have gaps; contributions of its first rows, shape (rows, features)."""
    import shap  # pyright: ignore[reportMissingImports]

    random = np.random.default_rng(11)
    matrix = random.gamma(2, 3, (TRAINED_ON, FEATURES))
    odds = 0.3 * (matrix[:, 0] - 6) * (matrix[:, 1] > 5) - 0.2 * matrix[:, 2] + 0.1 * matrix[:, 3]
    churned = random.random(TRAINED_ON) < 1 / (1 + np.exp(-odds))
    matrix[random.random(matrix.shape) < 0.15] = np.nan
    names = tuple(one.name for one in specification().features if not one.is_text)[:FEATURES]
    learner = TreeFitter(ModelSettings(num_leaves=15, min_data_in_leaf=10, lambda_l2=1.0), 0, names, ())
    booster = learner.fit(Rows(matrix, churned, np.arange(TRAINED_ON)), rounds=60)
    explainer = shap.TreeExplainer(booster)
    explainer.model.model_type = "internal"
    return {
        "shap": shap.__version__,
        "booster": booster.model_to_string(),
        "rows": [[None if np.isnan(value) else value for value in row] for row in matrix[:ROWS].tolist()],
        "contributions": explainer.shap_values(matrix[:ROWS]).tolist(),
    }


if __name__ == "__main__":
    FIXTURE.write_text(json.dumps(made(), indent=1) + "\n")
