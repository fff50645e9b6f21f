"""Who is scored at a cutoff. One rule for training, evaluation and scoring: it reads two columns of the profile and nothing else."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

RECENT = "days_since_last_qualifying_day"
TENURE = "tenure_days"


@dataclass(frozen=True)
class Eligibility:
    """Frozen with a model. ``active_within_days`` 0 means everyone seen before the cutoff.

    Examples
    --------
    >>> Eligibility(active_within_days=7, min_tenure_days=0).mask(np.array([1.0, 7.0, 8.0, np.nan]), np.ones(4)).tolist()
    [True, True, False, False]
    """

    active_within_days: int
    min_tenure_days: int

    def mask(self, days_since_qualifying: NDArray[np.float64], tenure_days: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Eligible or not, per profile.

        Parameters
        ----------
        days_since_qualifying
            Shape (n,), days from the last qualifying day to the cutoff, at least 1; NaN where there was none.
        tenure_days
            Shape (n,), days from the first day seen to the cutoff.
        """
        tenured = tenure_days >= self.min_tenure_days
        return tenured & (days_since_qualifying <= self.active_within_days) if self.active_within_days else tenured

    def sql(self) -> str:
        """The same rule as a condition over profile columns, to leave users out before they reach memory."""
        recent = f" and {RECENT} <= {self.active_within_days}" if self.active_within_days else ""
        return f"{TENURE} >= {self.min_tenure_days}{recent}"
