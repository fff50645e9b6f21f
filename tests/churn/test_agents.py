"""What agents may read: the numbers that are written, over the protocol's own client, and nothing else."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from mcp import Client

import churn
from churn.jobs.service.agents import WrittenNumbers, server_of
from features.storage.versions import Place
from serving.release.bundle import ServingBundle
from serving.settings import ScoringSettings, ServingSettings
from tests.builders import write
from tests.insights.logs import random_rows
from tests.models.model_builder import profiles_of, tiny_model
from tests.serving.finished import finished_release


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> churn.Project:
    """A project with a report and a release, and no lists."""
    place = tmp_path_factory.mktemp("agents")
    log = write(place / "log.parquet", random_rows(1, users=60))
    found = churn.Project(home=place / "home", events=str(log))
    found.report()
    bundle = ServingBundle(
        tiny_model(), "churn", "7", "champion", place / "store", ScoringSettings(), ServingSettings()
    )
    finished_release(Place(found.home.releases("churn")), bundle, profiles_of(20, seed=3))
    return found


def called(project: churn.Project, name: str, **arguments: Any) -> tuple[bool, Any]:
    """Whether a tool refused, and what it answered, as an agent gets it."""

    async def call() -> tuple[bool, Any]:
        async with Client(server_of(WrittenNumbers(project))) as client:
            found = await client.call_tool(name, arguments)
            words = "".join(one.text for one in found.content if one.type == "text")
            return bool(found.is_error), words if found.is_error else json.loads(words)

    return asyncio.run(call())


def test_every_tool_says_what_it_answers_and_that_it_only_reads(project: churn.Project):
    async def listed() -> list[Any]:
        async with Client(server_of(WrittenNumbers(project))) as client:
            return list((await client.list_tools()).tools)

    tools = asyncio.run(listed())
    assert {one.name for one in tools} == {
        "report",
        "report_answer",
        "user_score",
        "weekly_lists",
        "outcomes",
        "status",
    }
    assert all(one.annotations and one.annotations.read_only_hint for one in tools)
    assert all(one.description and one.description.startswith("Return") for one in tools)


def test_the_numbers_are_those_of_the_report(project: churn.Project):
    written = json.loads((project.home.reports("churn") / "current/report.json").read_text())
    _, found = called(project, "report")
    assert found["questions"]["growth"]["sentences"] == written["sections"]["growth"]["sentences"]
    assert called(project, "report_answer", question="retention") == (False, written["sections"]["retention"])
    refused, words = called(project, "report_answer", question="retentoin")
    assert refused
    assert "retention" in words


def test_a_user_has_a_score_with_reasons_and_a_stranger_a_code(project: churn.Project):
    _, found = called(project, "user_score", user_id="u1")
    assert found["cutoff"] == "2026-06-01"
    assert 0 <= found["churn_probability"] <= 1
    assert found["reasons"]
    assert called(project, "user_score", user_id="nobody") == (False, {"code": "unknown_user", "cutoff": "2026-06-01"})


def test_what_is_not_written_yet_is_told_with_the_verb_that_writes_it(project: churn.Project, tmp_path: Path):
    assert called(project, "weekly_lists") == (False, {})
    refused, words = called(project, "outcomes")
    assert refused
    assert "churn outcomes" in words
    refused, words = called(churn.Project(home=tmp_path / "new"), "user_score", user_id="u1")
    assert refused
    assert "churn score" in words


def test_nothing_is_written_by_reading(project: churn.Project):
    def files() -> set[tuple[str, int]]:
        return {(str(path), path.stat().st_mtime_ns) for path in project.root.rglob("*") if path.is_file()}

    before = files()
    for name, arguments in {"report": {}, "user_score": {"user_id": "u1"}, "weekly_lists": {}, "status": {}}.items():
        assert called(project, name, **arguments)[0] is False
    assert files() == before
