"""A kill -9 in the middle of an export: whatever stands under a final name is whole."""

import hashlib
import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from features.storage.versions import versions_of
from tests.churn.command import WEEK, TrainedWorld
from tests.churn.conftest import Command

# In the middle of, by turns: making the place, the draft, its files, the lock, naming the version, swapping the link.
MOMENTS = (2, 5, 7, 9, 10, 11, 12)
DIES = Path(__file__).parent / "killed"
ONLY_HIGH = ("--week", WEEK, "--set", "export.at_least=high")  # another list than the one that is there
EXPORT = "import sys; from churn.cli.app import run; sys.exit(run())"


@pytest.fixture(scope="module")
def killed(trained_world: TrainedWorld, tmp_path_factory: pytest.TempPathFactory) -> dict[int, TrainedWorld]:
    """By moment, a home with a whole list in it, in which another export was killed.

    One export dies at the last moment; at each of the others its home was copied, which is what a death would have left there.
    """
    place = tmp_path_factory.mktemp("killed")
    world = trained_world.copy_to(place / "home")
    path = os.pathsep.join([str(DIES), *filter(None, [os.environ.get("PYTHONPATH")])])
    moments = {"KILL_AT": str(MOMENTS[-1]), "COPY_AT": ",".join(map(str, MOMENTS[:-1])), "COPY_OF": str(world.home)}
    ran = subprocess.run(
        [sys.executable, "-c", EXPORT, "export", *world.options(), *ONLY_HIGH],
        env=os.environ | moments | {"PYTHONPATH": path},
        capture_output=True,
        check=False,
    )
    assert ran.returncode == -signal.SIGKILL, ran.stderr
    copies = {moment: replace(world, home=place / f"home_at_{moment}") for moment in MOMENTS[:-1]}
    return copies | {MOMENTS[-1]: world}


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
