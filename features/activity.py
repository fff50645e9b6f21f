"""Events to activity: one row per user and day, computed once and kept.

Three relations, all additive over any split of rows and independent of any model's specification:

* ``days``: user x day, the daily columns of the catalogue, all of them integers;
* ``contexts``: user x day x combination of device, version, network and channel, with its first and last instant;
* ``event_types``: user x day x event type, with the count.

Sessions and durations are cut at the end of the local day, so that no day knows anything of the next.
"""

from __future__ import annotations

import glob
import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path

import duckdb
import msgspec

from features.catalogue import daily_columns
from features.engine import connect, explained
from features.events import EventLog, open_log, refuse_a_bad_log
from features.feature import quoted
from features.settings import ChurnSettings, EventsSettings, FeatureSettings
from features.snapshots import Coverage
from features.sources import files_of
from features.whole import whole_folder

CONTEXT_COLUMNS = ("device_os", "device_model", "app_version", "network", "channel")
RELATIONS = ("days", "contexts", "event_types")
TOLD = ("time_of_day", "sessions", "usage")  # facts that are found in the values of a log


@dataclass(frozen=True)
class Manifest:
    """Written last into the folder of an activity: what it was computed from, and what was found on the way."""

    source: str
    rows: int
    rejected: dict[str, int]
    facts: tuple[str, ...]
    first_day: date
    covered_until: date


@dataclass(frozen=True)
class Activity:
    """The kept activity of one log under one mapping."""

    connection: duckdb.DuckDBPyConnection
    folder: Path
    manifest: Manifest
    is_reused: bool

    @property
    def coverage(self) -> Coverage:
        """The days that the log covers."""
        return Coverage(self.manifest.first_day, self.manifest.covered_until)

    @property
    def facts(self) -> frozenset[str]:
        """Contract columns that are mapped, and ``time_of_day``, ``sessions``, ``usage`` where the log can tell them."""
        return frozenset(self.manifest.facts)

    def relation(self, name: str) -> str:
        """Return the FROM clause of one of :data:`RELATIONS`."""
        place = f"{glob.escape(str(self.folder))}/day=*/{name}-*.parquet"
        return f"read_parquet({quoted(place)}, hive_partitioning = false)"


@dataclass(frozen=True)
class ActivitySettings:
    """The sections that decide what an activity holds, and the folder that a relative log path starts from."""

    events: EventsSettings
    churn: ChurnSettings
    features: FeatureSettings
    base: Path = Path()

    def digest(self) -> str:
        """Cover mapping, zones, session gap, the labels' conditions and every expression of the roll-up."""
        mapping = self.events.mapping()
        parts = (mapping, self.events.where, self.events.timezone, roll_up_sql("", tuple(mapping), settings=self))
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]


def open_activity(settings: ActivitySettings, home: Path) -> Activity:
    """Return the activity of a log: the kept one where the log has not changed, else computed now and kept.

    Raises
    ------
    InputError
        See :func:`features.events.open_log`.
    """
    folder = home / "activity" / settings.digest()
    source = _fingerprint(files_of(settings.events, settings.base), settings.events)
    manifest = _read_manifest(folder)
    if manifest and manifest.source == source:
        refuse_a_bad_log(manifest.rows, manifest.rejected, settings=settings.events)
        return Activity(connect(), folder, manifest, is_reused=True)
    rejected = home / "rejected" / f"{settings.digest()}.parquet"
    log = open_log(settings.events, settings.churn.timezone, base=settings.base, rejected_to=rejected)
    return Activity(connect(), folder, _roll_up(log, settings, folder=folder, source=source), is_reused=False)


def _fingerprint(files: tuple[str, ...], events: EventsSettings) -> str:
    """Tell whether any file of the log came, went or changed (path, size, time of change)."""
    stats = [(name, Path(name).stat().st_size, Path(name).stat().st_mtime_ns) for name in files]
    return hashlib.sha256(json.dumps([stats, str(events.covered_until)]).encode()).hexdigest()


def _read_manifest(folder: Path) -> Manifest | None:
    """Return what stands there, if it is of this version."""
    try:
        return msgspec.json.decode((folder / "manifest.json").read_bytes(), type=Manifest)
    except (OSError, msgspec.DecodeError):
        return None


def _roll_up(log: EventLog, settings: ActivitySettings, *, folder: Path, source: str) -> Manifest:
    """Write the three relations by day, whole or not at all."""
    facts = facts_of(log)
    found = Manifest(source, log.rows, log.rejected, facts, log.coverage.first_day, log.coverage.covered_until)
    hint = "check [churn] qualifying and event: SQL over the contract's columns"
    with whole_folder(folder) as aside, explained("the log cannot be rolled up", hint):
        for name, query in roll_up_sql(log.valid_sql, log.columns, settings=settings).items():
            log.connection.execute(
                f"copy ({query}) to {quoted(str(aside))} (format parquet, partition_by (day), write_partition_columns, "
                f"filename_pattern '{name}-{{i}}', overwrite_or_ignore)"
            )
        (aside / "manifest.json").write_bytes(msgspec.json.encode(asdict(found)))
    return found


def facts_of(log: EventLog) -> tuple[str, ...]:
    """Return what the log can tell: its mapped columns, and whether sessions, use and the time of day are known.

    They decide which features a model gets, never what a day of activity holds: that is the user's own.
    """
    timed = log.has_time_of_day
    known = {"time_of_day": timed, "sessions": timed or "session_id" in log.columns}
    known["usage"] = timed or "duration_seconds" in log.columns
    return (*log.columns, *(fact for fact, is_known in known.items() if is_known))


def roll_up_sql(valid_sql: str, columns: Collection[str], *, settings: ActivitySettings) -> dict[str, str]:
    """Return the queries of the three relations over the valid rows of a log with these contract columns."""
    events = _events_sql(valid_sql, columns, settings=settings)
    contexts = ", ".join(CONTEXT_COLUMNS)
    daily = ", ".join(f"cast({sql} as bigint) as {name}" for name, sql in daily_columns((*columns, *TOLD)).items())
    return {
        "days": f"""select user_id, day, max(us) as last_us, {daily},
            cast(coalesce(sum(n) filter (is_qualifying), 0) as bigint) as qualifying_events,
            cast(coalesce(sum(n) filter (is_leaving), 0) as bigint) as leaving_events
            from ({_with_pauses(events, columns, settings=settings)}) group by user_id, day""",
        "contexts": f"""select user_id, day, {contexts}, min(us) as first_at, max(us) as last_at
            from ({events}) group by user_id, day, {contexts}""",
        "event_types": f"""select user_id, day, event_type, cast(sum(n) as bigint) as n
            from ({events}) group by user_id, day, event_type""",
    }


def _events_sql(valid_sql: str, columns: Collection[str], *, settings: ActivitySettings) -> str:
    """Return one row per event, in the words that daily expressions may use."""
    missing = "".join(f", cast(null as varchar) as {name}" for name in CONTEXT_COLUMNS if name not in columns)
    churn = settings.churn
    return f"""select *, cast(local_time as date) as day, hour(local_time) as hour
        from (select *{missing}, epoch_us(event_time) as us, {local_time(churn.timezone)} as local_time,
            {"coalesce(count, 1)" if "count" in columns else "1"} as n,
            {"cast(round(amount * 100) as bigint)" if "amount" in columns else "cast(null as bigint)"} as amount_cents
            from (select *, ({churn.qualifying or "true"}) as is_qualifying, ({churn.event or "false"}) as is_leaving
                from ({valid_sql})))"""


def local_time(zone: str) -> str:
    """Return the naive local time of an event; UTC needs no calendar, which is several times faster."""
    return "make_timestamp(epoch_us(event_time))" if zone == "UTC" else f"timezone({quoted(zone)}, event_time)"


def _day_ends(zone: str) -> str:
    """Return the instant, in microseconds, at which the event's local day ends."""
    midnight = "cast(day + 1 as timestamp)"
    return f"epoch_us({midnight})" if zone == "UTC" else f"epoch_us(timezone({quoted(zone)}, {midnight}))"


def _with_pauses(events: str, columns: Collection[str], *, settings: ActivitySettings) -> str:
    """Add ``starts_session`` and ``usage_ms``; a visit never spans midnight."""
    has_ids, has_durations = "session_id" in columns, "duration_seconds" in columns
    pause = settings.features.session_gap_minutes * 60_000_000
    goes_on = "pause_us is not null" if has_ids else f"pause_us <= {pause}"
    rest = f"({_day_ends(settings.churn.timezone)} - us) / 1e3"
    use = (
        f"cast(round(least(coalesce(duration_seconds, 0) * 1e3, {rest})) as bigint)"
        if has_durations
        else f"case when {goes_on} then pause_us // 1000 else 0 end"
    )
    session = ", session_id" if has_ids else ""
    return f"""select *, cast(coalesce(not ({goes_on}), true) as integer) as starts_session, {use} as usage_ms
        from (select *, us - lag(us) over (partition by user_id, day{session} order by us) as pause_us from ({events}))"""


def describe_rejected(rejected: Mapping[str, int]) -> str:
    """Say in words how many rows were set aside, and why."""
    return ", ".join(f"{count} x {reason}" for reason, count in sorted(rejected.items())) or "none"
