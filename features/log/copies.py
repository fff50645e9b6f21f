"""Files that lie there twice: an export downloaded a second time would count every event of it twice."""

from __future__ import annotations

import gzip
import hashlib
import sys
import zlib
from collections.abc import Sequence
from typing import cast

from features.log.files import LogFile, open_file
from features.log.sources.source import folder_keys

_CHUNK_BYTES, _START_BYTES = 4_194_304, 65_536
_GZIP = ".gz"


def without_copies(files: Sequence[LogFile]) -> tuple[tuple[LogFile, ...], dict[str, str]]:
    """Return the files of which each content is there once, the first by name; and each copy with the file that it repeats.

    Files are compared byte for byte, by a digest of their content, where their sizes are equal; where some are gzipped and others
    are not, by what they unpack to, where that starts alike: no size is known of it. Those whose folders give a column another value
    (``day=2026-01-05``) are different rows.
    """
    packed = {file.name for file in files if file.name.lower().endswith(_GZIP)}
    unpacked = packed if len(packed) < len(files) else set[str]()
    by_start: dict[tuple[object, object], list[LogFile]] = {}
    for file in files:
        start = _digest(file, unpacks=file.name in unpacked, most=_START_BYTES) if unpacked else file.bytes
        by_start.setdefault((start, _values(file.name)), []).append(file)
    first: dict[object, str] = {}
    copies: dict[str, str] = {}
    for (start, _), alike in by_start.items():
        for file in alike if start and len(alike) > 1 else ():
            digest = _digest(file, unpacks=file.name in unpacked)
            original = first.setdefault((digest, _values(file.name)), file.name)
            if original != file.name:
                copies[file.name] = original
    return tuple(file for file in files if file.name not in copies), copies


def _values(name: str) -> object:
    return tuple(part for part in name.split("/")[:-1] if folder_keys(f"{part}/"))


def _digest(file: LogFile, *, unpacks: bool, most: int | None = None) -> str:
    """Return a digest of a file, or of no more than its first bytes; empty where it is."""
    found, left = hashlib.sha256(), most or sys.maxsize
    with open_file(file.name) as opened:
        stream = gzip.GzipFile(fileobj=opened) if unpacks else opened
        try:
            while chunk := cast("bytes", stream.read(min(left, _CHUNK_BYTES))):
                found.update(chunk)
                left -= len(chunk)
        except (EOFError, OSError, zlib.error):  # cut short or damaged, which reading it tells of
            return file.name
    return found.hexdigest() if left < (most or sys.maxsize) else ""
