"""Each kind of damage is found, and named."""

import csv
import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from features.errors import InputError
from serving.weekly.files.verify import FileCheck, is_manifest, names_in, verify


def test_a_whole_list_is_whole_and_its_rows_are_counted(folder: Path):
    check = verify(folder)
    assert (check.is_whole, check.flaws) == (True, [])
    assert check.files == (FileCheck("at_risk.csv", 3), FileCheck("at_risk.parquet", 3), FileCheck("at_risk.xlsx", 3))
    assert names_in(folder) == ["at_risk.csv", "at_risk.parquet", "at_risk.xlsx"]


def truncate(folder: Path) -> None:
    content = (folder / "at_risk.xlsx").read_bytes()
    (folder / "at_risk.xlsx").write_bytes(content[:-1])


def flip(folder: Path) -> None:
    content = bytearray((folder / "at_risk.csv").read_bytes())
    content[-2] ^= 1
    (folder / "at_risk.csv").write_bytes(content)


def change_manifest(folder: Path, name: str, **entries: object) -> None:
    manifest = json.loads((folder / "manifest.json").read_bytes())
    manifest["files"].setdefault(name, {}).update(entries)
    (folder / "manifest.json").write_text(json.dumps(manifest))


@pytest.mark.parametrize(
    ("damage", "flaw"),
    [
        (truncate, "at_risk.xlsx: its bytes are not those that were written (SHA-256 differs)"),
        (flip, "at_risk.csv: its bytes are not those that were written (SHA-256 differs)"),
        (lambda folder: (folder / "at_risk.csv").unlink(), "at_risk.csv: it is missing"),
        (lambda folder: (folder / "old.csv").touch(), "old.csv: the manifest does not name it"),
        (lambda folder: (folder / "at_risk.csv").rename(folder / "a.csv"), "a.csv: the manifest does not name it"),
        (lambda folder: change_manifest(folder, "at_risk.csv", rows=4), "at_risk.csv: it has 3 rows, expected 4"),
        (lambda folder: change_manifest(folder, "at_risk.xlsx", rows=2), "at_risk.xlsx: it has 3 rows, expected 2"),
        (
            lambda folder: change_manifest(folder, "at_risk.parquet", rows=0),
            "at_risk.parquet: it has 3 rows, expected 0",
        ),
        (lambda folder: (folder / "manifest.json").write_text("{}"), "manifest.json: it cannot be read as a manifest"),
        (
            lambda folder: (folder / "manifest.json").write_bytes(b"\xff"),
            "manifest.json: it cannot be read as a manifest",
        ),
        (
            lambda folder: (folder / "manifest.json").unlink(),
            "manifest.json: it is missing: the list was not finished, or not copied as a whole",
        ),
    ],
)
def test_damage_is_named(folder: Path, damage: Callable[[Path], object], flaw: str):
    damage(folder)
    assert flaw in verify(folder).flaws
    assert not verify(folder).is_whole
    with pytest.raises(InputError, match="the list is damaged"):
        names_in(folder)


def test_a_file_in_a_folder_below_is_strange_too(folder: Path):
    (folder / "more").mkdir()
    (folder / "more" / "x.csv").touch()
    assert verify(folder).flaws == ["more/x.csv: the manifest does not name it"]


def test_a_file_that_is_not_what_its_name_says_cannot_be_read(folder: Path):
    (folder / "at_risk.parquet").write_bytes(b"no Parquet")
    change_manifest(folder, "at_risk.parquet", sha256=hashlib.sha256(b"no Parquet").hexdigest())
    assert verify(folder).flaws == ["at_risk.parquet: it cannot be read (ArrowInvalid)"]


def test_a_list_with_a_text_of_any_length_is_whole(folder: Path):
    csv.field_size_limit(131_072)  # what Python begins with
    content = f'"user_id"\n"{"x" * 200_000}"\n'.encode()
    (folder / "at_risk.csv").write_bytes(content)
    change_manifest(folder, "at_risk.csv", sha256=hashlib.sha256(content).hexdigest(), rows=1)
    assert verify(folder).flaws == []


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path):
    with pytest.raises(InputError, match="there is no such folder"):
        verify(tmp_path / "none")


def test_a_manifest_names_files_with_their_digests():
    assert is_manifest(b'{"files": {"a.csv": {"sha256": "0"}}}')
    assert not any(map(is_manifest, (b"", b"[]", b'{"files": []}', b'{"files": {"a": {}}}', b'{"fil')))
