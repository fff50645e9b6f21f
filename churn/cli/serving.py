"""Verbs about scores: score, export, serve."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

import typer

from churn.cli.options import AllowMappingChange, AsOf, Config, Home, Model, Set, Week, cutoff_of
from churn.cli.verb import opened, verb
from churn.progress import Progress
from churn.project import Project
from churn.results import Export, Scoring
from models.registry import CHAMPION


def _next(found: Scoring) -> tuple[str, ...]:
    return ("serve",) if found.store_refreshed else ("export", "--as-of", str(found.cutoff))


def _allowing(project: Project, mapping_change: bool) -> Project:
    """Set ``[scoring] allow_mapping_change`` where the option is given."""
    if mapping_change:
        settings = project.settings
        scoring = settings.scoring.model_copy(update={"allow_mapping_change": True})
        project.loaded = replace(project.loaded, settings=settings.model_copy(update={"scoring": scoring}))
    return project


@verb(steps=5, then=_next)
def score(
    project: Project,
    say: Progress,
    as_of: AsOf = None,
    week: Week = None,
    model: Model = CHAMPION,
    allow_mapping_change: AllowMappingChange = False,
) -> Scoring:
    """Score all users at a cutoff.

    Keeps the scores and the ledger, and refreshes the champion's profile store.

    Example:

        churn score --config world/churn.toml --as-of 2026-06-29
    """
    return _allowing(project, allow_mapping_change).score(cutoff_of(as_of, week), model=model, say=say)


@verb(steps=5, then=lambda found: ("score", "--as-of", str(found.cutoff)))
def export(
    project: Project,
    say: Progress,
    as_of: AsOf = None,
    week: Week = None,
    model: Model = CHAMPION,
    allow_mapping_change: AllowMappingChange = False,
) -> Export:
    """Write the weekly list of users at risk, with reasons.

    Example:

        churn export --config world/churn.toml --week 2026-W27
    """
    return _allowing(project, allow_mapping_change).export(cutoff_of(as_of, week), model=model, say=say)


def serve(
    model: Model = CHAMPION,
    port: Annotated[int | None, typer.Option(help="Port on 127.0.0.1; default: [serving] port.")] = None,
    config: Config = None,
    home: Home = None,
    set_: Set = None,
) -> None:
    """Serve scores over HTTP on 127.0.0.1.

    Example:

        churn serve --config world/churn.toml --port 3000
    """
    raise typer.Exit(opened(config, set_, home=home).serve(model=model, port=port))
