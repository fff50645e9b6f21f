"""Activity: user x day, computed once for each day of log and stored.

Days that are rolled up together make a batch: one file for each relation, in the order of users. A day's digest covers what it was
computed from: the files that hold rows of the day, their fingerprints and numbers of rows, and how each of them is read; a batch
lists its days with their digests. So a stored day is correct, a killed run continues where it stopped, and a file that is new,
changed or gone costs its own days only, unless it holds the first text of an extra column of numbers. Small batches are merged.
The manifest is written last and names the batches, and those of their days that no longer count.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import duckdb
import msgspec
import pyarrow as pa

from features.activity.batches import (
    batch_by_day,
    batches,
    digests,
    read_batches,
    relation_sql,
    superseded,
    write_batch,
)
from features.activity.compaction import compact
from features.activity.integrity import discard_broken
from features.activity.manifest import Manifest, read_manifest
from features.activity.roll_up import RollUp, facts_of, known_before
from features.errors import InputError
from features.log.copies import without_copies
from features.log.event_ids import EVENT_ID, EventIds, with_moved
from features.log.event_log import EventLog, open_log
from features.log.files import LogFile
from features.log.formats import files_of
from features.log.inventory import FileInventory, LogInventory
from features.log.notes import missing_notes, notes_on, rejected_notes
from features.log.rejected import flaw_of_rejected, forget_rejected
from features.settings import ChurnSettings, ComputeSettings, EventsSettings, FeatureSettings
from features.snapshots import Coverage
from features.storage.drafts import clear_abandoned, discard
from features.storage.duckdb import connect, duckdb_errors
from features.storage.locks import locked
from features.storage.versions import READ_FOR_SECONDS
from features.users.attributes import KnownUsers

_WAIT_SECONDS = 600
# of the files, and how they are read; part of the digest, so another layout is another activity
_LAYOUT = (
    "batches in the order of users, texts as SQL needs them and without blanks around, a decimal comma in every number,"
    " event ids as first known"
)
Say = Callable[[str], None]


class ProfileSource(Protocol):
    """Gives out profiles that several readers of one log share."""

    def profiles(self, specification: Any, *, cutoffs: Sequence[date], where: str) -> pa.Table | None:
        """Return profiles at some cutoffs; None: these are to be built."""
        ...


@dataclass(frozen=True)
class Activity:
    """The stored activity of one log under one mapping.

    Attributes
    ----------
    rows_at_once
        Rows of the log whose users are worked on together.
    rolled_up
        The days that this run had to compute.
    tables
        What the project knows of users besides their events.
    naive_zone
        Zone of the log's timestamps that carry none, in which it was rolled up.
    until
        What happened or became known from this day on is not seen; None: everything is.
    shared
        Where profiles come from that need not be built again; None: all are built.
    """

    connection: duckdb.DuckDBPyConnection
    folder: Path
    manifest: Manifest
    rows_at_once: int
    rolled_up: tuple[date, ...] = ()
    tables: KnownUsers = field(default_factory=KnownUsers)
    naive_zone: str = "UTC"
    until: date | None = None
    shared: ProfileSource | None = None

    @property
    def is_reused(self) -> bool:
        """True where nothing had to be computed."""
        return not self.rolled_up

    @property
    def coverage(self) -> Coverage:
        """The days that the log covers."""
        return self.manifest.coverage

    @cached_property
    def notes(self) -> tuple[str, ...]:
        """What a user should know of the log and of the tables of users, a sentence each."""
        return (*self.manifest.notes, *self.tables.notes(self.connection, self.versions("days")))

    @property
    def facts(self) -> frozenset[str]:
        """Contract columns that are mapped, those of :data:`DETECTED_FACTS` that the log has, and the attributes of users."""
        return frozenset(self.manifest.facts) | self.tables.facts

    @property
    def has_versions(self) -> bool:
        """True where a day has versions, by when they became known."""
        return "ingested_at" in self.facts

    def state_before(self, cutoff: date) -> str:
        """Return a digest of all that is known before a cutoff: the days of the log, and the tables of users."""
        manifest = self.manifest
        days = sorted((str(day), batch) for day, batch in manifest.days.items() if day < cutoff)
        gone = sorted((batch, *map(str, days)) for batch, days in manifest.superseded.items())
        return hashlib.sha256(repr((manifest.coverage, days, gone, self._tables_digest)).encode()).hexdigest()

    @cached_property
    def _tables_digest(self) -> str:
        """Of all rows of the tables of users, whatever their order."""
        digest = "count(*), sum(cast(hash(t) as hugeint))"  # a sum: in an exclusive or, equal rows would cancel
        found = [
            (name, *self.connection.execute(f"select {digest} from {table} t").fetchall())
            for name, table in sorted(self.tables.relations.items())
        ]
        return repr(found)

    def relation(self, name: str) -> str:
        """Return the FROM clause of a stored relation (:meth:`features.activity.roll_up.RollUp.kept`), as all of it is known today."""
        return f"(from {self.versions(name)} where known_until is null)" if self.has_versions else self.versions(name)

    def known(self, name: str, *, before: str) -> str:
        """Return the FROM clause of what was known of a relation before a cutoff, given in SQL."""
        version = f" and {known_before(before)}" if self.has_versions else ""
        return f"(from {self.versions(name)} where day < {before}{version})"

    def versions(self, name: str) -> str:
        """Return the FROM clause of a relation with every version of its days."""
        manifest = self.manifest
        found = relation_sql(name, self.folder, batches={*manifest.days.values()}, gone=manifest.superseded)
        if self.until is None:
            return found
        until = f"date '{self.until}'"
        if not self.has_versions:
            return f"(from {found} where day < {until})"
        known = f"case when known_until < {until} then known_until end as known_until"
        return f"(select * replace ({known}) from {found} where day < {until} and known_day < {until})"

    def as_of(self, day: date) -> Activity:
        """Return the activity as it was known before a day: the log ends there, and what became known of it later is not seen.

        Raises
        ------
        InputError
            When the log does not reach that day.
        """
        self.coverage.check_cutoff(day)
        days = {one: batch for one, batch in self.manifest.days.items() if one < day}
        coverage = replace(self.coverage, covered_until=day)
        return replace(self, manifest=msgspec.structs.replace(self.manifest, days=days, coverage=coverage), until=day)


@dataclass(frozen=True)
class ActivitySettings:
    """The sections that decide what an activity holds, and the folder that a relative log path starts from."""

    events: EventsSettings
    churn: ChurnSettings
    features: FeatureSettings
    base: Path = Path()
    compute: ComputeSettings = field(default_factory=ComputeSettings)

    def roll_up(self, columns: Sequence[str]) -> RollUp:
        """Return how a log with these contract columns becomes days."""
        churn = self.churn
        gap, custom = self.features.session_gap_minutes, self.features.custom
        return RollUp(tuple(columns), churn.timezone, gap, churn.qualifying, churn.event, custom=custom)

    def digest(self) -> str:
        """Cover layout, mapping, format of files, zones, session gap, the labels' conditions and every expression of the roll-up."""
        mapping = self.events.mapping()
        columns = tuple(name for name in mapping if name != EVENT_ID)
        events = self.events
        files = (events.format.model_dump(mode="json"), events.types)
        parts = (_LAYOUT, mapping, events.where, events.timezone, files, self.roll_up(columns).kept(""))
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]


def open_activity(settings: ActivitySettings, home: Path, *, say: Say = lambda _: None) -> Activity:
    """Return the activity of a log; days whose files are new, changed or gone are rolled up now, and all of it is stored.

    Raises
    ------
    InputError
        When the log cannot be read, too much of it is invalid, or another run keeps the activity locked.
    """
    folder = home / "activity" / settings.digest()
    rejected = home / "rejected" / folder.name
    # a project that moves, its home and its log with it, keeps its activity
    files, copies = without_copies(_keyed(files_of(settings.events, settings.base), home.resolve().parent))
    with _alone(folder, say):
        before = read_manifest(folder)
        is_whole = not discard_broken(folder, say)
        flaw = flaw_of_rejected(rejected, is_needed=bool(before and before.inventory.rejected))
        updater = _Updater(settings, folder, rejected, copies, say, writes_rejected=bool(flaw))
        if flaw:
            say(f"{flaw}: rejected rows are written again")
            is_whole = False
        if before and is_whole and before.copies == copies and _is_current(before, settings.events, files=files):
            before.inventory.check(settings.events)
            return updater.opened(before)
        return updater.refreshed(files, before)


def _alone(folder: Path, say: Say) -> AbstractContextManager[None]:
    """Let one run at a time change an activity."""
    lock = folder.with_name(f"{folder.name}.lock")
    busy = InputError(
        f"{lock}: another run has been rolling up this log for {_WAIT_SECONDS // 60} minutes",
        hint="wait for it or stop it, or use another home with --home",
    )
    message = "another run is rolling up this log; waiting for it"
    return locked(lock, busy, wait_seconds=_WAIT_SECONDS, waiting=lambda: say(message))


def _is_current(manifest: Manifest, events: EventsSettings, *, files: Sequence[LogFile]) -> bool:
    known = [(file.name, file.fingerprint) for file in manifest.files]
    is_same = known == [(file.key, file.fingerprint) for file in files]
    return is_same and manifest.configured == _configured(events) and all(file.is_final for file in manifest.files)


def _configured(events: EventsSettings) -> tuple[date | None, date | None]:
    return events.covered_from, events.covered_until


def _keyed(files: Sequence[LogFile], root: Path) -> list[LogFile]:
    """Return files with keys that move with a folder: below it, they are relative to it."""

    def key(file: LogFile) -> str:
        return str(Path(file.key).relative_to(root)) if Path(file.key).is_relative_to(root) else file.key

    return [replace(file, key=key(file)) for file in files]


@dataclass(frozen=True)
class _Updater:
    """Brings one activity up to date; the lock is held.

    Attributes
    ----------
    writes_rejected
        Write the rejected rows of all files anew, also of those that have not changed.
    """

    settings: ActivitySettings
    folder: Path
    rejected: Path
    copies: dict[str, str]
    say: Say
    writes_rejected: bool = False

    def refreshed(self, files: Sequence[LogFile], before: Manifest | None) -> Activity:
        """Read new and changed files, roll up their days, and write the manifest."""
        for place in (self.folder, self.rejected):
            clear_abandoned(place)
        events, zone = self.settings.events, self.settings.churn.timezone
        known = before.files if before else ()
        log = open_log(events, zone, files=files, compute=self.settings.compute, known=known)
        log, inventory = self._examined(log, before)
        inventory.check(events, examples=lambda: rejected_notes(inventory, events, sample=log.sample))
        self.settings.roll_up(log.columns).check_custom(log.connection, log.valid_sql("false"))
        coverage = inventory.coverage(events)
        repeated, moved = self._event_ids(log, inventory)
        digested = with_moved(digests(inventory.files), moved)
        days = {day: digest for day, digest in digested.items() if coverage.holds(day)}
        stale = {day: days[day] for day in days.keys() - batch_by_day(days, read_batches(self.folder)).keys()}
        self._roll_up(log, inventory, days=stale)
        at_once = self.settings.compute.rows_at_once
        compact(self.folder, days, rows=inventory.days, max_rows=at_once, connection=log.connection)
        kept = read_batches(self.folder)
        places = batch_by_day(days, kept)
        facts = facts_of(log.columns, has_time_of_day=inventory.has_time_of_day)
        gone = superseded(places, kept)
        told = notes_on(inventory, events, copies=self.copies, repeated=repeated, sample=log.sample)
        notes = (*missing_notes(log.sources, events), *told)
        now = Manifest(inventory.files, coverage, _configured(events), facts, places, gone, self.copies, notes)
        now.write(self.folder)
        self._forget(now, before)
        return self.opened(now, rolled_up=tuple(sorted(stale)))

    def opened(self, manifest: Manifest, rolled_up: tuple[date, ...] = ()) -> Activity:
        """Return the activity of a manifest."""
        compute, zone = self.settings.compute, self.settings.events.timezone
        connection = connect(compute=compute)
        return Activity(connection, self.folder, manifest, compute.rows_at_once, rolled_up, naive_zone=zone)

    def _examined(self, log: EventLog, before: Manifest | None) -> tuple[EventLog, LogInventory]:
        """Read the files that are not known yet, and write their invalid rows; the log comes back with what they told of all."""
        known = self._known(before, log)
        new = [file for file in log.files if (file.key, file.fingerprint) not in known]
        if new:
            self.say(f"reading {len(new)} of {len(log.files)} files")
        found = {(file.name, file.fingerprint): file for file in (log.examine(new) if new else ())}
        files = [(known | found)[(file.key, file.fingerprint)] for file in log.files]
        log.save_rejected(files if self.writes_rejected else tuple(found.values()), self.rejected)
        forget_rejected([file.key for file in log.files], self.rejected)
        whole = replace(log, texts=frozenset(name for file in files for name in file.texts))
        if changed := sorted(name for name, kind in whole.extra.items() if before and kind != log.extra[name]):
            kinds = ", ".join(
                f"{name} is {'text' if whole.extra[name] == 'VARCHAR' else 'a number'} now" for name in changed
            )
            self.say(f"{kinds}: whether it is depends on all of its values; all days are rolled up again")
        read = [replace(file, reading=whole.readings.get(file.name, "")) for file in files]
        return whole, LogInventory(tuple(read))

    def _event_ids(self, log: EventLog, inventory: LogInventory) -> tuple[int, dict[date, str]]:
        """Compare the ids of events; return how many rows repeat one, and a digest for each day whose rows another one has."""
        if not log.has_event_ids:
            return 0, {}
        ids = EventIds(log.connection, self.folder / "event_ids", self.settings.churn.timezone, log.columns)
        for file in inventory.files:
            ids.keep(file, log.valid_of(file))
        return ids.compare(inventory.files)

    def _known(self, before: Manifest | None, log: EventLog) -> dict[tuple[str, str], FileInventory]:
        """Return what is known of files; nothing, where its configured ends have changed or they are read in another way."""
        if not before or before.configured != _configured(self.settings.events):
            return {}
        return {
            (file.name, file.fingerprint): file
            for file in before.files
            if file.is_final and file.reading == log.readings.get(file.name, "")
        }

    def _roll_up(self, log: EventLog, inventory: LogInventory, *, days: Mapping[date, str]) -> None:
        """Write the relations of some days, as many at a time as the settings allow; each batch appears completely or not at all."""
        done = 0
        hint = "check [churn] qualifying and event: SQL over the contract's columns"
        for batch in batches(days, inventory.days, max_rows=self.settings.compute.rows_at_once):
            self.say(f"rolling up {batch[0]} to {batch[-1]}: {done} of {len(days)} days are done")
            with duckdb_errors("the log cannot be rolled up", hint):
                queries = self.settings.roll_up(log.columns).kept(log.rows_of(batch, inventory))
                digested = {day: days[day] for day in batch}
                write_batch(digested, self.folder, queries=queries, connection=log.connection)
            done += len(batch)

    def _forget(self, now: Manifest, before: Manifest | None) -> None:
        """Remove batches that no manifest has named for an hour: until then another run may still read those that one named."""
        for name in read_batches(self.folder).keys() - {*now.days.values()}:
            batch = self.folder / name
            if before is None or name in before.days.values():
                os.utime(batch)  # from now on nobody begins to read it
            elif time.time() - batch.stat().st_mtime > READ_FOR_SECONDS:
                discard(batch)
