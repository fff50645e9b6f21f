"""Logistic regression on the matrix that the trees see, kept as plain numbers: a baseline, and a part of the ensemble.

A number enters as its signed logarithm, standardised, so that one user with a million events does not dominate the fit; a
missing one has its own weight. Every value of a category has a weight.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

from features.profiles.specification import Specification
from models.arrays import Labels, Matrix, Values

_L2 = 0.01  # per row: the same user at many cutoffs is many rows, but hardly more evidence
_MAX_ROWS = 100_000  # more rows hardly change some hundred weights
_ROWS_AT_ONCE = 50_000
_MAX_DEVIATIONS = 5.0
_MAX_STEPS = 1_000  # some dozens are enough: the columns have one scale and the penalty is strong
_FLAT = 1e-9

Floats = tuple[float, ...]


class _Levels(NamedTuple):
    """The contributions of all categories one after the other: where each category starts, and where its null is."""

    values: Values
    starts: NDArray[np.int64]
    nulls: Values

    @classmethod
    def of(cls, levels: tuple[Floats, ...]) -> _Levels:
        sizes = np.array([len(one) for one in levels], dtype=np.int64)
        return cls(
            np.array([value for one in levels for value in one]),
            np.cumsum(sizes) - sizes,
            np.array(sizes - 1, dtype=np.float64),
        )

    def of_codes(self, codes: Matrix) -> Matrix:
        """Contribution of each code, shape (n, categories)."""
        known = np.where(np.isnan(codes), self.nulls, codes).astype(np.int64)
        return self.values[self.starts + known]


class _Arrays(NamedTuple):
    """The numbers of a :class:`Linear` as arrays."""

    numbers: NDArray[np.intp]
    categories: NDArray[np.intp]
    centres: Values
    scales: Values
    weights: Values
    offsets: Values
    absent: Values
    levels: _Levels


@dataclass(frozen=True)
class Linear:
    """A fitted logistic regression. Contributions have mean zero over the rows that it was fitted on.

    Attributes
    ----------
    base
        Log-odds of an average user; raw scores are this plus the contributions.
    numbers, categories
        Column indices of both kinds of features in the matrix.
    centres, scales
        Mean and standard deviation of the signed logarithm of each number.
    weights, offsets, absent
        A number contributes ``weight * scaled + offset``, or ``absent`` where it is null.
    levels
        For each category: the contribution of each code, null last.
    """

    base: float
    numbers: tuple[int, ...]
    centres: Floats
    scales: Floats
    weights: Floats
    offsets: Floats
    absent: Floats
    categories: tuple[int, ...]
    levels: tuple[Floats, ...]

    def raw(self, matrix: Matrix) -> Values:
        """Log-odds, shape (n,); some rows at a time, as contributions take as much memory as the matrix."""
        blocks = range(0, len(matrix), _ROWS_AT_ONCE)
        sums = [self.contributions(matrix[start : start + _ROWS_AT_ONCE]).sum(axis=1) for start in blocks]
        return self.base + np.concatenate([np.zeros(0), *sums])

    @cached_property
    def _arrays(self) -> _Arrays:
        """The same numbers as arrays: to make them takes longer than to score a user."""
        return _Arrays(
            np.array(self.numbers, dtype=np.intp),
            np.array(self.categories, dtype=np.intp),
            np.array(self.centres),
            np.array(self.scales),
            np.array(self.weights),
            np.array(self.offsets),
            np.array(self.absent),
            _Levels.of(self.levels),
        )

    def contributions(self, matrix: Matrix) -> Matrix:
        """Contributions to the log-odds, shape (n, features): with ``base`` they add up to :meth:`raw`."""
        found, arrays = np.empty_like(matrix), self._arrays
        scaled = _scaled(_logarithms(matrix[:, arrays.numbers]), arrays.centres, scales=arrays.scales)
        linear = arrays.weights * scaled + arrays.offsets
        found[:, arrays.numbers] = np.where(np.isnan(scaled), arrays.absent, linear)
        found[:, arrays.categories] = arrays.levels.of_codes(matrix[:, arrays.categories])
        return found


def fit_linear(
    matrix: Matrix, churned: Labels, *, specification: Specification, seed: int, weights: Values | None = None
) -> Linear:
    """Fit by penalised maximum likelihood.

    Parameters
    ----------
    matrix, churned
        Shape (n, features) and (n,), as :func:`models.encoding.encode` makes it.
    specification
        Which columns are categories, and of how many values.
    seed
        Samples the training rows where there are more than 100,000.
    weights
        Of the rows, shape (n,); None: all alike. They weigh the likelihood and the mean of contributions; the scale of a column is that
        of the rows as they are.
    """
    if len(matrix) > _MAX_ROWS:
        sample = np.sort(np.random.default_rng(seed).choice(len(matrix), _MAX_ROWS, replace=False))
        matrix, churned = matrix[sample], churned[sample]
        weights = None if weights is None else weights[sample]
    weights = None if weights is None else weights / weights.mean()  # so that the penalty stays the same
    design = _Design.of(matrix, specification)
    columns = design.columns(matrix)
    means = np.average(columns, axis=0, weights=weights)
    with threadpool_limits(
        limits=1, user_api="blas"
    ):  # on matrices of this size, waiting threads take ten times as long
        model = LogisticRegression(C=1 / (_L2 * len(columns)), max_iter=_MAX_STEPS).fit(
            columns, churned, sample_weight=weights
        )
    return design.linear(float(model.intercept_[0]), model.coef_[0], means=means)


def _logarithms(numbers: Matrix) -> Matrix:
    return np.copysign(np.log1p(np.abs(numbers)), numbers)


def _scaled(logarithms: Matrix, centres: Values, *, scales: Values) -> Matrix:
    deviations = (logarithms - centres) / scales
    return np.minimum(
        np.maximum(deviations, -_MAX_DEVIATIONS), _MAX_DEVIATIONS
    )  # np.clip costs a single row twice that


def _codes(column: Values, *, levels: int) -> NDArray[np.int64]:
    """Code of each row, null the last."""
    return np.where(np.isnan(column), levels - 1, column).astype(np.int64)


@dataclass(frozen=True)
class _Design:
    """The design matrix: numbers, then one column per pattern of missing values, then one column per level."""

    numbers: tuple[int, ...]
    centres: Values
    scales: Values
    medians: Values
    patterns: tuple[int, ...]
    categories: tuple[int, ...]
    levels: tuple[int, ...]

    @classmethod
    def of(cls, matrix: Matrix, specification: Specification) -> _Design:
        names, known = specification.feature_names, specification.categories
        categories = tuple(place for place, name in enumerate(names) if name in known)
        numbers = tuple(place for place, name in enumerate(names) if name not in known)
        logarithms = _logarithms(matrix[:, numbers])
        present = [column[~np.isnan(column)] for column in logarithms.T]
        centres = np.array([column.mean() if len(column) else 0.0 for column in present])
        scales = np.array([column.std() if len(column) else 0.0 for column in present])
        scales[scales < _FLAT] = 1.0  # a constant gets no weight
        medians = np.array([np.median(column) if len(column) else 0.0 for column in present])
        scaled_medians = _scaled(medians, centres, scales=scales)
        levels = tuple(len(known[names[place]]) + 2 for place in categories)  # UNKNOWN and null
        return cls(numbers, centres, scales, scaled_medians, _patterns(np.isnan(logarithms)), categories, levels)

    def columns(self, matrix: Matrix) -> Matrix:
        """Design matrix, shape (n, columns)."""
        scaled = _scaled(_logarithms(matrix[:, self.numbers]), self.centres, scales=self.scales)
        absent = np.isnan(scaled)
        ones = [
            _codes(matrix[:, place], levels=levels)[:, None] == np.arange(levels)
            for place, levels in zip(self.categories, self.levels, strict=True)
        ]
        return np.hstack([np.where(absent, self.medians, scaled), absent[:, self.patterns], *ones])

    def linear(self, intercept: float, weights: Values, *, means: Values) -> Linear:
        """Turn the weights of the columns into contributions with mean zero; ``means`` are those of the columns."""
        borders = np.cumsum([len(self.numbers), len(self.patterns), *self.levels])[:-1]
        (slopes, missing, *values), (mean, share, *shares) = np.split(weights, borders), np.split(means, borders)
        offsets, absent = -slopes * mean, np.zeros(len(self.numbers))
        absent[list(self.patterns)] = missing
        offsets[list(self.patterns)] -= missing * share
        absent += slopes * self.medians + offsets
        return Linear(
            base=intercept + float(weights @ means),
            numbers=self.numbers,
            centres=_plain(self.centres),
            scales=_plain(self.scales),
            weights=_plain(slopes),
            offsets=_plain(offsets),
            absent=_plain(absent),
            categories=self.categories,
            levels=tuple(_plain(value - value @ part) for value, part in zip(values, shares, strict=True)),
        )


def _patterns(absent: NDArray[np.bool_]) -> tuple[int, ...]:
    """Return the first column of each pattern of missing values; none for columns without any, or with nothing else."""
    mixed = np.flatnonzero(absent.any(axis=0) & ~absent.all(axis=0)).tolist()
    first = {np.packbits(absent[:, place]).tobytes(): place for place in reversed(mixed)}
    return tuple(sorted(first.values()))


def _plain(values: Values) -> Floats:
    return tuple(values.tolist())
