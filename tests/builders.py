"""Tiny logs in a line an event, and the way from there to profiles.

A line says who, when and what, then anything else of the contract::

    anna 2026-01-05T10:00 open amount=9.5 device_os=ios

Times without a zone are UTC. Columns that no line names are not in the log.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import tempfile
from collections.abc import Collection, Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from features.activity.roll_up import RELATIONS
from features.activity.store import Activity, ActivitySettings, open_activity
from features.catalogue.catalogue import catalogue, select
from features.catalogue.definition import Derived, Feature
from features.catalogue.fitted import FittedConstants
from features.log.event_log import LogInventory
from features.log.event_log import open_log as open_lazily
from features.profiles.build import build_profiles
from features.profiles.specification import Specification
from features.settings import ChurnSettings, EventsSettings, FeatureSettings
from features.snapshots import Coverage

WINDOWS = (1, 3, 7, 14, 28, 56, 90)
NUMBERS = {"count": int, "amount": float, "duration_seconds": float}
EVER = 10**6  # days of history: no window is too long

Row = Mapping[str, Any]


def row(line: str) -> dict[str, Any]:
    """One event: ``user time [type] [column=value ...]``, by default of type ``open``."""
    user, time, *rest = line.split()
    words = [word for word in rest if "=" not in word]
    named = dict(word.split("=", 1) for word in rest if "=" in word)
    at = datetime.fromisoformat(time)
    event: dict[str, Any] = {"user_id": user, "event_time": at if at.tzinfo else at.replace(tzinfo=UTC)}
    return event | {"event_type": " ".join(words) or "open"} | {k: NUMBERS.get(k, str)(v) for k, v in named.items()}


def rows(lines: Iterable[str | Row]) -> list[Row]:
    return [row(line) if isinstance(line, str) else line for line in lines]


def columns_of(events: Sequence[Row]) -> list[str]:
    return list(dict.fromkeys(name for event in events for name in event))


def write(path: Path, events: Iterable[str | Row]) -> Path:
    """Write rows in the format that the name says: .parquet, .csv, .tsv, .jsonl, each of the last also .gz."""
    path.parent.mkdir(parents=True, exist_ok=True)
    found = rows(events)
    table = {name: [event.get(name) for event in found] for name in columns_of(found)}
    if path.suffix.lower() == ".parquet":
        pq.write_table(pa.table(table), path)
    else:
        with gzip.open(path, "wt") if path.suffix == ".gz" else path.open("w") as file:
            file.write(
                _as_json(found) if ".jsonl" in path.name else _as_csv(table, "\t" if ".tsv" in path.name else ",")
            )
    return path


def _as_json(events: Sequence[Row]) -> str:
    return "".join(json.dumps(event, default=str) + "\n" for event in events)


def _as_csv(table: Mapping[str, list[Any]], delimiter: str) -> str:
    text = io.StringIO()
    writer = csv.writer(text, delimiter=delimiter)
    writer.writerow(table)
    writer.writerows(zip(*table.values(), strict=True))
    return text.getvalue()


def events_at(path: Path, events: Iterable[str | Row] = (), /, **options: Any) -> EventsSettings:
    """``[events]`` of a log; given its rows, every contract column in them is mapped under its own name."""
    mapped: dict[str, Any] = {"columns": {name: name for name in columns_of(rows(events))}}
    return EventsSettings(path=str(path), **mapped | options)


@dataclass(frozen=True)
class ReadLog:
    """A log, opened, looked into and found good enough."""

    inventory: LogInventory
    coverage: Coverage
    table: pa.Table

    @property
    def rows(self) -> int:
        return self.inventory.rows

    @property
    def rejected(self) -> dict[str, int]:
        return self.inventory.rejected

    @property
    def has_time_of_day(self) -> bool:
        return self.inventory.has_time_of_day

    def to_arrow(self) -> pa.Table:
        return self.table


def open_log(settings: EventsSettings, zone: str = "UTC", *, rejected_to: Path | None = None) -> ReadLog:
    """Read all of a log; its invalid rows go into a folder."""
    log = open_lazily(settings, zone)
    files = log.examine(log.files)
    if rejected_to:
        log.save_rejected(files, rejected_to)
    inventory = LogInventory(files)
    inventory.check(settings)
    return ReadLog(inventory, inventory.coverage(settings), log.to_arrow())


def log_of(folder: Path, lines: Iterable[str | Row], /, *, zone: str = "UTC", **options: Any) -> ReadLog:
    """Write a Parquet log of the lines and open it."""
    events = rows(lines)
    settings = events_at(write(folder / "log.parquet", events), events, **options)
    return open_log(settings, zone, rejected_to=folder / "rejected")


def read(path: Path, /, **options: Any) -> ReadLog:
    """Open the log at a path, by default mapped to columns of the contract's own names."""
    return open_log(EventsSettings(path=str(path), **options))


def values_of(table: pa.Table, name: str) -> list[Any]:
    """The values of a column, of which pyarrow's stubs say that each may be absent."""
    return table.column(name).to_pylist()


def found_in(log: ReadLog) -> list[tuple[Any, ...]]:
    """The valid rows as tuples, sorted: user, UTC time, type, then what else is mapped."""
    values = log.to_arrow().to_pylist()
    return sorted((tuple(_plain(value) for value in found.values()) for found in values), key=str)


def _plain(value: Any) -> Any:
    return f"{value.astimezone(UTC):%Y-%m-%d %H:%M:%S}" if isinstance(value, datetime) else value


@dataclass(frozen=True)
class World:
    """A log on disk with its settings, and the home that keeps what is computed from it."""

    settings: ActivitySettings
    home: Path

    @property
    def path(self) -> Path:
        return Path(self.settings.events.path)

    def activity(self) -> Activity:
        return open_activity(self.settings, self.home)

    def specification(
        self,
        event_types: Sequence[str] = (),
        windows: Sequence[int] = WINDOWS,
        *,
        fitted: FittedConstants | None = None,
        only: Collection[str] = (),
        activity: Activity | None = None,
    ) -> Specification:
        """Every feature that the log can answer, as if its history were endless; or ``only`` some and what they derive from."""
        observed = self.settings.features.observation_days
        told = {"observation_days": observed, "leaving": self.settings.churn.event}
        facts = (activity or self.activity()).facts | {fact for fact, value in told.items() if value}
        constants = fitted or FittedConstants(tuple(event_types))
        known = select(catalogue(tuple(windows), constants), facts, history_days=EVER).features
        names = _with_sources(only, known) if only else {feature.name for feature in known}
        return Specification(
            tuple(feature.name for feature in known if feature.name in names),
            tuple(windows),
            constants,
            observation_days=observed,
            timezone=self.settings.churn.timezone,
            session_gap_minutes=self.settings.features.session_gap_minutes,
            qualifying=self.settings.churn.qualifying,
            event=self.settings.churn.event,
            naive_zone=self.settings.events.timezone,
        )

    def profiles(
        self,
        *cutoffs: str,
        event_types: Sequence[str] = (),
        fitted: FittedConstants | None = None,
        only: Collection[str] = (),
    ) -> list[dict[str, Any]]:
        """Profiles with their keys; ``only`` some features are planned in a fraction of the time that all of them take."""
        days, activity = [date.fromisoformat(cutoff) for cutoff in cutoffs], self.activity()
        specification = self.specification(event_types, fitted=fitted, only=only, activity=activity)
        return build_profiles(activity, specification, cutoffs=days).to_pylist()

    def profile(
        self,
        cutoff: str,
        *,
        event_types: Sequence[str] = (),
        fitted: FittedConstants | None = None,
        only: Collection[str] = (),
    ) -> dict[str, Any]:
        """The profile of the only user there is; ``only`` some of its features, without its keys."""
        (found,) = self.profiles(cutoff, event_types=event_types, fitted=fitted, only=only)
        return {name: found[name] for name in only or found}

    def daily(self, *columns: str, relation: str = "days") -> list[tuple[Any, ...]]:
        """Rows of kept activity, sorted: user, day as text, then the columns."""
        activity = self.activity()
        chosen = ", ".join(("user_id", "cast(day as varchar)", *columns))
        return activity.connection.sql(f"select {chosen} from {activity.relation(relation)} order by all").fetchall()

    def everything(self) -> list[list[tuple[Any, ...]]]:
        """All rows of all relations that profiles are made of, sorted; kept activity is opened once for all of them."""
        activity = self.activity()
        queries = (f"from {activity.relation(relation)} order by all" for relation in RELATIONS)
        return [activity.connection.sql(query).fetchall() for query in queries]


def _with_sources(names: Collection[str], known: Iterable[Feature]) -> set[str]:
    """Feature names, with those of the features that they derive from."""
    by_name = {feature.name: feature for feature in known}
    found, new = set[str](), set(names)
    while new:
        found |= new
        derived = [by_name[name] for name in new if isinstance(by_name[name], Derived)]
        new = {word for feature in derived for word in feature.words if word in by_name} - found
    return found


def world_of(
    folder: Path,
    lines: Iterable[str | Row],
    /,
    *,
    churn: Mapping[str, Any] | None = None,
    features: Mapping[str, Any] | None = None,
    **events: Any,
) -> World:
    """Write a Parquet log of the lines; the keywords are settings of ``[churn]``, ``[features]`` and ``[events]``."""
    found = rows(lines)
    log = events_at(write(folder / "log.parquet", found), found, **{"covered_until": _a_year_after(found)} | events)
    return World(
        ActivitySettings(log, ChurnSettings(**churn or {}), FeatureSettings(**features or {})), folder / "home"
    )


@contextmanager
def passing_world(lines: Iterable[str | Row], /, **options: Any) -> Generator[World]:
    """A world for one example of a property; in memory where the machine offers that, as there are hundreds of them."""
    memory = Path("/dev/shm")  # noqa: S108
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
        yield world_of(Path(folder), lines, **options)


def _a_year_after(events: Sequence[Row]) -> date | None:
    """Cover the log generously, so that a cutoff may come long after its last event."""
    times = [event["event_time"] for event in events if isinstance(event.get("event_time"), datetime)]
    return date(max(times).year + 1, 12, 31) if times else None
