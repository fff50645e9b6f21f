"""Profiles of one log that several models read: what does not depend on a model is built once for all of them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import date
from functools import cached_property

import pyarrow as pa
from msgspec import structs

from features.activity.store import Activity
from features.catalogue.catalogue import catalogue
from features.catalogue.definition import Derived
from features.catalogue.fitted import FittedConstants
from features.profiles.build import build_profiles, by_cutoff
from features.profiles.kernel import KEYS, derived_sql
from features.profiles.specification import Specification
from features.storage.duckdb import new_session

_AHEAD = 8  # cutoffs: building one more costs a quarter of building one alone


class SharedProfiles:
    """Profiles in memory, one table for each cutoff, in place of builds that would repeat each other.

    Features that sum up activity are kept; features that are derived from others, with the constants of each specification,
    are computed when profiles are requested. The result has the bits of :func:`features.profiles.build.build_profiles`.

    Parameters
    ----------
    activity
        All of it: a profile sees what was known before its cutoff.
    ahead
        Cutoffs that will be requested, in any order: some of them are built along with earlier ones.
    max_rows
        How many profiles are kept; where that is not enough, nothing is shared.
    """

    def __init__(self, activity: Activity, *, ahead: Collection[date], max_rows: int) -> None:
        self._activity, self._ahead, self._max_rows = activity, sorted(set(ahead)), max_rows
        self._specification: Specification | None = None
        self._kept: dict[date, pa.Table] = {}

    def profiles(self, specification: Specification, *, cutoffs: Sequence[date], where: str) -> pa.Table | None:
        """Return profiles as :func:`features.profiles.build.build_profiles` does; None: too many would have to be kept."""
        wide = self._wide_enough_for(specification)
        if not self._build(wide, set(cutoffs)):
            return None
        found = pa.concat_tables([self._kept[cutoff] for cutoff in sorted(set(cutoffs))])
        names = ", ".join((*KEYS, *specification.feature_names))
        with closing(new_session(self._activity.connection)) as session:
            session.register("shared_profiles", found)  # in the order of cutoffs and users, which a filter keeps
            complete = f"select *{derived_sql(specification.features)} from shared_profiles"
            return session.sql(f"select {names} from ({complete}) where {where}").to_arrow_table()

    def _wide_enough_for(self, specification: Specification) -> Specification:
        """Return what is kept; where it lacks a feature of a specification, everything is built anew from here on."""
        wide = self._specification
        if wide is None or not _has_all_sums(wide, specification):
            self._specification = wide = _widened(specification, wide)
            self._kept.clear()
        return wide

    def _build(self, wide: Specification, cutoffs: set[date]) -> bool:
        missing = cutoffs - self._kept.keys()
        if not missing:
            return True
        ahead = [day for day in self._ahead if day > max(missing) and day not in self._kept]
        wanted = sorted(missing.union(ahead[:_AHEAD]))
        if self._users * (len(self._kept) + len(wanted)) > self._max_rows:
            return False
        found = build_profiles(self._activity, wide, cutoffs=wanted)
        self._kept |= dict.fromkeys(wanted, found.slice(0, 0)) | by_cutoff(found)
        return True

    @cached_property
    def _users(self) -> int:
        counted = f"select count(distinct user_id) from {self._activity.versions('days')}"
        return int(self._activity.connection.execute(counted).fetchall()[0][0])


def _has_all_sums(wide: Specification, specification: Specification) -> bool:
    known = {one.name: one for one in wide.features}
    sums = [one for one in specification.features if not isinstance(one, Derived)]
    return _settings(wide) == _settings(specification) and all(known.get(one.name) == one for one in sums)


def _settings(specification: Specification) -> Specification:
    """Return what the values of all features depend on, besides activity and their own definitions."""
    fitted = FittedConstants()
    return structs.replace(specification, feature_names=(), fitted=fitted, categories={}, sensitive=(), unused=())


def _widened(specification: Specification, wide: Specification | None) -> Specification:
    """Return a specification with the sums of both; where they define one differently, that of the first."""
    types, names = (wide.fitted.event_types, wide.feature_names) if wide else ((), ())
    event_types = tuple(dict.fromkeys((*specification.fitted.event_types, *types)))
    fitted = replace(specification.fitted, event_types=event_types)
    features = catalogue(specification.windows_days, fitted, custom=specification.custom)
    sums = {one.name for one in features if not isinstance(one, Derived)}
    both = dict.fromkeys((*specification.feature_names, *names))
    return structs.replace(specification, fitted=fitted, feature_names=tuple(name for name in both if name in sums))
