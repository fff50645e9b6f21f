"""The manifest of an activity: which files it was made from, and which batch holds each day. Written last into its folder."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import msgspec

from features.errors import InputError
from features.log.inventory import FileInventory, LogInventory
from features.snapshots import Coverage
from features.storage.atomic import write_atomic
from features.storage.marks import sealed, unsealed

FORMAT_VERSION = 3  # before, all files of a log were read in types that they decided together
FILE = "manifest.json"


class _Format(msgspec.Struct, frozen=True):
    format_version: int = 1


class Manifest(msgspec.Struct, frozen=True):
    """The source files of an activity, and the batch of each day.

    Attributes
    ----------
    coverage
        The days that the log covers.
    configured
        ``[events] covered_from`` and ``covered_until``, where they were set.
    days
        Day to the name of the batch that holds it.
    superseded
        Batch to those of its days that no longer count.
    copies
        File that was not read to the file that it repeats.
    notes
        What a user should know of the log.
    """

    files: tuple[FileInventory, ...]
    coverage: Coverage
    configured: tuple[date | None, date | None]
    facts: tuple[str, ...]
    days: dict[date, str]
    superseded: dict[str, tuple[date, ...]]
    copies: dict[str, str]
    notes: tuple[str, ...]
    format_version: int = FORMAT_VERSION

    @property
    def inventory(self) -> LogInventory:
        """What the files of the log hold."""
        return LogInventory(self.files)

    def write(self, folder: Path) -> None:
        """Write it into the folder of the activity."""
        write_atomic(folder / FILE, sealed(msgspec.json.encode(self)))


def read_manifest(folder: Path) -> Manifest | None:
    """Return the manifest of a folder, if there is one and its batches exist.

    Raises
    ------
    InputError
        When a newer version of churn wrote it.
    """
    try:
        written = unsealed((folder / FILE).read_bytes())
        version = msgspec.json.decode(written, type=_Format).format_version
        if version > FORMAT_VERSION:
            raise InputError(
                f"{folder}: the kept activity is of format {version}, expected at most {FORMAT_VERSION}",
                hint="use the version of churn that wrote it, or another home: --home",
            )
        found = msgspec.json.decode(written, type=Manifest) if version == FORMAT_VERSION else None
    except (OSError, ValueError):  # gone, or not what was written
        return None
    return found if found and all((folder / name).is_dir() for name in {*found.days.values()}) else None
