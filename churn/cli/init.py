"""The verb that comes first: from a log that nobody has described to a churn.toml."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from churn.cli import console
from churn.cli.options import Home, Json
from churn.cli.verb import next_command
from churn.results import FirstLook
from churn.results.first_look import Cohort
from churn.workspace import DEFAULT_CONFIG, home_of
from features.errors import InputError

if TYPE_CHECKING:
    from churn.first_look.databases import Database
    from churn.first_look.questions import Question

_STEPS, _SHOWN_TYPES = 3, 8
Answer = Annotated[
    list[str] | None,
    typer.Option("--answer", metavar="KEY=VALUE", help="Answer a question beforehand, as in user_id=customer."),
]


def init(
    path: Annotated[str | None, typer.Argument(metavar="PATH", help="The log: a file, folder, glob or URL.")] = None,
    out: Annotated[Path, typer.Option(metavar="FILE", help="Settings file to write.")] = DEFAULT_CONFIG,
    connection: Annotated[
        str | None, typer.Option(metavar="URL", help="In place of PATH, a database; default: CHURN_EVENTS__CONNECTION.")
    ] = None,
    query: Annotated[str | None, typer.Option(metavar="SQL", help="SELECT of the log's rows in a database.")] = None,
    answer: Answer = None,
    yes: Annotated[
        bool, typer.Option("--yes", help="Ask nothing: take what has one reading, and refuse what has several.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace the file where it exists.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the settings, and write nothing.")] = False,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Look at a log, and write the settings that it needs.

    Which column is what, the horizon, who is eligible and the windows: every line has its evidence as a comment. Where two
    readings fit, it asks, or refuses with the --answer to give.

    Example:

        churn init world/events --out churn.toml

        churn init orders.csv --answer date_order=day-first --dry-run

        churn init --connection sqlite:///shop.db --query "select * from orders"
    """
    from churn.first_look.init import Inquiry, Place, first_look
    from churn.first_look.questions import parse_answers

    can_ask = sys.stdin.isatty() and console.err.is_terminal and not (yes or as_json)
    place = Place(out, None if dry_run else home_of(home), is_forced=force)
    inquiry = Inquiry(parse_answers(answer or ()), _ask if can_ask else None)
    with console.steps("init", _STEPS) as say:
        found = first_look(_log(path, connection, query), place, inquiry, say=say)
    console.print_json(found.to_json()) if as_json else _show(found)
    found.check()
    if not as_json and found.path:
        console.out.print(f"next: {_next(found, home)}", markup=False)


def _log(path: str | None, connection: str | None, query: str | None) -> str | Database:
    """Return the log that is meant.

    Raises
    ------
    InputError
        When none is named, or two are.
    """
    from churn.first_look.databases import Database

    url = connection or os.environ.get("CHURN_EVENTS__CONNECTION", "")
    if path and not (connection or query):
        return path
    if not path and url and query:
        return Database(url, query)
    raise InputError(
        "name one log: PATH, or a database with --connection and --query",
        hint='churn init orders.csv, or churn init --connection URL --query "select * from events"',
    )


def _next(found: FirstLook, home: Path | None) -> str:
    from churn.project import Project

    return next_command(Project(found.path, home=home), "train" if found.horizon_days else "horizon")


def _ask(question: Question) -> str:
    """Ask on the terminal until there is an answer: a number of the options, or one of one's own."""
    from churn.first_look.questions import refusal_of

    console.err.print(question.words, markup=False)
    for number, option in enumerate(question.options, 1):
        console.err.print(f"  {number}  {option.value}\n     {option.evidence}", markup=False)
    while True:
        given = str(typer.prompt("  a number, or a column or SQL expression of your own", err=True)).strip()
        if given.isdecimal() and 1 <= int(given) <= len(question.options):
            return question.options[int(given) - 1].value
        if not (why := refusal_of(question.key, given)):
            return given
        console.err.print(f"  {given}: {why}", markup=False)


def _show(found: FirstLook) -> None:
    if found.path is None:
        console.out.print(found.toml, markup=False)
    console.print_table(f"Columns, judged by {found.read}", _columns(found))
    if found.counts:
        console.print_report("The log under these settings", _counts(found.counts))
    if found.retention:
        title = "Of those first seen in a week, the share that was active in each week after"
        console.print_table(title, _triangle(found.retention))
    for note in found.notes:
        console.out.print(f"note: {note}", markup=False)
    if found.path:
        console.out.print(f"wrote {found.path}", markup=False)


def _columns(found: FirstLook) -> list[dict[str, Any]]:
    return [{"column": name, "is": one.expression, "because": one.evidence} for name, one in found.columns.items()]


def _counts(counts: dict[str, Any]) -> dict[str, Any]:
    types: dict[str, int] = counts["event_types"]
    shown = ", ".join(f"{name} {events:,}" for name, events in list(types.items())[:_SHOWN_TYPES])
    set_aside = sum(counts["rejected"].values())
    return {
        "rows": f"{counts['rows']:,}; set aside {set_aside:,}",
        "users": f"{counts['users']:,}",
        "days": f"{counts['days']:,}, {counts['first_day']} up to {counts['covered_until']}",
        "types": f"{len(types):,}: {shown}" + (", ..." if len(types) > _SHOWN_TYPES else ""),
    }


def _triangle(cohorts: Sequence[Cohort]) -> list[dict[str, Any]]:
    weeks = max(len(one.active) for one in cohorts)
    return [
        {"week of": str(one.week), "users": f"{one.users:,}"}
        | {f"+{week + 1}": f"{one.active[week]:.0%}" if week < len(one.active) else "" for week in range(weeks)}
        for one in cohorts
    ]
