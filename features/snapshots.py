"""All date arithmetic: cutoffs, gaps, horizons and what the log covers. Days are local calendar days, intervals half-open."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from importlib.resources import files
from zoneinfo import ZoneInfo

from features.errors import InputError

_YEARS = (1970, 2100)  # of events, with some to spare


@dataclass(frozen=True)
class Coverage:
    """The days that the log covers: ``[first_day, covered_until)``."""

    first_day: date
    covered_until: date

    def holds(self, day: date) -> bool:
        """Tell whether a day is covered."""
        return self.first_day <= day < self.covered_until

    def check_cutoff(self, cutoff: date) -> None:
        """Refuse a cutoff that the log does not reach.

        Raises
        ------
        InputError
            When the cutoff is past the coverage, or nothing comes before it.
        """
        if cutoff > self.covered_until or cutoff <= self.first_day:
            raise InputError(
                f"cutoff {cutoff}: the log covers {self.first_day} up to, not including, {self.covered_until}",
                hint=f"choose a date after {self.first_day} and up to {self.covered_until}; if the log is complete until "
                "later, without events, set [events] covered_until",
            )


@dataclass(frozen=True)
class LabelWindow:
    """The window of labels: ``[cutoff + gap, cutoff + gap + horizon)``, in days."""

    gap_days: int
    horizon_days: int

    @property
    def days_to_label(self) -> int:
        """Days after a cutoff until its label is known."""
        return self.gap_days + self.horizon_days

    def start(self, cutoff: date) -> date:
        """First day that the label sees."""
        return cutoff + timedelta(days=self.gap_days)

    def end(self, cutoff: date) -> date:
        """First day that the label no longer sees; the label is known from here on."""
        return cutoff + timedelta(days=self.days_to_label)

    def latest_finished(self, covered_until: date) -> date:
        """The latest cutoff whose label window the log covers completely."""
        return covered_until - timedelta(days=self.days_to_label)


def cutoffs_between(first: date, last: date, *, every_days: int) -> tuple[date, ...]:
    """Cutoffs from ``last`` backwards in steps, not before ``first``; in rising order.

    Examples
    --------
    >>> [str(day) for day in cutoffs_between(date(2026, 1, 1), date(2026, 1, 20), every_days=7)]
    ['2026-01-06', '2026-01-13', '2026-01-20']
    """
    steps = range((last - first).days // every_days + 1) if last >= first else range(0)
    return tuple(sorted(last - timedelta(days=every_days * step) for step in steps))


@cache
def zone_of(name: str) -> ZoneInfo:
    """The rules of a time zone, from the package tzdata: the engine, which assigns events to days, has the same ones.

    Those of an old system differ where a law has changed since; they are used only for zones that the package does not know.

    Raises
    ------
    KeyError, ValueError, OSError
        When the zone is unknown.
    """
    parts = name.split("/")
    try:
        with files("tzdata").joinpath("zoneinfo", *parts).open("rb") as rules:
            return ZoneInfo(name) if ".." in parts else ZoneInfo.from_file(rules, key=name)
    except (ImportError, OSError, ValueError):
        return ZoneInfo(name)


def instant(day: date, zone: str) -> datetime:
    """The UTC instant of local midnight at the start of ``day``."""
    return datetime.combine(day, time.min, zone_of(zone)).astimezone(UTC)


def instant_sql(day: date, zone: str) -> str:
    """Write the instant at which a day starts in a zone as an SQL timestamp in UTC, without a zone."""
    return f"timestamp '{instant(day, zone):%Y-%m-%d %H:%M:%S}'"


def instant_us_sql(local: str, zone: str) -> str:
    """Write the instant of a naive local time, given in SQL, as microseconds since 1970; of a midnight, as :func:`instant` has it.

    Where clocks go back to midnight it comes twice: the day starts at the first, and DuckDB takes the second.
    """
    if zone == "UTC":
        return f"epoch_us({local})"
    found, cases = f"epoch_us(timezone('{zone}', {local}))", ""
    for apart, days in _repeated_midnights(zone).items():
        midnights = ", ".join(f"timestamp '{day}'" for day in days)
        cases += f" when {local} in ({midnights}) then {apart // timedelta(microseconds=1)}"
    return f"({found} - case{cases} else 0 end)" if cases else found


@cache
def _repeated_midnights(zone: str) -> dict[timedelta, list[date]]:
    """How far apart both midnights are to the days that have two."""
    found: dict[timedelta, list[date]] = {}
    for number in range(*(date(year, 1, 1).toordinal() for year in _YEARS)):
        midnight = datetime.combine(date.fromordinal(number), time.min, zone_of(zone))
        apart = midnight.replace(fold=1).astimezone(UTC) - midnight.astimezone(UTC)
        if apart > timedelta():  # where clocks skip midnight, it is less
            found.setdefault(apart, []).append(midnight.date())
    return found


def latest_monday(day: date) -> date:
    """Return the Monday on or before a day.

    Examples
    --------
    >>> str(latest_monday(date(2026, 7, 4))), str(latest_monday(date(2026, 6, 29)))
    ('2026-06-29', '2026-06-29')
    """
    return day - timedelta(days=day.weekday())


def monday_of(week: str) -> date:
    """The Monday of an ISO week.

    Raises
    ------
    InputError
        When the text is not an ISO week.

    Examples
    --------
    >>> monday_of("2026-W47")
    datetime.date(2026, 11, 16)
    """
    try:
        return date.fromisoformat(f"{week}-1")
    except ValueError as error:
        raise InputError(f'week: got "{week}", expected an ISO week', hint="for example --week 2026-W47") from error
