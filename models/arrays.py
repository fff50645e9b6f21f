"""The arrays that models and metrics exchange, by what they hold. One row is one user at one cutoff."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]  # (n,): scores, probabilities, weights or a column
Labels = NDArray[np.bool_]  # (n,): True where the user churned
Matrix = NDArray[np.float64]  # (n, features): NaN where null
