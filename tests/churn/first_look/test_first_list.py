"""The guide from a file to a list: what it shows is what comes out, and its commands run."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from tests.churn.conftest import Command
from tests.churn.first_look.test_init import shop
from tests.churn.first_run import write_orders

PAGE = (Path(__file__).parents[3] / "docs/guides/first-list.md").read_text()
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```", PAGE, flags=re.MULTILINE | re.DOTALL)
COMMANDS = [line for kind, block in BLOCKS for line in block.splitlines() if not kind and line.startswith("churn ")]


def test_the_settings_on_the_page_are_those_that_come_out(command: Command, tmp_path: Path):
    shop(tmp_path)
    assert COMMANDS[0] == "churn init orders.csv"
    assert command(*shlex.split(COMMANDS[0])[1:]).code == 0
    (shown,) = (block for kind, block in BLOCKS if kind == "toml")
    assert shown in (tmp_path / "churn.toml").read_text()


@pytest.mark.slow
def test_the_commands_on_the_page_lead_to_a_list(command: Command, tmp_path: Path):
    write_orders(tmp_path)
    for line in COMMANDS:
        ran = command(*shlex.split(line)[1:])
        assert ran.code == 0, f"{line}\n{ran.out}{ran.err}"
    assert list((tmp_path / ".churn/lists/orders/2025-W30/at_risk/current/").glob("*.csv"))
