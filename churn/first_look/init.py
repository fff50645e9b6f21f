"""``churn init``: from a file that nobody has described to a churn.toml that was read back and checked."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from churn.first_look.databases import Database
from churn.first_look.draft import Draft
from churn.first_look.evidence.table import LogTable, open_table
from churn.first_look.look import Look, look
from churn.first_look.proposal import Proposal, proposal_of
from churn.first_look.questions import Answers, Question, unanswered
from churn.first_look.retention import retention_of
from churn.home import Home
from churn.progress import Progress
from churn.reader import LogReader
from churn.results.first_look import FirstLook
from churn.settings import Loaded, load_settings
from churn.upgrade import mark, open_home
from features.errors import InputError
from features.log.files import is_remote
from features.storage.atomic import write_atomic

if TYPE_CHECKING:
    from features.activity.store import Activity

Ask = Callable[[Question], str]


@dataclass(frozen=True)
class Place:
    """Where the settings go, and where the log is kept after it was read.

    Attributes
    ----------
    out
        The file.
    home
        None: nothing is kept.
    is_forced
        An existing file is replaced.
    """

    out: Path
    home: Path | None
    is_forced: bool = False

    @property
    def folder(self) -> Path:
        """Folder that the path of the log starts from: that of the file, or the current one where none is written."""
        return self.out.parent if self.home else Path()

    def check(self) -> None:
        """Refuse to replace what somebody wrote.

        Raises
        ------
        InputError
            When the file exists.
        """
        if self.out.exists() and not self.is_forced and self.home:
            raise InputError(
                f"{self.out} exists already",
                hint="name another file with --out, replace it with --force, or see --dry-run",
            )


@dataclass
class Inquiry:
    """How questions are answered.

    Attributes
    ----------
    given
        Key to answer.
    ask
        Asks a person; None: there is nobody to ask, and an open question is refused.
    """

    given: dict[str, str] = field(default_factory=dict[str, str])
    ask: Ask | None = None

    def settled(self, table: LogTable, path: str, *, database: Database | None = None) -> Look:
        """Look at a table until nothing is open.

        Raises
        ------
        InputError
            With the questions, where there is nobody to ask; or with what the table is, where it is not an event log.
        """
        while True:
            answers = Answers(dict(self.given))
            found = look(table, path=path, answers=answers)
            found = database.described(found, table, answers=answers) if database else found
            if not found.questions:
                return found
            if self.ask is None:
                raise unanswered(found.questions)
            for question in found.questions:
                self.given[question.key] = self.ask(question)


def first_look(log: str | Database, place: Place, inquiry: Inquiry, *, say: Progress) -> FirstLook:
    """Look at a log, write its settings, read it with them, and say what it has.

    Parameters
    ----------
    log
        A file, folder, glob or URL; or a query of a database.

    Raises
    ------
    InputError
        When there is nothing to read, it is not an event log, a question is open, or the file exists.
    """
    place.check()
    place.folder.mkdir(parents=True, exist_ok=True)
    schema = relative_to(place.folder, str(Home(place.home).schema)) if place.home else ""
    path, database = (log, None) if isinstance(log, str) else ("", log)
    say(f"looking at {path or 'the rows of the query'}")
    table = database.table() if database else open_table(path, Path())
    found = inquiry.settled(table, path if is_remote(path) else relative_to(place.folder, path), database=database)
    found = replace(found, draft=replace(found.draft, schema=schema))
    result = FirstLook(None, "", table.coverage, found.layout, found.draft.columns)
    say("reading the log with the proposed settings")
    reader = _Reader(place, database.connection if database else "")
    with _home_of(place) as home:
        checked = _checked(found, result, reader, home=home, say=say)
    return _written(checked, place)


def relative_to(folder: Path, path: str) -> str:
    """Write the path of a log as churn.toml in another folder takes it."""
    if not path or Path(path).is_absolute() or folder.resolve() == Path.cwd():
        return path
    return Path(os.path.relpath(path, folder)).as_posix()


@contextmanager
def _home_of(place: Place) -> Generator[Home]:
    """Return the home that is read into; a new one that is removed where nothing is to be kept."""
    if place.home:
        yield open_home(place.home)
        return
    with TemporaryDirectory(prefix="churn-") as folder:
        yield open_home(Path(folder))


def _checked(found: Look, result: FirstLook, reader: _Reader, *, home: Home, say: Progress) -> FirstLook:
    """Read the log with a draft, and complete it with what its history carries."""
    try:
        activity = reader.activity(found.draft, home=home, say=say)
    except InputError as refused:
        return replace(result, toml=found.draft.to_toml(), notes=found.notes, refusal=refused.message)
    say("comparing horizons")
    proposal = proposal_of(activity, reader.loaded(found.draft).settings.churn)
    draft = found.draft.with_churn(proposal.churn, {"features": proposal.features} if proposal.features else {})
    reader.loaded(draft)  # what was added is checked too
    return replace(
        result,
        toml=draft.to_toml(),
        counts=counts_of(activity),
        retention=retention_of(activity),
        horizon_days=proposal.horizon_days,
        notes=_notes(found, activity, proposal),
    )


def _notes(found: Look, activity: Activity, proposal: Proposal) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*found.notes, *activity.notes, *proposal.notes)))


@dataclass(frozen=True)
class _Reader:
    """Reads a draft, and the log with it, as every verb does."""

    place: Place
    connection: str = ""

    def loaded(self, draft: Draft) -> Loaded:
        """Return the settings of a draft."""
        with TemporaryDirectory(prefix="churn-") as folder:
            config = Path(folder) / "churn.toml"
            config.write_text(draft.to_toml(), encoding="utf-8")
            return load_settings(config, flags={"events.connection": self.connection} if self.connection else {})

    def activity(self, draft: Draft, *, home: Home, say: Progress) -> Activity:
        """Read the log with a draft."""
        activity = LogReader(self.loaded(draft), home, self.place.folder).activity(say=say.within)
        mark(home)
        return activity


def counts_of(activity: Activity) -> dict[str, Any]:
    """Return what a log has: rows, those set aside, users, days and types."""
    from churn.results.data import counts_of as counts

    ((users,),) = activity.connection.execute(
        f"select count(distinct user_id) from {activity.relation('days')}"
    ).fetchall()
    types: Mapping[str, int] = dict(
        activity.connection.execute(
            f"select event_type, sum(n) from {activity.relation('event_types')} group by 1 order by 2 desc, 1"
        ).fetchall()
    )
    days = (activity.coverage.covered_until - activity.coverage.first_day).days
    found = counts(activity.manifest.inventory, activity.coverage)
    by_type = {name: int(n) for name, n in types.items()}
    return {**found, "events": sum(by_type.values()), "users": users, "days": days, "event_types": by_type}


def _written(result: FirstLook, place: Place) -> FirstLook:
    if place.home is None:
        return result
    from churn.settings_page import as_schema

    schema = json.dumps(as_schema(), indent=1, default=str).encode() + b"\n"
    write_atomic(open_home(place.home).schema, schema)
    write_atomic(place.out, result.toml.encode())
    return replace(result, path=place.out)
