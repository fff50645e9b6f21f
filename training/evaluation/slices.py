"""Where the model does well and where it does not: metrics by device, channel, tenure and activity."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from models.evaluation.metrics import Interval, intervals
from models.evaluation.reliability import Reliability
from models.evaluation.results import Slice
from models.shares import Z_95
from training.data.dataset import Dataset

MIN_USERS = 100
MIN_OF_A_CLASS = 10
MAX_VALUES = 8
OTHER, UNKNOWN = "other", "unknown"
_SHOWN = ("churn_rate", "auc", "calibration_error", "calibration_slope", "calibration_intercept")


@dataclass(frozen=True)
class Dimension:
    """One way to slice the users.

    Attributes
    ----------
    features
        The first of these that the profiles have is used.
    edges
        Where each band of a number starts; empty: a text, sliced by its values.
    """

    name: str
    features: tuple[str, ...]
    edges: tuple[int, ...] = ()
    unit: str = ""

    def values(self, profiles: pa.Table) -> NDArray[np.object_] | None:
        """Return the value or band of every user, shape (n,); None where the profiles have none of the features."""
        found = next((name for name in self.features if name in profiles.column_names), None)
        if found is None:
            return None
        column = profiles.column(found)
        return self._bands(column) if self.edges else _frequent_values(column)

    def _bands(self, column: pa.ChunkedArray[Any]) -> NDArray[np.object_]:
        numbers = column.to_numpy()
        names = np.array([*self.labels, UNKNOWN], dtype=object)
        places = np.searchsorted(self.edges, numbers, side="right") - 1
        return names[np.where(np.isnan(numbers), len(self.labels), np.maximum(places, 0))]

    @property
    def labels(self) -> list[str]:
        """The bands in words.

        Examples
        --------
        >>> Dimension("activity", ("active_days",), edges=(0, 2, 4), unit="days").labels
        ['0 to 1 days', '2 to 3 days', '4 days or more']
        """
        ends = [
            f"{low} to {high - 1}" if high - low > 1 else f"{low}"
            for low, high in zip(self.edges, self.edges[1:], strict=False)
        ]
        return [*(f"{end} {self.unit}" for end in ends), f"{self.edges[-1]} {self.unit} or more"]


DIMENSIONS = (
    Dimension("device", ("last_device_os", "main_device_os_28d", "last_device_model", "main_device_model_28d")),
    Dimension("channel", ("acquisition_channel", "last_channel", "main_channel_28d")),
    Dimension("tenure", ("tenure_days",), edges=(0, 7, 28, 90, 365), unit="days"),
    Dimension("activity", ("active_days_28d", "active_days"), edges=(0, 2, 4, 8, 15), unit="active days"),
)


def slices(test: Dataset, probability: NDArray[np.float64], *, seed: int) -> tuple[Slice, ...]:
    """Measure the model on each slice of the test's users, where there are enough of them.

    Parameters
    ----------
    probability
        Calibrated, shape (n,).
    """
    return tuple(
        measured((dimension, value), test.only(of), probability=probability[of], seed=seed)
        for dimension, value, of in _cuts(test.profiles)
    )


def measured(name: tuple[str, str], rows: Dataset, *, probability: NDArray[np.float64], seed: int) -> Slice:
    """Measure the model on some users, one row each; without metrics where there are too few of them.

    Parameters
    ----------
    name
        Dimension and value.
    """
    users = len(rows.churned)
    if users < MIN_USERS or rows.smaller_class < MIN_OF_A_CLASS:
        return Slice(*name, users, {})
    found = intervals(rows.churned, probability, seed=seed, of=_SHOWN, weights=rows.weights)
    shown = {one: found[one] for one in _SHOWN} | {"mean_probability": _mean(probability, rows.weights)}
    return Slice(*name, users, shown, Reliability.of(rows.churned, probability, seed=seed, weights=rows.weights))


def _cuts(profiles: pa.Table) -> Iterator[tuple[str, str, NDArray[np.bool_]]]:
    """Yield dimension, value and mask of users, shape (n,): bands in their order, values by decreasing frequency."""
    for dimension in DIMENSIONS:
        values = dimension.values(profiles)
        if values is not None:
            counts = Counter(values.tolist())
            order = dimension.labels if dimension.edges else [name for name, _ in counts.most_common()]
            last = [name for name in (OTHER, UNKNOWN) if name in counts]
            for name in [*(name for name in order if name in counts and name not in last), *last]:
                yield dimension.name, name, values == name


def _mean(values: NDArray[np.float64], weights: NDArray[np.float64] | None) -> Interval:
    """The mean, with the interval of the central limit theorem: resampling would give the same."""
    each = np.ones(len(values)) if weights is None else weights
    mean = float(np.mean(each * values))
    reach = Z_95 * float(np.sqrt(np.mean((each * (values - mean)) ** 2) / len(values)))
    return Interval(mean, mean - reach, mean + reach)


def _frequent_values(column: pa.ChunkedArray[Any]) -> NDArray[np.object_]:
    """Return the value of each user; rare values are pooled as other. Equally frequent ones are sorted by name."""
    texts = np.array([UNKNOWN if text is None else text for text in column.to_pylist()], dtype=object)
    counts = Counter(texts.tolist())
    counts.pop(UNKNOWN, None)
    enough = [value for value in counts if counts[value] >= MIN_USERS]
    kept = sorted(enough, key=lambda value: (-counts[value], value))[:MAX_VALUES]
    return np.where(np.isin(texts, [*kept, UNKNOWN]), texts, OTHER)
