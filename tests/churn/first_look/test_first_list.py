"""The guide from a file to a list: what it shows is what comes out, and its commands run."""

from __future__ import annotations

import random
import re
import shlex
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from tests.churn.conftest import Command
from tests.churn.first_look.test_init import shop

PAGE = (Path(__file__).parents[3] / "docs/guides/first-list.md").read_text()
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```", PAGE, flags=re.MULTILINE | re.DOTALL)
COMMANDS = [line for kind, block in BLOCKS for line in block.splitlines() if not kind and line.startswith("churn ")]


def test_the_settings_on_the_page_are_those_that_come_out(command: Command, tmp_path: Path):
    shop(tmp_path)
    assert COMMANDS[0] == "churn init orders.csv"
    assert command(*shlex.split(COMMANDS[0])[1:]).code == 0
    (shown,) = (block for kind, block in BLOCKS if kind == "toml")
    assert shown in (tmp_path / "churn.toml").read_text()


def _real_shop(folder: Path) -> None:
    """Write the same columns of customers who buy at rates of their own, and leave after a time that nothing foretells."""
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


@pytest.mark.slow
def test_the_commands_on_the_page_lead_to_a_list(command: Command, tmp_path: Path):
    _real_shop(tmp_path)
    for line in COMMANDS:
        ran = command(*shlex.split(line)[1:])
        assert ran.code == 0, f"{line}\n{ran.out}{ran.err}"
    assert list((tmp_path / ".churn/lists/orders/2025-W30/at_risk/current/").glob("*.csv"))
