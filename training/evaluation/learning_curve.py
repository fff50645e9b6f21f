"""Whether more users would help: the recipe is trained on growing shares of the users, and tested on the same ones."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.optimize import OptimizeWarning, curve_fit

from models.evaluation.metrics import Interval, intervals
from training.data.dataset import Dataset
from training.evaluation.backtest import Train
from training.plan.splits import Split

SHARES = (0.1, 0.2, 0.4, 0.7, 1.0)
MIN_USEFUL_GAIN = 0.002
MIN_OF_A_CLASS = 20
_MAX_TIMES = 10.0
_MIN_POINTS = 4
_PARTS = 1_000_000
_KEY_BYTES = 16  # of the key of a hash
_MAX_POWER = 2.0


@dataclass(frozen=True)
class Point:
    """The AUC of a model that was trained on so many users."""

    users: int
    auc: Interval


@dataclass(frozen=True)
class Law:
    """``AUC(n) = top - lost * n ** -power``, n in thousands of users.

    Source: Figueroa et al. 2012, "Predicting sample size required for classification performance", BMC Medical Informatics
    and Decision Making 12:8.
    """

    top: float
    lost: float
    power: float

    def auc(self, users: NDArray[np.float64] | float) -> Any:
        """Expected AUC with so many users, shape of ``users``."""
        return self.top - self.lost * (np.asarray(users) / 1000) ** -self.power


@dataclass(frozen=True)
class LearningCurve:
    """The points, by increasing number of users, and the law through them; None where no law fits."""

    points: tuple[Point, ...]
    law: Law | None

    def gain(self, times: float) -> float | None:
        """Gain in AUC from so many times the users, by the law."""
        if self.law is None:
            return None
        users = self.points[-1].users
        return float(self.law.auc(times * users) - self.law.auc(users))

    @property
    def summary(self) -> str:
        """What more users would add, in a sentence."""
        double, farthest = self.gain(2), self.gain(_MAX_TIMES)
        if double is None or farthest is None:
            return "No power law fits these points: it is unknown what more users would add."
        users = self.points[-1].users
        if farthest < MIN_USEFUL_GAIN:
            return f"More users would not help: ten times the {users:,} would add {max(farthest, 0):.4f} to the AUC."
        return (
            f"{users:,} more users would add about {double:.3f} to the AUC, ten times as many about {farthest:.3f}; "
            "an extrapolation, for users of the same kind."
        )

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        law = asdict(self.law) if self.law else None
        return {"says": self.summary, "points": [asdict(point) for point in self.points], "law": law}


def learning_curve(training_rows: Dataset, test: Dataset, *, split: Split, fit: Train, seed: int) -> LearningCurve:
    """Train on 10, 20, 40, 70 and 100 % of the users, each share within the next, and fit the law.

    Parameters
    ----------
    training_rows
        The rows of the split's training cutoffs.
    fit
        Trains with the same recipe.
    """
    points = tuple(
        Point(users, _auc(test, fit(part, split).predict_probability(test.profiles), seed=seed))
        for users, part in _nested(training_rows, split, seed=seed)
    )
    return LearningCurve(points, fit_law(points))


def _auc(test: Dataset, probability: NDArray[np.float64], *, seed: int) -> Interval:
    return intervals(test.churned, probability, seed=seed, of=("auc",), weights=test.weights)["auc"]


def _nested(training_rows: Dataset, split: Split, *, seed: int) -> Iterator[tuple[int, Dataset]]:
    """Yield the number of users and their rows; shares with a part that is too small are excluded."""
    users = training_rows.profiles.column("user_id").to_numpy()
    place = pd.util.hash_array(users, hash_key=f"{seed % 10**_KEY_BYTES:0{_KEY_BYTES}d}") % _PARTS
    for share in SHARES:
        chosen = place < share * _PARTS
        part = Dataset(training_rows.profiles.filter(chosen), training_rows.churned[chosen])
        parts = [split.train, split.validation or split.train, split.calibration]
        if min(part.at(cutoffs).smaller_class for cutoffs in parts) >= MIN_OF_A_CLASS:
            yield len(np.unique(users[chosen])), part


def fit_law(points: tuple[Point, ...]) -> Law | None:
    """Fit the law by least squares; None for fewer than four points, or where the fit does not converge.

    Examples
    --------
    >>> points = [(n, 0.8 - 0.05 * (n / 1000) ** -0.5) for n in (250, 1000, 4000, 16_000)]
    >>> found = fit_law(tuple(Point(n, Interval(auc, auc, auc)) for n, auc in points))
    >>> found and round(found.top, 3), found and round(found.power, 2)
    (0.8, 0.5)
    """
    if len(points) < _MIN_POINTS:
        return None
    users = np.array([point.users for point in points], dtype=np.float64)
    values = np.array([point.auc.value for point in points])
    bounds = ([0.0, 0.0, 0.05], [1.0, 1.0, _MAX_POWER])
    with warnings.catch_warnings():
        warnings.simplefilter("error", OptimizeWarning)
        try:
            found, _ = curve_fit(
                lambda n, top, lost, power: Law(top, lost, power).auc(n),
                users,
                values,
                p0=(min(values.max() + 0.01, 0.999), 0.05, 0.5),
                bounds=bounds,
            )
        except (RuntimeError, OptimizeWarning):
            return None
    return Law(*(float(value) for value in found))
