"""Verbs about scores: score, export, serve."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli import console
from cli.options import AsOf, Config, Events, Home, Json, Model, Set, Week, cutoff_of
from cli.project import Project, open_project

if TYPE_CHECKING:
    import pyarrow as pa

    from models.registry import Registered
    from serving.contract import Score
    from serving.ledger import Batch


def score(
    as_of: AsOf = None,
    week: Week = None,
    model: Model = "champion",
    config: Config = None,
    home: Home = None,
    events: Events = None,
    set_: Set = None,
    as_json: Json = False,
) -> None:
    """Score everybody at a cutoff, keep the scores and the ledger, and refresh the champion's profile store.

    Example:

        churn score --config world/churn.toml --as-of 2026-06-29
    """
    from models.registry import CHAMPION
    from serving.ledger import write_scores
    from serving.profile_store import refresh_store

    project = open_project(config, home=home, events=events, pairs=set_ or ())
    cutoff = cutoff_of(as_of, week)
    with console.steps("score", 5) as say:
        registered, profiles, scores = _score_all(project, cutoff, model=model, say=say)
        say("writing scores and ledger")
        folder = write_scores(project.home, _batch(project, cutoff, registered), scores=scores)
        is_fresh = False
        if model == CHAMPION:  # the store serves the champion; another model may read other features
            say("refreshing the profile store")
            is_fresh = refresh_store(project.home / "store", profiles, specification=registered.model.specification)
    report = _report(registered, scores) | {"cutoff": str(cutoff), "path": str(folder), "store_refreshed": is_fresh}
    console.print_json(report) if as_json else console.print_report("Scores", report)


def export(
    as_of: AsOf = None,
    week: Week = None,
    model: Model = "champion",
    config: Config = None,
    home: Home = None,
    events: Events = None,
    set_: Set = None,
    as_json: Json = False,
) -> None:
    """Write the weekly list: the users at risk, ranked, with reasons.

    Example:

        churn export --config world/churn.toml --week 2026-W27
    """
    project = open_project(config, home=home, events=events, pairs=set_ or ())
    with console.steps("export", 5) as say:
        report, _ = run_export(project, cutoff_of(as_of, week), model=model, say=say)
    console.print_json(report) if as_json else console.print_report("Weekly list", report)


def run_export(project: Project, cutoff: date, *, model: str, say: console.Steps) -> tuple[dict[str, Any], list[Score]]:
    """Score everybody, keep the ledger, write the list; return the report and the listed users, the riskiest first."""
    from serving.export import at_risk, write_list
    from serving.ledger import write_scores

    registered, _, scores = _score_all(project, cutoff, model=model, say=say)
    say("writing ledger and list")
    batch = _batch(project, cutoff, registered)
    write_scores(project.home, batch, scores=scores)
    listed = at_risk(scores, project.settings.export.at_least)
    folder = write_list(project.home, batch, listed=listed)
    return _report(registered, scores) | {"cutoff": str(cutoff), "listed": len(listed), "path": str(folder)}, listed


def _score_all(
    project: Project, cutoff: date, *, model: str, say: console.Steps
) -> tuple[Registered, pa.Table, list[Score]]:
    from features import profiles as profile_kernel
    from serving.scoring import score_table

    say(f"loading {model}")
    registered = project.registry.get(model)
    say("reading the log")
    activity = project.activity(frozen=registered.model)
    say(f"building profiles at {cutoff}")
    profiles = profile_kernel.build(activity, registered.model.specification, cutoffs=[cutoff])
    say(f"scoring {profiles.num_rows:,} users")
    return registered, profiles, score_table(registered.model, profiles, bands=project.settings.scoring)


def _batch(project: Project, cutoff: date, registered: Registered) -> Batch:
    from serving.ledger import Batch

    return Batch(cutoff, registered.name, registered.version, project.digest)


def _report(registered: Registered, scores: list[Score]) -> dict[str, Any]:
    scored = sum(one.status == "scored" for one in scores)
    return {
        "model": registered.name,
        "version": registered.version,
        "scored": scored,
        "unscored": len(scores) - scored,
    }


def serve(
    model: Model = "champion",
    port: Annotated[int | None, typer.Option(help="Port on 127.0.0.1; default: [serving] port.")] = None,
    config: Config = None,
    home: Home = None,
    set_: Set = None,
) -> None:
    """Serve scores over HTTP on 127.0.0.1: POST /v1/score.

    Example:

        churn serve --config world/churn.toml --port 3000
    """
    from serving.launch import serve as run
    from serving.served import Served, write_served

    project = open_project(config, home=home, pairs=set_ or ())
    settings = project.settings
    found = project.registry.get(model)
    store = project.home / "store"
    served = Served(found.model, found.name, found.version, model, store, settings.scoring, settings.serving)
    write_served(project.home / "served", served)
    raise typer.Exit(run(project.home / "served", port=port or settings.serving.port, workers=settings.serving.workers))
