"""A kill -9 in the middle of an export: whatever stands under a final name is whole."""

import hashlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from features.storage.versions import versions_of
from tests.churn.command import WEEK, TrainedWorld
from tests.churn.conftest import Command

# In the middle of, by turns: making the place, the draft, its files, the lock, naming the version, swapping the link.
MOMENTS = (2, 5, 7, 9, 10, 11, 12)
DIES = Path(__file__).parent / "killed"
ONLY_HIGH = ("--week", WEEK, "--set", "export.at_least=high")  # another list than the one that is there


# One process imports everything once; each export is a child of it that dies.
EXPORTS = """
import json, os, sys
from churn.cli.app import run
import models.registry.registry, serving.weekly.at_risk_list
codes = []
for moment, arguments in json.loads(sys.argv[1]):
    child = os.fork()
    if child == 0:
        os.environ["KILL_AT"] = moment
        sys.argv[1:] = arguments
        os._exit(run())
    codes.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
print(json.dumps(codes), file=sys.stderr)
"""


def export_and_die(worlds: dict[int, TrainedWorld]) -> list[int]:
    path = os.pathsep.join([str(DIES), *filter(None, [os.environ.get("PYTHONPATH")])])
    exports = [(str(moment), ["export", *world.options(), *ONLY_HIGH]) for moment, world in worlds.items()]
    command = [sys.executable, "-c", EXPORTS, json.dumps(exports)]
    ran = subprocess.run(command, env=os.environ | {"PYTHONPATH": path}, capture_output=True, check=True, text=True)
    return json.loads(ran.stderr.splitlines()[-1])


@pytest.fixture(scope="module")
def killed(trained_world: TrainedWorld, tmp_path_factory: pytest.TempPathFactory) -> dict[int, TrainedWorld]:
    """By moment, a home with a whole list in it, in which another export was killed."""
    place = tmp_path_factory.mktemp("killed")
    worlds = {moment: trained_world.copy_to(place / f"at{moment}") for moment in MOMENTS}
    assert export_and_die(worlds) == [-signal.SIGKILL] * len(MOMENTS)
    return worlds


def is_whole(folder: Path) -> bool:
    manifest = json.loads((folder / "manifest.json").read_text())
    sums = {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in manifest["files"]}
    found = {path.name for path in folder.iterdir()}
    return found == {"manifest.json", *sums} and sums == {name: f["sha256"] for name, f in manifest["files"].items()}


EACH = pytest.mark.parametrize("moment", MOMENTS)


@EACH
def test_whatever_stands_under_a_final_name_is_whole(killed: dict[int, TrainedWorld], moment: int):
    home = killed[moment].home
    final = [path for part in ("lists", "scores", "ledger") for path in (home / part).rglob("manifest.json")]
    visible = [path.parent for path in final if not any(name.startswith(".") for name in path.relative_to(home).parts)]
    assert all(is_whole(folder) for folder in visible)
    assert set(versions_of(home / "lists/churn" / WEEK / "at_risk")) <= set(visible)


@EACH
def test_a_list_that_was_there_before_is_not_lost(killed: dict[int, TrainedWorld], moment: int):
    assert is_whole(killed[moment].list_folder)


def test_the_next_export_is_as_if_nothing_had_happened(
    command: Command, killed: dict[int, TrainedWorld], trained_world: TrainedWorld, tmp_path: Path
):
    spared = trained_world.copy_to(tmp_path / "spared")
    for world in (spared, killed[5], killed[12]):
        assert command("export", *world.options(), *ONLY_HIGH).code == 0
    for world in (killed[5], killed[12]):
        place = world.home / "lists/churn" / WEEK / "at_risk"
        assert {path.name for path in place.iterdir() if path.name.startswith(".")} == {".lock"}
        assert world.list_folder.name == spared.list_folder.name
        for path in spared.list_folder.iterdir():
            assert (world.list_folder / path.name).read_bytes() == path.read_bytes()
