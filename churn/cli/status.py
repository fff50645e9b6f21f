"""Verbs about the project itself: status, doctor."""

from __future__ import annotations

from churn.cli import console
from churn.cli.verb import shown_by, verb
from churn.progress import Progress
from churn.project import Project
from churn.results import Diagnosis, Status

_STEPS = 3


@verb(events=False, then=lambda _, found: found.next)
def status(project: Project, say: Progress) -> Status:
    """Say where the project stands, and what comes next. Reads nothing anew, and changes nothing.

    Example:

        churn status --config world/churn.toml
    """
    del say
    return project.status()


@verb(steps=_STEPS, events=False)
def doctor(project: Project, say: Progress) -> Diagnosis:
    """Look for what is wrong, and say what to do about it.

    With the installation, the machine, the home and the log, which is judged as it was last read. Exit code 3: something needs attention.

    Example:

        churn doctor --config world/churn.toml
    """
    return project.doctor(say=say)


@shown_by(Diagnosis)
def _show(found: Diagnosis) -> None:
    rows = [
        {"check": one.name, "": "" if one.is_fine else "!", "found": one.found, "what to do": one.way_out}
        for one in found.checks
    ]
    console.print_table(found.title, rows)
