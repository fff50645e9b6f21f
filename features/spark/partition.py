"""What is done with one partition of a log, on any machine: Arrow batches in, Arrow batches out, DuckDB in between.

It is shipped to Spark's Python workers, so it knows nothing of Spark, and holds nothing but texts and numbers.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import date
from itertools import chain

import duckdb
import pyarrow as pa

from features.activity.roll_up import RELATIONS, RollUp
from features.catalogue.definition import Feature
from features.log.event_log import counts_sql
from features.log.files import LOG
from features.profiles.broken_feature import feature_errors
from features.profiles.kernel import Kernel
from features.profiles.specification import Specification
from features.settings import ComputeSettings
from features.storage.duckdb import connect, duckdb_errors

ARRIVED = "arrived"  # the relation that the batches of a partition are
_INSTANT = "TIMESTAMP WITH TIME ZONE"  # it travels as microseconds, which no zone can shift
_ROWS_OUT = 10_000
_UNSUMMED = ("the log cannot be rolled up", "check [churn] qualifying and event: SQL over the contract's columns")


@dataclass(frozen=True)
class RawRows:
    """Checks the raw rows of a partition, of files of one schema, against the contract.

    Attributes
    ----------
    checked_sql
        That of :class:`features.log.event_log.EventLog`, over :data:`ARRIVED`.
    are_other
        Conditions of the same that tell of each open text whether its value is not a number.
    types
        Column of an event to its DuckDB type.
    zone, naive_zone
        Zone of local days, and of timestamps that carry none.
    """

    checked_sql: str
    are_other: tuple[str, ...]
    types: dict[str, str]
    zone: str
    naive_zone: str
    compute: ComputeSettings

    def counts(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Count valid rows by day and the others by reason: ``reason, day, n, is_timed, texts``."""
        counted = counts_sql(f"from ({self.checked_sql})", self.zone, texts=self.are_other)
        yield from self._answered(f"select reason, day, n, is_timed, texts from ({counted})", batches)

    def valid(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Return the valid rows, in contract columns."""
        columns = ", ".join(
            f"epoch_us({name}) as {name}" if kind == _INSTANT else name for name, kind in self.types.items()
        )
        yield from self._answered(f"select {columns} from ({self.checked_sql}) where reason is null", batches)

    def _answered(self, sql: str, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        if arrived := _as_reader(batches):
            with closing(connect(self.naive_zone, self.compute)) as connection, duckdb_errors(*LOG.unreadable):
                connection.register(ARRIVED, arrived)
                yield from connection.sql(sql).to_arrow_reader(_ROWS_OUT)


@dataclass(frozen=True)
class Users:
    """Builds the profiles of a partition that holds every event of its users.

    Attributes
    ----------
    naive_zone
        Zone in which conditions read the clock of an instant, as one machine does when it rolls the log up.
    """

    types: dict[str, str]
    roll_up: RollUp
    specification: Specification
    cutoffs: tuple[date, ...]
    naive_zone: str
    compute: ComputeSettings

    @property
    def profile_types(self) -> dict[str, str]:
        """Column of a profile to its type."""
        features = {feature.name: _type(feature) for feature in self.specification.features}
        return {"user_id": "VARCHAR", "cutoff": "DATE"} | features

    def profiles(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Roll the events up and build the profiles of their users, in no order."""
        if arrived := _as_reader(batches):
            with closing(connect(self.naive_zone, self.compute)) as connection, duckdb_errors(*_UNSUMMED):
                connection.register(ARRIVED, arrived)
                yield from self._built(connection).to_arrow_reader(_ROWS_OUT)

    def check(self) -> None:
        """Build no profile of no event, so that SQL which cannot be answered fails before any work is shipped.

        Raises
        ------
        InputError
            When a condition of the settings cannot be answered.
        """
        with closing(connect(self.naive_zone, self.compute)) as connection, duckdb_errors(*_UNSUMMED):
            kinds = ", ".join(f"{name} {kind}" for name, kind in transport_types(self.types).items())
            connection.execute(f"create table {ARRIVED} ({kinds})")
            self._built(connection).fetchall()

    def _built(self, connection: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyRelation:
        """Keep events and days as tables: each is read more than once, and tables spill."""
        columns = ", ".join(
            f"make_timestamptz({n}) as {n}" if kind == _INSTANT else n for n, kind in self.types.items()
        )
        connection.execute(f"create table valid_events as select {columns} from {ARRIVED}")
        for name, query in self.roll_up.sql("from valid_events").items():
            connection.execute(f"create table kept_{name} as {query}")
        connection.execute("drop table valid_events")
        connection.execute("set timezone = 'UTC'")  # the log's zone ends here, as in stored activity
        relations = {name: f"kept_{name}" for name in RELATIONS}
        kernel = Kernel.at_midnights(
            self.specification, self.cutoffs, relations=relations, has_versions=self.roll_up.has_versions
        )
        with feature_errors(connection, kernel):
            return connection.sql(kernel.sql())


def transport_types(types: Mapping[str, str]) -> dict[str, str]:
    """Return the types in which the columns of events get from one partition to another.

    Examples
    --------
    >>> transport_types({"event_time": "TIMESTAMP WITH TIME ZONE", "amount": "DOUBLE"})
    {'event_time': 'BIGINT', 'amount': 'DOUBLE'}
    """
    return {name: "BIGINT" if kind == _INSTANT else kind for name, kind in types.items()}


def _type(feature: Feature) -> str:
    return "VARCHAR" if feature.is_text else "DOUBLE"


def _as_reader(batches: Iterable[pa.RecordBatch]) -> pa.RecordBatchReader | None:
    """Return a reader over the batches for DuckDB; None: there are no rows."""
    coming = (batch for batch in batches if batch.num_rows)
    first = next(coming, None)
    return None if first is None else pa.RecordBatchReader.from_batches(first.schema, chain([first], coming))
