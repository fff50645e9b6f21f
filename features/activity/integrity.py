"""Whether kept days are those that were written: files that are gone, cut short or altered cost their own days, which heal.

Every run looks at the marks of each batch (:mod:`features.storage.marks`). Where reading fails nevertheless, all digests are computed
(:func:`damaged_files`). Batches of earlier versions have no marks until the first run of this one, which only checks their files to
be complete.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import date
from pathlib import Path

import msgspec

from features.activity.batches import DAYS_FILE
from features.activity.roll_up import RELATIONS
from features.errors import InputError
from features.storage import marks
from features.storage.drafts import discard

_BATCH = re.compile(r"(\d{4}-\d\d-\d\d)_(\d{4}-\d\d-\d\d)_[0-9a-f]{16}")


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


def gone_batches(activities: Path, text: str) -> list[str]:
    """Return the batches that the text of an error names and no activity has any more."""
    names = {found[0] for found in _BATCH.finditer(text)}
    return [name for name in sorted(names) if not any(activities.glob(f"*/{name}"))]


def flaw_of(batch: Path) -> str:
    """Say what is wrong with the files of a batch, from their sizes, times and footers; empty where nothing is."""
    if marks.is_marked(batch):
        return marks.flaw_of(batch)
    return _flaw_without_marks(batch) or _marked(batch)


def _batches(folder: Path) -> Iterator[Path]:
    yield from (path for path in sorted(folder.glob("*_*_*")) if _BATCH.fullmatch(path.name) and path.is_dir())


def _marked(batch: Path) -> str:
    """Write the marks of a batch without a flaw, unless nothing can be written there; return that it has none."""
    with suppress(OSError, InputError):
        marks.write_marks(batch)
    return ""


def _flaw_inside(batch: Path) -> str:
    return marks.flaw_inside(batch) if marks.is_marked(batch) else flaw_of(batch)


def _flaw_without_marks(batch: Path) -> str:
    try:
        msgspec.json.decode((batch / DAYS_FILE).read_bytes(), type=dict[date, str])
    except (OSError, ValueError):
        return f"{batch / DAYS_FILE} cannot be read"
    places = [batch / f"{name}.parquet" for name in RELATIONS]
    return next((f"{place} is not a complete Parquet file" for place in places if not marks.is_complete(place)), "")
