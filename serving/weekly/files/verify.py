"""Is a list what was written? Every file of its manifest, and no other, with the bytes and the rows that the manifest names."""

from __future__ import annotations

import csv
import hashlib
import json
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from features.errors import InputError
from serving.weekly.files.spreadsheet import rows_of
from serving.weekly.files.tables import read_csv

MANIFEST = "manifest.json"
_UNREADABLE = (OSError, ValueError, KeyError, csv.Error, zipfile.BadZipFile, pa.ArrowException)


@dataclass(frozen=True)
class FileCheck:
    """What was found of one file.

    Attributes
    ----------
    rows
        As counted, without the header; None where rows are not counted: in other kinds of files, and in damaged ones.
    flaw
        What is wrong with it; empty: nothing.
    """

    name: str
    rows: int | None = None
    flaw: str = ""


@dataclass(frozen=True)
class FolderCheck:
    """What was found in the folder of a list, by the names of the files."""

    folder: Path
    files: tuple[FileCheck, ...]

    @property
    def flaws(self) -> list[str]:
        """What is wrong, a sentence for each damaged file."""
        return [f"{file.name}: {file.flaw}" for file in self.files if file.flaw]

    @property
    def is_whole(self) -> bool:
        """Whether nothing is wrong."""
        return not self.flaws


def verify(folder: Path) -> FolderCheck:
    """Check the folder of a list against its manifest.

    Raises
    ------
    InputError
        When there is no such folder.
    """
    if not folder.is_dir():
        raise InputError(
            f"{folder}: there is no such folder", hint="name the folder of an export, which holds manifest.json"
        )
    found = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir()}
    try:
        named = files_of((folder / MANIFEST).read_bytes())
    except FileNotFoundError:
        return FolderCheck(
            folder, (FileCheck(MANIFEST, flaw="it is missing: the list was not finished, or not copied as a whole"),)
        )
    except (OSError, ValueError):
        return FolderCheck(folder, (FileCheck(MANIFEST, flaw="it cannot be read as a manifest"),))
    checks = [_check(folder / name, entry, name=name) for name, entry in named.items()]
    strange = [FileCheck(name, flaw="the manifest does not name it") for name in found - named.keys() - {MANIFEST}]
    return FolderCheck(folder, tuple(sorted([*checks, *strange], key=lambda file: file.name.encode())))


def names_in(folder: Path) -> list[str]:
    """Return the names of the files of a list, without the manifest, sorted; the list is whole.

    Raises
    ------
    InputError
        When it is not, with what is wrong.
    """
    check = verify(folder)
    if not check.is_whole:
        raise InputError(f"{folder}: the list is damaged: {'; '.join(check.flaws)}", hint="export the list again")
    return [file.name for file in check.files]


def files_of(manifest: bytes) -> dict[str, dict[str, Any]]:
    """Return what a manifest says of each file.

    Raises
    ------
    ValueError
        When it is not a manifest.
    """
    content = json.loads(manifest)
    files: Any = content.get("files") if isinstance(content, dict) else None
    if not isinstance(files, dict) or not all(
        isinstance(entry, dict) and "sha256" in entry for entry in files.values()
    ):
        raise ValueError("no files with their digests")
    return files


def is_manifest(content: bytes) -> bool:
    """Tell whether bytes are a whole manifest."""
    try:
        files_of(content)
    except ValueError:
        return False
    return True


def _check(path: Path, entry: Mapping[str, Any], *, name: str) -> FileCheck:
    if not path.is_file():
        return FileCheck(name, flaw="it is missing")
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        if digest != entry["sha256"]:
            return FileCheck(name, flaw="its bytes are not those that were written (SHA-256 differs)")
        rows = _COUNTERS.get(path.suffix, lambda _: None)(path)
    except _UNREADABLE as error:
        return FileCheck(name, flaw=f"it cannot be read ({type(error).__name__})")
    differs = rows is not None and entry.get("rows", rows) != rows
    return FileCheck(name, rows, flaw=f"it has {rows:,} rows, expected {entry['rows']:,}" if differs else "")


def _rows_of_csv(path: Path) -> int:
    with path.open(newline="", encoding="utf-8") as file:
        return sum(1 for _ in read_csv(file)) - 1


def _rows_of_parquet(path: Path) -> int:
    return pq.read_metadata(path).num_rows


_COUNTERS: Mapping[str, Callable[[Path], int | None]] = {
    ".csv": _rows_of_csv,
    ".parquet": _rows_of_parquet,
    ".xlsx": rows_of,
}
