"""Files that lie there twice: an export downloaded a second time would count every event of it twice."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import cast

from features.log.files import LogFile, open_file
from features.log.sources.source import folder_keys

_CHUNK_BYTES = 4_194_304


def without_copies(files: Sequence[LogFile]) -> tuple[tuple[LogFile, ...], dict[str, str]]:
    """Return the files of which each content is there once, the first by name; and each copy with the file that it repeats.

    Files are compared byte for byte where their sizes are equal, by a digest of their content. Those whose folders give a column
    another value (``day=2026-01-05``) are different rows.
    """
    by_size: dict[tuple[int, object], list[LogFile]] = {}
    for file in files:
        by_size.setdefault((file.bytes, _values(file.name)), []).append(file)
    first: dict[object, str] = {}
    copies: dict[str, str] = {}
    for (size, _), alike in by_size.items():
        for file in alike if size and len(alike) > 1 else ():
            original = first.setdefault((_digest(file), _values(file.name)), file.name)
            if original != file.name:
                copies[file.name] = original
    return tuple(file for file in files if file.name not in copies), copies


def _values(name: str) -> object:
    return tuple(part for part in name.split("/")[:-1] if folder_keys(f"{part}/"))


def _digest(file: LogFile) -> str:
    found = hashlib.sha256()
    with open_file(file.name) as opened:
        while chunk := cast("bytes", opened.read(_CHUNK_BYTES)):
            found.update(chunk)
    return found.hexdigest()
