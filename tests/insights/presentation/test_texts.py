"""The catalogue of texts: what the report asks for is there, and headings of one table differ."""

import ast
from pathlib import Path

import pytest

from insights.presentation.section import Figures
from insights.presentation.texts import catalogue, column, text
from tests.insights.conftest import Report

TOP = Path(__file__).parents[3]
FILES = [*(TOP / "insights").rglob("*.py"), TOP / "churn/jobs/reporting/page.py"]


def keys_in(path: Path) -> set[str]:
    """Keys that a file writes in full."""
    calls = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
    named = [call for call in calls if isinstance(call.func, ast.Name) and call.func.id == "text"]
    return {str(arg.value) for call in named for arg in call.args if isinstance(arg, ast.Constant)}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_texts_that_are_asked_for_are_in_the_catalogue(path: Path):
    for key in keys_in(path):
        section, _, name = key.partition(".")
        assert name in catalogue()[section], key


def test_numbers_go_into_named_places():
    assert text("page.change", change="+1.0 %") == "+1.0 % on the week before"
    with pytest.raises(KeyError):
        text("page.change")


def test_a_column_without_a_heading_shows_its_name():
    assert column("some_users") == "some users"
    assert column("day_14") == "day 14"


def test_every_table_has_a_title_and_headings_that_differ(report: Report):
    tables: list[Figures] = [one for found in report.sections for one in found.tables]
    assert len({one.name for one in tables}) == len(tables)
    for one in tables:
        assert one.title
        assert len(set(one.headings.values())) == len(one.headings), one.name
        assert all(name in one.kinds for name in one.headings)
        assert one.to_arrow().num_rows == len(one.rows)
