"""Expressions that would read a value which was set aside: of a time, its format; of a number, what to remove from it."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable

_TIMES = (  # other counts of time, and what is written by one rule alone
    (r"[34]\d{4}(\.\d+)?", "a day number of spreadsheets? timestamp '1899-12-30' + to_seconds(86400 * {column})"),
    (r"6\d{17}", "ticks of .NET? make_timestamptz((cast({column} as bigint) - 621355968000000000) // 10)"),
    (r"1[23]\d{16}", "a file time of Windows? make_timestamptz((cast({column} as bigint) - 116444736000000000) // 10)"),
    (  # as C's ctime writes it
        r"[A-Z][a-z]{2} [A-Z][a-z]{2} +\d\d? \d\d:\d\d:\d\d \d{4}",
        "name its format: strptime({column}, '%a %b %d %H:%M:%S %Y')",
    ),
    (r"\d{12}", "name its format: strptime({column}, '%y%m%d%H%M%S')"),
    (r"\d{9}(\.\d+)?", "seconds since 2001? to_timestamp(978307200 + {column}); since 1970: to_timestamp({column})"),
)
_DATE = r"(?P<first>\d{4}|\d\d?)(?P<mark>[-/. ])(?P<second>\d\d?|[A-Za-z]{3,9})(?P=mark)(?P<third>\d{4}|\d\d?)"
_CLOCK = r"(?P<before> |T|, )\d\d?:\d\d(?P<seconds>:\d\d(?P<fraction>\.\d+)?)?(?P<half> ?[AaPp][Mm])?(?P<zone> ?([+-]\d\d:?\d\d|Z))?"
_SIGNS = ("Pd", "Ps", "Pe")  # dashes and brackets, as Unicode classes them; its minus, U+2212, is none of them
_MONTHS, _YEAR_DIGITS, _SHORT = 12, 4, 3
_CENTURIES = ("19", "20")  # years of other calendars begin otherwise
_MARKS = {".": "the point", ",": "the comma"}
_COMMA = 'a comma before decimals: [events.format] decimal = ","'
_NUMBERS = (
    (r"\d+:\d\d(:\d\d)?(\.\d+)?", "a time of day for a duration: epoch(cast({column} as time))"),
    (
        r"[\d.,]+-",
        "a minus at the end: case when {column} like '%-' then '-' || rtrim({column}, '-') else {column} end",
    ),
    (
        r"\([\d.,]+\)",
        "brackets for a minus: case when {column} like '(%' then '-' || trim({column}, '()') else {column} end",
    ),
    (r"-?\d{1,3},\d{3}", f"{_COMMA}, or one between thousands: replace({{column}}, ',', '')"),
    (r"-?\d+(\.\d{3})*,\d+", _COMMA),
    (r"-?\d{1,3}(,\d{3})+(\.\d+)?", "commas between thousands: replace({column}, ',', '')"),
)


def correction_of(name: str, value: str, *, expression: str, has_paths: bool = False) -> str:
    """Return in words what would read a value that was not read; empty where that is not known.

    Parameters
    ----------
    name
        Column of the contract.
    expression
        What is mapped to it.
    has_paths
        Dots separate fields, as in JSON, and are not part of the name of a column.

    Examples
    --------
    >>> correction_of("event_time", "05/01/26 10:00", expression="ts")
    "day or month first? name its format: strptime(ts, '%d/%m/%y %H:%M')"
    >>> correction_of("amount", "9,50 €", expression="price")
    "remove the unit: replace(regexp_replace(price, '[^0-9,-]', '', 'g'), ',', '.')"
    """
    is_sql = re.search(r"^\w+$|[('|\"]", expression) or (has_paths and re.fullmatch(r"\w+(\.\w+)+", expression))
    column = expression if is_sql else f'"{expression}"'
    words = _WAYS.get(name, _of_number)(value.strip())
    return words.format(column=column)


def _of_time(value: str) -> str:
    if known := next((way for form, way in _TIMES if re.fullmatch(form, value)), ""):
        return known
    found = re.fullmatch(f"{_DATE}({_CLOCK})?", value)
    date = _date_format(found) if found else ""
    if not found or not date:
        return ""
    is_open = date.startswith("%d/") and int(found["first"]) <= _MONTHS
    words = "day or month first? name its format" if is_open else "name its format"
    read = f"strptime({{column}}, '{date}{_clock_format(found)}')"
    is_of_utc = (found["zone"] or "").strip() == "Z"
    return f"{words}: timezone('UTC', {read})" if is_of_utc else f"{words}: {read}"


def _date_format(found: re.Match[str]) -> str:
    """Return the format of a date; days come first where both readings fit, and where neither does there is none."""
    first, second, third = found["first"], found["second"], found["third"]
    if len(first) == _YEAR_DIGITS:
        order = ["%Y", "%m", "%d"] if first[:2] in _CENTURIES else []
    elif second.isalpha():
        order = ["%d", "%b" if len(second) == _SHORT else "%B", _year(third)]
    else:
        order = ["%m", "%d", _year(third)] if int(second) > _MONTHS else ["%d", "%m", _year(third)]
    month = found[("first", "second", "third")[order.index("%m")]] if "%m" in order else "1"
    return found["mark"].join(order) if len(month) < _SHORT and int(month) <= _MONTHS else ""


def _year(digits: str) -> str:
    return "%Y" if len(digits) == _YEAR_DIGITS else "%y"


def _clock_format(found: re.Match[str]) -> str:
    if found["before"] is None:
        return ""
    half, zone = found["half"] or "", found["zone"] or ""
    clock = f"{'%I' if half else '%H'}:%M{':%S' if found['seconds'] else ''}{'.%f' if found['fraction'] else ''}"
    clock += half.replace(half.strip(), "%p") if half else ""
    return found["before"] + clock + (zone if zone.strip() in ("", "Z") else zone.replace(zone.strip(), "%z"))


def _of_id(value: str) -> str:
    return "bytes that are no text: lower(hex({column}))" if r"\x" in value else ""


def _of_count(value: str) -> str:
    return "a fraction, expected a whole number" if re.fullmatch(r"-?\d+\.\d+", value) else _of_number(value)


def _of_number(value: str) -> str:
    found = next((words for form, words in _NUMBERS if re.fullmatch(form, value)), "")
    return found or _without_a_unit(value)


def _without_a_unit(value: str) -> str:
    """Return what removes all but the digits, the sign and the mark before decimals; a sign of another form would be lost."""
    found = re.fullmatch(r"[^\d]{0,5}(?P<number>\d([\d.,'\s]*\d)?)[^\d]{0,5}", value)
    if not found or value.lstrip("-").isdecimal():
        return ""
    number, marks = found["number"], re.findall("[.,]", found["number"])
    if any(unicodedata.category(mark) in _SIGNS or mark == "\u2212" for mark in value.replace("-", "")):
        return ""
    what = "what is between thousands" if number == value.lstrip("-") else "the unit"
    decimal = "." if not marks else marks[-1] if marks.count(marks[-1]) == 1 else ""
    is_open = len(marks) == 1 and re.search(r"[.,]\d{3}$", number)
    what += f", where {_MARKS[decimal]} is before decimals" if is_open else ""
    kept = f"regexp_replace({{column}}, '[^0-9{decimal}-]', '', 'g')"
    read = f"replace({kept}, ',', '.')" if decimal == "," else kept
    return f"remove {what}: {read}"


_WAYS: dict[str, Callable[[str], str]] = {
    "event_time": _of_time,
    "ingested_at": _of_time,
    "user_id": _of_id,
    "count": _of_count,
}
