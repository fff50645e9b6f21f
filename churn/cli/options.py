"""Options that several verbs share, and what a shell offers behind them."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import date
from pathlib import Path
from typing import Annotated, Any

import typer

from features.errors import InputError

# --- What a shell offers -------------------------------------------------------------------------------------------

Offer = tuple[str, str]  # a value, and what it is

_VERSIONS = """select version, coalesce(group_concat(alias), '') from model_versions
    left join registered_model_aliases using (name, version) where name = ? group by version order by version desc"""


def _models(context: typer.Context, incomplete: str) -> list[Offer]:
    """Offer the aliases and versions of the project's model that the home keeps; none of a tracking server."""
    from churn.home import Home
    from churn.project import Project
    from features.errors import ChurnError

    try:
        project = Project(context.params.get("config"), home=context.params.get("home"))
        return [one for one in _versions(Home(project.root).mlflow, project.name) if one[0].startswith(incomplete)]
    except ChurnError:  # of settings that cannot be read; the verb itself says so
        return []


def _versions(store: Path, name: str) -> list[Offer]:
    """Read from MLflow's database, which takes a hundredth of the time that MLflow needs to be imported."""
    if not store.exists():
        return []
    try:
        with closing(sqlite3.connect(f"{store.resolve().as_uri()}?mode=ro", uri=True)) as database:
            found: list[tuple[Any, str]] = database.execute(_VERSIONS, (name,)).fetchall()
    except sqlite3.Error:  # another format of MLflow's, or locked
        return []
    by_version = {str(version): sorted(filter(None, aliases.split(","))) for version, aliases in found}
    aliases = [(alias, f"version {version}") for version, names in by_version.items() for alias in names]
    return [*aliases, *((version, ", ".join(names) or f"of {name}") for version, names in by_version.items())]


def _settings(incomplete: str) -> list[Offer]:
    """Offer sections, and behind the point of one its settings."""
    section, point, _ = incomplete.partition(".")
    offered = _keys(section) if point else _sections()
    return [(name, words) for name, words in offered if name.startswith(incomplete)]


def _sections() -> Iterator[Offer]:
    from churn.settings import TABLES, Settings

    for name, field in Settings.model_fields.items():
        if name not in TABLES:
            yield f"{name}.", (getattr(field.annotation, "__doc__", None) or "").partition("\n")[0].partition(": ")[2]


def _keys(section: str) -> Iterator[Offer]:
    from churn.settings import TABLES, Settings

    field = Settings.model_fields.get(section)
    kind: Any = field.annotation if field and section not in TABLES else None
    for name, one in kind.model_fields.items() if kind else ():
        yield f"{section}.{name}=", one.description or ""


# --- Options -----------------------------------------------------------------------------------------------------------

Config = Annotated[Path | None, typer.Option(help="Settings file; default: CHURN_CONFIG, else churn.toml here.")]
Home = Annotated[Path | None, typer.Option(help="Where activity, models, scores and lists are kept; default: .churn")]
Events = Annotated[
    str | None, typer.Option(metavar="PLACE", help="The event log, in place of [events] path: a path or a URL.")
]
Set = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="SECTION.KEY=VALUE", help="Override one setting.", autocompletion=_settings),
]
MemoryLimit = Annotated[
    float | None,
    typer.Option(metavar="GB", help="Memory of the engine, beyond which it works on disk; [compute] memory_limit_gb."),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document on standard output.")]
AsOf = Annotated[
    str | None, typer.Option("--as-of", metavar="DATE", help="Cutoff, local midnight; knowledge stops before it.")
]
Week = Annotated[
    str | None, typer.Option("--week", metavar="2026-W47", help="Cutoff: Monday of an ISO week, 00:00 local.")
]
AllowMappingChange = Annotated[
    bool,
    typer.Option(
        "--allow-mapping-change", help="Score though a column is mapped differently than when the model was trained."
    ),
]
Model = Annotated[
    str, typer.Option("--model", help="Alias or version number of the registered model.", autocompletion=_models)
]


def cutoff_of(as_of: str | None, week: str | None) -> date:
    """Read ``--as-of`` or ``--week``.

    Raises
    ------
    InputError
        When both or none are given, or one is not a date.
    """
    from churn.cutoffs import a_date
    from features.snapshots import monday_of

    if (as_of is None) == (week is None):
        raise InputError(
            "give one of --as-of and --week",
            hint="--as-of DATE or --week 2026-W47; churn status names the latest week that the log reaches",
        )
    return a_date(as_of, "--as-of") if as_of is not None else monday_of(str(week))
