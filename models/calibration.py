"""Raw scores to probabilities. Platt scaling keeps the rank of the raw score and makes no ties."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit
from sklearn.linear_model import LogisticRegression


@dataclass(frozen=True)
class Calibration:
    """``probability = 1 / (1 + exp(-(slope * raw + intercept)))``.

    Source: Platt 1999, "Probabilistic Outputs for Support Vector Machines".
    """

    slope: float
    intercept: float

    def probability(self, raw: NDArray[np.float64]) -> NDArray[np.float64]:
        """Calibrated churn probability in (0, 1), shape of ``raw``."""
        return np.asarray(expit(self.slope * raw + self.intercept), dtype=np.float64)


def fit_platt(raw: NDArray[np.float64], churned: NDArray[np.bool_]) -> Calibration:
    """Fit slope and intercept by maximum likelihood on rows that the model was not fitted on.

    Parameters
    ----------
    raw, churned
        Shape (n,). A slope that is not above zero would turn the rank around; it falls back to 1.
    """
    model = LogisticRegression(C=np.inf, max_iter=1000).fit(raw.reshape(-1, 1), churned)
    slope, intercept = float(model.coef_[0, 0]), float(model.intercept_[0])
    return Calibration(slope, intercept) if slope > 0 else Calibration(1.0, 0.0)
