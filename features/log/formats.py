"""The files at the place of a log, and what else may be there: archives, workbooks, tables with a log of their own."""

from __future__ import annotations

import glob
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from features.errors import InputError
from features.log.files import LOG, LogFile, Subject, is_remote, listed
from features.settings import FormatSettings
from features.storage.stores import without_secrets

_READERS = {".parquet": "parquet", ".csv": "csv", ".tsv": "csv", ".json": "json", ".jsonl": "json", ".ndjson": "json"}
_MAX_SHOWN = 3
_PACKED = (".gz", ".zst")
_TABLES = {"_delta_log": "a Delta table", ".hoodie": "a Hudi table"}
_OTHERS = {
    ".xlsx": "an Excel workbook: save its sheet as CSV",
    ".xls": "an Excel workbook: save its sheet as CSV",
    ".zip": "a zip archive: unpack it",
    ".bz2": "packed with bzip2: unpack it, or pack it with gzip or zstd",
    ".xz": "packed with xz: unpack it, or pack it with gzip or zstd",
    ".7z": "a 7z archive: unpack it",
    ".tar": "a tar archive: unpack it",
    ".tgz": "a tar archive: unpack it",
    ".txt": "text of an unknown form: call it .csv or .tsv",
    ".log": "text of an unknown form: call it .csv, .tsv or .jsonl",
    ".orc": "ORC: convert it to Parquet",
    ".avro": "Avro: convert it to Parquet",
    ".feather": "Arrow IPC: convert it to Parquet",
    ".arrow": "Arrow IPC: convert it to Parquet",
}


_DATA_NOT_READ = (".xlsx", ".xls", ".zip", ".bz2", ".xz", ".7z", ".tar", ".tgz", ".orc", ".avro", ".feather", ".arrow")


class Mapped(Protocol):
    """A section of settings with the place of a log or a table and the meaning of its columns."""

    @property
    def path(self) -> str:
        """File, folder, glob or URL."""
        ...

    @property
    def where(self) -> str:
        """SQL condition over its own columns."""
        ...

    @property
    def format(self) -> FormatSettings:
        """How its text files are written."""
        ...

    @property
    def types(self) -> dict[str, str]:
        """Own column to the SQL type that is declared for it."""
        ...

    def mapping(self) -> dict[str, str]:
        """Column to expression over its own columns."""
        ...


def files_of(settings: Mapped, base: Path, *, subject: Subject = LOG) -> tuple[LogFile, ...]:
    """Return the files of a log, in the order of their names.

    Parameters
    ----------
    base
        Folder that a relative path starts from.

    Raises
    ------
    InputError
        When there is none, they are of several formats, belong to a table with a log of its own, or a store does not hand them out.
    """
    place = without_secrets(settings.path) if is_remote(settings.path) else base / settings.path
    what = f"[{subject.section}] path:"
    _refuse_tables(settings.path, base, what=what)
    listing = listed(settings.path, base, subject=subject)
    found = sorted((file for file in listing if format_of(file.name)), key=lambda file: file.name)
    _refuse_tables_among(found, what=what)
    if found and (packed := [file.name for file in listing if Path(file.name.lower()).suffix in _DATA_NOT_READ]):
        why = _OTHERS[Path(packed[0].lower()).suffix]
        raise InputError(f"{what} {packed[0]} is {why}", hint='or name the other files only, as in "logs/*.csv"')
    if not found:
        raise InputError(f"{what} {_what_is_there(listing, place)}", hint=_path_hint(settings.path, subject))
    if len({format_of(file.name) for file in found}) > 1:
        raise InputError(f"{what} files of several formats at {place}", hint='name one, as in "logs/*.parquet"')
    return tuple(found)


def _what_is_there(listing: Sequence[LogFile], place: Path | str) -> str:
    """Say what is at a place where nothing can be read."""
    others = [
        (Path(without_secrets(file.name)).name, _OTHERS.get(Path(file.name.lower()).suffix, "of an unknown format"))
        for file in listing
    ]
    if not others:
        return f"no Parquet, CSV or JSON Lines file at {place}"
    shown = "; ".join(f"{name} is {why}" for name, why in others[:_MAX_SHOWN])
    more = f"; and {len(others) - _MAX_SHOWN} more" if len(others) > _MAX_SHOWN else ""
    return f"no Parquet, CSV or JSON Lines file at {place}: {shown}{more}"


def _refuse_tables(path: str, base: Path, *, what: str) -> None:
    """Refuse the folder of a table whose own log says which of its files count."""
    if is_remote(path):
        return
    place = base / path.removeprefix("file://")
    fixed = Path(*_before_globs(place))
    for folder in (fixed, *list(fixed.parents)[:3]):
        for mark, noun in _TABLES.items():
            if (folder / mark).is_dir():
                raise InputError(
                    f"{what} {folder} is {noun}: its log says which of its files count, and others hold deleted rows",
                    hint="write its current rows as Parquet elsewhere, and name that folder",
                )
        metadata = folder / "metadata"
        if metadata.is_dir() and any(metadata.glob("*.metadata.json")):
            raise InputError(
                f"{what} {folder} is an Iceberg table: its metadata says which of its files count",
                hint="write its current rows as Parquet elsewhere, and name that folder",
            )


def _refuse_tables_among(files: Sequence[LogFile], *, what: str) -> None:
    """Refuse tables in folders below the path."""
    for folder in {Path(file.name).parent for file in files if not is_remote(file.name)}:
        _refuse_tables(str(folder), Path(), what=what)


def _before_globs(place: Path) -> list[str]:
    parts: list[str] = []
    for part in place.parts:
        if glob.has_magic(part):
            break
        parts.append(part)
    return parts or ["."]


def _path_hint(path: str, subject: Subject) -> str:
    if is_remote(path):
        return "name an object, a prefix or a glob"
    given = ", one given with --events in the current folder" if subject == LOG else ""
    return f"name a file, a folder or a glob; a relative path starts in the folder of churn.toml{given}"


def format_of(name: str) -> str | None:
    """Return ``parquet``, ``csv`` or ``json`` by the name of a file; None: another format."""
    path = Path(name.lower())
    return _READERS.get((path.with_suffix("") if path.suffix in _PACKED else path).suffix)
