"""When, not only whether: the chance of the deciding event in each interval, and the curve of one user that follows from it.

The deciding event is the next qualifying event where churn is inactivity, or the event that is churn. Time is cut into intervals;
a row stands for a user, a cutoff and an interval that began without the event. So a cutoff whose later intervals are not over yet
still tells of the earlier ones.

The curve is anchored: at the horizon of the model it is the model's own churn probability, and the cumulative hazard of a user
is multiplied by what that takes. So ranking, calibration and base rate are the model's, and the hazard only decides the shape.

Source
------
Tutz, Schmid 2016, "Modeling Discrete Time-to-Event Data", chapters 3 and 6 (discrete hazards as binary regression over intervals).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import lightgbm as lgb
import numpy as np
from scipy.special import log_expit

from models.arrays import Matrix, Values
from models.scorers.trees import raw_scores

INTERVAL = "interval_end_days"  # the feature that training adds: the last day of the interval
_TINY = 1e-12
_HALF = np.log(2.0)


@dataclass(frozen=True)
class Hazard:
    """Trees for the log-odds of churn in an interval: that the user stays away or, where churn is an event, that it happens.

    Attributes
    ----------
    days
        Ends of the intervals, ascending, in days from the start of the horizon; the model's horizon is one of them.
    """

    booster: lgb.Booster
    days: tuple[int, ...]

    def cumulative(self, matrix: Matrix, *, is_event: bool, threads: int = 0) -> Matrix:
        """Return the cumulative hazard of the deciding event up to each day, shape (n, days): ascending, above zero."""
        churn = -1.0 if is_event else 1.0  # staying away is the absence of the deciding event, and churn
        hazard = [
            -log_expit(churn * raw_scores(self.booster, with_interval(matrix, days), threads=threads))
            for days in self.days
        ]
        return np.cumsum(np.maximum(np.stack(hazard, axis=1), _TINY), axis=1)


def with_interval(matrix: Matrix, days: int | Values) -> Matrix:
    """Append the end of the interval, one or shape (n,), to the features."""
    return np.column_stack([matrix, np.broadcast_to(np.asarray(days, dtype=np.float64), len(matrix))])


@dataclass(frozen=True)
class Curves:
    """One curve per user: how the churn probability depends on the horizon.

    Attributes
    ----------
    days
        Where the curves are known, ascending; between two days the hazard is constant, as before the first one.
    cumulative
        Cumulative hazard of the deciding event by each day, shape (n, days).
    is_event
        True where churn is an event: the probability rises with the horizon. Else it falls: it takes longer to stay away for longer.
    """

    days: tuple[int, ...]
    cumulative: Matrix
    is_event: bool

    def anchored(self, probability: Values, *, at: int) -> Curves:
        """Scale the hazard of each user so that the churn probability at one of the days is the given one, shape (n,)."""
        none = 1 - probability if self.is_event else probability
        wanted = -np.log(np.clip(none, _TINY, 1 - _TINY))
        return replace(self, cumulative=self.cumulative * (wanted / self.cumulative[:, self.days.index(at)])[:, None])

    def churn_probability(self, days: float) -> Values:
        """Churn probability of a horizon of some days within the curve, shape (n,)."""
        none = np.exp(-self._at(days))
        return 1 - none if self.is_event else none

    @property
    def probabilities(self) -> Matrix:
        """Churn probability at each of the days, shape (n, days)."""
        none = np.exp(-self.cumulative)
        return 1 - none if self.is_event else none

    @cached_property
    def median_days(self) -> Values:
        """Days until the deciding event is as likely to have happened as not, shape (n,); NaN: later than the curve reaches."""
        days, hazard = self._from_zero
        after = (hazard < _HALF).sum(axis=1)  # the first point at or beyond one half
        row, known = np.arange(len(hazard)), after < hazard.shape[1]
        end = np.where(known, after, hazard.shape[1] - 1)
        low, high = hazard[row, end - 1], hazard[row, end]
        found = days[end - 1] + (_HALF - low) / (high - low) * (days[end] - days[end - 1])
        return np.where(known, found, np.nan)

    def _at(self, days: float) -> Values:
        known, hazard = self._from_zero
        after = int(np.clip(np.searchsorted(known, days), 1, len(known) - 1))
        share = (days - known[after - 1]) / (known[after] - known[after - 1])
        return hazard[:, after - 1] + share * (hazard[:, after] - hazard[:, after - 1])

    @property
    def _from_zero(self) -> tuple[Values, Matrix]:
        """Days and hazards with the start, where nothing has happened."""
        return np.array([0, *self.days], dtype=np.float64), np.insert(self.cumulative, 0, 0.0, axis=1)
