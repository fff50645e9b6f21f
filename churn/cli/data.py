"""Verbs about data: simulate, settings, features, profiles."""

from __future__ import annotations

import shlex
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from churn.cli import console
from churn.cli.options import AsOf, Config, Json, MemoryLimit, Set, Week, cutoff_of
from churn.cli.verb import next_command, opened, verb
from churn.progress import Progress
from churn.project import Project
from churn.results import Profiles
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
    """Simulate the event log of a small app.

    With each user's true probability of the label that [churn] configures.

    Example:

        churn simulate --out world --users 5000 --days 180 --cutoff 2026-06-15
    """
    from churn.cutoffs import a_date
    from seeds.simulate import World
    from seeds.simulate import simulate as run
    from seeds.truth import check_label

    label = opened(config, set_).settings.churn
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
    console.out.print(f"next: {shlex.join(['churn', 'train', '--config', str(out / 'churn.toml')])}", markup=False)


def settings(
    config: Config = None,
    set_: Set = None,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print the page docs/settings.md.")] = False,
    schema: Annotated[bool, typer.Option("--schema", help="Print the JSON schema of churn.toml, for editors.")] = False,
    as_json: Json = False,
) -> None:
    """Print every setting, its value and where it came from.

    Example:

        churn settings --config examples/cdnow.toml --set churn.horizon_days=60

        churn settings --schema > churn.schema.json
    """
    from churn.settings_page import as_markdown, as_schema, rows

    if schema:
        console.print_json(as_schema())
        return
    project = opened(config, set_)
    found = rows(project.loaded)
    if markdown:
        console.out.print(as_markdown(found), markup=False, end="")
    elif as_json:
        console.print_json([asdict(row) for row in found])
    else:
        console.print_table("Settings", [asdict(row) for row in found])
        console.out.print(f"next: {next_command(project, 'train', again={'set_': set_})}", markup=False)


def features(
    config: Config = None,
    set_: Set = None,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print the page docs/features.md.")] = False,
    as_json: Json = False,
) -> None:
    """Print the catalogue of features.

    Example:

        churn features --markdown > docs/features.md
    """
    from features.catalogue.documentation import as_markdown, as_rows

    project = opened(config, set_)
    windows = project.settings.features.windows_days
    if markdown:
        console.out.print(as_markdown(windows), markup=False, end="")
    elif as_json:
        console.print_json(as_rows(windows))
    else:
        shown = ("name", "unit", "family", "description")
        console.print_table("Features", [{key: row[key] for key in shown} for row in as_rows(windows)])
        words = ("profiles", "--as-of", "DATE", "--out", "profiles.parquet")
        console.out.print(f"next: {next_command(project, *words, again={'set_': set_})}", markup=False)


@verb(steps=2, then=lambda *_: ("train",), as_settings={"memory_limit": ("compute.memory_limit_gb", MemoryLimit)})
def profiles(
    project: Project,
    say: Progress,
    out: Annotated[Path, typer.Option(help="Parquet file to write.")],
    as_of: AsOf = None,
    week: Week = None,
    shard: Annotated[
        str, typer.Option(metavar="I/N", help="Only part I of N of the users, so that a scheduler can split the work.")
    ] = "1/1",
    model: Annotated[
        str | None,
        typer.Option(
            help="The profiles that this model reads (alias or version); default: all that the log can answer."
        ),
    ] = None,
) -> Profiles:
    """Build the profiles of all users before a cutoff.

    With [compute] engine = "spark" those that a model reads, into a folder.

    Example:

        churn profiles --as-of 2026-06-15 --out profiles.parquet

        churn profiles --as-of 2026-06-15 --model champion --out p.parquet

        churn profiles --as-of 2026-06-15 --shard 2/8 --out part-2.parquet
    """
    from features.profiles.build import Shard

    part = Shard.parse(shard)
    if out.suffix != ".parquet":
        raise SettingsError(f"--out: got {out}, expected a name that ends in .parquet", hint="--out profiles.parquet")
    return project.write_profiles(out, cutoff_of(as_of, week), model=model, shard=part, say=say)
