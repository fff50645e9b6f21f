"""A model whose files are not those that were saved is refused by name, before LightGBM reads it."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from features.errors import InputError
from models.churn_model import load
from tests.models.model_builder import profiles_of, tiny_model


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    tiny_model().save(tmp_path / "model")
    return tmp_path / "model"


def halve(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def change_a_digit(path: Path) -> None:
    content = path.read_text()
    at = content.index(".5") + 1
    path.write_text(content[:at] + "6" + content[at + 1 :])


def of_an_earlier_version(folder: Path) -> None:
    """Without digests, as models were saved before."""
    place = folder / "churn_model.json"
    content = json.loads(place.read_text())
    del content["digests"]
    place.write_text(json.dumps(content))


@pytest.mark.parametrize("damage", [halve, change_a_digit, Path.unlink])
@pytest.mark.parametrize("name", ["booster.txt", "churn_model.json"])
def test_a_damaged_file_is_refused_by_name(folder: Path, damage: Callable[[Path], None], name: str):
    damage(folder / name)
    with pytest.raises(InputError, match=name if name == "booster.txt" or damage is not halve else "model"):
        load(folder)


def test_the_process_that_reads_half_a_model_lives(folder: Path):
    halve(folder / "booster.txt")
    code = f"""
from pathlib import Path
from features.errors import InputError
from models.churn_model import load
try:
    load(Path({str(folder)!r}))
except InputError as error:
    print(error.message)
"""
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stdout.partition(" is damaged")[0]) == (0, str(folder / "booster.txt")), ran.stderr


def test_a_model_of_an_earlier_version_is_read_and_its_trees_are_checked_to_be_whole(folder: Path):
    of_an_earlier_version(folder)
    profiles = profiles_of(20)
    assert load(folder).predict_probability(profiles).tolist() == tiny_model().predict_probability(profiles).tolist()
    halve(folder / "booster.txt")
    with pytest.raises(InputError, match=r"booster.txt is damaged: the file ends before the last of its trees"):
        load(folder)


def test_another_layout_of_the_same_manifest_is_the_same(folder: Path):
    place = folder / "churn_model.json"
    place.write_text(json.dumps(json.loads(place.read_text()), indent=4))
    load(folder)
