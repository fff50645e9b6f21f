"""CSV and TSV as texts: no type is guessed, and quotes are read as the whole file is written.

The bytes of a file tell whether it has quotes and how its lines end. Where there are quotes, it is parsed once to see that none
is left open and swallows the rows below: a record that spans several lines, each of which is a row by itself. Rows with another
number of fields than there are columns are read with room for all of them, and set aside.
"""

from __future__ import annotations

import codecs
import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
from msgspec import structs

from features.errors import InputError
from features.log.files import Subject, open_file
from features.log.sources.broken_rows import FAULT, TEXT, LineCheck
from features.log.sources.dialect import Dialect, apart
from features.log.sources.quotes import BEGINS_WITH_DIGIT, are_rows
from features.log.sources.source import LOG_FILE, LOG_ROW, file_list
from features.settings import ENCODINGS, FormatSettings
from features.sql import identifier, literal

_PACKED = {".gz": "gzip", ".zst": "zstd", ".bz2": "bz2"}
_HEADER_BYTES, _CHUNK_BYTES = 65_536, 4_194_304
_DELIMITERS = ",;\t|"
_MARKS = {codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
_OF_WINDOWS = bytes(range(0x80, 0xA0))  # letters and signs of Windows-1252, nothing in Latin-1
_LINES_LOOKED_AT = 20
_MAX_FIELDS = 4096
_OF_ASCII = ("utf-8", "latin-1")
_OTHER_NUMBER = re.compile(r"Expected Number of Columns: \d+ Found: (\d+)")
_IN_QUOTES = '"([^"]|"")*"'
_VALUE = re.compile(r"[-+]?\d+([.,]\d+)*|\d{4}-\d\d-\d\d.*")


@dataclass(frozen=True)
class CsvFile:
    """A CSV file, of which it is found out how it is written.

    Attributes
    ----------
    name
        Its path or URL.
    settings
        What the project says of its format.
    """

    name: str
    settings: FormatSettings
    subject: Subject
    connection: duckdb.DuckDBPyConnection

    def dialect(self) -> Dialect | None:
        """Return how the file is written; None: there is nothing in it.

        Raises
        ------
        InputError
            When its header cannot be meant, it is of another encoding, or no reading of its quotes is consistent.
        """
        start = next(self._chunks(), b"")[:_HEADER_BYTES]
        encoding = _MARKS.get(start[:2], self.settings.encoding)
        if encoding == "utf-16" and start[::2].count(0) > start[1::2].count(0):
            raise self._other_encoding("UTF-16 in big-endian order", "UTF-16BE")
        lines = self._first_lines(start, encoding)
        skip = self.settings.skip or _above_header(lines)
        if not any(line.strip() for line in lines):
            return None
        header = lines[skip] if len(lines) > skip else ""
        if not header.strip():
            place = f"line {skip + 1}" if skip else "the first line"
            raise self._error(
                f"{place} of {self.name} is empty",
                hint=f"it must name the columns; {self._section} skip passes over lines above the header",
            )
        delimiter = self.settings.delimiter or self._delimiter(header)
        columns, has_header = self.settings.names or self._columns(header, delimiter), not self.settings.names
        found = Dialect(columns, delimiter, "", "", skip, has_header, encoding)
        if has_header:
            self._check_header(found, lines[skip + 1 :])
        marks = self._marks(found)
        dialect = self._with_quotes(found, marks)
        if not marks.are_regular and any(line.strip() for line in lines[skip + has_header :]):
            self._refuse_no_rows(dialect)
        return dialect

    def _refuse_no_rows(self, dialect: Dialect) -> None:
        """Refuse a file of which no line is read as a row: it would be missing, and nothing would say so."""
        rows = dialect.reader(file_list([self.name]), LOG_FILE)
        if not self.connection.execute(f"select 1 from {rows} limit 1").fetchall():
            hint = f"check {self._section} encoding and skip, or save it as UTF-8 without line breaks in values"
            raise self._error(f"no line of {self.name} is read as a row", hint=hint)

    def _delimiter(self, header: str) -> str:
        """Return the mark that the first line has most of outside quotes; the one that gives as many fields as there are names."""
        bare = re.sub(r'"[^"]*"', "", header)
        wanted = len(self.settings.names) - 1
        right = [mark for mark in _DELIMITERS if wanted > 0 and bare.count(mark) == wanted]
        return right[0] if right else max(_DELIMITERS, key=bare.count)

    def _with_quotes(self, plain: Dialect, marks: _Marks) -> Dialect:
        """Return the first reading of quotes under which the whole file is consistent."""
        if self.settings.quote is not None or self.settings.escape:
            quote = '"' if self.settings.quote is None else self.settings.quote
            readings = [structs.replace(plain, quote=quote, escape=self.settings.escape or quote)]
            are_regular = marks.are_regular and quote in ("", '"')
        else:
            doubled = structs.replace(plain, quote='"', escape='"')
            escaped = [structs.replace(plain, quote='"', escape="\\")] if marks.has_escaped_quotes else []
            readings = [doubled, *escaped, plain] if marks.has_quotes else [plain]
            are_regular = marks.are_regular
        if marks.has_mixed_ends:
            return self._of_mixed_ends(readings)
        if len(readings) == 1:
            return readings[0] if are_regular else self._with_room(readings[0])
        faults = self._faults(readings)
        if len(faults) < len(readings):
            return readings[len(faults)]
        broken = [one for one, fault in zip(readings[:-1], faults[:-1], strict=True) if not fault.is_of_quotes]
        if not broken:
            raise self._faulty(faults[0])
        return self._with_room(broken[0])

    def _of_mixed_ends(self, readings: Sequence[Dialect]) -> Dialect:
        """Return the first reading that is consistent; where ends of lines differ within quoted values only, they are values.

        DuckDB's strict parser takes the end of the first line for that of all, and finds none where lines above the header differ.
        """
        strict = () if readings[0].skip else readings
        if found := next((one for one in strict if not self._fault(one)), None):
            return found
        lenient = [structs.replace(one, has_mixed_ends=True) for one in readings]
        faults = self._faults(lenient)
        if len(faults) < len(lenient):
            return lenient[len(faults)]
        kept = lenient[: max(1, len(lenient) - 1)]
        broken = [
            structs.replace(one, widest=fault.widest) for one, fault in zip(kept, faults, strict=False) if fault.widest
        ]
        if not broken:
            raise self._faulty(faults[0])
        return self._consistent(broken[0])

    def _with_room(self, dialect: Dialect) -> Dialect:
        """Return a reading with room for the fields of all rows, where some have more or fewer than there are columns."""
        widest = self._widest(dialect)
        return self._consistent(structs.replace(dialect, widest=widest)) if widest else dialect

    def _consistent(self, dialect: Dialect) -> Dialect:
        if dialect.quote and (fault := self._fault(dialect)):
            raise self._faulty(fault)
        return dialect

    def _widest(self, dialect: Dialect) -> int:
        """Return how many fields there is room for when each row can be read; 0: each has a field for each column."""
        widest = 0
        while widest <= _MAX_FIELDS:
            reader = structs.replace(dialect, widest=widest).reader(file_list([self.name]), LOG_FILE)
            try:
                self.connection.execute(f"select count(*) from {reader}").fetchall()
            except duckdb.InvalidInputException as error:
                if not (found := _OTHER_NUMBER.search(str(error))):
                    break  # of another kind: reading the file names it
                widest = max(int(found[1]), len(dialect.columns), 2 * widest)
            else:
                return widest
        return 0

    def _faulty(self, fault: _Fault) -> InputError:
        hint = f'{self._section} quote = "" reads quotes as they stand, escape = "\\\\" those after a backslash'
        return self._error(f"the quotes of {self.name}: {fault.words}", hint=hint)

    def _faults(self, readings: Sequence[Dialect]) -> list[_Fault]:
        """Return what is wrong with each reading, up to the first with which nothing is."""
        found: list[_Fault] = []
        for one in readings:
            if not (fault := self._fault(one)):
                break
            found.append(fault)
        return found

    def _fault(self, dialect: Dialect) -> _Fault | None:
        """Return what is wrong with the file under a dialect; None: nothing is."""
        reader = dialect.reader(file_list([self.name]), LOG_FILE)
        if dialect.has_mixed_ends and not dialect.widest and (fault := self._irregular(dialect)):
            return fault
        try:
            number = self._open_quote(dialect, reader) if dialect.quote else self._enclosed(dialect, reader)
        except duckdb.InvalidInputException as error:
            if "unicode" in str(error).casefold():
                raise self._not_text(dialect.encoding) from error
            line = re.search(r"CSV Error on Line: (\d+)", str(error))
            words = f"one is left open on line {line.group(1) if line else '?'}"
            return _Fault(words, is_of_quotes=not _OTHER_NUMBER.search(str(error)))
        return (
            _Fault(f"one is left open in row {number}, and the rows below become part of its value") if number else None
        )

    def _irregular(self, dialect: Dialect) -> _Fault | None:
        """Return what is wrong with the lines of a file, which DuckDB's parser for mixed ends of lines passes over."""
        wanted, widest = len(dialect.columns), 0
        rows = csv.reader(
            self._lines(dialect.encoding),
            delimiter=dialect.delimiter,
            quotechar=dialect.quote or None,
            quoting=csv.QUOTE_MINIMAL if dialect.quote else csv.QUOTE_NONE,
            doublequote=dialect.escape == dialect.quote,
            escapechar=dialect.escape if dialect.escape != dialect.quote else None,
            strict=True,
        )
        try:
            for row in rows:
                if row and len(row) != wanted and rows.line_num > dialect.skip:
                    widest = max(widest, wanted, len(row))
        except csv.Error:
            return _Fault(f"one is left open on line {rows.line_num}, or a quote stands within a value")
        return _Fault("", is_of_quotes=False, widest=widest) if widest else None

    def _lines(self, encoding: str) -> Iterator[str]:
        rest = ""
        for text in codecs.iterdecode(self._chunks(), encoding):
            *lines, rest = (rest + text).split("\n")
            yield from (f"{line}\n" for line in lines)
        yield rest

    def _enclosed(self, dialect: Dialect, reader: str) -> int:
        """Return the first row, counted from 1, with a field in quotes where quotes are characters; 0: none, or tabs separate."""
        names = map(identifier, apart(dialect.columns))
        condition = " or ".join(f"regexp_full_match({name}, {literal(_IN_QUOTES)})" for name in names)
        rows = self._numbered(reader, "''", condition=f"{LOG_ROW} < 0" if dialect.delimiter == "\t" else condition)
        return next((number for number, _ in rows), 0)

    def _open_quote(self, dialect: Dialect, reader: str) -> int:
        """Return the first row, counted from 1, of which a value over several lines seems to be rows; 0: none."""
        names = [identifier(name) for name in apart(dialect.columns)]
        spans = " or ".join(f"contains({name}, chr(10))" for name in names)
        joined = f" || {literal(dialect.delimiter)} || ".join(f"coalesce({name}, '')" for name in names)
        if dialect.widest and (
            broken := self._numbered(reader, "''", condition=f"{FAULT} is not null and contains({TEXT}, chr(10))")
        ):
            return broken[0][0]
        found = self._numbered(reader, joined, condition=spans)
        if not found or len(names) == 1:
            return 0
        of_one_line = ", ".join(
            f"avg(cast(coalesce(regexp_matches({name}, {literal(BEGINS_WITH_DIGIT)}), false) as int))" for name in names
        )
        (shares,) = self.connection.execute(
            f"select {of_one_line} from {reader} where not coalesce({spans}, false)"
        ).fetchall()
        return next((number for number, record in found if are_rows(record, shares, delimiter=dialect.delimiter)), 0)

    def _numbered(self, reader: str, value: str, *, condition: str) -> list[tuple[int, str]]:
        return self.connection.execute(
            f"select {LOG_ROW}, {value} from (select row_number() over () as {LOG_ROW}, * from {reader}) where {condition}"
        ).fetchall()

    def _marks(self, plain: Dialect) -> _Marks:
        """Look at the bytes of the file; its quotes decide whether its lines tell of its rows."""
        if plain.encoding == "latin-1" and self._is_utf_8():
            hint = (
                "remove that setting if all files are UTF-8, else save this one as the others: iconv -f UTF-8 -t LATIN1"
            )
            raise self._error(f'{self.name} is UTF-8 text, and {self._section} encoding = "latin-1"', hint=hint)
        quotes = escaped = windows = ends = 0
        is_ascii = plain.encoding in _OF_ASCII and len(plain.delimiter) == 1 and plain.delimiter.isascii()
        check = LineCheck(plain.delimiter.encode(), len(plain.columns), plain.skip) if is_ascii else None
        last = b""
        for chunk in self._chunks():
            quotes += chunk.count(b'"')
            escaped += (last + chunk).count(b'\\"') if quotes else 0
            windows += (last + chunk).count(b"\r\n") if b"\r" in chunk or last == b"\r" else 0
            if check and not quotes:
                check.read(chunk)
            if plain.encoding == "latin-1" and len(chunk.translate(None, _OF_WINDOWS)) < len(chunk):
                raise self._other_encoding("Windows-1252", "WINDOWS-1252")
            ends += chunk.count(b"\n")
            last = chunk[-1:]
        are_regular = check is not None and not quotes and check.end()
        return _Marks(quotes > 0, escaped > 0, 0 < windows < ends, are_regular)

    def _is_utf_8(self) -> bool:
        """Tell whether the whole file is UTF-8, and not all of it ASCII; Latin-1 is read up to its first accent."""
        decoder, has_letters = codecs.getincrementaldecoder("utf-8")(), False
        try:
            for chunk in self._chunks():
                has_letters = has_letters or not chunk.isascii()
                decoder.decode(chunk)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            return False
        return has_letters

    def _chunks(self) -> Iterator[bytes]:
        packed: Any = _PACKED.get(Path(self.name).suffix.lower())
        try:
            with open_file(self.name) as file, pa.input_stream(file, compression=packed) as stream:
                while chunk := stream.read(_CHUNK_BYTES):
                    yield chunk
        except OSError as error:
            raise self._error(f"{self.name} is incomplete") from error

    def _first_lines(self, start: bytes, encoding: str) -> list[str]:
        """Return the first lines of the file, whatever they end in."""
        try:
            usual = {"utf-8": "utf-8-sig"} if start[:2] in _MARKS else {"utf-8": "utf-8-sig", "utf-16": "utf-16-le"}
            text = codecs.getincrementaldecoder(usual.get(encoding, encoding))().decode(start)
        except UnicodeError as error:
            raise self._not_text(encoding, start) from error
        return text.replace("\r\n", "\n").split("\n") if "\n" in text else text.split("\r")

    def _columns(self, header: str, delimiter: str) -> tuple[str, ...]:
        """Return the columns of a header; one without a name, such as the index of pandas, gets a name that no column has."""
        try:
            named = next(csv.reader([header], delimiter=delimiter, quotechar=self.settings.quote or '"'))
        except csv.Error as error:
            raise self._error(f"the header of {self.name}: {error}") from error
        if twice := {name for name in named if name and named.count(name) > 1}:
            raise self._error(f"{self.name} has several columns named {', '.join(sorted(twice))}", hint="rename them")
        return tuple(name or f"(without a name, {place})" for place, name in enumerate(named))

    def _check_header(self, found: Dialect, below: Sequence[str]) -> None:
        """Refuse a first line that is a row of values, or a title above the table."""
        if any(_VALUE.fullmatch(one.strip()) for one in found.columns):
            names = ", ".join(f'"column_{place + 1}"' for place in range(len(found.columns)))
            raise self._error(
                f"{self.name} seems to have no header: its first line holds values, expected names of columns",
                hint=f"name its columns, in order: {self._section} names = [{names}]",
            )
        below = [line for line in below if line.strip()][-_LINES_LOOKED_AT:]
        if len(found.columns) == 1 and len(below) > 1 and all(_is_wide(line) for line in below):
            raise self._error(
                f"the first line of {self.name} has one column, and the lines below have more",
                hint=f"pass over the lines above the header: {self._section} skip = 1",
            )

    def _not_text(self, encoding: str, start: bytes = b"") -> InputError:
        if len(start.translate(None, _OF_WINDOWS)) < len(start):
            return self._other_encoding("neither UTF-8 nor Latin-1, and may be Windows-1252", "WINDOWS-1252")
        return self._error(
            f"{self.name} is not {encoding.upper()} text",
            hint=f'name its encoding, as in {self._section} encoding = "latin-1"; known are {", ".join(ENCODINGS.values())}',
        )

    def _other_encoding(self, words: str, name: str) -> InputError:
        """Return the error for an encoding that DuckDB does not read."""
        packed = "the unpacked file" if Path(self.name).suffix.lower() in _PACKED else Path(self.name).name
        return self._error(
            f"{self.name} is {words}", hint=f"save it as UTF-8, as with: iconv -f {name} -t UTF-8 {packed} > utf8.csv"
        )

    @property
    def _section(self) -> str:
        return f"[{self.subject.section}.format]"

    def _error(self, words: str, hint: str = "") -> InputError:
        what, usual = self.subject.unreadable
        return InputError(f"{what}: {words}", hint=hint or usual)


@dataclass(frozen=True)
class _Marks:
    """What the bytes of a file tell; without quotes, also whether each line has a field for each column."""

    has_quotes: bool
    has_escaped_quotes: bool
    has_mixed_ends: bool
    are_regular: bool


@dataclass(frozen=True)
class _Fault:
    """What is wrong with a reading of a file; of rows with another number of fields, the most that one has, where it is known."""

    words: str
    is_of_quotes: bool = True
    widest: int = 0


def _above_header(lines: Sequence[str]) -> int:
    """Return how many lines at the top only say how the file is to be opened, or are comments."""
    return next((place for place, line in enumerate(lines) if not re.match(r"sep=.?\s*$|#\s|#$", line)), 0)


def _is_wide(line: str) -> bool:
    return any(mark in line for mark in _DELIMITERS)
