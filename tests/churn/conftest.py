"""The command inside this process: what `churn` answers, without the seconds that a new process costs."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from churn.cli.app import run
from tests.churn.command import Ran

Command = Callable[..., Ran]


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """Run `churn` with some arguments, in an empty folder."""
    monkeypatch.chdir(tmp_path)

    def churn(*arguments: str | Path) -> Ran:
        monkeypatch.setattr(sys, "argv", ["churn", *map(str, arguments)])
        capsys.readouterr()
        code = run()
        said = capsys.readouterr()
        return Ran(code, said.out, said.err)

    return churn
