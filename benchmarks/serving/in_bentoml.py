"""The same model in BentoML, as its guide has it: a DataFrame in, probabilities out. It has no store and gives no reasons."""

import os
from pathlib import Path

import bentoml
import pandas as pd

from models.registry.pyfunc import profiles_of
from serving.release.bundle import read_bundle


@bentoml.service(name="dataframe", workers=int(os.environ.get("WORKERS") or 1))
class DataFrameService:
    """Scores profiles."""

    def __init__(self) -> None:
        self._model = read_bundle(Path(os.environ["CHURN_SERVED"])).model

    @bentoml.api
    def score(self, profiles: pd.DataFrame) -> list[float]:
        """Return the churn probability of each profile."""
        return self._model.predict_probability(profiles_of(profiles, self._model.specification)).tolist()
