"""What a terminal shows from a file to a list, as a page: ``python -m tests.churn.first_run > docs/guides/first-run.md``."""

from __future__ import annotations

import os
import random
import re
import shlex
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

WEEK = "2025-W30"
COMMANDS = {
    "churn init orders.csv": "Which column is what, and the settings that follow from it, in `churn.toml`:",
    "churn horizon": "After how many idle days a user counts as churned:",
    "churn train": "A model, tested on a later cutoff than it was trained on:",
    "churn promote": "It becomes the champion:",
    f"churn export --week {WEEK}": "The list of the latest week, less a control group:",
    f"churn score --week {WEEK}": "All users at the Monday of that week, for the service:",
    "churn status": "Where the project stands:",
}
HEAD = """# What a terminal shows

Made by `python -m tests.churn.first_run`, which runs every command; do not edit. The file is the export of a shop, with semicolons, a byte
order mark, decimal commas and e-mail addresses as ids: 5,000 simulated customers, who buy at rates of their own and leave after a time that
nothing foretells. [From a file to a list](first-list.md) explains the same commands.
"""
_WIDTH = "100"


def write_orders(folder: Path) -> Path:
    """Write the export of a shop, ``orders.csv``, always the same."""
    chance = random.Random(5)
    rows: list[tuple[datetime, str]] = []
    for user in range(5000):
        rate, day = chance.gammavariate(1.5, 1 / 12), chance.uniform(0, 170)
        end = min(200.0, day + chance.expovariate(1 / 60))
        while day < end:
            moment = datetime(2025, 1, 6) + timedelta(days=day)  # noqa: DTZ001
            rows.append((moment, f"u{user}@example.de;{moment:%d.%m.%Y %H:%M};{chance.randrange(5, 90)},50;web"))
            day += chance.expovariate(rate) + 0.01
    lines = ["E-Mail;Bestelldatum;Betrag;Kanal", *(line for _, line in sorted(rows))]
    (folder / "orders.csv").write_text("\n".join(lines) + "\n", encoding="utf-8-sig")
    return folder / "orders.csv"


def page(folder: Path) -> str:
    """Run every command in a folder, and show what it prints."""
    write_orders(folder)
    return "\n".join(
        [HEAD, *(f"{words}\n\n```\n$ {typed}\n{_said(typed, folder)}\n```\n" for typed, words in COMMANDS.items())]
    )


def _said(typed: str, folder: Path) -> str:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("CHURN")}
    command = [sys.executable, "-m", *shlex.split(typed)]
    ran = subprocess.run(
        command, cwd=folder, env={**kept, "COLUMNS": _WIDTH}, capture_output=True, text=True, check=True
    )
    return "\n".join(line.rstrip() for line in ran.stdout.replace(f"{folder}/", "").strip().splitlines())


def forms(text: str) -> list[str]:
    """Return the lines of a page without their numbers, ids and the widths that these take."""
    plain = re.sub(r"\b[0-9a-f]{8,}\b|\d[\d,.:%x-]*", "9", text)
    return [re.sub(r"[\s━╇┃│]+", " ", line).strip() for line in plain.splitlines()]


if __name__ == "__main__":
    with TemporaryDirectory() as place:
        sys.stdout.write(page(Path(place)))
