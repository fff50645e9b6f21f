"""Encode profiles as the matrix that LightGBM reads: doubles, NaN where null; categories as integer codes of a frozen map."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from features.errors import InputError
from features.profiles.specification import Specification
from models.arrays import Matrix, Values

_ROWS_AT_ONCE = 100_000
Column = Any  # a pyarrow.ChunkedArray: its stubs refuse most operations on one whose type is not known beforehand


def fit_categories(profiles: pa.Table, names: Sequence[str], *, maximum: int) -> dict[str, tuple[str, ...]]:
    """Find the known values of each text feature, the most frequent first; ties are sorted by their bytes.

    Parameters
    ----------
    profiles
        Training profiles only.
    names
        The text features.
    maximum
        Number of values with a code of their own; the rest shares UNKNOWN.
    """
    return {name: _most_frequent(profiles.column(name), maximum) for name in names}


def _most_frequent(column: Column, maximum: int) -> tuple[str, ...]:
    counts = Counter(
        {str(pair["values"]): int(pair["counts"]) for pair in pc.value_counts(_texts(column).drop_null()).to_pylist()}
    )
    return tuple(sorted(counts, key=lambda value: (-counts[value], value.encode()))[:maximum])


def encode(profiles: pa.Table, specification: Specification) -> Matrix:
    """Encode profiles as the matrix of a specification.

    Returns
    -------
    Shape (n, features), float64. A category is the index of its value in the frozen map, UNKNOWN (the length of the map)
    for any other value, NaN for null.

    Raises
    ------
    InputError
        When a column is missing.
    """
    missing = sorted(set(specification.feature_names) - set(profiles.column_names))
    if missing:
        raise InputError(
            f"profiles lack {len(missing)} of the model's features, among them {missing[0]}",
            hint="build them with the model's own specification",
        )
    matrix = np.empty((profiles.num_rows, len(specification.feature_names)), dtype=np.float64)
    for place, name in enumerate(specification.feature_names):
        column = profiles.column(name)
        known = specification.categories.get(name)
        matrix[:, place] = _numbers(column) if known is None else _codes(column, known)
    matrix[:, _unused(specification)] = np.nan
    return matrix


def by_rows(profiles: pa.Table, specification: Specification, *, score: Callable[[Matrix], Values]) -> Values:
    """Encode and score in blocks of rows: a matrix of all takes as much memory as the profiles. Shape (n,)."""
    blocks = (profiles.slice(start, _ROWS_AT_ONCE) for start in range(0, profiles.num_rows, _ROWS_AT_ONCE))
    return np.concatenate([np.zeros(0), *(score(encode(block, specification)) for block in blocks)])


def _numbers(column: Column) -> NDArray[np.float64]:
    return column.cast(pa.float64()).fill_null(float("nan")).to_numpy()


def _codes(column: Column, known: tuple[str, ...]) -> NDArray[np.float64]:
    codes = pc.index_in(_texts(column), value_set=pa.array(known, pa.string()), skip_nulls=True)
    unknown = pc.if_else(pc.is_null(codes), float(len(known)), codes.cast(pa.float64()))
    return pc.if_else(pc.is_null(column), float("nan"), unknown).to_numpy()


def _texts(column: Column) -> Column:
    """Return the values as texts, of a dictionary too: the map and the codes have to read a value alike."""
    return column.cast(pa.string())


def encode_rows(profiles: Sequence[Mapping[str, object]], specification: Specification) -> Matrix:
    """Encode profiles given as mappings; the same numbers as :func:`encode`, without a table. Shape (n, features)."""
    names, categories = specification.feature_names, specification.categories
    texts = [(place, categories[name]) for place, name in enumerate(names) if name in categories]
    rows = [[profile[name] for name in names] for profile in profiles]
    for row in rows:
        for place, known in texts:
            row[place] = _code(row[place], known)
    matrix = np.array(rows, dtype=np.float64).reshape(len(rows), len(names))  # None becomes NaN
    if specification.unused:
        matrix[:, _unused(specification)] = np.nan
    return matrix


def _code(value: object, known: tuple[str, ...]) -> int | None:
    if value is None:
        return None
    return known.index(str(value)) if value in known else len(known)


def _unused(specification: Specification) -> list[int]:
    return [place for place, name in enumerate(specification.feature_names) if name in specification.unused]
