"""Activity: user x day, computed once for each day of log and kept.

A day's folder is named after what it was computed from: the files that hold rows of the day, their fingerprints and numbers of
rows. So a day that is there is right, a killed run goes on where it stopped, and a file that is new, changed or gone costs its
own days only. The manifest is written last and names the folders that make up the activity.
"""

from __future__ import annotations

import glob
import hashlib
import json
import shutil
from collections.abc import Callable, Generator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path

import duckdb
import msgspec
from filelock import FileLock, Timeout

from features.batches import batches, folders
from features.engine import connect, explained
from features.errors import InputError
from features.events import EventLog, FileContents, LogContents, among, open_log, rejected_of
from features.feature import quoted
from features.places import LogFile
from features.roll_up import RollUp, facts_of, known_before
from features.settings import ChurnSettings, ComputeSettings, EventsSettings, FeatureSettings
from features.snapshots import Coverage, instant
from features.sources import files_of
from features.user_tables import UserTables
from features.whole import sync, written_whole

_WAIT_SECONDS = 600
Say = Callable[[str], None]


@dataclass(frozen=True)
class Manifest:
    """Written last into the folder of an activity: what it was computed from, and where each day lies.

    Attributes
    ----------
    told
        ``[events] covered_until``, where it was set.
    days
        Day to the name of its folder below ``day=.../``.
    """

    files: tuple[FileContents, ...]
    covered_until: date
    told: date | None
    facts: tuple[str, ...]
    days: dict[date, str]

    @property
    def contents(self) -> LogContents:
        """What the files of the log hold."""
        return LogContents(self.files)


@dataclass(frozen=True)
class Activity:
    """The kept activity of one log under one mapping.

    Attributes
    ----------
    rows_at_once
        Rows of the log whose users are worked on together.
    rolled_up
        The days that this run had to compute.
    tables
        What the project knows of users besides their events.
    """

    connection: duckdb.DuckDBPyConnection
    folder: Path
    manifest: Manifest
    rows_at_once: int
    rolled_up: tuple[date, ...] = ()
    tables: UserTables = field(default_factory=UserTables)

    @property
    def is_reused(self) -> bool:
        """True where nothing had to be computed."""
        return not self.rolled_up

    @property
    def coverage(self) -> Coverage:
        """The days that the log covers."""
        return Coverage(min(self.manifest.days), self.manifest.covered_until)

    @property
    def facts(self) -> frozenset[str]:
        """Contract columns that are mapped, what of :data:`TOLD` the log can tell, and the attributes of users."""
        return frozenset(self.manifest.facts) | self.tables.facts

    @property
    def has_versions(self) -> bool:
        """True where a day has versions, by when they became known."""
        return "ingested_at" in self.facts

    def relation(self, name: str) -> str:
        """Return the FROM clause of one of :data:`features.roll_up.RELATIONS`, as all of it is known today."""
        return f"(from {self.versions(name)} where known_until is null)" if self.has_versions else self.versions(name)

    def known(self, name: str, *, before: str) -> str:
        """Return the FROM clause of what was known of a relation before a cutoff, given in SQL."""
        version = f" and {known_before(before)}" if self.has_versions else ""
        return f"(from {self.versions(name)} where day < {before}{version})"

    def versions(self, name: str) -> str:
        """Return the FROM clause of a relation with every version of its days."""
        folders = (f"{glob.escape(str(self.folder))}/day={day}/{found}" for day, found in self.manifest.days.items())
        places = ", ".join(quoted(f"{folder}/{name}-*.parquet") for folder in folders)
        return f"read_parquet([{places}], hive_partitioning = false)"


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
        gap, own = self.features.session_gap_minutes, self.features.own
        return RollUp(tuple(columns), churn.timezone, gap, churn.qualifying, churn.event, own=own)

    def digest(self) -> str:
        """Cover mapping, zones, session gap, the labels' conditions and every expression of the roll-up."""
        mapping = self.events.mapping()
        parts = (mapping, self.events.where, self.events.timezone, self.roll_up(tuple(mapping)).sql(""))
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]


def open_activity(settings: ActivitySettings, home: Path, *, say: Say = lambda _: None) -> Activity:
    """Return the activity of a log; days whose files are new, changed or gone are rolled up now, and all of it is kept.

    Raises
    ------
    InputError
        When the log cannot be read, too much of it is invalid, or another run keeps the activity locked.
    """
    folder = home / "activity" / settings.digest()
    files = files_of(settings.events, settings.base)
    with _locked(folder, say):
        before = _read_manifest(folder)
        keeper = _Keeper(settings, folder, home / "rejected" / folder.name, say)
        if before and _is_current(before, settings.events, files=files):
            before.contents.check(settings.events)
            return Activity(connect(compute=settings.compute), folder, before, settings.compute.rows_at_once)
        return keeper.refreshed(files, before)


@contextmanager
def _locked(folder: Path, say: Say) -> Generator[None]:
    """Let one run at a time change an activity."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder.with_name(f"{folder.name}.lock"))
    try:
        lock.acquire(blocking=False)
    except Timeout:
        say("another run is rolling up this log; waiting for it")
        _wait(lock)
    try:
        yield
    finally:
        lock.release()


def _wait(lock: FileLock) -> None:
    try:
        lock.acquire(timeout=_WAIT_SECONDS)
    except Timeout as error:
        raise InputError(
            f"{lock.lock_file}: another run has been rolling up this log for {_WAIT_SECONDS // 60} minutes",
            hint="wait for it or end it, or take a home of your own with --home",
        ) from error


def _is_current(manifest: Manifest, events: EventsSettings, *, files: Sequence[LogFile]) -> bool:
    known = [(file.name, file.fingerprint) for file in manifest.files if file.is_final]
    return manifest.told == events.covered_until and known == [(file.name, file.fingerprint) for file in files]


def _read_manifest(folder: Path) -> Manifest | None:
    """Return what stands there, if it is of this version and its days are there."""
    try:
        found = msgspec.json.decode((folder / "manifest.json").read_bytes(), type=Manifest)
    except (OSError, msgspec.DecodeError):
        return None
    return found if all((folder / f"day={day}" / name).is_dir() for day, name in found.days.items()) else None


@dataclass(frozen=True)
class _Keeper:
    """Brings one activity up to date; the lock is held."""

    settings: ActivitySettings
    folder: Path
    rejected: Path
    say: Say

    def refreshed(self, files: Sequence[LogFile], before: Manifest | None) -> Activity:
        """Look into new and changed files, roll up their days, and write the manifest."""
        events, zone = self.settings.events, self.settings.churn.timezone
        log = open_log(events, zone, files=files, compute=self.settings.compute)
        contents = self._examined(log, before)
        contents.check(events)
        self.settings.roll_up(log.columns).check_own(log.connection, log.valid_sql("false"))
        coverage = contents.coverage(events)
        days = folders(contents.files)
        stale = [day for day, name in days.items() if not (self.folder / f"day={day}" / name).is_dir()]
        self._roll_up(log, contents, days={day: days[day] for day in stale})
        facts = facts_of(log.columns, has_time_of_day=contents.has_time_of_day)
        now = Manifest(contents.files, coverage.covered_until, events.covered_until, facts, days)
        written_whole(self.folder / "manifest.json", msgspec.json.encode(now))
        self._forget(now, before)
        compute = self.settings.compute
        return Activity(connect(compute=compute), self.folder, now, compute.rows_at_once, tuple(stale))

    def _examined(self, log: EventLog, before: Manifest | None) -> LogContents:
        """Look into the files that are not known yet, and set their invalid rows aside."""
        known = self._known(before)
        new = [file for file in log.files if (file.name, file.fingerprint) not in known]
        if new:
            self.say(f"looking into {len(new)} of {len(log.files)} files")
        found = {(file.name, file.fingerprint): file for file in (log.examine(new) if new else ())}
        log.set_aside(tuple(found.values()), self.rejected)
        for name in {name for name, _ in known} - {file.name for file in log.files}:
            rejected_of(name, self.rejected).unlink(missing_ok=True)
        return LogContents(tuple((known | found)[(file.name, file.fingerprint)] for file in log.files))

    def _known(self, before: Manifest | None) -> dict[tuple[str, str], FileContents]:
        """Return what is known of files; all are looked into again where what lies in the future was told differently."""
        if not before or before.told != self.settings.events.covered_until:
            return {}
        return {(file.name, file.fingerprint): file for file in before.files if file.is_final}

    def _roll_up(self, log: EventLog, contents: LogContents, *, days: Mapping[date, str]) -> None:
        """Write the relations of some days, as many at a time as the settings allow; each day appears whole or not at all."""
        done = 0
        hint = "check [churn] qualifying and event: SQL over the contract's columns"
        for batch in batches(days, contents.days, most=self.settings.compute.rows_at_once):
            self.say(f"rolling up {batch[0]} to {batch[-1]}: {done} of {len(days)} days are done")
            with explained("the log cannot be rolled up", hint):
                self._write(log, _rows_of(batch, log, contents=contents), days={day: days[day] for day in batch})
            done += len(batch)

    def _write(self, log: EventLog, valid_sql: str, *, days: Mapping[date, str]) -> None:
        aside = self.folder / ".tmp"
        shutil.rmtree(aside, ignore_errors=True)
        aside.mkdir(parents=True)
        for name, query in self.settings.roll_up(log.columns).sql(valid_sql).items():
            log.connection.execute(
                f"copy ({query}) to {quoted(str(aside))} (format parquet, partition_by (day), write_partition_columns, "
                f"filename_pattern '{name}-{{i}}', overwrite_or_ignore)"
            )
        with ThreadPoolExecutor() as pool:  # one disk writes down many files in about the time of one
            list(pool.map(sync, aside.rglob("*")))
        for day, name in days.items():
            (self.folder / f"day={day}").mkdir(exist_ok=True)
            (aside / f"day={day}").rename(self.folder / f"day={day}" / name)
        shutil.rmtree(aside)

    def _forget(self, now: Manifest, before: Manifest | None) -> None:
        """Remove days that neither this manifest nor the one before it names: somebody may still read the latter."""
        named = {(day, name) for found in (now, before) if found for day, name in found.days.items()}
        for place in self.folder.glob("day=*/*"):
            if (date.fromisoformat(place.parent.name.removeprefix("day=")), place.name) not in named:
                shutil.rmtree(place)
                if not any(place.parent.iterdir()):
                    place.parent.rmdir()


def _rows_of(batch: Sequence[date], log: EventLog, *, contents: LogContents) -> str:
    """Return the SELECT of the valid rows of some days in a row, from the files that hold any."""
    start, end = (instant(day, log.zone).isoformat() for day in (batch[0], batch[-1] + timedelta(days=1)))
    files = [file for file in contents.files if not file.days.keys().isdisjoint(batch)]
    return log.valid_sql(
        f"{among(files)} and event_time >= timestamptz '{start}' and event_time < timestamptz '{end}'",
        is_clean=not any(file.rejected for file in files),
    )


def describe_rejected(rejected: Mapping[str, int]) -> str:
    """Say in words how many rows were set aside, and why."""
    return ", ".join(f"{count} x {reason}" for reason, count in sorted(rejected.items())) or "none"
