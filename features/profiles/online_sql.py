"""The statements of :mod:`features.profiles.online`: the roll-up and the kernel as one, over places whose content changes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cached_property

import pyarrow as pa

from features.activity.roll_up import DETECTED_FACTS, RELATIONS, RollUp
from features.catalogue.catalogue import CONFIGURED
from features.errors import InputError
from features.log.sources.binding import Bound
from features.log.sources.source import LOG_FILE, Source
from features.log.validation import Span, checked_sql
from features.profiles.kernel import Kernel
from features.profiles.specification import Specification
from features.schema import COLUMNS, REQUIRED
from features.snapshots import instant_us_sql
from features.sql import local_time_of

KEPT = "kept_"
NAMES = ("invalid", "alone", "merged")  # of the statements
BATCH = "such users are scored in the batch: churn score"
_ARROW = {
    "VARCHAR": pa.string(),
    "BIGINT": pa.int64(),
    "DOUBLE": pa.float64(),
    "TIMESTAMP WITH TIME ZONE": pa.timestamp("us", "UTC"),
}
_ENDLESS = datetime(9999, 1, 1, tzinfo=UTC)  # events after a cutoff are ignored, which is not an error


class Place:
    """A table under a name that statements refer to; its content may change without planning them again."""

    def __init__(self, schema: pa.Schema) -> None:
        self.table = schema.empty_table()

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        """Return the current content."""
        return self.table.__arrow_c_stream__(requested_schema)


class Statements:
    """What is prepared for one specification and the contract columns of one log.

    Raises
    ------
    InputError
        When the specification needs more than these columns.
    """

    def __init__(self, specification: Specification, columns: Sequence[str]) -> None:
        self.specification = specification
        self.columns = tuple(name for name in COLUMNS if name in columns or name in REQUIRED)
        needs = {need for feature in specification.features for need in feature.needs}
        if lacking := sorted((needs & COLUMNS.keys()) - {*self.columns}):
            raise InputError(
                f"events without {', '.join(lacking)}, which the model's profile needs", hint="send them too"
            )
        if beyond := sorted(needs - {*COLUMNS, *DETECTED_FACTS, *CONFIGURED}):
            raise InputError(
                f"the model's profile needs more than events of the contract: {', '.join(beyond)}", hint=BATCH
            )

    @cached_property
    def events_schema(self) -> pa.Schema:
        """The contract columns, and a key."""
        return pa.schema({LOG_FILE: pa.int64()} | {name: _ARROW[COLUMNS[name].type] for name in self.columns})

    def named(self, name: str) -> str:
        """Return the statement ``invalid``, ``alone`` or ``merged`` (with kept activity)."""
        if name == "invalid":
            return f"select {LOG_FILE}, reason from ({self._checked}) where reason is not null order by {LOG_FILE} desc"
        return self._profiles(is_merged=name == "merged")

    @property
    def _checked(self) -> str:
        source = Source("events", {name: Bound(name, COLUMNS[name].type) for name in self.columns})
        return checked_sql(source, zone=self.specification.timezone, span=Span(_ENDLESS))

    @property
    def placed(self) -> str:
        """The valid events before each user's cutoff, with the day that they are on and its end."""
        zone = self.specification.timezone
        names = ", ".join(name for name in self.columns if name != "ingested_at")
        known = "greatest(event_time, ingested_at)" if "ingested_at" in self.columns else "event_time"
        ends = instant_us_sql("cast(day + 1 as timestamp) + to_microseconds(starts_us)", zone)
        day = f"cast({local_time_of('event_time', zone)} - to_microseconds(starts_us) as date)"
        # where clocks go back, a time of day comes twice: the last day ends at the cutoff, and none ends before its events
        return f"""with placed as materialized (select {names}, day,
                case when day = cutoff - 1 then as_of_us else greatest(epoch_us(event_time), {ends}) end as day_ends_us
            from (select e.*, cutoff, as_of_us, starts_us, least({day}, cutoff - 1) as day
                from ({self._checked}) e join asked using (user_id) where reason is null and epoch_us({known}) < as_of_us))"""

    def rolled_up(self) -> dict[str, str]:
        """Return the SELECT of each relation over the placed events."""
        of = self.specification
        columns = tuple(name for name in self.columns if name != "ingested_at")  # it is known what was known
        return RollUp(
            columns, of.timezone, of.session_gap_minutes, of.qualifying, of.event, rows_have_days=True, custom=of.custom
        ).sql("select * from placed")

    def _profiles(self, *, is_merged: bool) -> str:
        kept = {name: f" union all by name select * from {KEPT}{name}" if is_merged else "" for name in RELATIONS}
        relations = "".join(f",\n{name} as materialized ({sql}{kept[name]})" for name, sql in self.rolled_up().items())
        kernel = Kernel(self.specification, {}, {name: name for name in RELATIONS}, user_cutoffs="asked")
        return f"{self.placed}{relations}\nselect * from ({kernel.sql()})"


def columns_for(specification: Specification) -> tuple[str, ...]:
    """Return the contract columns that a model's profile needs, where the columns of its log are not known."""
    needs = {need for feature in specification.features for need in feature.needs}
    conditions = f"{specification.qualifying} {specification.event}"
    return tuple(name for name in COLUMNS if name in REQUIRED or name in needs or name in conditions)
