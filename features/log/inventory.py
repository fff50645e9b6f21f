"""What the files of a log hold: valid rows by day, the others by reason."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property

from features.errors import InputError
from features.log.rejected import refuse_too_many
from features.log.validation import FUTURE
from features.settings import EventsSettings
from features.snapshots import Coverage


@dataclass(frozen=True)
class FileInventory:
    """What one file of a log holds.

    Attributes
    ----------
    name
        Its key, the same for every spelling of the log's path (:class:`features.log.files.LogFile`).
    days
        Local day to its number of valid rows.
    rejected
        Reason to number of rejected rows.
    has_time_of_day
        False where every event is at the start of its day.
    """

    name: str
    fingerprint: str
    days: dict[date, int]
    rejected: dict[str, int]
    has_time_of_day: bool

    @property
    def is_final(self) -> bool:
        """False where rows are in the future: they will become valid, though the file stays as it is."""
        return FUTURE not in self.rejected


@dataclass(frozen=True)
class LogInventory:
    """What all files of a log hold."""

    files: tuple[FileInventory, ...]

    @cached_property
    def days(self) -> dict[date, int]:
        """Local day to its number of valid rows."""
        return dict(sorted(sum((Counter(file.days) for file in self.files), Counter[date]()).items()))

    @cached_property
    def rejected(self) -> dict[str, int]:
        """Reason to number of rejected rows."""
        return dict(sorted(sum((Counter(file.rejected) for file in self.files), Counter[str]()).items()))

    @property
    def rows(self) -> int:
        """Valid rows."""
        return sum(self.days.values())

    @property
    def has_time_of_day(self) -> bool:
        """False where every event is at the start of its day: the log knows days only."""
        return any(file.has_time_of_day for file in self.files)

    def coverage(self, settings: EventsSettings) -> Coverage:
        """Return the days that the log covers.

        Raises
        ------
        InputError
            When no row is valid.
        """
        if not self.days:
            raise _empty(settings)
        return Coverage(min(self.days), settings.covered_until or max(self.days) + timedelta(days=1))

    def check(self, settings: EventsSettings) -> None:
        """Refuse an empty log, and one of which too large a share is invalid.

        Raises
        ------
        InputError
            With the counts by reason.
        """
        if not (self.rows or self.rejected):
            raise _empty(settings)
        hint = "inspect them in the home's folder rejected/; fix [events.columns], or raise [events] max_rejected_share"
        refuse_too_many(self.rejected, self.rows, max_share=settings.max_rejected_share, hint=hint)


def _empty(settings: EventsSettings) -> InputError:
    return InputError(f"the log is empty: 0 rows at {settings.path}", hint="check [events] path and where")
