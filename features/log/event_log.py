"""Read an event log, map its columns to the contract, and reject invalid rows with a reason."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import duckdb
import pyarrow as pa

from features.expressions import NUMBER
from features.log.event_ids import EVENT_ID, once
from features.log.files import LOG, LogFile
from features.log.formats import files_of
from features.log.inventory import FileInventory, LogInventory
from features.log.rejected import rejected_of, write_by_file
from features.log.sources.broken_rows import FAULTS
from features.log.sources.mapping import Mapper
from features.log.sources.source import LOG_FILE, LOG_ROW, Source
from features.log.validation import AFTER, DURATIONS, NULLS, Span, checked_sql, is_number_text
from features.schema import COLUMNS
from features.settings import ComputeSettings, EventsSettings
from features.snapshots import instant
from features.sql import literal, local_time_of
from features.storage.duckdb import connect, duckdb_errors

# File statistics ignore NaN, and DuckDB trusts them: NaN would pass as being below any bound. A list of values becomes a join,
# which takes a second to plan among as many conditions as a log is checked by.
DISABLED_OPTIMIZERS = "statistics_propagation,in_clause"


@dataclass(frozen=True)
class EventLog:
    """A log mapped to the contract: rows stay in their files until they are queried.

    Attributes
    ----------
    sources
        Its files, those of one schema as one relation, and what the mapping reads from them.
    zone
        Zone of the local days.
    span
        The instants between which an event may lie.
    dialects
        How each CSV file (name, fingerprint) is written.
    texts
        Extra columns of text in which some value is not a number, and no word for no value.
    """

    connection: duckdb.DuckDBPyConnection
    files: tuple[LogFile, ...]
    sources: tuple[Source, ...]
    zone: str
    span: Span
    dialects: dict[tuple[str, str], str] = field(default_factory=dict[tuple[str, str], str])
    texts: frozenset[str] = frozenset()

    @property
    def columns(self) -> tuple[str, ...]:
        """The contract columns that are mapped, and the extra ones."""
        return tuple(name for name in self.sources[0].mapping if name != EVENT_ID)

    @property
    def has_event_ids(self) -> bool:
        """Whether events that came more than once are told by an id."""
        return EVENT_ID in self.sources[0].mapping

    @cached_property
    def extra(self) -> dict[str, str]:
        """Extra column to its type: text, unless all files hold numbers."""
        kinds = {
            name: {source.mapping[name].kind for source in self.sources} for name in self.columns if name not in COLUMNS
        }
        return {name: "DOUBLE" if self._holds_numbers(name, found) else "VARCHAR" for name, found in kinds.items()}

    def _holds_numbers(self, name: str, kinds: set[str]) -> bool:
        """Tell whether an extra column of these types holds numbers, or durations, in all files."""
        are_numbers = all(NUMBER.fullmatch(kind) or kind in DURATIONS for kind in kinds - {"VARCHAR"})
        return are_numbers and not ("VARCHAR" in kinds and name in self.texts)

    @property
    def open_texts(self) -> tuple[str, ...]:
        """Extra columns of text, of which only their values tell whether they are numbers."""
        return tuple(
            name
            for name in self.columns
            if name not in COLUMNS and any(source.mapping[name].kind == "VARCHAR" for source in self.sources)
        )

    @cached_property
    def readings(self) -> dict[str, str]:
        """Key of a file to a digest of how it is read; other files never change it, but for the types of extra columns."""
        keys, found = {file.name: file.key for file in self.files}, dict[str, str]()
        for source in self.sources:
            parts = [source.signature(), sorted(self.extra.items())]
            digest = hashlib.sha256(json.dumps(parts, default=str).encode()).hexdigest()[:16]
            found |= dict.fromkeys((keys[name] for name in source.files), digest)
        return found

    @property
    def checked_sql(self) -> str:
        """``SELECT`` of all rows with the file they are from and ``reason``, null where the row is valid."""
        return " union all ".join(self.checked_of(source) for source in self.sources)

    def checked_of(self, source: Source) -> str:
        """Return the part of :attr:`checked_sql` that is of a source."""
        return checked_sql(source, zone=self.zone, span=self.span, kinds=self.extra)

    def valid_sql(self, condition: str = "true", *, is_clean: bool = False) -> str:
        """``SELECT`` of the valid rows, in contract columns.

        Parameters
        ----------
        condition
            Which rows; it may also name the file, :data:`LOG_FILE`.
        is_clean
            All these rows are known to be valid and need no check.
        """
        valid = "true" if is_clean else "reason is null"
        names = (*self.columns, EVENT_ID) if self.has_event_ids else self.columns
        return f"select {', '.join(names)} from ({self.checked_sql}) where {valid} and {condition}"

    def rows_of(self, batch: Sequence[date], inventory: LogInventory) -> str:
        """``SELECT`` of the valid rows of some days in a row, from the files that hold any."""
        days = set(batch)
        files = [file for file in inventory.files if not file.days.keys().isdisjoint(days)]
        condition = among(self._names(files))
        if not all(file.days.keys() <= days for file in files):
            condition += f" and {self._is_between(batch[0], batch[-1])}"
        valid = self.valid_sql(condition, is_clean=not any(file.rejected for file in files))
        return once(valid, self.columns) if self.has_event_ids else valid

    def _is_between(self, first: date, last: date) -> str:
        """Return the condition on the local day: rows are pruned by instants, and the calendar is used only near the edges."""
        day = timedelta(days=1)
        local_day = f"cast({local_time_of('event_time', self.zone)} as date)"
        near, inside = _instants(first - day, last + 2 * day), _instants(first + day, last)
        return f"{near} and case when {inside} then true else {local_day} between date '{first}' and date '{last}' end"

    def to_arrow(self) -> pa.Table:
        """Return all valid rows, in contract columns (for a look at a small log)."""
        return self.connection.sql(self.valid_sql()).to_arrow_table()

    def examine(self, files: Sequence[LogFile]) -> tuple[FileInventory, ...]:
        """Count the valid rows of some files by day, and the others by reason.

        Raises
        ------
        InputError
            When a file cannot be read.
        """
        of_files = among([file.name for file in files])
        early = "ingested_at < event_time" if "ingested_at" in self.columns else "false"
        counted = (
            counts_sql(
                f"from ({self.checked_of(source)}) where {of_files}",
                self.zone,
                by=LOG_FILE,
                early=early,
                texts=self.are_other(source),
            )
            for source in self.sources
        )
        with duckdb_errors(*LOG.unreadable):
            rows = self.connection.execute(f"{' union all '.join(counted)} order by all").fetchall()
        found: dict[str, list[_Count]] = {}
        for name, *row in rows:
            found.setdefault(name, []).append(_Count(*row))
        return tuple(self._inventory(file, found.get(file.name, [])) for file in files)

    def are_other(self, source: Source) -> tuple[str, ...]:
        """Return conditions on the checked rows of a source: the value of each open text is not a number, nor a word for no value."""
        are_numbers = {
            name: is_number_text(source.reading.number_of(f"raw_{name}", source.mapping[name].kind))
            for name in self.open_texts
        }
        return tuple(f"not ({is_number} or raw_{name} in ({NULLS}))" for name, is_number in are_numbers.items())

    def texts_in(self, found: Iterable[Sequence[bool]]) -> tuple[str, ...]:
        """Return the open texts for which a condition of :meth:`are_other` holds in some of the ``texts`` of :func:`counts_sql`."""
        some = [any(holds) for holds in zip(*found, strict=True)]
        return tuple(name for name, is_text in zip(self.open_texts, some, strict=False) if is_text)

    def _inventory(self, file: LogFile, counts: Sequence[_Count]) -> FileInventory:
        days = {one.day: one.rows for one in counts if one.reason is None}
        rejected: dict[str, int] = {}
        for one in counts:
            if one.reason is not None:
                rejected[one.reason] = rejected.get(one.reason, 0) + one.rows
        is_timed, early = any(one.is_timed for one in counts), sum(one.early for one in counts)
        dialect, reading = self.dialects.get((file.key, file.fingerprint), ""), self.readings.get(file.key, "")
        texts = self.texts_in(one.texts for one in counts)
        return FileInventory(
            file.key, file.fingerprint, days, rejected, is_timed, reading, dialect, texts, early_arrivals=early
        )

    def valid_of(self, file: FileInventory) -> str:
        """``SELECT`` of the valid rows of a file."""
        return self.valid_sql(among(self._names([file])), is_clean=not file.rejected)

    def sample(self, key: str, reason: str) -> tuple[int, str | None]:
        """Return the first row, counted from 1, of a file that was rejected for a reason, and the value that the reason is about."""
        name = next(file.name for file in self.files if file.key == key)
        source = next(source for source in self.sources if name in source.files).of_file(name)
        column = reason.partition(" ")[0]
        value = f"raw_{column}" if column in source.mapping else "null"
        rows = self.connection.execute(
            f"select {LOG_ROW}, {value} from ({self.checked_of(source)}) where reason = {literal(reason)} limit 1"
        ).fetchall()
        return rows[0] if rows else (0, None)

    def save_rejected(self, files: Sequence[FileInventory], folder: Path) -> None:
        """Write the invalid rows of some files as they were read, with the reason: one Parquet file for each that has any."""
        for file in files:
            if not file.rejected:
                rejected_of(file.name, folder).unlink(missing_ok=True)
        bad = self._names([file for file in files if file.rejected])
        places = {file.name: rejected_of(file.key, folder) for file in self.files}
        for text in {source.row_text: None for source in self.sources if not set(bad).isdisjoint(source.files)}:
            rows = self._rejected([source for source in self.sources if source.row_text == text], bad, text=text)
            write_by_file(rows, places, by=LOG_FILE, connection=self.connection)

    def _rejected(self, sources: Sequence[Source], names: Collection[str], *, text: str) -> str:
        """Return the SELECT of the invalid rows of some files; a row whose fields may be in other columns, with all that it holds."""
        kept = ", ".join(f"raw_{name} as {name}" for name in self.columns)
        whole = (
            f", case when reason in ({', '.join(map(literal, FAULTS))}) then {text} end as whole_row" if text else ""
        )
        checked = " union all ".join(
            self.checked_of(replace(source, more=(text,) if text else ())) for source in sources
        )
        return f"select {LOG_FILE}, {kept}, reason{whole} from ({checked}) where reason is not null and {among(names)}"

    def _names(self, files: Collection[FileInventory]) -> list[str]:
        """Return the names under which files are read just now."""
        named = {file.key: file.name for file in self.files}
        return [named[file.name] for file in files]


class _Count(NamedTuple):
    """A row of :func:`counts_sql`."""

    reason: str | None
    day: date
    rows: int
    is_timed: bool
    early: int
    texts: list[bool]


def counts_sql(checked: str, zone: str, *, by: str = "", early: str = "false", texts: Sequence[str] = ()) -> str:
    """Return the SELECT of ``reason, day, n, is_timed, early, texts`` over checked rows: valid ones by day, the others by reason.

    Parameters
    ----------
    checked
        FROM clause of the rows, with what limits them.
    by
        A column to count them by too, which comes first.
    early
        Condition on the valid rows that ``early`` counts.
    texts
        Conditions on all rows, of each of which ``texts`` tells whether it holds for some row.
    """
    first = f"{by}, " if by else ""
    local = f"case when reason is null then {local_time_of('event_time', zone)} end"
    others = "".join(f", {condition} as text_{place}" for place, condition in enumerate(texts))
    some = ", ".join(f"coalesce(bool_or(text_{place}), false)" for place in range(len(texts)))
    counted = f"""select {first}reason, cast(local_time as date) as day, count(*) as n,
            min(local_time) as earliest, max(local_time) as latest, count(*) filter (is_early) as early,
            cast([{some}] as boolean[]) as texts
        from (select {first}reason, {local} as local_time, reason is null and {early} as is_early{others} {checked}) group by all"""
    starts = _start_of("day", zone)
    return f"""select {first}reason, day, n, coalesce(earliest <> {starts} or latest <> {starts}, false) as is_timed, early, texts
        from ({counted})"""


def _start_of(day: str, zone: str) -> str:
    """Return the local time at which a day starts: where clocks skip midnight, a date means the hour after it."""
    midnight = f"cast({day} as timestamp)"
    return midnight if zone == "UTC" else local_time_of(f"timezone({literal(zone)}, {midnight})", zone)


def _instants(start: date, end: date) -> str:
    """Return the condition that an event is between two days, which are those of UTC: a local day is within a day of them."""
    return f"event_time >= timestamptz '{start} 00:00:00+00' and event_time < timestamptz '{end} 00:00:00+00'"


def among(names: Collection[str]) -> str:
    """Return the condition that a row is from one of some files, by the names under which they are read."""
    return f"{LOG_FILE} in ({', '.join(map(literal, names))})"


def open_log(
    settings: EventsSettings,
    zone: str,
    *,
    files: Sequence[LogFile] = (),
    compute: ComputeSettings | None = None,
    known: Sequence[FileInventory] = (),
) -> EventLog:
    """Open a log and check its mapping against the contract; nothing but its header is read yet.

    Parameters
    ----------
    settings
        Where it is and how its columns map.
    zone
        Zone of the local days that coverage is counted in.
    files
        Its files, where they are known already; default: those at a path that starts in the current folder.
    known
        What is known of its files: those that have not changed since are not examined again.

    Raises
    ------
    InputError
        When nothing is there, a file cannot be read, or a column is missing.
    """
    found = tuple(files) or files_of(settings, Path())
    connection = connect(settings.timezone, compute)
    connection.execute(f"set disabled_optimizers = '{DISABLED_OPTIMIZERS}'")
    dialects = {(file.name, file.fingerprint): file.dialect for file in known if file.dialect}
    sources = Mapper(connection, settings, zone, dialects=dialects).sources(found)
    texts = frozenset(name for file in known for name in file.texts)
    return EventLog(connection, found, sources, zone, _span(settings, zone), dialects, texts)


def _span(settings: EventsSettings, zone: str) -> Span:
    """Return the instants between which an event of the log may lie."""
    start = instant(settings.covered_from, zone) if settings.covered_from else None
    future = datetime.now(UTC) + timedelta(days=1)
    if not settings.covered_until:
        return Span(future, start, known_until=future)
    end = instant(settings.covered_until, zone)
    return Span(end, start, beyond=AFTER, known_until=max(end, future))
