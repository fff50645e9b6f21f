"""From the columns of a log to settings with evidence, or to questions: nothing is guessed, and nothing is written here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta

from churn.first_look.draft import Draft, Line, project_name_of
from churn.first_look.evidence.columns import Column, columns_of, percent
from churn.first_look.evidence.names import person_rank
from churn.first_look.evidence.nested import refuse_lists_of_events
from churn.first_look.evidence.split_dates import split_date
from churn.first_look.evidence.table import LogTable
from churn.first_look.evidence.text_files import refuse_wide
from churn.first_look.evidence.times import TimeReading, column_name, readings_of, sql_name, zoned_share
from churn.first_look.known_layouts import KnownLayout, KnownMapping, is_read_by, known_layout, mapping_of
from churn.first_look.questions import EVENT_ID, Answers, Option, Question
from churn.first_look.roles.context import attributes_of_users, find_others, find_type
from churn.first_look.roles.counts import find_count
from churn.first_look.roles.doubts import doubts_of_times, doubts_of_types, doubts_of_users, unread
from churn.first_look.roles.event_ids import copies_of, find_event_id
from churn.first_look.roles.files import kinds_of_files, refuse_other_tables
from churn.first_look.roles.local_days import Zone, find_zone
from churn.first_look.roles.measures import Measures, Roles, find_measures
from churn.first_look.roles.moments import find_arrival, find_time
from churn.first_look.roles.people import find_user, nobody_of
from churn.first_look.roles.refunds import tell_of_unpaid
from churn.first_look.roles.rows import ask_what_a_row_is
from churn.results.first_look import Finding
from features.errors import InputError
from features.sql import literal

_FEW_ROWS = 20
_SHORT_DAYS = 35
_FULL = 0.95  # of rows that have a user; more without are refused ([events] max_rejected_share)


@dataclass(frozen=True)
class Look:
    """What was found in a log.

    Attributes
    ----------
    questions
        What has to be asked before the draft can be used.
    notes
        What a user should know.
    layout
        The product or data set whose export it is; empty: unknown.
    """

    draft: Draft
    questions: tuple[Question, ...] = ()
    notes: tuple[str, ...] = ()
    layout: str = ""
    columns: tuple[Column, ...] = field(default=(), repr=False)


def look(table: LogTable, *, path: str, answers: Answers) -> Look:
    """Find out what the columns of a log mean.

    Parameters
    ----------
    path
        For ``[events] path``.

    Raises
    ------
    InputError
        When it is not an event log.
    """
    _refuse_shapes(table)
    layout = known_layout(table) if not {"user_id", "event_time"} & answers.given.keys() else None
    known = mapping_of(layout, table, path=path) if layout else None
    if layout and known and is_read_by(known, table):
        return _of_layout(layout, known, table, path=path)
    if "event_time" not in answers.given:
        refuse_lists_of_events(table.lists)
    return _of_columns(columns_of(table), table, path=path, answers=answers)


def _refuse_shapes(table: LogTable) -> None:
    """Refuse what is not a log by its shape.

    Raises
    ------
    InputError
        With what it looks like.
    """
    refuse_wide(list(table.kinds))
    if not table.rows:
        raise InputError("the log is empty: it has columns and no rows", hint="check its path")


def _of_layout(layout: KnownLayout, known: KnownMapping, table: LogTable, *, path: str) -> Look:
    title = (f"{layout.title}: recognised by its columns; see examples/formats/{layout.name}.", _read_words(table))
    events = {"path": Line(path), **known.events}
    columns = known.columns
    draft = Draft(
        title, layout.name, events, columns, {**_format(table), **known.format}, churn=known.churn, others=known.others
    )
    return Look(draft, notes=known.notes, layout=layout.title)


def _read_words(table: LogTable) -> str:
    return f"Written by churn init from {table.coverage}."


def _format(table: LogTable) -> dict[str, Line]:
    return {key: Line(value, table.text.evidence.get(key, "")) for key, value in table.text.settings.items()}


def _of_columns(columns: Sequence[Column], table: LogTable, *, path: str, answers: Answers) -> Look:
    readings = _readings(columns, table)
    refuse_other_tables(columns, readings, table, answers=answers)
    dates = {one.name: readings[one.name] for one in columns if _is_time(one, readings)}
    user = find_user(columns, table, times=dates, answers=answers)
    time, reading = find_time(columns, readings, table, user=user, answers=answers)
    zone = find_zone(reading, columns, table, answers=answers)
    taken = {name for one in (user, time) if one for name in one.columns}
    attributes = attributes_of_users(columns, table, user=user) if "event_type" not in answers.given else []
    kind = find_type(columns, table, taken={*taken, *dates, *(one.name for one in attributes)}, answers=answers)
    others = find_others(columns, table, taken=taken, answers=answers, user=user)
    taken |= {name for one in (*others.values(), kind) if one for name in one.columns}
    measures = _measures_of(columns, table, Roles(user, time, kind, taken | dates.keys(), reading), answers=answers)
    _tell_of_attributes(attributes, table, measures=measures)
    roles = {"user_id": user, "event_time": time, "event_type": _type_of(kind, measures), **others, **measures.found}
    arrival = {"ingested_at": find_arrival(columns, readings, table, time=reading)}
    found = {name: one for name, one in (roles | arrival).items() if one}
    _ask_alike(found, table, answers=answers)
    ask_what_a_row_is(columns, table, found=found, reading=reading, answers=answers)
    _tell_of_users(user, columns, table, reading=reading, measures=measures)
    event_id = find_event_id(columns, table, found=found, reading=reading, answers=answers)
    reading = zone.days_of(reading) if zone and reading else reading
    of_times = doubts_of_times(reading, found, columns, dates, table)
    measures.notes += [*doubts_of_types(kind, columns), *_names_of_files(kind, table), *of_times]
    used = found | ({EVENT_ID: event_id} if event_id else {})
    measures.notes += unread(columns, used, reading=reading, told=measures)
    return _Parts(columns, table, path, measures=measures, reading=reading, zone=zone).look(used, answers=answers)


def _measures_of(columns: Sequence[Column], table: LogTable, roles: Roles, *, answers: Answers) -> Measures:
    measures = Measures()
    find_count(columns, table, roles=roles, answers=answers, measures=measures)
    find_measures(columns, table, roles=roles, answers=answers, measures=measures)
    tell_of_unpaid(columns, table, roles, answers=answers, measures=measures)
    return measures


def _readings(columns: Sequence[Column], table: LogTable) -> dict[str, tuple[TimeReading, ...]]:
    """Return how each column can be read as times; the parts of a date are read as one."""
    readings = {one.name: readings_of(one, table) for one in columns}
    if split := split_date(columns, table):
        readings |= dict.fromkeys(split.others, ()) | {split.column.name: (split,)}
    return readings


def _is_time(column: Column, readings: Mapping[str, Sequence[TimeReading]]) -> bool:
    """Tell whether a column can be read as times, and is not one of whole numbers that are named as somebody."""
    return bool(readings[column.name]) and not (column.is_whole and person_rank(column.normal) is not None)


def _tell_of_users(
    user: Finding | None, columns: Sequence[Column], table: LogTable, *, reading: TimeReading | None, measures: Measures
) -> None:
    """Say what may be wrong with who did it: one value stands for nobody, or something of :func:`doubts_of_users`."""
    nobody = nobody_of(user, columns, table)
    if not user or not nobody:
        measures.notes += doubts_of_users(user, columns, table, reading=reading)
        return
    name = sql_name(user.columns[0], table)
    measures.choose("where", [(f"{name} <> {literal(nobody)}", "leaves only rows with a user")])
    measures.notes.append(
        f"{name} is {nobody} in many rows, as where nobody is known: it counts as one user; churn.toml shows how to exclude it"
    )


def _names_of_files(kind: Finding | None, table: LogTable) -> list[str]:
    """Say that files are named differently where no column says what happened."""
    names = kinds_of_files(table) if kind and not kind.columns else []
    return [f"the files are named {', '.join(names)}: if that says what happened, it is not read"] if names else []


def _tell_of_attributes(attributes: Sequence[Column], table: LogTable, *, measures: Measures) -> None:
    """Say which columns are named as the type of an event, but say something about the user."""
    for one in attributes:
        measures.choose("event_type", [(column_name(one.name, table), "if it says what happened, and not who it was")])
        measures.notes.append(f"{one.name} is not mapped: it is the same in all rows of a user, as an attribute is")


def _type_of(kind: Finding | None, measures: Measures) -> Finding | None:
    """Return what happened; rows with money and no type are purchases."""
    if kind and kind.expression == "'event'" and "amount" in measures.found:
        return replace(
            kind, expression="'purchase'", evidence="no column is named as the type of an event; rows have amounts"
        )
    return kind


def _ask_alike(found: dict[str, Finding], table: LogTable, *, answers: Answers) -> None:
    """Ask about a column that another differs from in case only."""
    for role, one in found.items():
        for other in table.alike:
            if one.columns and one.columns[0].casefold() == other.casefold():
                options = [Option(name, "as the files spell it") for name in (one.columns[0], other)]
                answers.ask(role, f"Which field is {role}? Two differ in case only.", options)


@dataclass(frozen=True)
class _Parts:
    """What a draft is made of."""

    columns: Sequence[Column]
    table: LogTable
    path: str
    measures: Measures
    reading: TimeReading | None
    zone: Zone | None = None

    def look(self, used: dict[str, Finding], *, answers: Answers) -> Look:
        """Put the findings together."""
        events = {"path": Line(self.path)}
        found = {role: one for role, one in used.items() if role != EVENT_ID}
        if event_id := used.get(EVENT_ID):
            events["event_id"] = Line(event_id.expression, event_id.evidence)
        if excluded := self._excluded(found):
            events["where"] = Line(" and ".join(excluded), "; ".join(excluded.values()))
            events |= self._coverage
        if self.reading and not self.reading.is_zoned and self.reading.step == "time":
            events["timezone"] = self._timezone
        text = _format(self.table)
        if self.measures.decimal != ".":
            text["decimal"] = Line(self.measures.decimal, "numbers are written with a decimal comma")
        title = (_read_words(self.table), self._files_words(), "The comment above a line says what speaks for it.")
        draft = Draft(
            tuple(filter(None, title)),
            project_name_of(self.path),
            events,
            found,
            text,
            self.measures.possible,
            churn={"timezone": Line(self.zone.name, self.zone.why)} if self.zone and self.zone.name != "UTC" else {},
        )
        return Look(draft, tuple(answers.open), tuple(self._notes(found, event_id)), columns=tuple(self.columns))

    @property
    def _timezone(self) -> Line:
        """Return the zone of the times that carry none."""
        if self.zone and self.zone.is_of_times:
            return Line(self.zone.name, self.zone.why)
        share = self._zoned
        which = f"{percent(1 - share, 1)} of the times carry" if share else "The times carry"
        words = f'{which} no zone. Where they are local, name it, as in "Europe/Berlin", and [churn] timezone too.'
        return Line("UTC", words)

    def _excluded(self, found: dict[str, Finding]) -> dict[str, str]:
        """Return the conditions on rows without which the log would be refused, each with what it excludes."""
        by_name = {one.name: one for one in self.columns}
        used = [(role, found[role].columns) for role in ("user_id", "count") if role in found]
        single = {role: by_name[names[0]] for role, names in used if len(names) == 1}
        conditions: dict[str, str] = {}
        if (who := single.get("user_id")) and who.filled_share < _FULL:
            words = f"{percent(who.rows - who.filled, who.rows)} of the rows have no {who.name} and are excluded"
            conditions[f"{sql_name(who.name, self.table)} is not null"] = words
        if (count := single.get("count")) and (zeros := self._zeros(count)) > (1 - _FULL) * count.rows:
            words = f"{count.name} is zero in {percent(zeros, count.rows)} of the rows: nothing happened, and they are excluded"
            conditions[f"{sql_name(count.name, self.table)} <> 0"] = words
        return conditions

    @property
    def _coverage(self) -> dict[str, Line]:
        """Return the day up to which a log of days is known, rows that are excluded among them: its last event may be earlier."""
        if self.reading is None or self.reading.step != "day":
            return {}
        after = self.reading.last.date() + timedelta(days=1)
        return {"covered_until": Line(after, "the day after the last row, whether it is excluded or not")}

    def _zeros(self, column: Column) -> int:
        (zeros,) = self.table.numbers(f"count(*) filter (try_cast({self.table.column(column.name)} as double) = 0)")
        return int(zeros)

    @property
    def _zoned(self) -> float:
        """Share of the times that say their zone."""
        column = self.reading.column if self.reading else None
        return zoned_share(column, self.table) if column and column.is_text else 0.0

    def _files_words(self) -> str:
        text = self.table.text.evidence
        return "; ".join(text[key] for key in ("encoding", "delimiter", "skip", "names") if key in text)

    def _notes(self, found: dict[str, Finding], event_id: Finding | None) -> list[str]:
        notes = list(self.measures.notes)
        notes += self._excluded(found).values()
        notes += [f"{one.words}, which are not read: each row counts as one event" for one in self.table.lists]
        notes += [self.table.unseen] if self.table.unseen else []
        if self.table.rows < _FEW_ROWS:
            notes.append(f"{self.table.rows} rows are too few to judge a column by its values: check each line")
        copies = 0 if event_id else copies_of(self.columns, self.table)
        if event_id and "count" in event_id.evidence and event_id.columns:
            notes.append(f"{event_id.evidence} ({event_id.expression}); without event_id in churn.toml each row counts")
        if copies:
            are = "row is" if copies == 1 else "rows are"
            notes.append(f"{copies:,} {are} the same as another in all columns; without an id of events each counts")
        if self.reading:
            notes += self._notes_on_time(self.reading)
        if self.zone and not self.zone.is_of_times:
            notes.append(f"{self.zone.why}: see [churn] timezone")
        if self.reading and not self.reading.is_zoned and (share := self._zoned):
            words = "the others are read in [events] timezone"
            notes.append(f"{percent(share, 1)} of the times say their zone or offset; {words}")
        if self.table.headers:
            notes.append(
                f"{self.table.headers:,} rows repeat the header, as in files put together: they are rejected as rows without a time"
            )
        return notes

    @staticmethod
    def _notes_on_time(reading: TimeReading) -> list[str]:
        notes: list[str] = []
        if reading.step in ("week", "month"):
            notes.append(
                f"the log knows {reading.step}s only: each event counts on the first day of its {reading.step}"
            )
        if (reading.last - reading.first).days < _SHORT_DAYS:
            notes.append(f"the log covers {(reading.last - reading.first).days + 1} days only: too few to train on")
        return notes
