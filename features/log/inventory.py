"""What the files of a log hold: valid rows by day, the others by reason."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property
from itertools import islice

from features.errors import InputError
from features.log.rejected import is_too_many, refuse_too_many
from features.log.sources.json_files import OTHER_CASE
from features.log.validation import FUTURE, KNOWN_IN_FUTURE
from features.settings import EventsSettings
from features.snapshots import Coverage
from features.storage.stores import without_secrets


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
    reading
        Digest of how it was read.
    dialect
        How a CSV file is written, as JSON.
    texts
        Extra columns of text in which some value is not a number.
    early_arrivals
        Valid rows that became known before they happened.
    """

    name: str
    fingerprint: str
    days: dict[date, int]
    rejected: dict[str, int]
    has_time_of_day: bool
    reading: str = ""
    dialect: str = ""
    texts: tuple[str, ...] = ()
    early_arrivals: int = 0

    @property
    def is_final(self) -> bool:
        """False where rows are in the future: they will become valid, though the file stays as it is."""
        return self.rejected.keys().isdisjoint((FUTURE, KNOWN_IN_FUTURE))


@dataclass(frozen=True)
class Strays:
    """A few events behind a long gap at one end of the log.

    Attributes
    ----------
    body_day
        Last (first) day of the log before (after) the gap.
    stray_day
        Last (first) day with one of them.
    resumes
        Day of the nearest of them.
    """

    is_late: bool
    body_day: date
    stray_day: date
    resumes: date
    rows: int

    def describe(self) -> str:
        """Say what was found, and how to say that they count."""
        first, last = sorted((self.body_day, self.resumes))
        gap = f"no events from {first + timedelta(days=1)} to {last - timedelta(days=1)}"
        behind = (
            f"{self.rows} {'event' if self.rows == 1 else 'events'} {'after' if self.is_late else 'before'} that gap"
        )
        if self.is_late:
            until = self.stray_day + timedelta(days=1)
            means = (
                f"the log ends with {self.body_day}, without them; if they count, set [events] covered_until = {until}"
            )
        else:
            means = f"they count; to exclude them, set [events] covered_from = {self.body_day}"
        return f"{gap}, and {behind}, as of a wrong clock: {means}"


_MIN_BODY_DAYS = 7
_MAX_EXAMPLES = 3


def _strays(days: Sequence[date], rows: Mapping[date, int], *, is_late: bool) -> Strays | None:
    """Return what lies behind the first gap, from the body outwards, that is far longer than those of the body.

    Behind a week of days, the gap is at least 28 days and four times the longest before it, with at most one event in a hundred
    behind it; or at least 90 days and twice the longest, with at most one in a thousand. Behind any number of days, it is at least
    a year and three times all of them, with at most one event in twenty.
    """
    total = sum(rows[day] for day in days)
    before, longest = 0, 1
    for place in range(len(days) - 1):
        before += rows[days[place]]
        gap, span = abs((days[place + 1] - days[place]).days), abs((days[place] - days[0]).days) + 1
        behind = total - before
        is_long = gap >= max(28, 4 * longest) and behind <= 0.01 * total
        is_double = gap >= max(90, 2 * longest) and behind <= 0.001 * total
        is_far = place + 1 >= _MIN_BODY_DAYS and (is_long or is_double)
        if is_far or (gap >= max(365, 3 * span) and behind <= 0.05 * total):
            return Strays(is_late, days[place], days[-1], days[place + 1], behind)
        longest = max(longest, gap)
    return None


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
    def early_share(self) -> float:
        """Share of the valid rows, 0 to 1, that became known before they happened."""
        return sum(file.early_arrivals for file in self.files) / max(self.rows, 1)

    @property
    def has_time_of_day(self) -> bool:
        """False where every event is at the start of its day: the log knows days only."""
        return any(file.has_time_of_day for file in self.files)

    def coverage(self, settings: EventsSettings) -> Coverage:
        """Return the days that the log covers: a few events long after all others, of clocks that are wrong, do not move its end.

        Raises
        ------
        InputError
            When no row is valid.
        """
        if not self.days:
            raise _empty(settings)
        last = next((one.body_day for one in self.strays(settings) if one.is_late), max(self.days))
        return Coverage(settings.covered_from or min(self.days), settings.covered_until or last + timedelta(days=1))

    def strays(self, settings: EventsSettings) -> tuple[Strays, ...]:
        """Return the few events before and after a long gap at the ends of the log, where the settings do not say how far it goes."""
        days = sorted(self.days)
        late = _strays(days, self.days, is_late=True) if not settings.covered_until else None
        kept = [day for day in days if not late or day <= late.body_day]
        early = _strays(kept[::-1], self.days, is_late=False) if not settings.covered_from else None
        return tuple(one for one in (early, late) if one)

    def check(self, settings: EventsSettings, *, examples: Callable[[], Iterable[str]] = tuple) -> None:
        """Refuse an empty log, and one of which too large a share is invalid.

        Parameters
        ----------
        examples
            Returns a sentence on the first row of each reason, for the hint.

        Raises
        ------
        InputError
            With the counts by reason.
        """
        if not (self.rows or self.rejected):
            raise _empty(settings)
        if other := next((reason for reason in self.rejected if reason.startswith(OTHER_CASE)), None):
            raise InputError(
                f"the log cannot be read: {other}, {self.rejected[other]:,} times",
                hint="rename one of them in the files, or exclude those files",
            )
        usual = (
            "inspect them in the home's folder rejected/; fix [events.columns], or raise [events] max_rejected_share"
        )
        if is_too_many(self.rejected, self.rows, max_share=settings.max_rejected_share):
            usual = "\n".join([*islice(examples(), _MAX_EXAMPLES), usual])
        refuse_too_many(self.rejected, self.rows, max_share=settings.max_rejected_share, hint=usual)


def _empty(settings: EventsSettings) -> InputError:
    place = f"at {without_secrets(settings.path)}" if settings.path else "in the answer to [events] query"
    return InputError(f"the log is empty: 0 rows {place}", hint="check [events] path and where")
