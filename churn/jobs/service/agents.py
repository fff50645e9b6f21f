"""What agents may read: what churn has written already, as the numbers of ``--json``. Nothing is computed, and nothing is written."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

from churn.home import Home
from churn.results.report import NUMBERS
from churn.upgrade import format_of
from features.errors import CheckFailed, ChurnError, InputError, SettingsError, closest
from features.storage.versions import current_of

if TYPE_CHECKING:
    from churn.project import Project


class WrittenNumbers:
    """Read access to the numbers of a project.

    Raises
    ------
    InputError
        When a newer version of churn wrote its home.
    """

    def __init__(self, project: Project) -> None:
        format_of(Home(project.root))
        self._home, self._name = Home(project.root), project.name
        self._status = project.status

    def tools(self) -> Mapping[str, Callable[..., Any]]:
        """Return the tools by name; the first line of each docstring tells an agent what it answers."""
        found = (self.report, self.report_answer, self.user_score, self.weekly_lists, self.outcomes, self.status)
        return {one.__name__: one for one in found}

    def report(self) -> dict[str, Any]:
        """Return the questions that the latest report answers, each with its sentences; report_answer has the numbers."""
        written = self._report()
        about = {name: written[name] for name in ("project", "first_day", "last_day", "timezone", "notes")}
        questions = {
            name: {"question": one["question"], "sentences": one["sentences"], "needs": one["needs"]}
            for name, one in written["sections"].items()
        }
        return about | {"questions": questions}

    def report_answer(self, question: str) -> dict[str, Any]:
        """Return the answer to one question of the report: facts, tables and definition. Groups of few users are hidden in it."""
        sections = self._report()["sections"]
        if question not in sections:
            raise SettingsError(f'question: got "{question}"; {closest(question, sections)}')
        return sections[question]

    def _report(self) -> dict[str, Any]:
        return self._current(self._home.reports(self._name), NUMBERS, verb="report")

    def user_score(self, user_id: str) -> dict[str, Any]:
        """Return one user's churn probability, percentile, risk band and reasons, as of the latest scoring."""
        from serving.release.bundle import STORE
        from serving.store.profile_store import ProfileStore

        release = current_of(self._home.releases(self._name))
        if release is None:
            raise CheckFailed("nothing was scored yet", hint="churn score")
        store = ProfileStore(release / STORE)
        try:
            (found,) = store.answers([user_id])
        finally:
            store.close()
        if found is None:
            return {"code": "unknown_user", "cutoff": str(store.info.cutoff)}
        return json.loads(found.json(with_reasons=True)) | {"cutoff": str(store.info.cutoff)}

    def weekly_lists(self) -> dict[str, Any]:
        """Return the manifest of every weekly list: its counts, model and settings, without the users on it."""
        places = sorted(self._home.weekly_lists(self._name).glob("*/*"))
        manifests = {f"{one.parent.name}/{one.name}": current_of(one) for one in places}
        return {name: _read(folder / "manifest.json") for name, folder in manifests.items() if folder}

    def outcomes(self) -> dict[str, Any]:
        """Return the latest account of past lists: was the model right, and did contacting help."""
        return self._current(self._home.outcomes(self._name), "outcomes.json", verb="outcomes")

    def status(self) -> dict[str, Any]:
        """Return where the project stands: log, latest training with its grade, champion, release and lists."""
        return self._status().to_json()

    def _current(self, place: Path, name: str, *, verb: str) -> dict[str, Any]:
        folder = current_of(place)
        if folder is None:
            raise CheckFailed(f"there is no {verb} of {self._name} yet", hint=f"churn {verb}")
        return _read(folder / name)


def _read(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8"))


def server_of(numbers: WrittenNumbers) -> Any:
    """Return the MCP server of the numbers of a project.

    Raises
    ------
    InputError
        When the package is not installed.
    """
    try:
        from mcp.server import MCPServer
        from mcp_types import ToolAnnotations
    except ImportError as error:
        raise InputError(
            "churn mcp: the package mcp is not installed", hint='pip install mcp (the extra "mcp")'
        ) from error
    server = MCPServer("churn", instructions="Numbers about users who may leave, and about the product. Read-only.")
    for name, function in numbers.tools().items():
        server.tool(name=name, annotations=ToolAnnotations(read_only_hint=True))(_with_errors(function))
    return server


def _with_errors(function: Any) -> Any:
    """Return the function with our errors as an agent gets them: in words, with the way out."""
    from mcp.server.mcpserver.exceptions import ToolError

    @wraps(function)
    def answer(*args: Any, **given: Any) -> Any:
        try:
            return function(*args, **given)
        except ChurnError as error:
            raise ToolError(str(error)) from error

    return answer
