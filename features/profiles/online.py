"""Profiles of a few users from their own raw events, in milliseconds: the batch's SQL, planned once and run many times.

Most of the time of a small query goes into planning it. So the statement is prepared once, over places whose content changes:
each run puts the events of all requested users, and each user's cutoff, into them. A user's days start at the time of day of
the user's cutoff; at a local midnight, the profile is that of the batch.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pyarrow as pa

from features.log.sources.source import LOG_FILE
from features.log.sources.values import plain_id
from features.profiles.online_sql import BATCH, KEPT, NAMES, Place, Statements
from features.profiles.specification import Specification
from features.snapshots import instant, zone_of
from features.storage.duckdb import connect, duckdb_errors

Columns = Mapping[str, Sequence[Any]]
_REQUESTS = pa.schema(
    {
        "user_id": pa.string(),
        "u": pa.int64(),
        "cutoff": pa.date32(),
        "cutoff_at": pa.timestamp("us"),
        "as_of_us": pa.int64(),
        "starts_us": pa.int64(),
    }
)
_MANY = 2**32  # more than the events of a user
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class History:
    """What is known of one user.

    Attributes
    ----------
    as_of
        The instant at which knowledge stops, excluded.
    events
        Contract column to its values, one for each event; columns may lack.
    kept
        Relation to its columns: the user's days before those of the events.
    """

    user_id: str
    as_of: datetime
    events: Columns
    kept: Mapping[str, Columns] = field(default_factory=dict[str, Columns])

    @property
    def size(self) -> int:
        """How many events."""
        return len(self.events["event_time"])


@dataclass(frozen=True)
class InvalidEvent:
    """An event that violates the contract: its place among the user's events, and the reason."""

    place: int
    reason: str


ProfileOrError = dict[str, Any] | InvalidEvent | None


def cutoff_of(as_of: datetime, zone: str) -> tuple[date, timedelta]:
    """Return the local day of an instant, and the local time of day at which days start so that one starts then."""
    local = as_of.astimezone(zone_of(zone))
    clock = local.replace(tzinfo=None) - datetime.combine(local, datetime.min.time())
    return local.date(), timedelta() if instant(local.date(), zone) == as_of else clock


class OnlineProfiles:
    """Builds profiles of a few users at a time; safe to share between threads, which wait for each other.

    Parameters
    ----------
    columns
        Contract columns of the log that the model was trained on: they decide what a visit and its length are.

    Raises
    ------
    InputError
        When such events are not enough for the profile: it reads extra columns, or attributes of users.
    """

    def __init__(self, specification: Specification, columns: Sequence[str]) -> None:
        self._statements = Statements(specification, columns)
        self._connection = connect(specification.naive_zone)
        self._connection.execute("set threads = 1")
        self.close = weakref.finalize(self, self._connection.close)
        self._one_at_a_time = threading.Lock()
        self._prepared: set[str] = set()
        self._places: dict[str, Place] = {}
        self._add_place("asked", _REQUESTS)
        self._add_place("events", self._statements.events_schema)
        with duckdb_errors("the model's profile needs more than events of the contract", BATCH):
            self._kept = {name: self._schema_of(query) for name, query in self._statements.rolled_up().items()}
        for name, schema in self._kept.items():
            self._add_place(KEPT + name, schema)

    def _add_place(self, name: str, schema: pa.Schema) -> None:
        self._places[name] = Place(schema)
        self._connection.register(name, self._places[name])

    def _schema_of(self, query: str) -> pa.Schema:
        """Return the schema of a relation, as the roll-up writes it."""
        return (
            self._connection.sql(f"{self._statements.placed} select * from ({query}) limit 0").to_arrow_table().schema
        )

    @property
    def kept_columns(self) -> dict[str, tuple[str, ...]]:
        """Relation to the columns of its stored rows."""
        return {name: tuple(schema.names[1:]) for name, schema in self._kept.items()}

    def prepare(self) -> None:
        """Plan all statements now, so that no request waits for it."""
        with self._one_at_a_time:
            for name in NAMES:
                self._prepare(name)

    def profiles(self, histories: Sequence[History]) -> list[ProfileOrError]:
        """Build the profiles of some users, in their order: in one query, unless a user comes more than once.

        Returns
        -------
        For each user the profile with ``user_id`` and ``cutoff``; None where there is nothing before the cutoff; or the first
        event that is invalid.
        """
        histories = [replace(one, user_id=plain_id(one.user_id)) for one in histories]
        found: list[ProfileOrError] = [None] * len(histories)
        with self._one_at_a_time:
            for places in _without_repetition(histories):
                chosen = [histories[place] for place in places]
                for place, one in zip(places, self._found(chosen), strict=True):
                    found[place] = one
        return found

    def _found(self, histories: Sequence[History]) -> list[ProfileOrError]:
        """Build profiles of users that differ from each other."""
        self._fill(histories)
        invalid = {key // _MANY: InvalidEvent(key % _MANY, reason) for key, reason in self._run("invalid")}
        if invalid:
            valid = [one for number, one in enumerate(histories) if number not in invalid]
            built = iter(self._found(valid) if valid else ())
            return [invalid[number] if number in invalid else next(built) for number in range(len(histories))]
        rows = self._run("merged" if any(one.kept for one in histories) else "alone")
        names = ("user_id", "cutoff", *self._statements.specification.feature_names)
        by_user = {row[0]: dict(zip(names, row, strict=True)) for row in rows}
        return [by_user.get(one.user_id) for one in histories]

    def _fill(self, histories: Sequence[History]) -> None:
        self._places["events"].table = self._events(histories)
        requests = [self._request(one, number) for number, one in enumerate(histories)]
        self._places["asked"].table = pa.Table.from_pylist(requests, schema=_REQUESTS)
        for name, schema in self._kept.items():
            self._places[KEPT + name].table = _stacked([(one, one.kept[name]) for one in histories if one.kept], schema)

    def _events(self, histories: Sequence[History]) -> pa.Table:
        """Stack the events of all users, each with a key made of its user's number and its own place."""
        keys = (range(number * _MANY, number * _MANY + one.size) for number, one in enumerate(histories))
        parts = [(one, {**one.events, LOG_FILE: key}) for one, key in zip(histories, keys, strict=True)]
        return _stacked(parts, self._statements.events_schema)

    def _request(self, one: History, number: int) -> dict[str, Any]:
        cutoff, starts = cutoff_of(one.as_of, self._statements.specification.timezone)
        at = one.as_of.astimezone(UTC)
        cutoffs = {"cutoff": cutoff, "cutoff_at": at.replace(tzinfo=None)}
        return {"user_id": one.user_id, "u": number, "as_of_us": _us(at - _EPOCH), "starts_us": _us(starts)} | cutoffs

    def _run(self, name: str) -> list[tuple[Any, ...]]:
        """Run one of the statements, which is planned on its first use."""
        self._prepare(name)
        return self._connection.execute(f"execute {name}").fetchall()

    def _prepare(self, name: str) -> None:
        if name not in self._prepared:
            self._connection.execute(f"prepare {name} as {self._statements.named(name)}")
            self._prepared.add(name)


def _us(span: timedelta) -> int:
    return span // timedelta(microseconds=1)


def _without_repetition(histories: Sequence[History]) -> Iterator[list[int]]:
    """Split the requests into rounds in which no user comes twice; return the places of each round."""
    rounds: list[dict[str, int]] = []
    for place, one in enumerate(histories):
        free = next((users for users in rounds if one.user_id not in users), None)
        if free is None:
            rounds.append(free := {})
        free[one.user_id] = place
    yield from (list(users.values()) for users in rounds)


def _stacked(parts: Sequence[tuple[History, Columns]], schema: pa.Schema) -> pa.Table:
    """Stack the columns of several users; absent ones are null."""
    columns: dict[str, list[Any]] = {name: [] for name in schema.names}
    for history, found in parts:
        rows = len(next(iter(found.values())))
        columns_of_user = {**found, "user_id": [history.user_id] * rows}
        for name in columns:
            columns[name] += columns_of_user.get(name) or [None] * rows
    return pa.table(columns, schema=schema)
