"""The verbs of the account: outcomes, and the replay of past weeks."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from churn.cli.verb import verb
from churn.progress import Progress
from churn.project import Project
from churn.results import Outcomes, Replay


def _next(project: Project, found: Outcomes) -> tuple[str, ...]:
    from churn.jobs.status import next_step

    return next_step(project, reached=found.as_of)


@verb(steps=3, then=_next)
def outcomes(
    project: Project,
    say: Progress,
    as_of: Annotated[
        str | None,
        typer.Option("--as-of", metavar="DATE", help="Day of the account; default: the end of the log's coverage."),
    ] = None,
) -> Outcomes:
    """Say whether the model was right, and contacting helped.

    Outcomes are final once horizon and [holdout] grace_days are over. Writes a page and the same numbers as JSON.

    Example:

        churn outcomes --config world/churn.toml
    """
    from churn.cutoffs import a_date

    return project.outcomes(a_date(as_of, "--as-of") if as_of else None, say=say)


def _after_replay(_: Project, __: Replay) -> tuple[str, ...]:
    return ("outcomes",)


@verb(steps=3, then=_after_replay)
def replay(
    project: Project,
    say: Progress,
    mondays: Annotated[int, typer.Option(min=1, max=520, help="How many past Mondays.")] = 52,
    retrain: Annotated[
        Literal["weekly", "monthly", "quarterly"], typer.Option(help="How often a model is trained.")
    ] = "monthly",
) -> Replay:
    """Say what the lists of past Mondays would have reached.

    Each Monday has a model of that time and what was known then. Writes a page and the same numbers as JSON.

    Example:

        churn replay --config world/churn.toml --mondays 8
    """
    return project.replay(mondays, retrain=retrain, say=say)
