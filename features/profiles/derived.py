"""Derived features of one profile, computed again after others were changed: the SQL of the kernel, on one row."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Collection, Mapping
from typing import Any

from features.catalogue.definition import Derived, Feature
from features.errors import InputError
from features.profiles.kernel import typed
from features.profiles.specification import Specification
from features.storage.duckdb import connect, duckdb_errors


class DerivedFeatures:
    """Computes derived features of one specification; safe to share between threads, which wait for each other."""

    def __init__(self, specification: Specification) -> None:
        self._features = specification.features
        self._connection = connect(specification.naive_zone)
        self._connection.execute("set threads = 1")
        self.close = weakref.finalize(self, self._connection.close)
        self._one_at_a_time = threading.Lock()

    def recompute(self, profile: Mapping[str, Any], *, changed: Collection[str]) -> dict[str, Any]:
        """Return the derived features that depend on what was changed, also by way of others, each with its value.

        Parameters
        ----------
        profile
            Every feature of the specification by name, and ``cutoff``.

        Raises
        ------
        InputError
            When one depends on a feature that the profile lacks.
        """
        wanted = self._depending_on(changed)
        if not wanted:
            return {}
        given = [one for one in self._features if one not in wanted and one.name in profile]
        row = ", ".join(
            ["cast($cutoff as date) as cutoff", *(f"cast(${one.name} as {_kind(one)}) as {one.name}" for one in given)]
        )
        found = ", ".join(f"{typed(one, one.sql)} as {one.name}" for one in wanted)
        values = {one.name: profile[one.name] for one in given} | {"cutoff": profile.get("cutoff")}
        query = f"select {', '.join(one.name for one in wanted)} from (select *, {found} from (select {row}))"
        with self._one_at_a_time, duckdb_errors("derived features cannot be computed", "send a complete profile"):
            computed = self._connection.execute(query, values).fetchall()[0]
        return {one.name: value for one, value in zip(wanted, computed, strict=True)}

    def _depending_on(self, changed: Collection[str]) -> list[Feature]:
        """Return them in the order in which they can be computed."""
        names, found = set(changed), list[Feature]()
        for one in self._features:
            if isinstance(one, Derived) and one.words & names and one.name not in changed:
                names.add(one.name)
                found.append(one)
        return found


def check_not_derived(specification: Specification, changed: Collection[str]) -> None:
    """Refuse to change what follows from other features, or what the model does not know.

    Raises
    ------
    InputError
        Then.
    """
    known = {one.name: one for one in specification.features}
    for name in changed:
        if name not in known:
            raise InputError("changes: an unknown feature", hint="the answer without changes lists the features")
        if isinstance(known[name], Derived):
            hint = "change what it is made of: churn features says how"
            raise InputError(f"changes.{name}: it is derived from other features", hint=hint)


def _kind(feature: Feature) -> str:
    return "varchar" if feature.is_text else "double"
