"""The zone of a log, where its times, the name of their column or another column say it: days that are local ones count as such."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC
from zoneinfo import available_timezones

from churn.first_look.evidence.columns import Column
from churn.first_look.evidence.table import TABLE, LogTable
from churn.first_look.evidence.times import TimeReading, column_name, column_of, sql_name
from churn.first_look.questions import TIMEZONE, Answers, Option
from features.snapshots import zone_of
from features.sql import literal

_NEARLY_ALL, _FEW_ROWS, _FEW_DAYS = 0.99, 20, 5
_QUARTER = 900
_DAY, _EAST, _SUMMER_AND_WINTER, _MAX_OFFSETS = 86_400, 11 * 3600, 2, 5
_AT_THE_END = r":\d\d(?:\.\d+)? ?([-+]\d\d):?(\d\d)?$"
_PLACES = (  # one for each rule of offsets that many people live by
    "Europe/London",
    "Europe/Berlin",
    "Europe/Athens",
    "Europe/Istanbul",
    "America/New_York",
    "America/Chicago",
    "America/Denver",
    "America/Los_Angeles",
    "America/Halifax",
    "America/Sao_Paulo",
    "America/Bogota",
    "America/Mexico_City",
    "Africa/Lagos",
    "Africa/Johannesburg",
    "Africa/Cairo",
    "Asia/Jerusalem",
    "Asia/Tehran",
    "Asia/Dubai",
    "Asia/Karachi",
    "Asia/Kolkata",
    "Asia/Dhaka",
    "Asia/Bangkok",
    "Asia/Shanghai",
    "Asia/Tokyo",
    "Australia/Brisbane",
    "Australia/Adelaide",
    "Australia/Sydney",
    "Pacific/Auckland",
)
_OF_NAMES: Mapping[str, tuple[str, ...]] = {  # the last word of a name, and the places that call their time so
    **dict.fromkeys(("utc", "gmt"), ("UTC",)),
    **dict.fromkeys(("est", "edt", "eastern"), ("America/New_York",)),
    "cdt": ("America/Chicago",),
    **dict.fromkeys(("mst", "mdt"), ("America/Denver",)),
    **dict.fromkeys(("pst", "pdt", "pacific"), ("America/Los_Angeles",)),
    **dict.fromkeys(("cet", "cest", "mez", "mesz"), ("Europe/Berlin",)),
    **dict.fromkeys(("eet", "eest"), ("Europe/Athens", "Europe/Helsinki", "Africa/Cairo")),
    "cst": ("America/Chicago", "Asia/Shanghai"),
    "ist": ("Asia/Kolkata", "Asia/Jerusalem", "Europe/Dublin"),
    "bst": ("Europe/London", "Asia/Dhaka"),
    "jst": ("Asia/Tokyo",),
    "kst": ("Asia/Seoul",),
    "msk": ("Europe/Moscow",),
    "brt": ("America/Sao_Paulo",),
    "sgt": ("Asia/Singapore",),
    "hkt": ("Asia/Hong_Kong",),
    "wib": ("Asia/Jakarta",),
    **dict.fromkeys(("aest", "aedt"), ("Australia/Sydney",)),
    **dict.fromkeys(("nzst", "nzdt"), ("Pacific/Auckland",)),
}
_OFFSET = r"(UTC|GMT)?[-+](0\d|1[0-4]):?[0-5]\d"
_HOURS = r"(UTC|GMT)?([-+])(\d\d?):?([0-5]\d)?"  # UTC+1; and +1 where the column is named so
_ZONES = re.compile(r"(.*_)?(tz|time_?zone|zone|zeitzone|fuseau\w*|zona\w*|fuso\w*|offset|utc|gmt)(_.*)?")
_HOUR_NAMES = re.compile(r"(.*_)?(tz|time_?zone|zeitzone)")
_OFFSETS = re.compile(r"(utc|tz|gmt|zone|timezone|time_zone)_?(offset|diff)\w*|offset_?(utc|tz|gmt)\w*")
_IN_SECONDS = {3600: 14, 60: 14 * 60, 1: 14 * 3600}  # of a number of hours, minutes or seconds; the largest of each


@dataclass(frozen=True)
class Zone:
    """Where the days of a log are.

    Attributes
    ----------
    name
        Of the zone.
    why
        What says so.
    is_of_times
        Whether it is that of the times too, which say none themselves.
    are_days
        Whether the times are nothing but local midnights.
    """

    name: str
    why: str
    is_of_times: bool = False
    are_days: bool = False

    def days_of(self, reading: TimeReading) -> TimeReading:
        """Return a reading of local midnights as one of days."""
        if not self.are_days:
            return reading
        ends = (one.astimezone(zone_of(self.name)).replace(tzinfo=UTC) for one in (reading.first, reading.last))
        first, last = ends
        return replace(reading, step="day", first=first, last=last)


def find_zone(
    reading: TimeReading | None, columns: Sequence[Column], table: LogTable, *, answers: Answers
) -> Zone | None:
    """Return the zone of a log; None: nothing says one, or it has to be asked."""
    if reading is None or reading.step != "time":
        return None
    if given := answers.get(TIMEZONE):
        return Zone(given, "as you answered", is_of_times=True)
    if reading.is_zoned:
        return _of_offsets(reading, table) or _of_midnights(reading, table)
    return (
        _of_name(reading, answers=answers)
        or _of_column(reading, columns, table, answers=answers)
        or _of_midnights(reading, table)
    )


def _of_offsets(reading: TimeReading, table: LogTable) -> Zone | None:
    """Return the place in which all texts are written, as their offsets say."""
    if not reading.column.is_text:
        return None
    text = table.column(reading.column.name)
    offset = f"regexp_extract({text}, '{_AT_THE_END}', 1) || regexp_extract({text}, '{_AT_THE_END}', 2)"
    rows = table.connection.execute(
        f"select distinct {offset} from {TABLE} where {reading.sql} is not null limit {_MAX_OFFSETS}"
    ).fetchall()
    seconds = {str(one): _seconds(str(one)) for (one,) in rows if one}
    if len(seconds) < len(rows) or not any(seconds.values()):
        return None
    written = f"case {offset} {' '.join(f'when {literal(one)} then {n}' for one, n in seconds.items())} end"
    conditions = {zone: f"{_offset_in(zone, reading)} = {written}" for zone in _PLACES}
    zone = _fitting(conditions, reading, table) or (_fixed(*seconds.values()) if len(seconds) == 1 else "")
    if not zone:
        return None
    offsets = " or ".join(f"{one[:3]}:{one[3:] or '00'}" for one in sorted(seconds))
    return Zone(
        zone, f"all times carry {offsets}, as in {zone}: days are those of there, or of a place with the same offset"
    )


def _of_midnights(reading: TimeReading, table: LogTable) -> Zone | None:
    """Return the place in which all times are midnights, where they are none in UTC: they are days of there.

    West of Greenwich the day is the same in UTC, so one time of day alone says nothing there.
    """
    clock = f"cast(epoch(timezone('UTC', {reading.sql})) as bigint) % {_DAY}"
    rows, days, clocks = table.numbers(
        f"count({reading.sql})", f"count(distinct {reading.sql})", f"list_sort(list(distinct {clock}))[:{_MAX_OFFSETS}]"
    )
    is_open = len(clocks) > 1 or (clocks[0] >= _EAST and clocks[0] != _DAY // 2)
    if rows < _FEW_ROWS or days < _FEW_DAYS or len(clocks) > _SUMMER_AND_WINTER or not is_open:
        return None
    conditions = {zone: f"({clock} + {_offset_in(zone, reading)}) % {_DAY} = 0" for zone in _PLACES}
    zone = _fitting(conditions, reading, table) or (_fixed(_DAY - clocks[0]) if len(clocks) == 1 else "")
    if not zone:
        return None
    times = " or ".join(f"{one // 3600:02}:{one % 3600 // 60:02}" for one in clocks)
    why = f"all times are {times} in UTC, which is midnight in {zone}: they are days of there, or of a place with the same offset"
    return Zone(zone, why, are_days=True)


def _offset_in(zone: str, reading: TimeReading) -> str:
    """Return SQL of the seconds that the clocks of a zone are ahead of UTC."""
    ends = (f"epoch(timezone({literal(one)}, {reading.sql}))" for one in (zone, "UTC"))
    return f"cast({' - '.join(ends)} as bigint)"


def _seconds(offset: str) -> int:
    hours, minutes = int(offset[1:3]), int(offset[3:5] or 0)
    return (hours * 3600 + minutes * 60) * (-1 if offset[0] == "-" else 1)


def _fixed(seconds: int) -> str:
    """Return the zone of a fixed offset, which is named with the opposite sign; empty: it is no whole hour."""
    hours = seconds // 3600
    return "" if seconds % 3600 or not hours else f"Etc/GMT{-hours:+d}"


def _fitting(conditions: Mapping[str, str], reading: TimeReading, table: LogTable) -> str:
    """Return the first zone whose condition all rows meet; empty: there is none."""
    counts = (f"count(*) filter ({one})" for one in conditions.values())
    rows, *fitting = table.numbers("count(*)", *counts, where=f"{reading.sql} is not null")
    return next((zone for zone, n in zip(conditions, fitting, strict=True) if n == rows), "")


def _of_name(reading: TimeReading, *, answers: Answers) -> Zone | None:
    """Return the zone that the column of times is named after; asked, where several places call theirs so."""
    column = reading.column
    named = [
        one for one in re.findall(r"[A-Z][A-Za-z]+(?:/[A-Z][A-Za-z_]+)+", column.name) if one in available_timezones()
    ]
    possible = named or _OF_NAMES.get(column.normal.rpartition("_")[2], ())
    if len(possible) > 1:
        options = [Option(one, f"as the name of {column.name} may say") for one in possible]
        answers.ask(TIMEZONE, f"In which zone are the times of {column.name}?", options)
    return Zone(possible[0], f"the name of {column.name} says so", is_of_times=True) if len(possible) == 1 else None


def _of_column(reading: TimeReading, columns: Sequence[Column], table: LogTable, *, answers: Answers) -> Zone | None:
    """Return the zone that a further column names in all rows; asked, where it names several: the times may be of each, or of one clock."""
    others = [one for one in columns if one is not reading.column and one.filled_share >= _NEARLY_ALL]
    zone = next((one for one in others if _holds_zones(one) or _holds_offsets(one)), None)
    if zone is None:
        return None
    if zone.distinct > 1:
        _ask_about_several(reading, zone, table, answers=answers)
        return None
    possible = [_place_of(zone.values[0], choice) for choice in range(_choices(zone))] if _holds_zones(zone) else []
    if len(possible) > 1:
        options = [Option(one, f"as {zone.values[0]} in {zone.name} may say") for one in possible]
        answers.ask(TIMEZONE, f"In which zone are the times of {reading.column.name}?", options)
        return None
    name = possible[0] if possible else _fixed(_seconds_of(zone.values[0], _unit(zone)))
    return Zone(name, f"{zone.name} says so in all rows", is_of_times=True) if name else None


def _ask_about_several(reading: TimeReading, zone: Column, table: LogTable, *, answers: Answers) -> None:
    name = column_name(reading.column.name, table)
    plain = name if reading.expression == name else reading.expression
    words = f"each in its own {zone.name}: the same instant is one time everywhere"
    options = [
        Option(instants, f"{words}{_which(zone, choice)}")
        for choice in range(_choices(zone))
        if (instants := _instants(reading, zone, table, choice=choice))
    ]
    there = "by the clock of each place: a day is that of the place"
    options.append(Option(plain, f"all by one clock, as of UTC; or {there}"))
    asked = f"When did it happen? {reading.column.name} has no zone, and {zone.name} has several."
    answers.ask("event_time", asked, options)


def _places_of(value: str) -> tuple[str, ...]:
    """Return the zones that a name or an abbreviation may mean."""
    if "/" in value:
        return (value,) if value in available_timezones() else ()
    return _OF_NAMES.get(value.casefold(), ())


def _place_of(value: str, choice: int) -> str:
    places = _places_of(value)
    return places[min(choice, len(places) - 1)]


def _choices(zone: Column) -> int:
    """Return how many places one of the abbreviations of a column may mean."""
    return max(len(_places_of(one)) for one in zone.values) if _holds_zones(zone) else 1


def _which(zone: Column, choice: int) -> str:
    """Say which place is meant by abbreviations of several."""
    several = [f"{one} of {_place_of(one, choice)}" for one in zone.values if len(_places_of(one)) > 1]
    return f", {', '.join(several)}" if several else ""


def _holds_zones(column: Column) -> bool:
    """Tell whether values name zones: by their places; or by abbreviations, where the column is named so."""
    if not column.is_text or not column.values or not all(map(_places_of, column.values)):
        return False
    return _ZONES.fullmatch(column.normal) is not None or all("/" in one for one in column.values)


def _holds_offsets(column: Column) -> bool:
    if column.is_text and column.values and all(re.fullmatch(_OFFSET, one) for one in column.values):
        return True
    if column.is_text and _ZONES.fullmatch(column.normal) and all(re.fullmatch(_HOURS, one) for one in column.values):
        return True
    is_named = _OFFSETS.fullmatch(column.normal) or _HOUR_NAMES.fullmatch(column.normal)
    return bool(is_named) and column.is_whole and _unit(column) > 0


def _unit(column: Column) -> int:
    """Return how many seconds a number of an offset stands for; 0: it is none, as offsets are whole quarters of an hour."""
    if not column.is_whole:
        return 0
    largest = max(abs(column.low or 0), abs(column.high or 0))
    unit = next((unit for unit, most in _IN_SECONDS.items() if largest <= most), 0)
    return unit if all(float(one) * unit % _QUARTER == 0 for one in column.values) else 0


def _seconds_of(value: str, unit: int) -> int:
    """Return how many seconds an offset is ahead of UTC: a number of some unit, or as UTC+1 or +01:00."""
    if unit and not re.fullmatch(_OFFSET, value):
        return int(float(value)) * unit
    found = re.fullmatch(_HOURS, value)
    return _seconds(f"{found[2]}{int(found[3]):02}{found[4] or '00'}") if found else 0


def _instants(reading: TimeReading, zone: Column, table: LogTable, *, choice: int) -> str:
    """Return SQL of instants: local times, each in the zone or with the offset of its row; empty: too many to list."""
    name, plain = sql_name(reading.column.name, table), column_name(reading.column.name, table)
    local = name if reading.expression == plain else reading.expression
    if not reading.column.is_time_type and not local.startswith("strptime("):
        local = f"cast({local} as timestamp)"
    where = column_of(zone.name, table)  # quoted, as timezone is a function too
    if _holds_zones(zone):
        is_by_place = all("/" in one for one in zone.values)
        meanings = {one: literal(_place_of(one, choice)) for one in zone.values}
        places = where if is_by_place else _listed(zone, meanings, where=where)
        return f"timezone({places}, {local})" if places else ""
    if zone.is_text and all(re.fullmatch(_OFFSET, one) for one in zone.values):
        return rf"timezone('UTC', {local} - cast(regexp_replace({where}, '^\D*?(-?)\+?(\d\d):?(\d\d)$', '\1\2:\3') as interval))"
    if zone.is_whole:
        return f"timezone('UTC', {local} - to_seconds(cast({where} as integer) * {_unit(zone)}))"
    seconds = _listed(zone, {one: str(_seconds_of(one, 0)) for one in zone.values}, where=where)
    return f"timezone('UTC', {local} - to_seconds({seconds}))" if seconds else ""


def _listed(zone: Column, meanings: Mapping[str, str], *, where: str) -> str:
    """Return SQL of what each value of a column means; empty: not all its values are known."""
    if zone.distinct > len(meanings):
        return ""
    return f"case {where} {' '.join(f'when {literal(one)} then {each}' for one, each in meanings.items())} end"
