"""Verbs about scores: score, export, serve, publish, bento, keys."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Literal

import typer

from churn.cli import console
from churn.cli.options import AllowMappingChange, AsOf, Config, Home, Model, Set, Week, cutoff_of
from churn.cli.verb import opened, shown_by, verb
from churn.progress import Progress
from churn.project import Project
from churn.results import Bento, Export, KeyMade, Keys, ListCheck, Publication, Scoring
from features.errors import InputError
from models.registry import CHAMPION


def _next(project: Project, found: Scoring) -> tuple[str, ...]:
    from churn.jobs.status import next_step

    return next_step(project, reached=found.cutoff)


def _after_export(project: Project, found: Export | ListCheck) -> tuple[str, ...]:
    from churn.jobs.status import cutoff_option

    if isinstance(found, ListCheck):
        return ()
    is_written = any(one.export_id for one in found.lists)
    return _next(project, found) if is_written else ("export", *cutoff_option(found.cutoff))


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


@verb(steps=6, then=_after_export)
def export(
    project: Project,
    say: Progress,
    as_of: AsOf = None,
    week: Week = None,
    model: Model = CHAMPION,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Select and count, write nothing.")] = False,
    force: Annotated[
        bool,
        typer.Option("--force", help="Write the lists though something should be checked first; that is recorded."),
    ] = False,
    verify: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Only compare the folder of a list with its manifest.")
    ] = None,
    allow_mapping_change: AllowMappingChange = False,
) -> Export | ListCheck:
    """Write the weekly lists of users at risk, with reasons.

    Some users are left alone on purpose: [holdout]. Each list is a folder of files.

    Example:

        churn export --config world/churn.toml --week 2026-W27
    """
    if verify:
        return project.verify_list(verify)
    cutoff = cutoff_of(as_of, week)
    allowed = _allowing(project, allow_mapping_change)
    return allowed.export(cutoff, model=model, dry_run=dry_run, force=force, say=say)


@shown_by(Export)
def _show_export(found: Export) -> None:
    out = {"model": f"{found.name} version {found.version}", "scored": f"{found.scored:,} users"}
    if found.new_users:
        out["new users"] = f"{found.new_users[0]:,} of them, scored by {found.new_users[1]}"
    out |= {"held out": f"{found.held_out_share:.1%} of all users in {found.epoch}", "can show": found.can_show}
    if found.changes:
        out["changes"] = found.changes.words()
    if found.concerns:
        out["to look at"] = "\n".join(one.words for one in found.concerns)
    if found.notes:
        out["note"] = "\n".join(found.notes)
    console.print_report(f"{found.title}, {found.cutoff}", out)
    for one in found.lists:
        rows = {what: f"{count:,}" for what, count in one.counts.items()} | one.profit
        if one.shared_reasons:
            rows["nearly all share"] = "\n".join(one.shared_reasons)
        if one.delivered:
            rows["delivered to"] = "\n".join(one.delivered)
        console.print_report(f"List {one.name}", rows | ({"files": str(one.path)} if one.export_id else {}))


def serve(
    model: Model = CHAMPION,
    port: Annotated[int | None, typer.Option(help="Port; default: [serving] port.")] = None,
    config: Config = None,
    home: Home = None,
    set_: Set = None,
) -> None:
    """Serve scores over HTTP.

    It listens on [serving] host, which is 127.0.0.1; any other address needs keys: churn keys add.

    Example:

        churn serve --config world/churn.toml --port 3000
    """
    raise typer.Exit(opened(config, set_, home=home).serve(model=model, port=port))


@verb(events=False)
def publish(
    project: Project,
    say: Progress,
    to: Annotated[
        str, typer.Argument(metavar="PLACE", help="A folder, or s3://...; default: [serving] releases.")
    ] = "",
) -> Publication:
    """Take the current release to where servers fetch it.

    Servers whose [serving] releases names the place fetch it within ten seconds, check it, and swap; they need neither the log nor MLflow.

    Example:

        churn publish s3://bucket/churn --config world/churn.toml
    """
    del say
    return project.publish(to)


@verb(events=False)
def bento(project: Project, say: Progress) -> Bento:
    """Build a Bento of the current release, for a container.

    It holds the service and the release, with every requirement pinned to the version that is installed here, and neither MLflow nor the
    code that trains. BENTOML_HOME names where Bentos are kept.

    Example:

        churn bento --config world/churn.toml
    """
    del say
    return project.bento()


@verb(events=False)
def keys(
    project: Project,
    say: Progress,
    action: Annotated[Literal["list", "add", "revoke"], typer.Argument(help="list, add or revoke.")] = "list",
    name: Annotated[str, typer.Argument(help="Of the app that has the key; to revoke it, its id will do.")] = "",
    scope: Annotated[
        list[str] | None, typer.Option(help="What a new key is for: score, page or metrics; default: score.")
    ] = None,
    days: Annotated[int | None, typer.Option(help="Days after which a new key expires; default: never.")] = None,
    limit: Annotated[
        str, typer.Option(metavar="600/minute", help="Items that a new key may ask for in a time, in each worker.")
    ] = "",
) -> Keys | KeyMade:
    """Make, list and revoke keys of the service.

    A key is shown once, when it is made. A running service takes a new one, and refuses a revoked one, within two seconds.

    Example:

        churn keys add shop-app --scope score --days 365 --limit 6000/minute

        churn keys revoke shop-app
    """
    del say
    if (action == "list") == bool(name):
        got = f"churn keys {action} {name}".strip()
        raise InputError(f"got: {got}; expected a name to add or revoke, and none to list", hint="churn keys --help")
    if action == "add":
        return project.keys.add(name, scopes=scope or ("score",), days=days, limit=limit)  # type: ignore[arg-type]  # they are checked there
    if scope or days is not None or limit:
        raise InputError("--scope, --days and --limit are of a new key", hint="churn keys add NAME --scope SCOPE")
    return project.keys.revoke(name) if action == "revoke" else project.keys.list()


@shown_by(Keys)
def _show_keys(found: Keys) -> None:
    if found.keys:
        console.print_table(found.title, [key.row for key in found.keys])
    else:
        console.print_report("No keys: only this machine can ask", {"the first": "churn keys add NAME"})


def mcp(config: Config = None, home: Home = None, set_: Set = None) -> None:
    """Answer agents over MCP: read-only, on standard input.

    Tools return what churn has written: report, one user's score, lists, outcomes, status. Needs the extra mcp.

    Example:

        churn mcp --config world/churn.toml
    """
    from churn.jobs.service.agents import WrittenNumbers, server_of

    server_of(WrittenNumbers(opened(config, set_, home=home))).run("stdio")
