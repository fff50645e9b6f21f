"""The model as an MLflow pyfunc: raw profiles in, churn probabilities out. Named by ``loader_module``, so nothing is pickled."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from features.profiles.specification import Specification
from models.churn_model import ChurnModel, load


class ProbabilityModel:
    """The model inside the wrapper that ``mlflow.pyfunc.load_model`` returns."""

    def __init__(self, model: ChurnModel) -> None:
        self._model = model

    def predict(self, frame: pd.DataFrame, params: dict[str, Any] | None = None) -> NDArray[np.float64]:
        """Churn probability of each raw profile (text as text, numbers as nullable doubles), shape (n,)."""
        del params
        return self._model.predict_probability(profiles_of(frame, self._model.specification))


def profiles_of(frame: pd.DataFrame, specification: Specification) -> pa.Table:
    """Turn a frame of raw profiles into the table that the model reads."""
    schema = pa.schema([(f.name, pa.string() if f.is_text else pa.float64()) for f in specification.features])
    return pa.Table.from_pandas(frame[list(schema.names)], schema=schema, preserve_index=False)


def columns(specification: Specification) -> list[dict[str, Any]]:
    """Columns that the model reads, in MLflow's notation: text, or nullable doubles."""
    return [
        {"name": feature.name, "type": "string" if feature.is_text else "double", "required": False}
        for feature in specification.features
    ]


def example(specification: Specification) -> pd.DataFrame:
    """Two made-up profiles: the first known category and ones, then all missing. No user's data."""
    row = {
        f.name: (specification.categories.get(f.name) or ("unknown",))[0] if f.is_text else 1.0
        for f in specification.features
    }
    frame = pd.DataFrame([row, dict.fromkeys(row)])
    return frame.astype({f.name: "object" if f.is_text else "float64" for f in specification.features})


def _load_pyfunc(path: str) -> ProbabilityModel:  # pyright: ignore[reportUnusedFunction]  # MLflow calls it by name
    return ProbabilityModel(load(Path(path)))
