"""Activity to profiles, on this machine: as many users at a time as fit into memory."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import date
from itertools import chain
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from features.activity.roll_up import DETECTED_FACTS, RELATIONS
from features.activity.store import Activity
from features.catalogue.catalogue import CONFIGURED
from features.errors import InputError
from features.profiles.broken_feature import feature_errors
from features.profiles.kernel import KEYS, Kernel
from features.profiles.specification import Specification
from features.snapshots import Coverage
from features.sql import literal
from features.storage.atomic import atomic_file
from features.storage.duckdb import new_session

__all__ = ["KEYS", "Shard", "build_in_parts", "build_profiles", "by_cutoff", "write"]

_CUTOFFS_LIKE_THE_LOG = 6  # so many cutoffs need about as much memory again as the log of one


@dataclass(frozen=True)
class Shard:
    """One of ``of`` parts of all users, by a hash of the user id that is the same on every machine.

    Attributes
    ----------
    number
        1 to ``of``.
    """

    number: int = 1
    of: int = 1

    def sql(self) -> str:
        """Return the condition on ``user_id``."""
        return "true" if self.of == 1 else f"md5_number_lower(user_id) % {self.of} = {self.number - 1}"

    @classmethod
    def parse(cls, text: str) -> Shard:
        """Read ``2/8``.

        Raises
        ------
        InputError
            When it is not a shard.

        Examples
        --------
        >>> Shard.parse("2/8")
        Shard(number=2, of=8)
        """
        number, _, of = text.partition("/")
        if not (text.isascii() and number.isdigit() and of.isdigit() and 1 <= int(number) <= int(of)):
            raise InputError(
                f'--shard: got "{text}", expected I/N, for example 2/8', hint="as in --shard 1/4 to --shard 4/4"
            )
        return cls(int(number), int(of))


def build_profiles(
    activity: Activity, specification: Specification, *, cutoffs: Sequence[date], where: str = "true"
) -> pa.Table:
    """Build the profiles of all users seen before each cutoff.

    Parameters
    ----------
    cutoffs
        Local midnights; knowledge stops there, excluded.
    where
        Condition over profile columns: which rows to hand out.

    Returns
    -------
    One row per user and cutoff, sorted by cutoff and user: ``user_id``, ``cutoff`` and the features of the specification,
    numbers as nullable doubles, categories as text.

    Raises
    ------
    InputError
        When the log does not cover a cutoff.
    """
    if activity.shared:
        check_buildable(specification, activity.facts, cutoffs=cutoffs, coverage=activity.coverage)
        shared = activity.shared.profiles(specification, cutoffs=cutoffs, where=where)
        if shared is not None:
            return shared
    parts = list(build_in_parts(activity, specification, cutoffs=cutoffs, where=where))
    pieces = [by_cutoff(part) for part in parts]
    empty = parts[0].slice(0, 0)
    return pa.concat_tables([empty, *(of[at] for at in sorted(set(cutoffs)) for of in pieces if at in of)])


def by_cutoff(part: pa.Table) -> dict[date, pa.Table]:
    """Split profiles by cutoff, without a copy: they are sorted by it."""
    found: dict[date, pa.Table] = {}
    start = 0
    counted: Any = part.column("cutoff").value_counts()  # its dates as objects: as an array they would import pandas
    for each in counted.to_pylist():
        found[each["values"]] = part.slice(start, each["counts"])
        start += each["counts"]
    return found


def build_in_parts(
    activity: Activity,
    specification: Specification,
    *,
    cutoffs: Sequence[date],
    where: str = "true",
    shard: Shard | None = None,
) -> Iterator[pa.Table]:
    """Build profiles as :func:`build_profiles` does, some users after the others, in the order of their ids.

    Parameters
    ----------
    shard
        Only these users; default: all.

    Yields
    ------
    Profiles of users that come after those of the part before, sorted by cutoff and user. At least one part, perhaps empty.
    """
    check_buildable(specification, activity.facts, cutoffs=cutoffs, coverage=activity.coverage)
    for among in _parts(activity, cutoffs, shard=shard or Shard()):
        relations = _relations(activity, among)
        kernel = Kernel.at_midnights(specification, cutoffs, relations=relations, has_versions=activity.has_versions)
        with closing(new_session(activity.connection)) as connection:
            yield _built(connection, kernel, where=where)


def _built(connection: duckdb.DuckDBPyConnection, kernel: Kernel, *, where: str) -> pa.Table:
    """Keep each step as a table: so its size is known when the next is planned, and joins build on the smaller side."""
    found = f"select * from ({kernel.profiles_sql()}) where {where} order by cutoff, user_id"
    with feature_errors(connection, kernel):
        for name, step in kernel.steps().items():
            connection.execute(f"create temp {'table' if step.is_kept else 'view'} {name} as {step.sql}")
        return connection.sql(found).to_arrow_table()


def _relations(activity: Activity, among: str) -> dict[str, str]:
    """Return what the kernel reads for some users; all ids have to be read where any may be a person's."""
    tables = activity.tables
    if tables.has_identities:
        days = {name: activity.versions(name) for name in RELATIONS}
        return days | tables.relations | {"persons": f"(from {tables.persons(days['days'])} where {among})"}
    return {name: f"(from {activity.versions(name)} where {among})" for name in RELATIONS} | tables.relations


def write(parts: Iterable[pa.Table], place: Path) -> int:
    """Write profiles to a Parquet file that appears completely or not at all; return their number."""
    rows, parts = 0, iter(parts)
    first = next(parts)
    with atomic_file(place) as draft, pq.ParquetWriter(draft, first.schema, compression="zstd") as writer:
        for part in chain([first], parts):
            writer.write_table(part)
            rows += part.num_rows
    return rows


def _parts(activity: Activity, cutoffs: Sequence[date], *, shard: Shard) -> list[str]:
    """Return conditions on ``user_id`` that split the users of a shard into parts that fit, in the order of their ids."""
    rows = activity.manifest.inventory.rows * (1 + len(set(cutoffs)) / _CUTOFFS_LIKE_THE_LOG) / shard.of
    parts = 1 + int(rows // activity.rows_at_once)
    if parts == 1:
        return [shard.sql()]
    firsts = activity.connection.execute(
        f"""select min(user_id) from (select user_id, ntile({parts}) over (order by user_id) as part
            from (select distinct user_id from {activity.versions("days")} where {shard.sql()})) group by part order by 1"""
    ).fetchall()
    edges = [literal(first) for (first,) in firsts[1:]]
    lower = ["true", *(f"user_id >= {edge}" for edge in edges)]
    upper = [*(f"user_id < {edge}" for edge in edges), "true"]
    return [f"{shard.sql()} and {low} and {high}" for low, high in zip(lower, upper, strict=True)]


def check_buildable(
    specification: Specification, facts: Collection[str], *, cutoffs: Sequence[date], coverage: Coverage
) -> None:
    """Refuse cutoffs that a log does not reach, and a log that lacks a column which the specification needs.

    Raises
    ------
    InputError
        In both cases: absent columns would read as absent events.
    """
    if not cutoffs:
        raise InputError("no cutoff was given", hint="name at least one date")
    for cutoff in cutoffs:
        coverage.check_cutoff(cutoff)
    known = {*facts, *DETECTED_FACTS, *CONFIGURED}
    lacking = sorted({need for feature in specification.features for need in feature.needs} - known)
    if lacking:
        raise InputError(
            f"the log has no {', '.join(lacking)}, which the model's profile needs",
            hint="map them in [events.columns] or [users.columns], or train a model without them: churn train",
        )
