"""Whether kept days are those that were written: files that are gone, cut short or altered cost their own days, which heal.

Next to the files of a batch, ``files.json`` holds size, time and SHA-256 of each. Every run compares sizes and times, and looks
for the footer of a Parquet file; where a time has changed, as in a copy or by a hand, the digest decides. Where reading fails
nevertheless, all digests are computed (:func:`damaged_files`). Batches of earlier versions have no such file until the first run
of this one, which only checks theirs to be complete.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from datetime import date
from pathlib import Path

import msgspec
from msgspec import structs

from features.activity.roll_up import RELATIONS
from features.errors import InputError
from features.storage.atomic import write_atomic
from features.storage.drafts import discard

FILE, _DAYS_FILE = "files.json", "days.json"
_BATCH = re.compile(r"(\d{4}-\d\d-\d\d)_(\d{4}-\d\d-\d\d)_[0-9a-f]{16}")
_SEAL = re.compile(rb',"sha256":"([0-9a-f]{64})"\}')
_SEAL_BYTES = len(',"sha256":""}') + 64
_MAGIC, _FOOTER_BYTES = b"PAR1", 8
_UNKNOWN = 0  # a time that no file has: its digest is computed at the next run


class FileMark(msgspec.Struct, frozen=True):
    """What a file is recognised by."""

    size: int
    modified_ns: int
    sha256: str


def write_marks(batch: Path) -> None:
    """Write what the files of a batch are recognised by into its folder."""
    _write(batch, {path.name: _mark(path) for path in sorted(batch.iterdir()) if path.name != FILE})


def discard_broken(folder: Path, say: Callable[[str], None]) -> bool:
    """Remove the batches of an activity whose files are not those that were written; tell whether there were any.

    The lock of the activity is held. The days are missing then, and rolled up again.
    """
    broken = {batch: flaw for batch in _batches(folder) if (flaw := flaw_of(batch))}
    for batch, flaw in broken.items():
        first, last = batch.name.split("_")[:2]
        say(f"{flaw}: the days {first} to {last} are rolled up again")
        discard(batch)
    return bool(broken)


def damaged_files(activities: Path) -> list[str]:
    """Compute the digests of all files of all activities after a read that failed; say what is wrong with which.

    The next run computes the digests of these again, and rolls up their days.
    """
    found = {
        batch: flaw for folder in activities.glob("*/") for batch in _batches(folder) if (flaw := _flaw_inside(batch))
    }
    return list(found.values())


def flaw_of(batch: Path) -> str:
    """Say what is wrong with the files of a batch, from their sizes, times and footers; empty where nothing is."""
    if not (batch / FILE).exists():
        return _flaw_without_marks(batch) or _marked(batch)
    marks = _marks(batch)
    if marks is None:
        return f"{batch / FILE} cannot be read"
    flaw = next((flaw for name, mark in marks.items() if (flaw := _flaw_of_file(batch / name, mark))), "")
    if not flaw and any(_time(batch / name) != mark.modified_ns for name, mark in marks.items()):
        with suppress(OSError, InputError):  # nothing is noted where nothing can be written
            _write(
                batch, {name: structs.replace(mark, modified_ns=_time(batch / name)) for name, mark in marks.items()}
            )
    return flaw


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


def _batches(folder: Path) -> Iterator[Path]:
    yield from (path for path in sorted(folder.glob("*_*_*")) if _BATCH.fullmatch(path.name) and path.is_dir())


def _marked(batch: Path) -> str:
    """Write the marks of a batch without a flaw, unless nothing can be written there; return that it has none."""
    with suppress(OSError, InputError):
        write_marks(batch)
    return ""


def _flaw_inside(batch: Path) -> str:
    """Say what is wrong with a batch by the digests of its files; what is wrong is no longer trusted by its time."""
    marks = _marks(batch) if (batch / FILE).exists() else None
    if marks is None:
        return flaw_of(batch)
    unknown = {name: structs.replace(mark, modified_ns=_UNKNOWN) for name, mark in marks.items()}
    flaw = next((flaw for name, mark in unknown.items() if (flaw := _flaw_of_file(batch / name, mark))), "")
    if flaw:
        _write(batch, unknown)
    return flaw


def _flaw_of_file(path: Path, mark: FileMark) -> str:
    try:
        found = path.stat()
    except FileNotFoundError:
        return f"{path} is gone"
    if found.st_size != mark.size:
        return f"{path} has {found.st_size:,} bytes, expected {mark.size:,}"
    if path.suffix == ".parquet" and not _is_complete(path):
        return f"{path} has no Parquet footer"
    if found.st_mtime_ns != mark.modified_ns and _digest(path) != mark.sha256:
        return f"{path} is not what was written (SHA-256)"
    return ""


def _flaw_without_marks(batch: Path) -> str:
    try:
        msgspec.json.decode((batch / _DAYS_FILE).read_bytes(), type=dict[date, str])
    except (OSError, ValueError):
        return f"{batch / _DAYS_FILE} cannot be read"
    places = [batch / f"{name}.parquet" for name in RELATIONS]
    return next((f"{place} is not a complete Parquet file" for place in places if not _is_complete(place)), "")


def _is_complete(path: Path) -> bool:
    """Tell whether a Parquet file begins and ends as one, with a footer that fits."""
    try:
        with path.open("rb") as file:
            size, begin = path.stat().st_size, file.read(len(_MAGIC))
            file.seek(-min(_FOOTER_BYTES, size), 2)
            end = file.read()
    except OSError:
        return False
    return begin == end[4:] == _MAGIC and int.from_bytes(end[:4], "little") + _FOOTER_BYTES < size


def _marks(batch: Path) -> dict[str, FileMark] | None:
    try:
        return msgspec.json.decode(unsealed((batch / FILE).read_bytes()), type=dict[str, FileMark])
    except (OSError, ValueError):
        return None


def _write(batch: Path, marks: Mapping[str, FileMark]) -> None:
    write_atomic(batch / FILE, sealed(msgspec.json.encode(marks)))


def _mark(path: Path) -> FileMark:
    return FileMark(path.stat().st_size, _time(path), _digest(path))


def _time(path: Path) -> int:
    return path.stat().st_mtime_ns


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
