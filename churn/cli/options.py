"""Options that several verbs share."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Annotated

import typer

from features.errors import InputError

Config = Annotated[Path | None, typer.Option(help="Settings file; default: CHURN_CONFIG, else churn.toml here.")]
Home = Annotated[Path | None, typer.Option(help="Where activity, models, scores and lists are kept; default: .churn")]
Events = Annotated[
    str | None, typer.Option(metavar="PLACE", help="The event log, in place of [events] path: a path or a URL.")
]
Set = Annotated[list[str] | None, typer.Option("--set", metavar="SECTION.KEY=VALUE", help="Override one setting.")]
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
Model = Annotated[str, typer.Option("--model", help="Alias or version number of the registered model.")]


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
        raise InputError("give one of --as-of and --week", hint="--as-of 2026-11-16, or --week 2026-W47")
    return a_date(as_of, "--as-of") if as_of is not None else monday_of(str(week))
