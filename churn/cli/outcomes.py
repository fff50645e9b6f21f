"""The verb of the account: outcomes."""

from __future__ import annotations

from typing import Annotated

import typer

from churn.cli.verb import verb
from churn.progress import Progress
from churn.project import Project
from churn.results import Outcomes


def _next(found: Outcomes) -> tuple[str, ...]:
    return ("export", "--as-of", str(found.as_of))


@verb(steps=3, then=_next)
def outcomes(
    project: Project,
    say: Progress,
    as_of: Annotated[
        str | None,
        typer.Option("--as-of", metavar="DATE", help="Day of the account; default: the end of the log's coverage."),
    ] = None,
) -> Outcomes:
    """Say whether the model was right, and whether contacting helped.

    Outcomes are final once horizon and [holdout] grace_days are over. Writes a page and the same numbers as JSON.

    Example:

        churn outcomes --config world/churn.toml
    """
    from churn.cutoffs import a_date

    return project.outcomes(a_date(as_of, "--as-of") if as_of else None, say=say)
