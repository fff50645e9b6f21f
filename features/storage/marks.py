"""Whether the files of a folder are those that were written, without reading all of them.

Next to the files, ``files.json`` holds size, time and SHA-256 of each. Every look compares sizes and times, and looks for the footer
of a Parquet file; where a time has changed, as in a copy or by a hand, the digest decides.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import msgspec
from msgspec import structs

from features.errors import InputError
from features.storage.atomic import write_atomic

FILE = "files.json"
_SEAL = re.compile(rb',"sha256":"([0-9a-f]{64})"\}')
_SEAL_BYTES = len(',"sha256":""}') + 64
_MAGIC, _FOOTER_BYTES = b"PAR1", 8
_UNKNOWN = 0  # a time that no file has: its digest is computed at the next look


class FileMark(msgspec.Struct, frozen=True):
    """What a file is recognised by."""

    size: int
    modified_ns: int
    sha256: str


def write_marks(folder: Path) -> None:
    """Write what the files below a folder are recognised by into it."""
    files = [path for path in sorted(folder.rglob("*")) if path.is_file() and path != folder / FILE]
    _write(folder, {path.relative_to(folder).as_posix(): _mark(path) for path in files if path.name[0] != "."})


def is_marked(folder: Path) -> bool:
    """Tell whether a folder says what its files are recognised by; those of earlier versions do not."""
    return (folder / FILE).exists()


def flaw_of(folder: Path) -> str:
    """Say what is wrong with the files of a marked folder, from their sizes, times and footers; empty where nothing is."""
    marks = _marks(folder)
    if marks is None:
        return f"{folder / FILE} cannot be read"
    flaw = _flaw_of_files(folder, marks)
    if not flaw and any(_time(folder / name) != mark.modified_ns for name, mark in marks.items()):
        with suppress(OSError, InputError):  # nothing is noted where nothing can be written
            _write(
                folder, {name: structs.replace(mark, modified_ns=_time(folder / name)) for name, mark in marks.items()}
            )
    return flaw


def flaw_inside(folder: Path) -> str:
    """Say what is wrong with the files of a marked folder by their digests; what is wrong is no longer trusted by its time."""
    marks = _marks(folder)
    if marks is None:
        return flaw_of(folder)
    unknown = {name: structs.replace(mark, modified_ns=_UNKNOWN) for name, mark in marks.items()}
    flaw = _flaw_of_files(folder, unknown)
    if flaw:
        _write(folder, unknown)
    return flaw


def is_complete(path: Path) -> bool:
    """Tell whether a Parquet file begins and ends as one, with a footer that fits."""
    try:
        with path.open("rb") as file:
            size, begin = path.stat().st_size, file.read(len(_MAGIC))
            file.seek(-min(_FOOTER_BYTES, size), 2)
            end = file.read()
    except OSError:
        return False
    return begin == end[4:] == _MAGIC and int.from_bytes(end[:4], "little") + _FOOTER_BYTES < size


def sealed(text: bytes) -> bytes:
    """Add to the text of a JSON object the SHA-256 of all of it."""
    return text[:-1] + f',"sha256":"{hashlib.sha256(text).hexdigest()}"}}'.encode()


def unsealed(text: bytes) -> bytes:
    """Return the text that was sealed; one without a seal as it is.

    Raises
    ------
    ValueError
        When it is not what was sealed.
    """
    found = _SEAL.fullmatch(text[-_SEAL_BYTES:])
    if not found:
        return text
    content = text[:-_SEAL_BYTES] + b"}"
    if hashlib.sha256(content).hexdigest().encode() != found[1]:
        raise ValueError("the text is not what was sealed")
    return content


def _flaw_of_files(folder: Path, marks: Mapping[str, FileMark]) -> str:
    return next((flaw for name, mark in marks.items() if (flaw := _flaw_of_file(folder / name, mark))), "")


def _flaw_of_file(path: Path, mark: FileMark) -> str:
    try:
        found = path.stat()
    except FileNotFoundError:
        return f"{path} is gone"
    if found.st_size != mark.size:
        return f"{path} has {found.st_size:,} bytes, expected {mark.size:,}"
    if path.suffix == ".parquet" and not is_complete(path):
        return f"{path} has no Parquet footer"
    if found.st_mtime_ns != mark.modified_ns and _digest(path) != mark.sha256:
        return f"{path} is not what was written (SHA-256)"
    return ""


def _marks(folder: Path) -> dict[str, FileMark] | None:
    try:
        return msgspec.json.decode(unsealed((folder / FILE).read_bytes()), type=dict[str, FileMark])
    except (OSError, ValueError):
        return None


def _write(folder: Path, marks: Mapping[str, FileMark]) -> None:
    write_atomic(folder / FILE, sealed(msgspec.json.encode(marks)))


def _mark(path: Path) -> FileMark:
    return FileMark(path.stat().st_size, _time(path), _digest(path))


def _time(path: Path) -> int:
    return path.stat().st_mtime_ns


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
