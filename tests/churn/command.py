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
        shutil.copytree(self.home, home, symlinks=True, ignore=self._models)
        return replace(self, home=home)

    def _models(self, folder: str, names: list[str]) -> list[str]:
        """Name what is not copied: 29 files of 30 are those of models, which the copied store finds here."""
        return ["artifacts"] if Path(folder) == self.home and "artifacts" in names else []

    def unscored(self) -> TrainedWorld:
        """Forget the scores of a copy: the next verb makes them, and does not find those of the world."""
        for part in ("scores", "ledger"):
            shutil.rmtree(self.home / part)
        return self


SIMULATED = ("--users", "1500", "--days", "120", "--seed", "7", "--cutoff")
# One process for several verbs, so that what all of them import is imported once; the documents that they print, as a list.
TOGETHER = """
import json, sys
from contextlib import redirect_stdout
from io import StringIO
from churn.cli.app import run
said = []
for arguments in json.loads(sys.argv[1]):
    sys.argv[1:] = arguments
    with redirect_stdout(StringIO()) as out:
        code = run()
    if code:
        sys.exit(f"churn {arguments[0]}: {code}")
    said.append(json.loads(out.getvalue()))
print(json.dumps(said))
"""
# Half of the windows cost half of the time; the history is too short for the longest.
WINDOWS = "\n[features]\nwindows_days = [7, 28, 90]\n"


def make_trained_world(place: Path, *, empty_store: Path) -> TrainedWorld:
    """Run end to end once: to simulate and to train are a process each, what follows is another; every answer JSON."""
    world = _world_at(place)
    shutil.copytree(empty_store, world.home)
    _run(world, "simulate", "--out", world.folder, *SIMULATED, AS_OF)
    with world.config.open("a") as config:
        config.write(WINDOWS)
    _run(world, "train", *world.options())
    rest = {"promote": (), "score": ("--as-of", AS_OF), "export": ("--week", WEEK)}
    arguments = [[verb, *world.options(), *options, "--json"] for verb, options in rest.items()]
    world.said.update(zip(rest, _answer(world, sys.executable, "-c", TOGETHER, json.dumps(arguments)), strict=True))
    (place / ANSWERS).write_text(json.dumps(world.said))
    return world


def _run(world: TrainedWorld, verb: str, *options: str | Path) -> None:
    world.said[verb] = _answer(world, CHURN, verb, *options, "--json")


def _answer(world: TrainedWorld, *command: str | Path) -> Any:
    ran = world.walls.run(*command)
    assert ran.returncode == 0, f"{command}\n{ran.stdout}{ran.stderr}"
    return json.loads(ran.stdout)


def made_trained_world(place: Path) -> TrainedWorld:
    """The same, made by another worker."""
    answers = place / ANSWERS
    assert answers.exists(), "another worker could not make the trained world"
    return replace(_world_at(place), said=json.loads(answers.read_text()))


def _world_at(place: Path) -> TrainedWorld:
    # a home knows files next to it by relative names: from here a copy would know none of them, and would read the log again
    return TrainedWorld(place / "world", place / "kept/home", {}, Walls(place, namespace()))
