"""How a column of any type becomes an instant: texts of ISO 8601 and of mail and web logs, epochs, and calendar numbers.

What has more than one meaning is not read: ``05/06/2026``, ``10:30 PM`` without its format, ``BST``. SQL says what is meant, as in
``strptime(at, '%d/%m/%Y')``.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from zoneinfo import available_timezones

from features.log.sources.values import FLOATS
from features.snapshots import zone_of
from features.sql import INTEGERS, literal

_NANOSECONDS = {"TIMESTAMP_NS": "make_timestamp", "TIMESTAMPTZ_NS": "make_timestamptz"}
_WELL_KNOWN = (
    *("America/New_York", "America/Chicago", "America/Denver", "America/Los_Angeles", "America/Halifax"),
    *("Europe/London", "Europe/Paris", "Asia/Shanghai", "Asia/Kolkata", "Asia/Tokyo", "Australia/Sydney"),
)
EARLIEST = "1900-01-01"  # what is before it was not meant: a year of two digits, or where a clock or a calendar starts
_YEAR_2000 = 946_684_800  # in seconds since 1970
_DATE_BYTES = len("2026-01-05")

# A text ends in a digit, or in one of these: other words are zones only to some, or no zone at all.
_ZONE = r"(?i:\d ?(z|utc|gmt|\(utc\)))|\d (EST|MST|HST|CET|EET|MET|WET|[A-Z][A-Za-z_]+(/[A-Za-z_+-]+)+)"
_ABBREVIATION = r"\d ?[A-Za-z]{2,5}"
_HALF_OF_A_DAY = r"\d ?[AaPp]\.?[Mm]\.?"
_WITH_OFFSET = (
    "%Y-%m-%d %H:%M:%S %z",
    "%Y-%m-%d %H:%M:%S.%f %z",
    "%Y-%m-%dT%H:%M:%S %z",
    "%Y-%m-%d %H:%M %z",
    "%Y%m%dT%H%M%S %z",
    "%Y%m%dT%H%M%S%z",
    "%a, %d %b %Y %H:%M:%S %z",
    "%d %b %Y %H:%M:%S %z",
    "%d/%b/%Y:%H:%M:%S %z",
)
_WITHOUT_OFFSET = (
    "%Y%m%dT%H%M%S",
    "%Y%m%d %H%M%S",
    "%Y%m%d %H:%M:%S",
    "%Y.%m.%d %H:%M:%S",
    "%Y-%m-%d %H",
    "%Y-%m-%dT%H",
    "%Y-%m-%d %I:%M:%S %p",
    "%Y-%m-%d %I:%M %p",
    "%d-%b-%Y %H:%M:%S",
    "%d %b %Y %H:%M:%S",
    "%b %d, %Y %H:%M:%S",
)
_DATES = ("%Y.%m.%d", "%G-W%V-%u", "%d-%b-%Y", "%d %b %Y", "%b %d, %Y")
# digits to format: no epoch of the years 2000 to 2032 has so many digits and is such a time
_CALENDAR = {10: "%Y%m%d%H", 12: "%Y%m%d%H%M", 14: "%Y%m%d%H%M%S", 17: "%Y%m%d%H%M%S%g"}


def instant_of(raw: str, kind: str, *, zone: str) -> str:
    """Return a column of any type as an instant; null where it is not an instant.

    Parameters
    ----------
    zone
        Zone of the local day that a date means; what has a time of day and no zone is in the zone of the connection.
    """
    if kind == "VARCHAR":
        return instant_of_text(raw, zone=zone)
    if kind == "DATE":
        return f"timezone({literal(zone)}, cast({raw} as timestamp))"
    if kind in _NANOSECONDS:  # a cast would round, and the last half microsecond of a day would be tomorrow
        return f"cast({_NANOSECONDS[kind]}(epoch_ns({raw}) // 1000) as timestamptz)"
    if kind.removeprefix("U") in INTEGERS:
        return _from_number(f"cast({raw} as hugeint)", f"cast({raw} as varchar)", zone=zone)
    is_number = kind in FLOATS or kind.startswith("DECIMAL")
    digits = f"cast(try_cast({raw} as bigint) as varchar)"
    return _from_number(f"cast({raw} as double)", digits, zone=zone) if is_number else f"try_cast({raw} as timestamptz)"


def instant_of_text(raw: str, *, zone: str) -> str:
    """Return a text as an instant; a text without a time of day is that day of a zone.

    Nearly all logs are written as ``2026-01-05 10:00:00`` or as an epoch, which is told first: each further look costs time.
    """
    is_usual = f"strlen({raw}) > {_DATE_BYTES} and substr({raw}, 5, 1) = '-' and ({raw}[-1] between '0' and '9' or {raw}[-1] = 'Z')"
    text = f"trim({raw})"
    number = f"try_cast({text} as double)"
    day = f"timezone({literal(zone)}, coalesce(try_cast({text} as timestamp), try_strptime({text}, {_listed(_DATES)})))"
    is_plain = f"({text}[-1] between '0' and '9' or regexp_full_match({text}, {literal(f'.*({_ZONE})')}))"
    offset = rf"regexp_replace({text}, '(?i) ?(z|utc|gmt|\(utc\))$', ' +0000')"
    for name, hours in abbreviations(zone).items():  # of the zone itself, which other places may use for theirs
        offset = f"regexp_replace({offset}, ' ?{name}$', ' {hours}')"
    others = (
        f"try_strptime({offset}, {_listed(_WITH_OFFSET)})",
        f"cast(try_strptime({text}, {_listed(_WITHOUT_OFFSET)}) as timestamptz)",
        f"timezone({literal(zone)}, try_strptime({text}, {_listed(_DATES)}))",
    )
    digits = (
        f"case when ends_with({text}, '.0') then left({text}, -2) else {text} end"  # as a column with a gap is written
    )
    unusual = f"""case when {number} is not null then {_from_number(number, digits, zone=zone)}
        when not regexp_matches({text}, '\\d\\d') then null
        when strlen({text}) <= {_DATE_BYTES} then {day}
        else coalesce(case when {is_plain} then try_cast({text} as timestamptz) end, {", ".join(others)}) end"""
    return f"coalesce(case when {is_usual} then try_cast({raw} as timestamptz) end, {unusual})"


@cache
def abbreviations(zone: str) -> dict[str, str]:
    """Return what a zone calls its own offsets, with their hours: a log of that place means these.

    Examples
    --------
    >>> abbreviations("Europe/London"), abbreviations("America/New_York")["EDT"], abbreviations("UTC")
    ({'GMT': '+0000', 'BST': '+0100'}, '-0400', {'UTC': '+0000'})
    """
    instants = (datetime(2026, month, 1, tzinfo=UTC).astimezone(zone_of(zone)) for month in (1, 7))
    named = {found.strftime("%Z"): found.strftime("%z") for found in instants}
    return {name: hours for name, hours in named.items() if name.isalpha()}


def meanings(abbreviation: str) -> list[str]:
    """Return one zone for each offset that places give to an abbreviation, a well-known one where there is one.

    Examples
    --------
    >>> meanings("CST"), meanings("XYZ")
    (['America/Chicago (-0600)', 'America/Havana (-0500)', 'Asia/Shanghai (+0800)'], [])
    """
    found: dict[str, str] = {}
    for zone in (*_WELL_KNOWN, *sorted(available_timezones())):
        is_place = "/" in zone and not zone.startswith(("Etc/", "SystemV/"))
        if is_place and (hours := abbreviations(zone).get(abbreviation)):
            found.setdefault(hours, zone)
    return sorted(f"{zone} ({hours})" for hours, zone in found.items())


def has_abbreviation(raw: str) -> str:
    """Return the condition that a text ends in a zone that several places call so."""
    is_zone = f"regexp_full_match(trim({raw}), {literal(f'.*({_ZONE})')})"
    is_half = f"regexp_full_match(trim({raw}), {literal(f'.*{_HALF_OF_A_DAY}')})"
    return f"(regexp_full_match(trim({raw}), {literal(f'.*{_ABBREVIATION}')}) and not {is_zone} and not {is_half})"


def _listed(formats: tuple[str, ...]) -> str:
    return "[" + ", ".join(map(literal, formats)) + "]"


def _from_number(number: str, digits: str, *, zone: str) -> str:
    """Read a calendar number (``20260105``, ``202601051030``), else an epoch; comparisons come first, as they are fast."""
    day = f"timezone({literal(zone)}, try_strptime({digits}, '%Y%m%d'))"
    times = " ".join(
        f"when strlen({digits}) = {count} then cast(try_strptime({digits}, {literal(format_)}) as timestamptz)"
        for count, format_ in _CALENDAR.items()
    )
    ranges = " or ".join(
        f"{number} between {1970 * 10 ** (count - 4)} and {2100 * 10 ** (count - 4)}" for count in (8, *_CALENDAR)
    )
    is_calendar = (
        rf"regexp_full_match({digits}, '(19[7-9]|20\d)\d(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])(\d\d){{0,3}}(\d{{3}})?')"
    )
    read = f"case when strlen({digits}) = 8 then {day} {times} end"
    calendar = f"case when ({ranges}) then case when {is_calendar} then {read} end end"
    return f"coalesce({calendar}, {_from_epoch(number, digits)})"


def _from_epoch(number: str, digits: str) -> str:
    """Seconds, milliseconds, microseconds or nanoseconds since 1970, told apart by size (years 2000 to 5138); else null.

    What would be an instant of before 2000 is rather a count from another start: seconds of today since 2001, as Apple counts, would be
    of the nineties, and the ticks of .NET since the year 1 would be nanoseconds of 1990. SQL says what is meant. Twelve digits are
    milliseconds, or a calendar number: one that is not a time, or whose year has two digits, is not read.
    """
    scales = ((1, "1e11", " * 1000000"), (1_000, "1e14", " * 1000"), (1_000_000, "1e17", ""))
    cases = " ".join(
        f"when {number} < {_YEAR_2000 * units} then null when {number} < {top} then cast(floor({number}{scale}) as bigint)"
        for units, top, scale in scales
    )
    is_whole = rf"regexp_full_match({digits}, '\d{{19}}')"  # a double would round nanoseconds up into the next day
    exact = (
        f"case when {is_whole} then cast(left({digits}, 16) as bigint) else cast(floor({number} // 1000) as bigint) end"
    )
    cases += f" when {number} < {_YEAR_2000 * 10**9} then null when {number} < 9e18 then {exact}"
    two = rf"regexp_full_match({digits}, '\d\d(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])([01]\d|2[0-3])[0-5]\d[0-5]\d')"
    is_calendar = f"{number} between {1970 * 10**8} and {2100 * 10**8} or {two}"
    is_short = f"case when {number} >= 1e11 and {number} < 1e12 then {is_calendar} else false end"
    return f"make_timestamptz(case when {is_short} then null {cases} end)"
