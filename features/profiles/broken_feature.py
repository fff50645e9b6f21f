"""Name the feature whose SQL cannot be answered: the error of one statement over all features does not."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import AbstractContextManager
from dataclasses import replace

import duckdb
from msgspec import structs

from features.catalogue.catalogue import CUSTOM
from features.catalogue.definition import Derived, Feature
from features.errors import ChurnError, translated
from features.profiles.kernel import Kernel


def feature_errors(connection: duckdb.DuckDBPyConnection, kernel: Kernel) -> AbstractContextManager[None]:
    """Translate DuckDB's refusal of a kernel into an error that names the feature; where no feature causes it, it stays.

    Raises
    ------
    ChurnError
        When the SQL of a feature cannot be bound.
    """

    def words(error: duckdb.ProgrammingError) -> ChurnError | None:
        feature = broken_feature(connection, kernel)
        return _error_of(feature, error) if feature else None

    return translated(duckdb.ProgrammingError, words)


def broken_feature(connection: duckdb.DuckDBPyConnection, kernel: Kernel) -> Feature | None:
    """Bind the features of a kernel one by one, each with those it needs; None: each can be bound, or nothing can."""
    if not _binds(connection, kernel, names=()):
        return None
    features = kernel.specification.features
    needs = {feature.name: _needs(feature, features) for feature in features}
    fewest_first = sorted(features, key=lambda feature: len(needs[feature.name]))
    return next(
        (feature for feature in fewest_first if not _binds(connection, kernel, names=needs[feature.name])), None
    )


def _needs(feature: Feature, features: Collection[Feature]) -> set[str]:
    """Return the names of a feature and of all those that it is derived from."""
    names, more = set[str](), {feature.name}
    while more:
        names |= more
        derived = [one for one in features if one.name in more and isinstance(one, Derived)]
        words = {word for one in derived for word in one.words}
        more = {one.name for one in features if one.name in words} - names
    return names


def _binds(connection: duckdb.DuckDBPyConnection, kernel: Kernel, *, names: Collection[str]) -> bool:
    of = kernel.specification
    alone = structs.replace(of, feature_names=tuple(name for name in of.feature_names if name in names))
    try:
        connection.sql(replace(kernel, specification=alone).sql())
    except duckdb.ProgrammingError:
        return False
    return True


def _error_of(feature: Feature, error: Exception) -> ChurnError:
    line = str(error).partition("\n")[0]
    place = "[[features.custom]]" if feature.family == CUSTOM else f"features/catalogue/families/{feature.family}.py"
    return ChurnError(f"feature {feature.name}: its SQL cannot be answered: {line}", hint=f"fix it in {place}")
