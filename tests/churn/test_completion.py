"""What a shell offers behind an option, as a shell asks for it."""

from __future__ import annotations

import os
from contextlib import chdir, redirect_stdout
from io import StringIO
from pathlib import Path
from unittest import mock

import pytest

from churn.cli.app import app
from tests.churn.command import TrainedWorld


def offered(typed: str, folder: Path) -> list[str]:
    """Ask as fish does, which gets each offer with its words."""
    asking = {
        "_CHURN_COMPLETE": "complete_fish",
        "_TYPER_COMPLETE_FISH_ACTION": "get-args",
        "_TYPER_COMPLETE_ARGS": typed,
    }
    with (
        chdir(folder),
        mock.patch.dict(os.environ, asking),
        redirect_stdout(StringIO()) as out,
        pytest.raises(SystemExit) as left,
    ):
        app(prog_name="churn")
    assert left.value.code in {0, None}
    return [line for line in out.getvalue().splitlines() if line]


@pytest.mark.parametrize("verb", ["score", "export"])
def test_the_versions_and_aliases_of_the_models_are_offered(trained_world: TrainedWorld, tmp_path: Path, verb: str):
    options = f"--config {trained_world.config} --home {trained_world.home}"
    assert offered(f"churn {verb} {options} --model ch", tmp_path) == ["challenger\tversion 1", "champion\tversion 1"]
    assert offered(f"churn {verb} {options} --model 1", tmp_path) == ["1\tchallenger, champion"]
    assert list(tmp_path.iterdir()) == []


def test_sections_are_offered_and_behind_the_point_their_settings(tmp_path: Path):
    sections = offered("churn train --set ", tmp_path)
    assert {"churn.", "model."} <= {line.split("\t")[0] for line in sections}
    assert "audit.\tthe limits of the leakage audit, and how many rows it checks." in sections
    found = dict(line.split("\t") for line in offered("churn train --set churn.h", tmp_path))
    assert list(found) == ["churn.horizon_days="]
    assert found["churn.horizon_days="]


def test_nothing_is_offered_where_nothing_is_registered(tmp_path: Path):
    assert offered("churn score --model ", tmp_path) == []
    (tmp_path / "churn.toml").write_text("[churn\n")
    assert offered("churn score --model ", tmp_path) == []
    assert [path.name for path in tmp_path.iterdir()] == ["churn.toml"]
