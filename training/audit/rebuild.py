"""Profiles rebuilt from only what was known before their cutoff: they cannot contain anything of a later day."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from features.activity.roll_up import RELATIONS
from features.activity.store import Activity
from features.profiles.kernel import Kernel
from features.profiles.specification import Specification
from features.snapshots import instant_sql
from features.sql import literal
from models.encoding import Column

Cells = dict[str, NDArray[np.bool_]]  # column to a mask of rows; columns without any are omitted


@dataclass(frozen=True)
class InMemory(Activity):
    """The activity of some users, read once and queried often."""

    def versions(self, name: str) -> str:
        """Return the FROM clause of a relation with every version of its days."""
        return f"audited_{name}"


def in_memory(activity: Activity, users: Collection[str]) -> Activity:
    """Read the days of some users; where several ids may be one person, the activity is returned unchanged."""
    if activity.tables.has_identities:
        return activity
    connection = activity.connection.cursor()
    among = ", ".join(map(literal, sorted(users)))
    for name in RELATIONS:
        found = activity.connection.sql(f"select * from {activity.versions(name)} where user_id in ({among})")
        connection.register(f"audited_{name}", found.to_arrow_table())
    return InMemory(connection, activity.folder, activity.manifest, activity.rows_at_once, tables=activity.tables)


@dataclass(frozen=True)
class Past:
    """The activity of some users, cut before a cutoff.

    Attributes
    ----------
    as_known_today
        True: include rows of earlier days that became known only later.
    """

    activity: Activity
    specification: Specification
    cutoff: date
    users: tuple[str, ...]
    as_known_today: bool = False

    def profiles(self) -> pa.Table:
        """Build the users' profiles, in the order of ``users``; a user of whom nothing was known has nulls."""
        relations = self._relations()
        kernel = Kernel.at_midnights(self.specification, [self.cutoff], relations=relations, has_versions=False)
        found = self.activity.connection.sql(kernel.sql()).to_arrow_table()
        return found.take(pc.index_in(pa.array(self.users, pa.string()), value_set=found.column("user_id")))

    def _relations(self) -> dict[str, str]:
        """Return what the kernel reads. Where several ids may be one person, all ids have to be read."""
        among = f"user_id in ({', '.join(map(literal, self.users))})"
        tables, days = self.activity.tables, {name: self._days(name) for name in RELATIONS}
        midnight = instant_sql(self.cutoff, self.specification.timezone)
        dated = {name: f"(from {source} where valid_from < {midnight})" for name, source in tables.relations.items()}
        if tables.has_identities:
            return days | dated | {"persons": f"(from {tables.persons(days['days'])} where {among})"}
        return {name: f"(from {source} where {among})" for name, source in days.items()} | dated

    def _days(self, name: str) -> str:
        before = f"date '{self.cutoff}'"
        if self.as_known_today:
            return f"(from {self.activity.relation(name)} where day < {before})"
        return self.activity.known(name, before=before)


@dataclass(frozen=True)
class RebuiltRows:
    """Some rows of one cutoff, as trained on and rebuilt."""

    past: Past
    trained: pa.Table
    churned: NDArray[np.bool_]

    @cached_property
    def then(self) -> pa.Table:
        """Profiles built from what was known before the cutoff."""
        return self.past.profiles()

    @cached_property
    def wrong(self) -> Cells:
        """Cells that differ from what was known before the cutoff."""
        return differing(self.trained, self.then, names=self.past.specification.feature_names)

    @cached_property
    def late(self) -> Cells:
        """Of these, the cells that match what is known today of the days before the cutoff."""
        if not (self.wrong and self.past.activity.has_versions):
            return {}
        today = replace(self.past, as_known_today=True).profiles()
        return _without(self.wrong, differing(self.trained, today, names=self.wrong))

    @property
    def unexplained(self) -> Cells:
        """Of these, the cells that no late row explains."""
        return _without(self.wrong, self.late)


def differing(some: pa.Table, others: pa.Table, *, names: Collection[str]) -> Cells:
    """Return the cells in which two tables of the same rows differ."""
    found = {name: _differ(some.column(name), others.column(name)) for name in names}
    return {name: rows for name, rows in found.items() if rows.any()}


def _differ(some: Column, others: Column) -> NDArray[np.bool_]:
    """Compare all digits but the last few: no leak is that small, and sums of a custom feature may be added in any order."""
    if pa.types.is_string(some.type):
        return np.array(some.to_pylist(), dtype=object) != np.array(others.to_pylist(), dtype=object)
    numbers = [column.cast(pa.float64()).fill_null(float("nan")).to_numpy() for column in (some, others)]
    return ~np.isclose(*numbers, rtol=1e-9, atol=0, equal_nan=True)


def _without(cells: Cells, others: Cells) -> Cells:
    found = {name: rows & ~others[name] if name in others else rows for name, rows in cells.items()}
    return {name: rows for name, rows in found.items() if rows.any()}


def with_late_rows(activity: Activity, cutoff: date) -> frozenset[str]:
    """Find the users with events before the cutoff that became known only later."""
    if not activity.has_versions:
        return frozenset()
    rows = activity.connection.sql(
        f"""select distinct user_id from {activity.versions("days")}
        where day < date '{cutoff}' and known_day >= date '{cutoff}'"""
    ).fetchall()
    return frozenset(user for (user,) in rows)
