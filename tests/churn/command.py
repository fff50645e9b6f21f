"""The command, and what it leaves behind when it runs end to end."""

from __future__ import annotations

import json
import os
import shutil
import sys
from contextlib import chdir, redirect_stderr, redirect_stdout
from dataclasses import dataclass, replace
from io import StringIO
from pathlib import Path
from typing import Any
from unittest import mock

from tests.no_egress.walls import Walls, namespace

CHURN = Path(sys.executable).with_name("churn")
TEST_CUTOFF = "2026-04-21"  # the latest whose horizon the world's log covers
AS_OF = "2026-04-27"  # a Monday: week 2026-W18
WEEK = "2026-W18"
ANSWERS = "answers.json"


@dataclass(frozen=True)
class Ran:
    """What a command answered."""

    code: int
    out: str
    err: str

    def json(self) -> Any:
        """The one document on standard output."""
        assert self.code in {0, 3}, self.err
        return json.loads(self.out)


def churn(*arguments: str | Path, cwd: Path, **environment: str) -> Ran:
    """Run the command in this process, which saves the seconds that importing everything takes."""
    from churn.cli.app import run

    with (
        chdir(cwd),
        mock.patch.object(sys, "argv", ["churn", *map(str, arguments)]),
        mock.patch.dict(os.environ, environment),
        redirect_stdout(StringIO()) as out,
        redirect_stderr(StringIO()) as err,
    ):
        code = run()
    return Ran(code, out.getvalue(), err.getvalue())


@dataclass(frozen=True)
class TrainedWorld:
    """A simulated world, its home, and what each verb printed on the way."""

    folder: Path
    home: Path
    said: dict[str, Any]
    walls: Walls

    @property
    def config(self) -> Path:
        return self.folder / "churn.toml"

    @property
    def list_folder(self) -> Path:
        """The list that is current, under the name of its version."""
        return (self.home / "lists/churn" / WEEK / "at_risk/current").resolve()

    @property
    def store_folder(self) -> Path:
        """The profile store of the release that is current."""
        return self.home / "releases/churn/current/store"

    def options(self) -> tuple[str, ...]:
        return ("--config", str(self.config), "--home", str(self.home))

    def copy_to(self, home: Path) -> TrainedWorld:
        """The same with a home of its own: what is written there changes nothing here (models stay where they are)."""
        shutil.copytree(self.home, home, symlinks=True)
        return replace(self, home=home)


def make_trained_world(place: Path) -> TrainedWorld:
    """Run end to end once, every step a process, every answer JSON."""
    world = _world_at(place)
    steps = {
        "simulate": ("--out", world.folder, "--users", "1500", "--days", "120", "--seed", "7", "--cutoff", AS_OF),
        "train": world.options(),
        "promote": world.options(),
        "score": (*world.options(), "--as-of", AS_OF),
        "export": (*world.options(), "--week", WEEK),
    }
    place.mkdir()
    for verb, options in steps.items():
        ran = world.walls.run(CHURN, verb, *options, "--json")
        assert ran.returncode == 0, f"churn {verb}\n{ran.stdout}{ran.stderr}"
        world.said[verb] = json.loads(ran.stdout)
    (place / ANSWERS).write_text(json.dumps(world.said))
    return world


def made_trained_world(place: Path) -> TrainedWorld:
    """The same, made by another worker."""
    answers = place / ANSWERS
    assert answers.exists(), "another worker could not make the trained world"
    return replace(_world_at(place), said=json.loads(answers.read_text()))


def _world_at(place: Path) -> TrainedWorld:
    return TrainedWorld(place / "world", place / "home", {}, Walls(place, namespace()))
