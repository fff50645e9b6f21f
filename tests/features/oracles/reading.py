"""What the text of a cell means under the contract, in plain Python, from the guide on own logs; no code of the engine."""

from __future__ import annotations

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from tests.features.oracles.past import midnight

Cells = Mapping[str, str | None]
NULL_WORDS = {
    *("NULL", "null", "Null", r"\N", "None", "none", "NaN", "nan", "NAN", "NaT", "<NA>", "<null>", "(null)", "[null]"),
    *("#N/A", "N/A", "n/a", "undefined", "(not set)"),
}
_CALENDAR = {8: "%Y%m%d", 10: "%Y%m%d%H", 12: "%Y%m%d%H%M", 14: "%Y%m%d%H%M%S"}
_WRITTEN = (
    "%a, %d %b %Y %H:%M:%S %z",
    "%d/%b/%Y:%H:%M:%S %z",
    "%Y-%m-%d %H:%M:%S %z",
    "%Y-%m-%d %H:%M:%S UTC",
    "%G-W%V-%u",
)
_READ = ("event_time", "count", "amount")  # the others are texts
_INTEGER, _NUMBER = r"[-+]?[0-9]+", r"[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?"


@dataclass(frozen=True)
class Reader:
    """Reads rows of texts as a log of these zones.

    Attributes
    ----------
    zone
        Of the days.
    naive_zone
        Of times that carry none.
    end
        The day at which the future begins.
    """

    zone: str
    naive_zone: str
    end: date

    def read(self, rows: Iterable[Cells]) -> tuple[list[dict[str, Any]], dict[str, int]]:
        """The valid rows in contract columns, and the number of the others by reason."""
        found = [self.row(cells) for cells in rows]
        rejected = Counter(reason for reason, _ in found if reason)
        return [row for reason, row in found if not reason], dict(sorted(rejected.items()))

    def row(self, cells: Cells) -> tuple[str | None, dict[str, Any]]:
        """Why a row is set aside (None: it is valid), and its values."""
        present = {name: None if text is None or _is_absent(name, text) else text for name, text in cells.items()}
        row: dict[str, Any] = dict(present)
        null = next((name for name in ("user_id", "event_time", "event_type") if row[name] is None), None)
        if null:
            return f"{null} is null", row
        row |= {name: text and _trimmed(text) for name, text in present.items() if name not in _READ}
        if row["user_id"] in NULL_WORDS:
            return "user_id is a word for no value", row
        row["user_id"] = re.sub(r"^(-?[0-9]+)\.0+$", r"\1", row["user_id"], flags=re.ASCII)
        readers: dict[str, Callable[[str], Any]] = dict(zip(_READ, (self.instant, whole, number), strict=True))
        for name, read in readers.items():
            text = present.get(name)
            if text is not None:
                row[name] = read(text)
                if row[name] is None:
                    return f"{name} is unreadable", row
        return self._out_of_bounds(row), row

    def _out_of_bounds(self, row: Mapping[str, Any]) -> str | None:
        at, count, amount = row["event_time"], row.get("count"), row.get("amount")
        if at >= midnight(self.end, self.zone):
            return "event_time is in the future"
        if at < datetime(1900, 1, 2, tzinfo=UTC):
            is_zero = at >= datetime(1900, 1, 1, tzinfo=UTC)
            return f"event_time is {'the zero of a calendar (1900-01-01)' if is_zero else 'absurd'}"
        if abs(at - datetime(1970, 1, 1, tzinfo=UTC)) <= timedelta(days=1):
            return "event_time is the zero of a clock (1970-01-01)"
        if count is not None and not 0 < count <= 10**9:
            return f"count is {'negative' if count < 0 else 'absurd' if count else 'zero'}"
        return "amount is absurd" if amount is not None and not abs(amount) < 10**11 else None

    def instant(self, text: str) -> datetime | None:
        """The instant that a text means; None: it has none, or more than one."""
        text = text.strip(" ")
        try:
            if re.fullmatch(r"[0-9]+(\.0)?", text):
                return self._of_digits(text.removesuffix(".0"))
            if not re.match(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text) or re.search(r"( [-+][0-9]{4}| UTC)$", text):
                return self._written(text)
            found = datetime.fromisoformat(text)
        except ValueError:
            return None
        if len(text) == 10:
            return midnight(found.date(), self.zone)
        return self._aware(found)

    def _written(self, text: str) -> datetime | None:
        for form in _WRITTEN:
            try:
                found = datetime.strptime(text, form)  # noqa: DTZ007 -- the zone is given below
            except ValueError:
                continue
            if form == "%G-W%V-%u":
                return midnight(found.date(), self.zone)
            return found.replace(tzinfo=UTC) if form.endswith("UTC") else found.astimezone(UTC)
        return None

    def _of_digits(self, digits: str) -> datetime | None:
        """A calendar number of this century, else an epoch that is told by its size."""
        form = _CALENDAR.get(len(digits))
        if form and digits.startswith("20"):
            at = datetime.strptime(digits, form)  # noqa: DTZ007
            return midnight(at.date(), self.zone) if len(digits) == 8 else self._aware(at)
        for size, per_second in ((10**11, 1), (10**14, 10**3), (10**17, 10**6), (9 * 10**18, 10**9)):
            if 10**8 <= int(digits) < size:
                micros = int(digits) * 10**6 // per_second
                return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=micros)
        return None

    def _aware(self, at: datetime) -> datetime:
        return (at if at.tzinfo else at.replace(tzinfo=ZoneInfo(self.naive_zone))).astimezone(UTC)


def _is_absent(name: str, text: str) -> bool:
    is_blank = all(map(_is_blank, text))
    if name in ("user_id", "event_type"):
        return is_blank
    return is_blank or text in NULL_WORDS if name in ("event_time", "count", "amount") else not text


def _is_blank(letter: str) -> bool:
    return letter <= " " or unicodedata.category(letter)[0] == "Z" or letter in "\u200b\ufeff"


def _trimmed(text: str) -> str | None:
    """A text without the blanks around it; None where nothing is left."""
    kept = [place for place, letter in enumerate(text) if not _is_blank(letter)]
    return text[kept[0] : kept[-1] + 1] if kept else None


def whole(text: str) -> int | None:
    """A whole number that 64 bits hold."""
    found = number(text)
    if found is None or not math.isfinite(found) or found != int(found):
        return None
    exact = int(text) if re.fullmatch(_INTEGER, text.strip()) else int(found)
    return exact if abs(exact) < 2**63 else None


def number(text: str) -> float | None:
    """A number; the words for infinity are numbers too, of no bounds."""
    text = text.strip()
    is_number = re.fullmatch(_NUMBER, text) or re.fullmatch(r"[-+]?inf(inity)?", text, re.IGNORECASE)
    return float(text) if is_number else None
