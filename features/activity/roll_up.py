"""Events to activity in SQL: the queries that sum a log up by user and day, wherever they are run.

Three relations that profiles are made of, all independent of any model's specification and of how the rows are split:

* ``days``: user x day, the daily columns of the catalogue, all of them integers;
* ``contexts``: user x day x combination of device, version, network and channel, with its events, first and last instant;
* ``event_types``: user x day x event type, with its events.

A log of orders or products has a fourth, which profiles never read:

* ``items``: user x day x order, its status, product, its category and event type, with its events, first instant, purchases and money.

Visits and durations are cut at the end of the local day, so that no day knows anything of the next.

Where the log records when a row became known (``ingested_at``), a day has one version for each day on which more of it became
known: ``known_day`` is when, ``known_until`` when the next version came (null: it is the last). Each version holds all that was
known by then, so a cutoff reads the one version of its time.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass

import duckdb

from features.catalogue.catalogue import daily_columns
from features.catalogue.custom import CustomFeature, custom_columns
from features.errors import SettingsError
from features.expressions import check_single_user
from features.snapshots import instant_us_sql
from features.sql import INTEGERS, local_time_of
from features.storage.duckdb import duckdb_errors

CONTEXT_COLUMNS = ("device_os", "device_model", "app_version", "network", "channel")
RELATIONS = ("days", "contexts", "event_types")  # what profiles are made of
ITEMS, ITEM_COLUMNS = "items", ("order_id", "order_status", "item_id", "item_category")
DETECTED_FACTS = ("time_of_day", "sessions", "usage")  # facts that are found in the values of a log
VERSION = ("known_day", "known_until")


@dataclass(frozen=True)
class RollUp:
    """What decides how events become days.

    Attributes
    ----------
    columns
        Contract columns that the log has.
    qualifying, event
        SQL over the contract, as in ``[churn]``.
    rows_have_days
        True where each row has its ``day`` and ``day_ends_us``, the instant at which that ends, as days do not start at
        midnight there; stored activity is by local days.
    custom
        The features that the project adds; those over days have a daily column each.
    """

    columns: tuple[str, ...]
    zone: str = "UTC"
    session_gap_minutes: int = 30
    qualifying: str = ""
    event: str = ""
    rows_have_days: bool = False
    custom: tuple[CustomFeature, ...] = ()

    @property
    def has_versions(self) -> bool:
        """True where the log records when its rows became known."""
        return "ingested_at" in self.columns

    @property
    def keys(self) -> tuple[str, ...]:
        """The key of a user's day, or of a version of it."""
        return ("user_id", "day", *(VERSION if self.has_versions else ()))

    def sql(self, valid_sql: str) -> dict[str, str]:
        """Return the SELECT of each of :data:`RELATIONS` over the valid rows of a log, in contract columns."""
        events = self._known_events(valid_sql)
        contexts = ", ".join(CONTEXT_COLUMNS)
        keys = ", ".join(self.keys)
        return {
            "days": self._days(events),
            "contexts": f"""select {keys}, {contexts}{self._columns({"n": "sum(n)"})}, min(us) as first_at, max(us) as last_at
                from ({events}) group by {keys}, {contexts}""",
            "event_types": f"""select {keys}, event_type{self._columns({"n": "sum(n)"})}
                from ({events}) group by {keys}, event_type""",
        }

    def kept(self, valid_sql: str) -> dict[str, str]:
        """Return the SELECT of each relation that is stored: :data:`RELATIONS`, and ``items`` where the log has orders or products."""
        about = [f"{name} is not null" for name in ("order_id", "item_id") if name in self.columns]
        if not about:
            return self.sql(valid_sql)
        daily = daily_columns(self.columns)
        sums = {"n": "sum(n)"} | {name: daily[name].sql for name in _OF_ITEMS if name in daily}
        absent = "".join(f", cast(null as varchar) as {name}" for name in ITEM_COLUMNS if name not in self.columns)
        group = f"{', '.join((*self.keys, *ITEM_COLUMNS))}, event_type"
        items = f"""select {group}, min(us) as first_at{self._columns(sums)}
            from (select *{absent} from ({self._known_events(valid_sql)})) where {" or ".join(about)} group by {group}"""
        return self.sql(valid_sql) | {ITEMS: items}

    def _known_events(self, valid_sql: str) -> str:
        return self._versions(valid_sql) if self.has_versions else self._events(valid_sql)

    def check_custom(self, connection: duckdb.DuckDBPyConnection, valid_sql: str) -> None:
        """Bind each custom daily expression as the roll-up does, so that an error names its feature.

        Raises
        ------
        InputError
            When the log cannot answer it.
        SettingsError
            When it reads more than a day of its user, or is not an integer: sums of fractions would depend on the order of rows.
        """
        for name, column in custom_columns(self.custom, {*self.columns, *DETECTED_FACTS}).items():
            what = f"[[features.custom]] {name}: daily = {column.sql!r}"
            check_single_user(what, column.sql)
            with duckdb_errors(
                what, "write an aggregate over the events of a day: contract columns, [events.extra], n, hour, weekday"
            ):
                query = f"select {column.sql} from ({self._events(valid_sql)}) group by user_id, day"
                (kind,) = connection.sql(query).types
            if str(kind).removeprefix("U") not in INTEGERS:
                raise SettingsError(
                    f"{what} is of type {kind}, expected an integer",
                    hint="round inside the sum, scale outside: sum(cast(round(seconds * 1000) as bigint)), scale = 0.001",
                )

    def _events(self, valid_sql: str) -> str:
        """Return one row per event, in the words that daily expressions may use."""
        missing = "".join(f", cast(null as varchar) as {name}" for name in CONTEXT_COLUMNS if name not in self.columns)
        known = f", {self._day_of('greatest(event_time, ingested_at)')} as known_day" if self.has_versions else ""
        day = "" if self.rows_have_days else f", {self._day_of('event_time')} as day"
        return f"""select *, hour(local_time) as hour, isodow(local_time) as weekday
            from (select *{missing}, epoch_us(event_time) as us, {local_time_of("event_time", self.zone)} as local_time{day}{known},
                {"coalesce(count, 1)" if "count" in self.columns else "1"} as n,
                {self._amount(100)} as amount_cents, {self._amount(1_000_000)} as amount_micros
                from (select *, ({self.qualifying or "true"}) as is_qualifying, ({self.event or "false"}) as is_leaving
                    from ({valid_sql})))"""

    def _amount(self, parts: int) -> str:
        """Return the amount in whole parts of a unit of money; sums of whole numbers do not depend on the order of rows."""
        return f"cast(round(amount * {parts}) as bigint)" if "amount" in self.columns else "cast(null as bigint)"

    def _versions(self, valid_sql: str) -> str:
        """Repeat an event in every version of its day that knows it."""
        events = self._events(valid_sql)
        versions = f"""select *, lead(known_day) over (partition by user_id, day order by known_day) as known_until
            from (select distinct user_id, day, known_day from ({events}))"""
        return f"""select e.* exclude (known_day), v.known_day, v.known_until from ({events}) e
            join ({versions}) v on e.user_id = v.user_id and e.day = v.day and e.known_day <= v.known_day"""

    def _day_of(self, instant: str) -> str:
        return f"cast({local_time_of(instant, self.zone)} as date)"

    def _day_ends(self) -> str:
        """Return the instant, in microseconds, at which the event's day ends."""
        return "day_ends_us" if self.rows_have_days else instant_us_sql("cast(day + 1 as timestamp)", self.zone)

    def _days(self, events: str) -> str:
        """Sum up the events of each day, joined with its visits: the finer groups carry only the columns that visits need."""
        facts = {*self.columns, *DETECTED_FACTS}
        daily = daily_columns(facts) | custom_columns(self.custom, facts)
        of_events = _ALWAYS | {name: column.sql for name, column in daily.items() if not column.over_visits}
        of_visits = {name: column.sql for name, column in daily.items() if column.over_visits}
        words = set(re.findall(r"[a-z_]+", " ".join(of_visits.values())))
        own = {name: sql for name, sql in of_events.items() if name in words}
        keys, known = ", ".join(self.keys), ", ".join(key for key in self.keys if key != "known_until")
        visits = f"""select {known}, visit, {self._visit_ms()} as visit_ms, min(us) as visit_start_us{self._columns(own)}
            from ({self._with_visits(events)}) group by {known}, visit"""
        return f"""select * from (select {keys}{self._columns(of_events)} from ({events}) group by {keys})
            join (select {known}{self._columns(of_visits)} from ({visits}) group by {known}) using ({known})"""

    def _columns(self, expressions: Mapping[str, str]) -> str:
        """Write aggregates as whole numbers. Where every row is one event, counting rows is much faster than summing ones."""
        counted = "sum(n)" if "count" in self.columns else "count(*)"
        return "".join(
            f", cast({sql.replace('sum(n)', counted)} as bigint) as {name}" for name, sql in expressions.items()
        )

    def _visit_ms(self) -> str:
        """Return the length of a visit: stated durations, each cut at the end of its day; else from first to last event.

        Rows of a day without the id of a session may be of many: of them only the time without long pauses counts.
        """
        if "duration_seconds" not in self.columns:
            length = "(max(us) - min(us)) // 1000"
            of_others = f"case when visit is null then {self._ms_without_pauses()} else {length} end"
            return of_others if self._has_ids else length
        rest = f"({self._day_ends()} - us) / 1e3"
        return f"sum(cast(round(least(coalesce(duration_seconds, 0) * 1e3, {rest})) as bigint))"

    def _ms_without_pauses(self) -> str:
        instants = "list_sort(list(us) filter (visit is null))"
        steps = f"list_transform(list_zip({instants}, {instants}[2:]), lambda two: two[2] - two[1])"
        return f"coalesce(list_sum(list_filter({steps}, lambda step: step <= {self._pause_us})), 0) // 1000"

    def _with_visits(self, events: str) -> str:
        """Add ``visit``: the session's id; without ids, the number of long pauses before the event on its day."""
        if self._has_ids:
            return f"select *, session_id as visit from ({events})"
        keys = ", ".join(self.keys)
        lag = f"lag(us) over (partition by {keys} order by us)"
        return f"""select *, sum(starts_visit) over (partition by {keys} order by us) as visit
            from (select *, coalesce(cast(us - {lag} > {self._pause_us} as integer), 0) as starts_visit from ({events}))"""

    @property
    def _has_ids(self) -> bool:
        return "session_id" in self.columns

    @property
    def _pause_us(self) -> int:
        """A longer pause starts another visit."""
        return self.session_gap_minutes * 60_000_000


_ALWAYS = {
    "last_us": "max(us)",
    "qualifying_events": "coalesce(sum(n) filter (is_qualifying), 0)",
    "leaving_events": "coalesce(sum(n) filter (is_leaving), 0)",
}
_OF_ITEMS = (
    "purchases",
    "amount_micros",
    "refunds",
    "refunded_micros",
)  # daily columns that an order or a product has too
ALWAYS_MERGED = {"last_us": "max", "qualifying_events": "sum", "leaving_events": "sum"}  # as Daily.merge


def known_before(cutoff: str) -> str:
    """Return the condition on a version of a day that it is the one known before a cutoff, given in SQL."""
    return f"known_day < {cutoff} and (known_until is null or known_until >= {cutoff})"


def facts_of(columns: Collection[str], *, has_time_of_day: bool) -> tuple[str, ...]:
    """Return the facts of a log: its mapped columns, and whether sessions, use and the time of day are known.

    They decide which features a model gets, never what a day of activity holds: that is the user's own.
    """
    known = {
        "time_of_day": has_time_of_day,
        "sessions": has_time_of_day or "session_id" in columns,
        "usage": has_time_of_day or "duration_seconds" in columns,
    }
    return (*columns, *(fact for fact, is_known in known.items() if is_known))
