"""Verbs about data: simulate, settings, features, profiles."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from churn.cli import console
from churn.cli.options import AsOf, Config, Events, Home, Json, MemoryLimit, Set, Week, a_date, cutoff_of
from churn.project import open_project
from features.errors import SettingsError


def simulate(
    out: Annotated[Path, typer.Option(help="Folder to write the world to: events/, truth/ and churn.toml.")],
    users: Annotated[int, typer.Option(min=10, help="People who ever sign up.")] = 5000,
    days: Annotated[int, typer.Option(min=30, help="Days of log.")] = 180,
    start: Annotated[str, typer.Option(metavar="DATE", help="First day.")] = "2026-01-05",
    seed: Annotated[int, typer.Option(help="The same seed gives the same bytes.")] = 7,
    cutoff: Annotated[
        list[str] | None, typer.Option(metavar="DATE", help="Write each user's true probability of the label here.")
    ] = None,
    config: Config = None,
    set_: Set = None,
    as_json: Json = False,
) -> None:
    """Make a small world of app users, with each user's true probability of the label that [churn] configures.

    Example:

        churn simulate --out world --users 5000 --days 180 --cutoff 2026-06-15
    """
    from seeds.simulate import World
    from seeds.simulate import simulate as run
    from seeds.truth import check_label

    label = open_project(config, pairs=set_ or ()).settings.churn
    if cutoff:
        check_label(event=label.event, qualifying=label.qualifying, timezone=label.timezone)
    world = World(users, days, a_date(start, "--start"), seed, label.horizon_days, label.gap_days)
    with console.steps("simulate", days) as say:
        say(f"{users} users over {days} days into {out}")
        summary = run(world, out, cutoffs=[a_date(text, "--cutoff") for text in cutoff or ()], progress=say.at)
    if as_json:
        console.print_json(asdict(summary))
        return
    console.print_report("A small world", asdict(summary))
    console.out.print(f"next: churn train --config {out}/churn.toml", markup=False)


def settings(
    config: Config = None,
    set_: Set = None,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print the page docs/settings.md.")] = False,
    as_json: Json = False,
) -> None:
    """Print every setting: value, where it came from, default, unit, help.

    Example:

        churn settings --config examples/cdnow.toml --set churn.horizon_days=60
    """
    from churn.settings import as_markdown, rows

    found = rows(open_project(config, pairs=set_ or ()).loaded)
    if markdown:
        console.out.print(as_markdown(found), markup=False, end="")
    elif as_json:
        console.print_json([asdict(row) for row in found])
    else:
        console.print_table("Settings", [asdict(row) for row in found])


def features(
    config: Config = None,
    set_: Set = None,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print the page docs/features.md.")] = False,
    as_json: Json = False,
) -> None:
    """Print the catalogue of features: name, unit, meaning, expression.

    Example:

        churn features --markdown > docs/features.md
    """
    from features.catalogue.documentation import as_markdown, as_rows

    windows = open_project(config, pairs=set_ or ()).settings.features.windows_days
    if markdown:
        console.out.print(as_markdown(windows), markup=False, end="")
    elif as_json:
        console.print_json(as_rows(windows))
    else:
        shown = ("name", "unit", "family", "description")
        console.print_table("Features", [{key: row[key] for key in shown} for row in as_rows(windows)])


def profiles(
    out: Annotated[Path, typer.Option(help="Parquet file to write.")],
    as_of: AsOf = None,
    week: Week = None,
    shard: Annotated[
        str, typer.Option(metavar="I/N", help="Only part I of N of the users, so that a scheduler can split the work.")
    ] = "1/1",
    memory_limit: MemoryLimit = None,
    model: Annotated[
        str | None,
        typer.Option(
            help="The profiles that this model reads (alias or version); default: all that the log can answer."
        ),
    ] = None,
    config: Config = None,
    home: Home = None,
    events: Events = None,
    set_: Set = None,
    as_json: Json = False,
) -> None:
    """ProfileSet the profiles of all users seen before a cutoff; with [compute] engine = "spark" those of a model, into a folder.

    Example:

        churn profiles --as-of 2026-06-15 --out profiles.parquet

        churn profiles --as-of 2026-06-15 --model champion --out p.parquet

        churn profiles --as-of 2026-06-15 --shard 2/8 --out part-2.parquet
    """
    from pyarrow.parquet import read_metadata

    from churn.api import Log, write_profiles
    from churn.spark import write_profiles as write_in_spark
    from features.profiles.build import Shard

    part = Shard.parse(shard)
    if out.suffix != ".parquet":
        raise SettingsError(f"--out: got {out}, expected a name that ends in .parquet", hint="--out profiles.parquet")
    flags = {} if memory_limit is None else {"compute.memory_limit_gb": memory_limit}
    project = open_project(config, home=home, events=events, pairs=set_ or (), flags=flags)
    cutoff, in_spark = cutoff_of(as_of, week), project.settings.compute.engine == "spark"
    if in_spark and part.of > 1:
        raise SettingsError("--shard: Spark splits the users itself", hint="leave --shard out")
    with console.steps("profiles", 2) as say:
        if in_spark:
            report = write_in_spark(project, out, cutoff=cutoff, model=model or "champion", say=say)
        else:
            say("reading the log")
            frozen = project.registry.get(model).model if model else None
            log = Log(project, project.activity(frozen=frozen, say=say.within))
            say("building profiles")
            rows = write_profiles(log, out, cutoffs=[cutoff], model=frozen, shard=part)
            columns = read_metadata(out).num_columns
            report = log.summary() | {"profiles": rows, "columns": columns, "path": str(out)}
    console.print_json(report) if as_json else console.print_report("Profiles", report)
