"""Who is scored at a cutoff. One rule for training, evaluation and scoring: it reads two or three columns of the profile, no more."""

from __future__ import annotations

from dataclasses import dataclass
from math import isnan

import numpy as np
from numpy.typing import NDArray

RECENT = "days_since_last_qualifying_day"
TENURE = "tenure_days"
LEFT = "days_since_last_leaving_day"

Days = NDArray[np.float64]


@dataclass(frozen=True)
class Eligibility:
    """Frozen with a model. ``active_within_days`` 0 means everyone seen before the cutoff.

    Attributes
    ----------
    has_leaving_event
        True where an event means that a user left: who has left, and was not active on a later day, has already churned.
    max_tenure_days
        Only users who were first seen at most this many days before the cutoff; 0: no limit.

    Examples
    --------
    >>> Eligibility(active_within_days=7, min_tenure_days=0).mask(np.array([1.0, 7.0, 8.0, np.nan]), np.ones(4)).tolist()
    [True, True, False, False]
    """

    active_within_days: int
    min_tenure_days: int
    has_leaving_event: bool = False
    max_tenure_days: int = 0

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of the profile that the rule reads, in the order of :meth:`mask`."""
        return (RECENT, TENURE, LEFT) if self.has_leaving_event else (RECENT, TENURE)

    def mask(self, days_since_qualifying: Days, tenure_days: Days, *days_since_leaving: Days) -> NDArray[np.bool_]:
        """Eligible or not, per profile.

        Parameters
        ----------
        days_since_qualifying
            Shape (n,), days from the last qualifying day to the cutoff, at least 1; NaN where there was none.
        tenure_days
            Shape (n,), days from the first day seen to the cutoff.
        days_since_leaving
            Where there is a leaving event: shape (n,), days from the last day with the leaving event; NaN where there was none.
        """
        tenured = tenure_days >= self.min_tenure_days
        if self.max_tenure_days:
            tenured = tenured & (tenure_days <= self.max_tenure_days)
        for left in days_since_leaving:
            tenured = tenured & (np.isnan(left) | (left > days_since_qualifying))
        return tenured & (days_since_qualifying <= self.active_within_days) if self.active_within_days else tenured

    def why_not(self, days_since_qualifying: float, tenure_days: float, *days_since_leaving: float) -> str:
        """Say why one profile is not eligible, by the numbers that :meth:`mask` reads; empty where it is.

        Examples
        --------
        >>> Eligibility(active_within_days=7, min_tenure_days=0).why_not(8.0, 30.0)
        'inactive: last active 8 days before the cutoff, expected at most 7'
        """
        for left in days_since_leaving:
            if left <= days_since_qualifying or (isnan(days_since_qualifying) and not isnan(left)):
                return f"left: {left:g} days before the cutoff, and not active on a later day"
        if not tenure_days >= self.min_tenure_days:
            return (
                f"too new: first seen {tenure_days:g} days before the cutoff, expected at least {self.min_tenure_days}"
            )
        if self.max_tenure_days and not tenure_days <= self.max_tenure_days:
            return (
                f"not new: first seen {tenure_days:g} days before the cutoff, expected at most {self.max_tenure_days}"
            )
        if self.active_within_days and not days_since_qualifying <= self.active_within_days:
            last = "never active" if isnan(days_since_qualifying) else f"last active {days_since_qualifying:g} days"
            return f"inactive: {last} before the cutoff, expected at most {self.active_within_days}"
        return ""

    def sql(self) -> str:
        """The same rule as a condition over profile columns, to exclude users before they reach memory."""
        recent = f" and {RECENT} <= {self.active_within_days}" if self.active_within_days else ""
        left = f" and ({LEFT} is null or coalesce({LEFT} > {RECENT}, false))" if self.has_leaving_event else ""
        new = f" and {TENURE} <= {self.max_tenure_days}" if self.max_tenure_days else ""
        return f"{TENURE} >= {self.min_tenure_days}{new}{recent}{left}"
