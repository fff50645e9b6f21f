"""The page of what a terminal shows: it is made from these commands, and what they print has the same form."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.churn.first_run import COMMANDS, HEAD, forms, page

PAGE = (Path(__file__).parents[2] / "docs/guides/first-run.md").read_text()
STALE = "docs/guides/first-run.md is stale: python -m tests.churn.first_run > docs/guides/first-run.md"


def test_the_page_shows_these_commands_with_their_words():
    assert re.findall(r"^(.+)\n\n```\n\$ (.+)$", PAGE, flags=re.MULTILINE) == [(w, c) for c, w in COMMANDS.items()], (
        STALE
    )
    assert PAGE.startswith(HEAD), STALE


def test_what_is_recommended_and_set_is_not_asked_for_again():
    (horizon,) = re.findall(r"^\$ churn horizon\n(.*?)^```", PAGE, flags=re.MULTILINE | re.DOTALL)
    assert horizon.splitlines()[-1] == "next: churn train"


def test_numbers_and_the_widths_that_they_take_are_no_form():
    assert forms("a │ 12  │ 0.5\n━━╇━━") == forms("a │ 1 │ 17.25\n━━━━╇━━")
    assert forms("a 1\n") != forms("b 1\n")


@pytest.mark.slow
def test_the_commands_print_what_the_page_shows(tmp_path: Path):
    assert forms(page(tmp_path)) == forms(PAGE), STALE
