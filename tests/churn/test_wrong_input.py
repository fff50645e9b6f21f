"""What each verb says to wrong input: the page that shows it is made here, and each answer is an error in words with its exit code."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from tests.churn.wrong_input import COMMON, VERBS, own, page, prepare

pytestmark = pytest.mark.slow
SHOWN = Path(__file__).parents[2] / "docs/errors.md"
ROW = re.compile(r"^\| `(.+?)` \| (\d+) \| (.*) \|$", flags=re.MULTILINE)


@pytest.fixture(scope="module")
def made(empty_store: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("wrong")
    shutil.copytree(empty_store, folder / ".churn")
    prepare(folder)
    return page(folder)


def test_the_page_shows_what_the_commands_say(made: str):
    assert SHOWN.read_text() == made, "docs/errors.md is stale: python -m tests.churn.wrong_input > docs/errors.md"


def test_every_answer_is_an_error_of_the_user_or_a_check_and_says_why(made: str):
    rows = ROW.findall(made)
    assert len(rows) == sum(len(own(verb)) for verb in VERBS) + sum(map(len, COMMON.values()))
    for typed, code, words in rows:
        assert code in {"2", "3"}, typed
        assert len(words) > 10, typed
        assert not re.search(r"a bug|Traceback|None\b", words), typed


def test_every_answer_but_those_of_the_parser_names_a_way_out(made: str):
    of_parser = ("No such option", "Invalid value", "Missing option")
    without = [
        typed for typed, _, words in ROW.findall(made) if "<br>*" not in words and not words.startswith(of_parser)
    ]
    assert without == []
