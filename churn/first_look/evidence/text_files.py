"""How a text file seems to be written: its encoding, the lines above its header, and whether it has one."""

from __future__ import annotations

import codecs
import csv
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import pyarrow as pa

from features.errors import InputError
from features.log.files import open_file

_START_BYTES = 4_000_000
_PACKED = {".gz": "gzip", ".zst": "zstd"}
_DELIMITERS = ",;\t|"
_LINES = 40
_LONGEST_RECORD = 100
_MAX_ABOVE, _MAX_FILES = 15, 50
_RUN_SHARE = 0.5
_ASCII = 0x80
_DIRECTIVE = re.compile(r"sep=.?\s*$|#\s|#$")
# what a column is hardly ever called: a time, a number, an e-mail address, a UUID
_VALUE = re.compile(
    r"[-+]?\d+([.,]\d+)*|\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}([ T].*)?|\d{1,2}:\d\d.*|\d{8}T\d+.*"
    r"|[^@\s]+@[^@\s]+\.\w+|[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
)


@dataclass(frozen=True)
class TextFormat:
    """How a text file is written, where that differs from the usual.

    Attributes
    ----------
    settings
        Keys of ``[events.format]``.
    evidence
        A sentence for each of them.
    header
        The fields of its first line.
    """

    settings: dict[str, Any] = field(default_factory=dict[str, Any])
    evidence: dict[str, str] = field(default_factory=dict[str, str])
    header: tuple[str, ...] = ()


def text_format_of(name: str) -> TextFormat:
    """Look at the start of a CSV file.

    Raises
    ------
    InputError
        When its bytes are of an encoding that churn does not read.
    """
    start = _start_of(name)
    encoding, why = _encoding_of(start, name)
    delimiter, above, rows = _layout_of(_lines_of(start, encoding))
    settings: dict[str, Any] = {}
    evidence: dict[str, str] = {"encoding": why}
    if encoding not in ("utf-8", "utf-8-sig") and not start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        settings["encoding"] = encoding
    evidence["delimiter"] = f"fields are separated by {_NAMED[delimiter]}"
    if above:
        settings["skip"] = above
        evidence["skip"] = f"the lines above the header have fewer fields than the {len(rows[0])} of the table"
    if rows and _has_more_of_others(rows[0], delimiter):
        settings["delimiter"] = delimiter
    if _has_one_more(rows):
        settings |= {"skip": above + 1, "names": [*rows[0], f"column_{len(rows[0]) + 1}"]}
        evidence["names"] = "each line below the names of the columns ends with a mark too many"
    elif rows and _is_headless(rows):
        settings["names"] = [f"column_{place + 1}" for place in range(len(rows[0]))]
        evidence["names"] = "the first line holds values, so the file has no header"
    return TextFormat(settings, evidence, tuple(rows[0]) if rows else ())


def refuse_headers(names: Sequence[str]) -> None:
    """Refuse files of which the first has no header, and another has one: that would be a row.

    Raises
    ------
    InputError
        With two of them.
    """
    first, *others = names[:: max(1, len(names) // _MAX_FILES)]
    found = next((one for one in others if "names" not in text_format_of(one).settings), None)
    if found:
        raise InputError(
            f"{first} has no header, and {found} has one: columns cannot be told by their names",
            hint="give each file a first line with the names of its columns, or none of them",
        )


def _has_one_more(rows: Sequence[Sequence[str]]) -> bool:
    """Tell whether each row has one field more than the header, and nothing in it."""
    has_names = len(rows) > 1 and not any(_VALUE.fullmatch(one.strip()) for one in rows[0])
    return has_names and all(len(row) == len(rows[0]) + 1 and not row[-1].strip() for row in rows[1:])


def _has_more_of_others(header: Sequence[str], delimiter: str) -> bool:
    """Tell whether the names of columns hold another mark as often as they are separated."""
    return any(
        sum(name.count(mark) for name in header) >= len(header) - 1 > 0 for mark in _DELIMITERS if mark != delimiter
    )


_NAMED = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "vertical bars"}


def _start_of(name: str) -> bytes:
    packed: Any = _PACKED.get(Path(name).suffix.lower())
    try:
        with open_file(name) as file, pa.input_stream(file, compression=packed) as stream:
            start = bytes(stream.read(_START_BYTES))
    except OSError as error:
        raise InputError(f"{name} cannot be read: {error}", hint="check that the file is whole") from error
    kind = next((kind for mark, kind in _KINDS.items() if start.startswith(mark)), None)
    if kind:
        raise InputError(f"{name} is no text: it begins as {kind[0]} does", hint=kind[1])
    return start


_KINDS = {  # how files that are not text begin: what they are, and what to do about it
    b"\x1f\x8b": ("a file that gzip has packed", "call it .csv.gz, or unpack it first"),
    b"\x28\xb5\x2f\xfd": ("a file that zstd has packed", "call it .csv.zst, or unpack it first"),
    b"PK\x03\x04": ("a zip archive or a workbook of Excel", "unpack it first, or save the workbook as CSV"),
    b"\xd0\xcf\x11\xe0": ("an older workbook of Excel", "save it as CSV"),
    b"PAR1\x15": ("a Parquet file", "call it .parquet"),
    b"SQLite format 3": ("a database of SQLite", "write its table as CSV or Parquet first"),
    b"%PDF-": ("a PDF", "give the data that it shows as CSV"),
}


def _encoding_of(start: bytes, name: str) -> tuple[str, str]:
    """Return the encoding of a file, and why."""
    if start.startswith(codecs.BOM_UTF8):
        return "utf-8-sig", "UTF-8, with a byte order mark"
    if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16", "UTF-16, as its byte order mark says"
    if b"\0" in start[:1000]:
        return "utf-16", "UTF-16 without a byte order mark: every other byte is zero"
    try:
        codecs.getincrementaldecoder("utf-8")().decode(start)
    except UnicodeDecodeError as error:
        page = _code_page_of(start)
        if not page:
            return "latin-1", "not UTF-8, and single letters are outside ASCII, as in Latin-1"
        raise InputError(
            f"{name} is neither UTF-8, UTF-16 nor Latin-1 text: it seems to be of a code page such as {_PAGES[page]}",
            hint=f"convert it first, as in: iconv -f {page} -t UTF-8 {Path(name).name} > utf8.csv",
        ) from error
    return "utf-8", "UTF-8"


_PAGES = {  # the name of a code page, and what else it may be
    "GBK": "GBK, Shift-JIS or Windows-1251",
    "BIG5": "Big5 or GBK",
    "SHIFT-JIS": "Shift-JIS",
    "WINDOWS-1252": "Windows-1252, as a spreadsheet of Western Europe writes it, or Windows-1250 of Central Europe",
    "WINDOWS-1250": "Windows-1250 or ISO 8859-2, of Central Europe",
}
_OF_TWO_BYTES = {"cp932": "SHIFT-JIS", "big5": "BIG5", "gbk": "GBK"}
_NOT_LATIN = re.compile(rb"[\x80-\x9f]")  # what Latin-1 has no letters for, and Windows has
_CENTRAL = re.compile(
    rb"[a-z][\xa3\xa5\xaf\xb1\xb3\xb6\xb9\xbc\xbe\xbf][a-z]"
)  # signs in Latin-1, letters of Polish and Czech
_IDEOGRAPHS = re.compile(r"[\u3005-\u30ff\u3400-\u9fff\uac00-\ud7a3\uff01-\uff60]+[0-9A-Za-z]*")
_MIN_WORDS, _MOST, _TWO_LETTERS = 3, 0.8, 4  # a letter has two bytes


def _code_page_of(start: bytes) -> str:
    """Return the code page of a text that is not of UTF-8; empty: Latin-1 reads it."""
    if not _is_latin(start):
        return "GBK"
    words = {word for word in re.split(rb"[\s,;|\"]+", start) if max(word, default=0) >= _ASCII}
    for codec, page in _OF_TWO_BYTES.items():
        fitting = [word for word in words if _IDEOGRAPHS.fullmatch(_decoded(word, codec))]
        has_long = sum(len(word) >= _TWO_LETTERS for word in fitting) >= len(words) / 2
        if len(words) >= _MIN_WORDS and len(fitting) >= _MOST * len(words) and has_long:
            return page
    if _CENTRAL.search(start):
        return "WINDOWS-1250"
    return "WINDOWS-1252" if _NOT_LATIN.search(start) else ""


def _decoded(word: bytes, codec: str) -> str:
    try:
        return word.decode(codec)
    except UnicodeDecodeError:
        return ""


def _is_latin(start: bytes) -> bool:
    """Tell whether letters outside ASCII stand alone, as in Western languages; in others they come in a row."""
    high = [place for place, byte in enumerate(start) if byte >= _ASCII]
    in_a_row = sum(after - before == 1 for before, after in pairwise(high))
    return in_a_row < _RUN_SHARE * len(high)


def _lines_of(start: bytes, encoding: str) -> list[str]:
    by_hand = encoding == "utf-16" and not start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    text = codecs.getincrementaldecoder("utf-16-le" if by_hand else encoding)(errors="replace").decode(start[:400_000])
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return lines[:-1] if len(lines) > 1 else lines


def _layout_of(lines: Sequence[str]) -> tuple[str, int, list[list[str]]]:
    """Return the delimiter, how many lines are above the header, and the fields; quotes that enclose no fields are plain marks."""
    try:
        return _layout_of_records(_records(lines))
    except csv.Error:
        return _layout_of_records(lines[:_LINES])


def _layout_of_records(lines: Sequence[str]) -> tuple[str, int, list[list[str]]]:
    delimiter = _delimiter_of(lines)
    return delimiter, *_above_header(lines, delimiter)


def _records(lines: Sequence[str]) -> list[str]:
    """Join lines that are broken inside quotes; a single quote, as of inches, joins none."""
    found: list[str] = []
    place = 0
    while place < len(lines) and len(found) < _LINES:
        end = _end_of(lines, place)
        found.append("\n".join(lines[place:end]))
        place = end
    return found


def _end_of(lines: Sequence[str], start: int) -> int:
    quotes = 0
    for place in range(start, min(start + _LONGEST_RECORD, len(lines))):
        quotes += lines[place].count('"')
        if quotes % 2 == 0:
            return place + 1
    return start + 1


def _delimiter_of(lines: Sequence[str]) -> str:
    """Return the mark that most lines have the same number of, and any at all; of two such marks, not the comma."""

    def agreement(mark: str) -> tuple[int, int, bool]:
        counts = Counter(found for line in lines if (found := _bare(line).count(mark)))
        number, of = counts.most_common(1)[0] if counts else (0, 0)
        return of, number, mark != ","

    return max(_DELIMITERS, key=agreement)


def _bare(line: str) -> str:
    return re.sub(r'"[^"]*"', "", line)


def _above_header(lines: Sequence[str], delimiter: str) -> tuple[int, list[list[str]]]:
    """Return how many lines are titles above the table, and the fields of the others."""
    plain = next((place for place, line in enumerate(lines) if not _DIRECTIVE.match(line)), 0)
    sizes = Counter(_bare(line).count(delimiter) for line in lines[plain:] if line.strip())
    usual = sizes.most_common(1)[0][0] if sizes else 0
    first = next((place for place, line in enumerate(lines) if _bare(line).count(delimiter) == usual), plain)
    is_titled = plain < first <= _MAX_ABOVE and usual > 0
    if is_titled and _is_short_header(lines, first, delimiter=delimiter):
        first, is_titled = first - 1, first - 1 > plain
    start = first if is_titled else plain
    rows = list(csv.reader(lines[start:], delimiter=delimiter))
    padded = _padded(rows)
    return (start + padded if is_titled or padded else 0), [row for row in rows[padded:] if row]


def _is_short_header(lines: Sequence[str], first: int, *, delimiter: str) -> bool:
    """Tell whether the line above the first row names its columns, and each row ends with a mark too many."""
    above, first_row = (_bare(lines[place]).count(delimiter) for place in (first - 1, first))
    has_marks = all(line.rstrip().endswith(delimiter) for line in lines[first:] if line.strip())
    return above == first_row - 1 > 0 and has_marks


def _padded(rows: Sequence[Sequence[str]]) -> int:
    """Return how many rows are titles that were filled up with empty fields, as spreadsheets do: all end before the header does."""
    ends = [max((place + 1 for place, one in enumerate(row) if one.strip()), default=0) for row in rows]
    header = ends.index(max(ends)) if ends else 0
    is_filled_up = 0 < header <= _MAX_ABOVE and all(len(row) == len(rows[header]) for row in rows[:header])
    return header if is_filled_up and not any(_VALUE.fullmatch(one.strip()) for one in rows[header]) else 0


def _is_headless(rows: Sequence[Sequence[str]]) -> bool:
    """Tell whether the first line is a row: a field is a value, or two fields are values of their columns."""
    first, below = rows[0], rows[1:]
    if is_wide(first) or first in below:  # files that were put together with their headers
        return False
    values = sum(bool(_VALUE.fullmatch(one.strip())) for one in first)
    repeated = sum(
        bool(one.strip()) and any(len(row) > place and row[place] == one for row in below)
        for place, one in enumerate(first)
    )
    return values > 0 or repeated > 1


_PERIOD = re.compile(
    r"\d{4}[-/.]?\d{1,2}([-/.]?\d{1,2})?|\d{1,2}[-/.]\d{1,2}[-/.]\d{2,4}|\d{4}-?w\d\d"
    r"|(day|week|month|tag|woche|monat|jour|semaine|mois|dia|semana|mes|d|w|m|q)[ _-]?\d{1,3}"
    r"|(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*[ _-]?(\d{2}|\d{4})?|20\d\d[ _-]?q[1-4]",
    re.IGNORECASE,
)
_MIN_PERIODS = 4


def is_wide(names: Sequence[str]) -> bool:
    """Tell whether columns are periods: a table with a column per day, week or month.

    Examples
    --------
    >>> is_wide(["user", "2024-01", "2024-02", "2024-03", "2024-04"]), is_wide(["user_id", "day", "n"])
    (True, False)
    """
    periods = sum(bool(_PERIOD.fullmatch(name.strip())) for name in names)
    return periods >= _MIN_PERIODS and periods >= len(names) / 2 and not _is_row_of_values(names)


def refuse_wide(names: Sequence[str]) -> None:
    """Refuse a table with a column per period.

    Raises
    ------
    InputError
        With its first columns.
    """
    if is_wide(names):
        raise InputError(
            f"this is a wide table and not an event log: it has a column per period ({', '.join(names[:6])}, ...)",
            hint="turn the columns into rows first: one row for each user and period, with the value as a count",
        )


def _is_row_of_values(names: Sequence[str]) -> bool:
    """Tell whether fields that look like periods are numbers without an order, as in a row of ids."""
    numbers = [int(one) for one in names if one.strip().isdigit()]
    return len(numbers) >= _MIN_PERIODS and numbers != sorted(numbers)
