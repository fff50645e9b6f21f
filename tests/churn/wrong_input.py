"""What each verb says to wrong input, as a page: ``python -m tests.churn.wrong_input > docs/errors.md``."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import typer

from churn.cli.app import app
from tests.churn.command import Ran, churn

VERBS: dict[str, Any] = typer.main.get_command(app).commands  # type: ignore[attr-defined]
DAY = ("--as-of", "2026-03-02")
NEEDED = {"profiles": (*DAY, "--out", "p.parquet"), "score": DAY, "export": DAY, "simulate": ("--out", "world")}
FILES = {
    "broken.toml": "[churn\n",
    "typo.toml": "[churn]\nhorizon_day = 30\n",
    "empty.csv": "user_id,event_time,event_type\n",
    "other.csv": "who,at,what\nanna,2026-01-01,open\n",
    "unreadable.csv": "user_id,event_time,event_type\nanna,05/06/2026,open\nbob,07/06/2026,open\n",
    "few.csv": "user_id,event_time,event_type\nanna,2026-01-05,open\nanna,2026-01-09,open\nbob,2026-01-06,open\n",
    "users.csv": "customer_id,name,created_at\n" + "".join(f"{n},N{n},2026-01-{1 + n % 28:02}\n" for n in range(60)),
    "dates.csv": "user_id,date,event\n" + "".join(f"u{n % 7},0{1 + n % 9}/0{1 + n % 7}/2026,open\n" for n in range(40)),
    "newer/home.json": '{"format_version": 99}',
}
LOOK_FOR_A_MODEL = ("promote", "reliability", "score", "export", "outcomes", "replay")  # before they read the log
OWN = {
    "init": [
        (),
        ("nothing.csv",),
        ("users.csv",),
        ("dates.csv",),
        ("few.csv", "--answer", "user=name"),
        ("few.csv", "--out", "typo.toml"),
    ],
    "simulate": [
        (),
        ("--out", "world", "--users", "few"),
        ("--out", "empty.csv"),
        ("--out", "world", "--cutoff", "spring"),
    ],
    "profiles": [
        ("--as-of", "2026-02-31", "--out", "p.parquet"),
        (*DAY, "--out", "p.csv"),
        (*DAY, "--out", "p.parquet", "--shard", "9/8"),
    ],
    "horizon": [("--picture", "horizon.pdf"), ("--events", "few.csv")],
    "train": [("--events", "few.csv")],
    "score": [(), ("--week", "2026-W54"), DAY],
    "export": [("--as-of", "27.04.2026"), DAY, ("--verify", "nowhere")],
    "promote": [()],
    "rollback": [()],
    "outcomes": [("--as-of", "spring")],
    "replay": [("--mondays", "0"), ("--retrain", "daily")],
    "serve": [("--port", "http"), ("--port", "99999"), ()],
}
HEAD = """# What each command says to wrong input

Made by a test, which runs every line; do not edit. Exit codes: 0 done, 1 a bug, 2 input or settings, 3 a check failed. Under `--json`
the same comes as one JSON document on the last line of standard error: `error`, `hint`, `exit_code`.

The files that are named: `broken.toml` is not TOML, `typo.toml` has a setting that does not exist, `empty.csv` has a header and no row,
`other.csv` has other columns, the dates of `unreadable.csv` have two readings, `few.csv` has three events, `users.csv` one row for each
user, `newer/` is a home of a later version.
"""


COMMON = {  # what every verb says the same to, behind its needed options
    "--config": [
        ("--config", "nowhere.toml"),
        ("--config", "broken.toml"),
        ("--config", "typo.toml"),
        ("--set", "churn.horizon_days=0"),
    ],
    "--home": [("--home", "newer")],
}
NOT_COMMON = {
    ("init", "--home"),
    ("doctor", "--home"),
    ("serve", "--home"),
}  # init makes one, doctor reports it, serve looks for a model


def options_of(verb: str) -> set[str]:
    """The options and arguments that a verb takes."""
    return {name for parameter in VERBS[verb].params for name in parameter.opts}


def needs_arguments(verb: str) -> bool:
    """Tell whether a verb cannot be typed alone: something is required, or it is of a cutoff."""
    return "--week" in options_of(verb) or any(one.required for one in VERBS[verb].params)


def reads_the_log_first(verb: str) -> bool:
    """Tell whether a wrong log is what the verb complains of, where there is no model either."""
    return "--events" in options_of(verb) and verb not in LOOK_FOR_A_MODEL


def common(verb: str) -> list[tuple[str, ...]]:
    """What is typed behind a verb, and is answered by all in the same words."""
    options = options_of(verb)
    return [
        one for name, cases in COMMON.items() if name in options and (verb, name) not in NOT_COMMON for one in cases
    ]


def own(verb: str) -> list[tuple[str, ...]]:
    """What is typed behind a verb, and answered in its own words."""
    needed = NEEDED.get(verb, ())
    found: list[tuple[str, ...]] = [("--nonsense",)]
    if reads_the_log_first(verb):
        found += [needed, *((*needed, "--events", name) for name in ("empty.csv", "other.csv", "unreadable.csv"))]
    return [*found, *OWN.get(verb, [])]


def prepare(folder: Path) -> None:
    """Write the files that are named."""
    for name, text in FILES.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)


def page(folder: Path) -> str:
    """Type every line in a folder, and tell what came."""
    return "\n".join([HEAD, _every(folder), *(_section(verb, folder) for verb in VERBS)])


def _every(folder: Path) -> str:
    """What all verbs answer alike."""
    rows: dict[tuple[str, ...], str] = {}
    for verb in VERBS:
        for typed in common(verb):
            row = _row("...", typed, churn(verb, *NEEDED.get(verb, ()), *typed, cwd=folder), folder)
            if row != rows.setdefault(typed, row):
                raise ValueError(OTHER.format(verb=verb, typed=" ".join(typed), row=row, expected=rows[typed]))
    return "\n".join(["## Every command", "", *TABLE, *rows.values(), ""])


OTHER = """churn {verb} {typed}: it does not answer as the other verbs do.
got       {row}
expected  {expected}
In tests/churn/wrong_input.py, NEEDED has the arguments that a verb needs, and NOT_COMMON the verbs that do not read an option."""


TABLE = ("| typed | exit | says |", "|---|---|---|")


def _section(verb: str, folder: Path) -> str:
    rows = [_row(verb, typed, churn(verb, *typed, cwd=folder), folder) for typed in own(verb)]
    first = (VERBS[verb].help or "").strip().splitlines()[0]
    return "\n".join([f"## churn {verb}", "", first, "", *TABLE, *rows, ""])


def _row(verb: str, typed: tuple[str, ...], ran: Ran, folder: Path) -> str:
    line = " ".join(f'"{word}"' if " " in word else word for word in (verb, *typed))
    return f"| `churn {line}` | {ran.code} | {_said(ran, folder)} |"


def _said(ran: Ran, folder: Path) -> str:
    """The error and its hint, in a cell."""
    found = re.search(r"^(?:churn: |Error: |Missing )(.*)", ran.err, flags=re.MULTILINE | re.DOTALL)
    words = (found.group(1) if found else ran.err).replace(f"{folder}/", "").replace(str(folder), ".").strip()
    message, hint, way_out = words.partition("Hint: ")
    cells = [_cell(message), *([f"*{_cell(way_out)}*"] if hint else [])]
    return "<br>".join(cells)


def _cell(words: str) -> str:
    lines = [" ".join(line.split()) for line in words.strip().splitlines()]
    return " ".join(filter(None, lines)).replace("|", "\\|").replace("*", "\\*").replace("<", "&lt;")


if __name__ == "__main__":
    with TemporaryDirectory() as made:
        here = Path(made).resolve()
        prepare(here)
        churn("rollback", cwd=here)  # which makes MLflow's store
        sys.stdout.write(page(here))
