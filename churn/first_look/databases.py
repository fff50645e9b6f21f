"""A log in a database: its first rows are read, and the settings name query and watermark in place of a path."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow.parquet as pq
import sqlalchemy as sa

from churn.first_look.draft import Line
from churn.first_look.evidence.columns import Column, columns_of
from churn.first_look.evidence.table import LogTable, open_table
from churn.first_look.look import Look
from churn.first_look.questions import WATERMARK, Answers, Option
from features.errors import InputError
from features.log.database_cursor import database_errors, open_database, preview
from features.settings import EventsSettings

_ROWS = 200_000


@dataclass(frozen=True)
class Database:
    """A query of a database.

    Attributes
    ----------
    connection
        Its URL, which may hold a password and is written nowhere.
    query
        A SELECT of the rows of the log.
    """

    connection: str
    query: str

    def table(self) -> LogTable:
        """Look at the first rows.

        Raises
        ------
        InputError
            When the database cannot be reached or refuses the query, or there is no row.
        """
        settings = EventsSettings.model_validate({"connection": self.connection, "query": self.query})
        engine = open_database(settings)
        with database_errors(engine.url), TemporaryDirectory(prefix="churn-") as folder:
            rows = preview(engine, settings, rows=_ROWS)
            if not rows.num_rows:
                raise InputError(
                    "[events] query: it returns no rows", hint="check the query, and what its user may see"
                )
            pq.write_table(rows, Path(folder) / "rows.parquet")
            found = open_table(str(Path(folder) / "rows.parquet"), Path())
        if rows.num_rows < _ROWS:
            return found
        return replace(found, coverage=f"the first {_ROWS:,} rows of the query")

    def described(self, found: Look, table: LogTable, *, answers: Answers) -> Look:
        """Return what was found with query and watermark in place of the path; the watermark is asked for where several fit."""
        columns = found.columns or columns_of(table)
        watermark = answers.get(WATERMARK) or _watermark(columns, answers=answers)
        why = "grows with every row: the next run fetches those above the last one"
        events = {name: line for name, line in found.draft.events.items() if name != "path"}
        name = sa.make_url(self.connection).database or ""
        draft = replace(
            found.draft,
            project=found.draft.project if found.layout else _project(name),
            events={"query": Line(self.query, _CONNECTION), WATERMARK: Line(watermark, why), **events},
        )
        notes = (
            "before the next command: export CHURN_EVENTS__CONNECTION, as the connection is written nowhere",
            *found.notes,
        )
        return replace(
            found, draft=draft, notes=notes, questions=tuple(dict.fromkeys((*found.questions, *answers.open)))
        )


_CONNECTION = "The connection is not written here: set it in the environment, as CHURN_EVENTS__CONNECTION."


def _project(database: str) -> str:
    from churn.first_look.draft import project_name_of

    return project_name_of(database)


def _watermark(columns: Sequence[Column], *, answers: Answers) -> str:
    """Return the only column that every row has and no two share, of whole numbers before times; else ask."""
    unique = [one for one in columns if one.is_unique and one.filled == one.rows]
    numbers = [one for one in unique if one.is_whole and not one.is_text]
    possible = numbers or [one for one in unique if one.is_time_type]
    if len(possible) == 1:
        return possible[0].name
    options = [Option(one.name, one.evidence) for one in possible or columns]
    answers.ask(
        WATERMARK,
        "Which column only grows, such as an id? Rows above the last one are fetched by the next run.",
        options,
    )
    return ""
