"""Verbs about scores: score, export, serve."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Annotated, Any

import typer

from churn.cli import console
from churn.cli.options import AsOf, Config, Events, Home, Json, Model, Set, Week, cutoff_of
from churn.project import Project, open_project
from churn.spark import score_all
from features.errors import SettingsError

if TYPE_CHECKING:
    import pyarrow as pa

    from features.activity.store import Activity
    from features.settings import EventsSettings
    from models.registry.registry import RegisteredModel
    from serving.score import Score
    from serving.weekly.ledger import Batch


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
    from models.registry.registry import CHAMPION
    from serving.weekly.ledger import write_scores

    project = open_project(config, home=home, events=events, pairs=set_ or ())
    _check_keeping(project)
    cutoff = cutoff_of(as_of, week)
    with console.steps("score", 5) as say:
        done = _score_all(project, cutoff, model=model, say=say)
        say("writing scores and ledger")
        folder = write_scores(project.home, _batch(project, cutoff, done.by), scores=done.scores)
        is_fresh = False
        if model == CHAMPION:  # the store serves the champion; another model may read other features
            say("refreshing the profile store")
            is_fresh = _refresh_store(project, cutoff, done)
    report = _report(done) | {"cutoff": str(cutoff), "path": str(folder), "store_refreshed": is_fresh}
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
    from serving.weekly.at_risk_list import at_risk, write_list
    from serving.weekly.ledger import write_scores

    done = _score_all(project, cutoff, model=model, say=say)
    say("writing ledger and list")
    batch = _batch(project, cutoff, done.by)
    write_scores(project.home, batch, scores=done.scores)
    listed = at_risk(done.scores, project.settings.export.at_least)
    folder = write_list(project.home, batch, listed=listed)
    return _report(done) | {"cutoff": str(cutoff), "listed": len(listed), "path": str(folder)}, listed


@dataclass(frozen=True)
class _Scored:
    """Everybody's profile and score, by which model, and the activity behind them; None: it is not kept here."""

    by: RegisteredModel
    profiles: pa.Table
    scores: list[Score]
    activity: Activity | None = None


def _score_all(project: Project, cutoff: date, *, model: str, say: console.Steps) -> _Scored:
    from features.profiles import build as profile_kernel
    from serving.batch.score import score_table

    say(f"loading {model}")
    registered = project.registry.get(model)
    if project.settings.compute.engine == "spark":
        return _Scored(registered, *score_all(project, registered.model, cutoff=cutoff, say=say))
    say("reading the log")
    activity = project.activity(frozen=registered.model, say=say.within)
    say(f"building profiles at {cutoff}")
    profiles = profile_kernel.build(activity, registered.model.specification, cutoffs=[cutoff])
    say(f"scoring {profiles.num_rows:,} users")
    scores = score_table(registered.model, profiles, bands=project.settings.scoring)
    return _Scored(registered, profiles, scores, activity)


def _refresh_store(project: Project, cutoff: date, done: _Scored) -> bool:
    from serving.store.kept_activity import KeptRows
    from serving.store.profile_store import refresh_store

    is_kept = project.settings.serving.keep_activity
    kept = KeptRows(done.activity, cutoff) if done.activity and is_kept else None
    return refresh_store(project.home / "store", done.profiles, specification=done.by.model.specification, kept=kept)


def _check_keeping(project: Project) -> None:
    """Refuse to keep days in the profile store where they are not a user's own, or nowhere to be read."""
    settings = project.settings
    if not settings.serving.keep_activity:
        return
    hint = "set [serving] keep_activity = false; items with all events of a user need no kept activity"
    if settings.compute.engine == "spark":
        raise SettingsError(
            '[serving] keep_activity needs [compute] engine = "duckdb": Spark keeps no activity', hint=hint
        )
    if settings.identities.path:
        raise SettingsError("[serving] keep_activity keeps the days of ids, and [identities] joins several", hint=hint)


def _batch(project: Project, cutoff: date, registered: RegisteredModel) -> Batch:
    from serving.weekly.ledger import Batch

    return Batch(cutoff, registered.name, registered.version, project.digest)


def _report(done: _Scored) -> dict[str, Any]:
    scored = sum(one.status == "scored" for one in done.scores)
    return {
        "model": done.by.name,
        "version": done.by.version,
        "scored": scored,
        "unscored": len(done.scores) - scored,
    }


def _mapped_columns(events: EventsSettings) -> tuple[str, ...]:
    """Return the contract columns that churn.toml maps; none where it says nothing of the log."""
    from features.schema import COLUMNS

    mapped = events.mapping() if events.columns else {}
    return tuple(name for name in COLUMNS if name in mapped)


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
    from serving.http.server import serve as run
    from serving.release.bundle import ServingBundle, write_bundle

    project = open_project(config, home=home, pairs=set_ or ())
    settings = project.settings
    found = project.registry.get(model)
    store = project.home / "store"
    names = (found.name, found.version, model)
    columns = _mapped_columns(settings.events)
    served = ServingBundle(found.model, *names, store, settings.scoring, settings.serving, columns)
    write_bundle(project.home / "served", served)
    raise typer.Exit(run(project.home / "served", port=port or settings.serving.port, workers=settings.serving.workers))
