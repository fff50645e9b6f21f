"""Tables of awkward texts, and the same table in every form that a log may have."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import strategies as st

from tests.features.oracles.reading import Cells, Reader

FIRST_DAY, CUTOFF, END = date(2026, 4, 2), date(2026, 6, 1), date(2026, 12, 31)
ZONES, NAIVE_ZONES = ("UTC", "Asia/Kolkata", "America/New_York"), ("UTC", "Europe/Berlin")
OPTIONAL = ("amount", "count", "device_model", "app_version", "channel")
_INTEGER, _JSON_NUMBER = r"-?(0|[1-9]\d{0,17})", r"-?(0|[1-9]\d*)(\.\d+)?([eE][-+]?\d+)?"

_TEXTS = st.one_of(
    st.sampled_from(
        [
            *("007", "7", "17850", "17850.0", "1.10", "1.1", "1e3", "-0", "1234567890.1600000000", "9007199254740993"),
            *("9007199254740992", "12345678901234567890", "550E8400-E29B-41D4-A716-446655440000", "2026-01-05", "t"),
            *(
                "O'Brien",
                '"',
                '""',
                'say "hi"',
                "a,b",
                "a;b|c",
                "a\tb",
                "two\nlines",
                "a,b\nc,d",
                "\r\n",
                "\\",
                'a\\"b',
            ),
            *(
                "日本 👩‍💻",
                "NULL hypothesis",
                "nan",
                r"\N",
                "None",
                "[1, 2]",
                "true",
                " padded ",
                "#hash",
                "'",
                "{}",
                "0x10",
            ),
            *("Infinity", "Flat 2, door 3\nSpringfield, IL", "x=1", "é", "e\u0301", "\u00a0", "-", "1,5", "%s", ":n"),
        ]
    ),
    st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=6),
)
_NO_VALUE = st.sampled_from([None, "", " ", "NULL", r"\N", "None", "nan"])
_FORMS = (
    *("%Y-%m-%d", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%d %H:%M:%S.%f", "%Y-%m-%dT%H:%M:%S+02:00"),
    *("%Y-%m-%d %H:%M:%S -0500", "  %Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M", "%Y%m%d", "%Y%m%d%H%M", "%Y%m%d%H%M%S"),
    *("%a, %d %b %Y %H:%M:%S +0000", "%d/%b/%Y:%H:%M:%S +0200", "%G-W%V-%u", "%Y-%m-%d %H:%M:%S UTC"),
)
_EPOCHS = (1, 10**3, 10**6, 10**9)
_NO_TIMES = ("05/06/2026", "yesterday", "12", "2026-13-01", "2026-02-30 10:00:00", "2031-01-01", "1850-01-01", "0")


@st.composite
def _times(draw: st.DrawFn) -> str | None:
    days = st.datetimes(datetime(2026, 4, 2), datetime(2026, 5, 31))  # noqa: DTZ001 -- its zone is in its form
    at = draw(days).replace(microsecond=draw(st.sampled_from([0, 0, 500_000, 123_456])))
    epoch = int(at.replace(microsecond=0, tzinfo=UTC).timestamp())
    usual = st.sampled_from([at.strftime(form) for form in _FORMS] + [str(epoch * scale) for scale in _EPOCHS])
    return draw(st.one_of(*[usual] * 8, st.sampled_from(_NO_TIMES), _NO_VALUE))


_DECIMALS = st.decimals(-10_000, 10_000, places=3).map(str)
_COLUMNS: Mapping[str, st.SearchStrategy[str | None]] = {
    "user_id": st.one_of(*[_TEXTS] * 6, _NO_VALUE),
    "event_time": _times(),
    "event_type": st.one_of(st.sampled_from(["open", "buy", "OPEN"]), _TEXTS, _NO_VALUE),
    "amount": st.one_of(
        *[_DECIMALS] * 4,
        st.sampled_from(["0", ".5", "5.", "+5", "1e3", "0.000001", "0.1234567890123456789", "-0.0", " 9.5 ", "1" * 12]),
        st.sampled_from(["1,000", "free", "inf", "£5", "1 000", "0x10", "--5"]),
        _NO_VALUE,
    ),
    "count": st.one_of(
        *[st.integers(1, 1000).map(str)] * 4,
        st.sampled_from(["0", "-1", "3.0", "2.5", "1e2", "9007199254740993", "9" * 25, "+4", " 5 ", "many", "007"]),
        _NO_VALUE,
    ),
    "device_model": st.one_of(st.none(), _TEXTS),
    "app_version": st.one_of(st.sampled_from(["1.10", "1.1", "2", "2.0", "007"]), _TEXTS, st.none()),
    "channel": st.one_of(*[st.none()] * 9, _TEXTS),
}
_GOOD = {"user_id": "anna", "event_time": "2026-05-05 10:00:00", "event_type": "open"}


@dataclass(frozen=True)
class Table:
    """Rows of texts, split into files, and the zones that they are read in."""

    files: tuple[tuple[Cells, ...], ...]
    columns: tuple[str, ...]
    zone: str
    naive_zone: str

    @property
    def rows(self) -> list[Cells]:
        return [row for file in self.files for row in file]

    @property
    def reader(self) -> Reader:
        return Reader(self.zone, self.naive_zone, END)

    def columns_of(self, place: int) -> list[str]:
        """Columns of a file: one that it holds nothing of may be missing, and their order is its own."""
        file = self.files[place]
        held = [name for name in (*self.columns, "n") if place == 0 or any(row[name] is not None for row in file)]
        return held[place % len(held) :] + held[: place % len(held)]


@st.composite
def tables(draw: st.DrawFn) -> Table:
    """From one row to some dozens in 1 to 30 files; one of them is valid."""
    columns = (*("user_id", "event_time", "event_type"), *draw(st.lists(st.sampled_from(OPTIONAL), unique=True)))
    given = st.fixed_dictionaries({name: _COLUMNS[name] for name in columns})
    good = dict.fromkeys(columns) | _GOOD
    rows = draw(st.permutations([good, *draw(st.lists(given, min_size=6, max_size=40))]))
    count = draw(st.sampled_from([1, 2, 3, 7, 30]))
    numbered = [row | {"n": str(place)} for place, row in enumerate(rows)]  # no file is a copy of another
    files = [tuple(numbered[place::count]) for place in range(count)]
    zones = draw(st.sampled_from(ZONES)), draw(st.sampled_from(NAIVE_ZONES))
    return Table(tuple(file for file in files if file), columns, *zones)


def put_csv(table: Table, folder: Path, *, delimiter: str = ",") -> None:
    """Files that differ in quoting, ends of lines, byte order mark, order of columns and packing."""
    for place, file in enumerate(table.files):
        names, ends, is_quoted = table.columns_of(place), ("\n", "\r\n")[place % 2], place // 2 % 2 == 1
        lines = [names, *([row[name] or "" for name in names] for row in file)]
        cells = [[_cell(text, delimiter, is_quoted=is_quoted) for text in line] for line in lines]
        text = "".join(delimiter.join(line) + ends for line in cells)
        content = text.encode("utf-8-sig" if place % 5 == 3 else "utf-8")
        suffix = "csv" if delimiter == "," else "tsv"
        if place % 4 == 3:
            (folder / f"{place:02}.{suffix}.gz").write_bytes(gzip.compress(content))
        else:
            (folder / f"{place:02}.{suffix}").write_bytes(content)


def _cell(text: str, delimiter: str, *, is_quoted: bool) -> str:
    """As RFC 4180 says."""
    doubled = text.replace('"', '""')
    return f'"{doubled}"' if is_quoted or set(text) & {delimiter, '"', "\r", "\n"} else text


def put_json(table: Table, folder: Path) -> None:
    """Texts as strings, in every other file what is a number as a number; what is absent is missing, null or empty."""
    for place, file in enumerate(table.files):
        lines = [_object(table.columns_of(place), row, is_native=place % 2 == 1) for row in file]
        (folder / f"{place:02}.jsonl").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def _object(names: Sequence[str], row: Cells, *, is_native: bool) -> str:
    def value(text: str | None) -> str:
        is_number = is_native and text is not None and re.fullmatch(_JSON_NUMBER, text, re.ASCII)
        return text if is_number and text else json.dumps(text, ensure_ascii=is_native)

    held = [name for name in names if not is_native or row[name] is not None]
    return "{" + ", ".join(f'"{name}": {value(row[name])}' for name in held) + "}"


def put_parquet(table: Table, folder: Path) -> None:
    """All of it text."""
    for place, file in enumerate(table.files):
        columns = {name: pa.array([row[name] for row in file], pa.string()) for name in table.columns_of(place)}
        pq.write_table(pa.table(columns), folder / f"{place:02}.parquet")


def put_typed_parquet(table: Table, folder: Path) -> None:
    """Each column of each file in another type, where that holds the same values."""
    for place, file in enumerate(table.files):
        columns = {name: _typed(table, name, [row[name] for row in file], place) for name in table.columns_of(place)}
        pq.write_table(pa.table(columns), folder / f"{place:02}.parquet")


def _typed(table: Table, name: str, texts: Sequence[str | None], place: int) -> pa.Array[Any]:
    ways: list[Callable[[Sequence[str | None]], pa.Array[Any]]] = _WAYS.get(name, _TEXT_WAYS)
    if name == "event_time":
        ways = [lambda found: _instants(found, table.reader)]
    try:
        return ways[place % len(ways)](texts)
    except (ValueError, OverflowError, pa.ArrowException, ArithmeticError):
        return pa.array(texts, pa.string())


def _instants(texts: Sequence[str | None], reader: Reader) -> pa.Array[Any]:
    found = [None if text is None else reader.instant(text) for text in texts]
    _refuse(any(at is None for at, text in zip(found, texts, strict=True) if text is not None))
    return pa.array(found, pa.timestamp("us", tz="UTC"))


def _refuse(is_other: bool) -> None:
    if is_other:
        raise ValueError("another value")


def _integers(texts: Sequence[str | None]) -> pa.Array[Any]:
    _refuse(any(not re.fullmatch(_INTEGER, text, re.ASCII) or text == "-0" for text in texts if text is not None))
    return pa.array([None if text is None else int(text) for text in texts], pa.int64())


def _floats(texts: Sequence[str | None]) -> pa.Array[Any]:
    _refuse(any(not re.fullmatch(_JSON_NUMBER, text, re.ASCII) for text in texts if text is not None))
    return pa.array([None if text is None else float(text) for text in texts], pa.float64())


def _whole_floats(texts: Sequence[str | None]) -> pa.Array[Any]:
    """As a column of integers with a gap is kept."""
    _refuse(any(abs(number) >= 2**53 for number in _integers(texts).to_pylist() if number is not None))
    return _floats(texts)


def _decimals(texts: Sequence[str | None]) -> pa.Array[Any]:
    _refuse(any(not re.fullmatch(_JSON_NUMBER, text, re.ASCII) for text in texts if text is not None))
    return pa.array([None if text is None else Decimal(text) for text in texts])


def _bytes(texts: Sequence[str | None]) -> pa.Array[Any]:
    return pa.array([None if text is None else text.encode() for text in texts], pa.binary())


def _dictionary(texts: Sequence[str | None]) -> pa.Array[Any]:
    return pa.array(texts, pa.string()).dictionary_encode()


_TEXT_WAYS = [_dictionary, _bytes, lambda texts: pa.array(texts, pa.large_string())]
_WAYS = {
    "user_id": [_integers, _whole_floats, _bytes, _dictionary],
    "count": [_integers, _whole_floats],
    "amount": [_floats, _decimals],
}
