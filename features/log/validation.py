"""The SQL that casts a log's columns to the contract and gives each invalid row a reason."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from features.log.formats import LOG_FILE
from features.schema import COLUMNS, REQUIRED
from features.sql import INTEGERS, literal

FUTURE = "event_time is in the future"
_MAX_SECONDS, _MAX_AMOUNT, _MAX_COUNT = 10**9, 10**12, 10**9
_FLOATS = {"DOUBLE": 2**53, "FLOAT": 2**24}  # below which every whole number has a value of its own
_NANOSECONDS = {"TIMESTAMP_NS": "make_timestamp", "TIMESTAMPTZ_NS": "make_timestamptz"}
_DATE_BYTES = len("2026-01-05")


def checked_sql(
    mapping: Mapping[str, str], kinds: Mapping[str, str], *, source: str, zone: str, known_until: datetime
) -> str:
    """Return a SELECT of the file, ``raw_*`` as read, the contract columns as cast, and ``reason`` (null: the row is valid).

    Parameters
    ----------
    mapping
        Contract column to expression over the log's own columns.
    kinds
        Contract column to the DuckDB type of its expression.
    source
        FROM clause, with its WHERE.
    zone
        Zone of local days: a date is that day there.
    known_until
        UTC instant from which on an event is in the future.
    """
    raw = f"{LOG_FILE}, " + ", ".join(
        f"{present(expression, kinds[name], is_text_wanted=_is_text(name))} as raw_{name}"
        for name, expression in mapping.items()
    )
    cast = ", ".join(f"{_cast(name, kinds[name], zone=zone)} as {name}" for name in mapping)
    rules = "\n".join(f"when {condition} then {literal(why)}" for condition, why in _rules(kinds, known_until))
    return f"select *, case {rules} end as reason from (select *, {cast} from (select {raw} from {source}))"


def _is_text(name: str) -> bool:
    return name in COLUMNS and COLUMNS[name].type == "VARCHAR"


def present(expression: str, kind: str, *, is_text_wanted: bool) -> str:
    """Return an expression in which an empty text, or no number where text is wanted, is an absent value."""
    if kind == "VARCHAR":
        return f"nullif(({expression}), '')"
    if kind in _FLOATS and is_text_wanted:
        return f"case when not isnan({expression}) then ({expression}) end"
    return f"({expression})"


def _cast(name: str, kind: str, *, zone: str) -> str:
    raw = f"raw_{name}"
    if name not in COLUMNS:
        return _extra(raw, kind)
    wanted = COLUMNS[name].type
    if wanted.startswith("TIMESTAMP"):
        return instant_of(raw, kind, zone=zone)
    return text_of(raw, kind) if wanted == "VARCHAR" else _plain(raw, wanted)


def text_of(raw: str, kind: str) -> str:
    """Return a column of any type as text; null where a whole number is too large for its type to tell it from its neighbours.

    A whole number is the same text in whatever type it is read: a column of integers with a gap is one of floats elsewhere.
    """
    if kind in _FLOATS:
        whole = f"when abs({raw}) < {_FLOATS[kind]} then cast(cast({raw} as bigint) as varchar)"
        return f"case when {raw} <> trunc({raw}) then cast({raw} as varchar) {whole} end"
    if kind.startswith("DECIMAL"):
        whole = f"when {raw} = trunc({raw}) then cast(cast({raw} as hugeint) as varchar)"
        return f"case {whole} else cast({raw} as varchar) end"
    return _plain(raw, "varchar")


def _extra(raw: str, kind: str) -> str:
    """Cast an extra column: text stays text, all else is a finite number or absent."""
    return raw if kind == "VARCHAR" else f"case when isfinite(cast({raw} as double)) then cast({raw} as double) end"


def instant_of(raw: str, kind: str, *, zone: str) -> str:
    """Return a column of any type as an instant; null where it is not an instant."""
    if kind == "DATE":
        return f"timezone({literal(zone)}, cast({raw} as timestamp))"
    if kind in _NANOSECONDS:  # a cast would round, and the last half microsecond of a day would be tomorrow
        return f"cast({_NANOSECONDS[kind]}(epoch_ns({raw}) // 1000) as timestamptz)"
    if kind.removeprefix("U") in INTEGERS:
        return _from_epoch(f"cast({raw} as hugeint)")
    if kind in _FLOATS or kind.startswith("DECIMAL"):
        return _from_epoch(f"cast({raw} as double)")
    time = _from_text(raw, zone) if kind == "VARCHAR" else _plain(raw, "timestamptz")
    return f"coalesce({time}, {_from_epoch(_plain(raw, 'double'))})"


def _from_text(raw: str, zone: str) -> str:
    """Read a text without a time of day as a date is read: of what is a time, none is as short as a date."""
    date = f"timezone({literal(zone)}, {_plain(raw, 'timestamp')})"
    return f"case when strlen({raw}) <= {_DATE_BYTES} then {date} else {_plain(raw, 'timestamptz')} end"


def _plain(raw: str, wanted: str) -> str:
    return f"try_cast({raw} as {wanted})"


def _from_epoch(number: str) -> str:
    """Seconds, milliseconds, microseconds or nanoseconds since 1970, told apart by size (years 1973 to 5138); else null."""
    scales = (("1e11", " * 1000000"), ("1e14", " * 1000"), ("1e17", ""), ("9e18", " // 1000"))
    cases = " ".join(f"when {number} < {top} then cast(floor({number}{scale}) as bigint)" for top, scale in scales)
    return f"make_timestamptz(case when {number} < 1e8 then null {cases} end)"


def _rules(kinds: Mapping[str, str], known_until: datetime) -> list[tuple[str, str]]:
    """Return (condition, reason) pairs; the first that holds names the row. What is of the wanted type needs no reading."""
    missing = [(f"raw_{name} is null", f"{name} is null") for name in REQUIRED]
    unreadable = [
        (f"{name} is null and raw_{name} is not null", f"{name} is unreadable")
        for name, kind in kinds.items()
        if name in COLUMNS and kind != COLUMNS[name].type
    ]
    times = [
        (f"event_time >= timestamptz '{known_until.isoformat()}'", FUTURE),
        ("event_time < timestamptz '1900-01-01 00:00:00+00'", "event_time is absurd"),
    ]
    bounds = {
        "count": [
            ("count < 0", "count is negative"),
            ("count = 0", "count is zero"),
            (f"count > {_MAX_COUNT}", "count is absurd"),
        ],
        "duration_seconds": [
            ("duration_seconds < 0", "duration_seconds is negative"),
            (f"not (duration_seconds < {_MAX_SECONDS})", "duration_seconds is absurd"),
        ],
        "amount": [(f"not (abs(amount) < {_MAX_AMOUNT})", "amount is absurd")],
    }
    return missing + unreadable + times + [rule for name in kinds for rule in bounds.get(name, [])]
