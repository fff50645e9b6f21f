"""The manifest of an activity: which files it was made from, and which batch holds each day. Written last into its folder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path

import msgspec
from msgspec import structs

from features.activity.batches import digests, read_batches, write_days
from features.activity.integrity import sealed, unsealed
from features.errors import InputError
from features.log.files import LogFile
from features.log.inventory import FileInventory, LogInventory
from features.log.rejected import rejected_of
from features.storage.atomic import write_atomic

FORMAT_VERSION = 2  # 1: files were named as the path of the log was spelled
FILE = "manifest.json"


class _Format(msgspec.Struct, frozen=True):
    format_version: int = 1


class Manifest(msgspec.Struct, frozen=True, rename={"configured_until": "told"}):
    """The source files of an activity, and the batch of each day, under the keys of its first format.

    Attributes
    ----------
    kinds
        Contract column to the type in which it was read, which all files decide together.
    configured_until
        ``[events] covered_until``, where it was set.
    days
        Day to the name of the batch that holds it.
    superseded
        Batch to those of its days that no longer count.
    """

    files: tuple[FileInventory, ...]
    kinds: dict[str, str]
    covered_until: date
    configured_until: date | None
    facts: tuple[str, ...]
    days: dict[date, str]
    superseded: dict[str, tuple[date, ...]]
    format_version: int = 1

    @property
    def inventory(self) -> LogInventory:
        """What the files of the log hold."""
        return LogInventory(self.files)

    def write(self, folder: Path) -> None:
        """Write it into the folder of the activity."""
        write_atomic(folder / FILE, sealed(msgspec.json.encode(structs.replace(self, format_version=FORMAT_VERSION))))


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
        found = msgspec.json.decode(written, type=Manifest)
    except (OSError, ValueError):  # gone, or not what was written
        return None
    return found if all((folder / name).is_dir() for name in {*found.days.values()}) else None


def upgraded(manifest: Manifest, folder: Path, *, rejected: Path, files: Sequence[LogFile]) -> Manifest:
    """Return a manifest of format 1 with the keys of its files in place of their names, and write it; no day is rolled up again.

    The digests of days cover these names, and rows set aside are filed by them: both follow. A kill leaves the manifest as it
    was, and the next run does the rest.

    Parameters
    ----------
    files
        Of the log as it is now: a name is theirs however it was spelled, from the folder that churn was run in.
    """
    keys = {name: file.key for file in files for name in (str(Path(file.name).resolve()), file.name)}
    names = {
        file.name: keys.get(file.name) or keys.get(str(Path(file.name).resolve()), file.name) for file in manifest.files
    }
    renamed = tuple(replace(file, name=names[file.name]) for file in manifest.files)
    before, after = digests(manifest.files, manifest.kinds), digests(renamed, manifest.kinds)
    for batch, days in read_batches(folder).items():
        write_days(
            {day: after[day] if before.get(day) == digest else digest for day, digest in days.items()}, folder / batch
        )
    for name, key in names.items():
        if (place := rejected_of(name, rejected)).exists():
            place.replace(rejected_of(key, rejected))
    now = structs.replace(manifest, files=renamed, format_version=FORMAT_VERSION)
    now.write(folder)
    return now
