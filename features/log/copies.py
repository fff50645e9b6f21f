"""Files that lie there twice: an export downloaded a second time would count every event of it twice."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Sequence
from typing import cast

from features.log.files import LogFile, open_file
from features.log.sources.source import folder_keys

_CHUNK_BYTES = 4_194_304
_GZIP = ".gz"


def without_copies(files: Sequence[LogFile]) -> tuple[tuple[LogFile, ...], dict[str, str]]:
    """Return the files of which each content is there once, the first by name; and each copy with the file that it repeats.

    Files are compared byte for byte where their sizes are equal, by a digest of their content; where some are gzipped and others
    are not, by what they unpack to. Those whose folders give a column another value (``day=2026-01-05``) are different rows.
    """
    packed = {file.name for file in files if file.name.lower().endswith(_GZIP)}
    unpacks = bool(packed) and len(packed) < len(files)
    by_size: dict[tuple[int, object], list[LogFile]] = {}
    for file in files:
        size = _unpacked_bytes(file) if unpacks and file.name in packed else file.bytes
        by_size.setdefault((size, _values(file.name)), []).append(file)
    first: dict[object, str] = {}
    copies: dict[str, str] = {}
    for (size, _), alike in by_size.items():
        for file in alike if size and len(alike) > 1 else ():
            digest = _digest(file, unpacks=unpacks and file.name in packed)
            original = first.setdefault((digest, _values(file.name)), file.name)
            if original != file.name:
                copies[file.name] = original
    return tuple(file for file in files if file.name not in copies), copies


def _values(name: str) -> object:
    return tuple(part for part in name.split("/")[:-1] if folder_keys(f"{part}/"))


def _unpacked_bytes(file: LogFile) -> int:
    """Return the size, modulo 2^32, that the last four bytes of a gzipped file tell."""
    with open_file(file.name) as opened:
        opened.seek(max(file.bytes - 4, 0))
        return int.from_bytes(cast("bytes", opened.read(4)), "little")


def _digest(file: LogFile, *, unpacks: bool) -> str:
    found = hashlib.sha256()
    with open_file(file.name) as opened:
        stream = gzip.GzipFile(fileobj=opened) if unpacks else opened
        try:
            while chunk := cast("bytes", stream.read(_CHUNK_BYTES)):
                found.update(chunk)
        except (EOFError, OSError):  # cut short, which reading it tells of
            return file.name
    return found.hexdigest()
