"""The SQL that casts a log's columns to the contract and gives each invalid row a reason."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from features.log.sources.binding import Texts
from features.log.sources.source import LOG_FILE, WHY, Source
from features.log.sources.times import EARLIEST, has_abbreviation, instant_of
from features.log.sources.values import BLANKS, FLOATS, id_of, may_start_blank, text_of
from features.schema import COLUMNS, REQUIRED
from features.sql import INTEGERS, literal

FUTURE = "event_time is in the future"
KNOWN_IN_FUTURE = "ingested_at is in the future"
AMBIGUOUS_ZONE = "event_time has a zone that means several"
NULL_MARKER = "user_id is a word for no value"
DURATIONS = ("INTERVAL", "TIME")
IDS = ("user_id", "alias_id", "event_id")
_MAX_SECONDS, _MAX_AMOUNT, _MAX_COUNT = 10**9, 10**11, 10**9
# what exports write where there is no value; none of them names anybody
NULL_WORDS = (
    *("NULL", "null", "Null", r"\N", "None", "none", "NaN", "nan", "NAN", "NaT", "<NA>", "<null>", "(null)", "[null]"),
    *("#N/A", "N/A", "NA", "n/a", "undefined", "(not set)"),
)
NULLS = ", ".join(map(literal, NULL_WORDS))


BEFORE = "event_time is before [events] covered_from"
AFTER = "event_time is on or after [events] covered_until"


@dataclass(frozen=True)
class Span:
    """The instants, in UTC, between which an event may lie.

    Attributes
    ----------
    start
        None: any.
    end
        Excluded; what comes later is set aside as ``beyond``.
    known_until
        When a row became known is before this; None: at any time.
    """

    end: datetime
    start: datetime | None = None
    beyond: str = FUTURE
    known_until: datetime | None = None


def checked_sql(source: Source, *, zone: str, span: Span, kinds: Mapping[str, str] | None = None) -> str:
    """Return a SELECT of the file, ``raw_*`` as read, the contract columns as cast, and ``reason`` (null: the row is valid).

    Parameters
    ----------
    zone
        Zone of local days: a date is that day there.
    span
        The instants between which an event may lie.
    kinds
        Extra column to its type, VARCHAR or DOUBLE, where other files decide it too.
    """
    mapping, extra = source.mapping, kinds or {}
    cast = ", ".join(
        f"{_cast(name, one.kind, zone=zone, reading=source.reading, extra=extra.get(name))} as {name}"
        for name, one in mapping.items()
    )
    shown = ", ".join(f"shown_{name} as raw_{name}" for name in mapping)
    reason = reason_of(source, _rules(source, span))
    return f"""select {", ".join([LOG_FILE, *source.more])}, {shown}, {", ".join(mapping)}, {reason} as reason
        from (select *, {cast} from {present_rows(source)})"""


def present_rows(source: Source, *, ids: Collection[str] = ()) -> str:
    """Return the FROM clause of the rows of a source in which what means no value is null; ``ids`` are read as ids of users are."""
    present = ", ".join(
        f"{_present(f'raw_{name}', one.kind, name='user_id' if name in ids else name, reading=source.reading)} as raw_{name}"
        for name, one in source.mapping.items()
    )
    return f"(select * replace ({present}) from {source.rows})"


def is_text(name: str) -> bool:
    """Tell whether the contract wants text."""
    return name in IDS or (name in COLUMNS and COLUMNS[name].type == "VARCHAR")


def _present(raw: str, kind: str, *, name: str, reading: Texts) -> str:
    """Return a column in which an empty text, a word for no value, or no number where text is wanted, is null."""
    if kind in FLOATS and is_text(name):
        return f"case when not isnan({raw}) then {raw} end"
    if kind != "VARCHAR":
        return raw
    is_open = name != "event_id" and (is_text(name) or name not in COLUMNS)
    words = {"", *reading.nulls} if is_open else {"", *reading.nulls, *NULL_WORDS}
    listed = ", ".join(map(literal, sorted(words)))
    absent = f"nullif({raw}, '')" if len(words) == 1 else f"case when {raw} not in ({listed}) then {raw} end"
    if is_open and name not in REQUIRED:
        return absent
    present = raw if len(words) == 1 else absent
    return f"case when {_starts_in_ascii(raw)} then {present} when not {_is_blank(raw)} then {absent} end"


def _starts_in_ascii(raw: str) -> str:
    """Return the condition that a text starts with a letter, digit or sign of ASCII: nearly all do, and it is quickly told."""
    return f"{raw} between '!' and '~'"


def _is_blank(raw: str) -> str:
    """Return the condition that a text is blanks only; its first letter tells of most that they are not."""
    return f"case when {may_start_blank(raw)} then regexp_full_match({raw}, '{BLANKS}') else false end"


def _is_null_word(raw: str) -> str:
    """Return the condition that a text is a word for no value; none ends with a digit, as most ids do, which is quickly told."""
    return f"case when {raw}[-1] between '0' and '9' then false else {text_of(raw, 'VARCHAR')} in ({NULLS}) end"


def _cast(name: str, kind: str, *, zone: str, reading: Texts, extra: str | None) -> str:
    raw = f"raw_{name}"
    if name in IDS:
        return id_of(raw, kind)
    if name not in COLUMNS:
        return _extra(raw, kind, wanted=extra, reading=reading)
    wanted = COLUMNS[name].type
    if wanted.startswith("TIMESTAMP"):
        return instant_of(raw, kind, zone=zone)
    return text_of(raw, kind) if wanted == "VARCHAR" else _number(raw, kind, wanted=wanted, reading=reading)


def _number(raw: str, kind: str, *, wanted: str, reading: Texts) -> str:
    number = reading.number_of(raw, kind)
    if wanted == "BIGINT":
        return _whole(number, kind)
    if kind in DURATIONS:
        return f"epoch({raw})"
    clock = rf"case when regexp_full_match({raw}, '\d+:\d\d:\d\d(\.\d+)?') then epoch(try_cast({raw} as interval)) end"
    plain = f"try_cast({number} as {wanted})"
    return f"coalesce({plain}, {clock})" if kind == "VARCHAR" and raw == "raw_duration_seconds" else plain


def _whole(number: str, kind: str) -> str:
    """Return a whole number; a cast would round a fraction."""
    if kind.removeprefix("U") in INTEGERS:
        return f"try_cast({number} as bigint)"
    value = f"try_cast({number} as double)"
    return f"case when {value} = trunc({value}) then try_cast({value} as bigint) end"


def _extra(raw: str, kind: str, *, wanted: str | None, reading: Texts) -> str:
    """Cast an extra column: text stays text, all else is a finite number or absent; one that other files hold is of their type."""
    if (wanted or kind) == "VARCHAR":
        return text_of(raw, kind)
    number = f"epoch({raw})" if kind in DURATIONS else f"try_cast({reading.number_of(raw, kind)} as double)"
    return f"case when isfinite({number}) then {number} end"


def is_number_text(raw: str) -> str:
    """Return the condition that a text is a number, and no code with zeros in front."""
    return rf"regexp_full_match({raw}, '-?(0|[1-9]\d*)?(\.\d+)?([eE][-+]?\d+)?')"


def _id_rules(kind: str) -> list[tuple[str, str]]:
    """Return what is a value, and no id of a user."""
    if kind == "VARCHAR":
        return [
            (_is_null_word("raw_user_id"), NULL_MARKER),
            ("starts_with(raw_user_id, '{\"')", "user_id is an object"),
            ("starts_with(raw_user_id, '[\"') or starts_with(raw_user_id, '[{')", "user_id is a list"),
        ]
    if kind.startswith(("STRUCT", "MAP", "UNION")) and not kind.endswith("]"):
        return [("raw_user_id is not null", "user_id is an object")]
    return [("raw_user_id is not null", "user_id is a list")] if kind.endswith("]") else []


def reason_of(source: Source, rules: Iterable[tuple[str, str]]) -> str:
    """Return the SQL of why a row is set aside, null where it is not: its fault, else the first (condition, reason) that holds."""
    listed = "\n".join(f"when {condition} then {literal(why)}" for condition, why in rules)
    return f"coalesce({WHY}, case {listed} end)" if source.fault else f"case {listed} end"


def failures(source: Source) -> list[tuple[str, str]]:
    """Return (condition, reason) pairs of rows on which an expression of the settings fails."""
    where = [("failed_where", f"[{source.subject.section}] where fails on it")] if source.has_guarded_where else []
    return where + [
        (f"failed_{name}", f"{name} is unreadable") for name, one in source.mapping.items() if one.is_guarded
    ]


def _rules(source: Source, span: Span) -> list[tuple[str, str]]:
    """Return (condition, reason) pairs; the first that holds names the row. What is of the wanted type needs no reading."""
    mapping = source.mapping
    missing = [(f"raw_{name} is null", f"{name} is null") for name in REQUIRED]
    markers = _id_rules(mapping["user_id"].kind)
    zones = [(f"event_time is null and {has_abbreviation('raw_event_time')}", AMBIGUOUS_ZONE)]
    unreadable = [
        (f"{name} is null and raw_{name} is not null", f"{name} is unreadable")
        for name, one in mapping.items()
        if name in COLUMNS and (one.kind != COLUMNS[name].type or name in IDS)
    ]
    times = [
        (f"event_time >= timestamptz '{span.end.isoformat()}'", span.beyond),
        *([(f"event_time < timestamptz '{span.start.isoformat()}'", BEFORE)] if span.start else []),
        (f"event_time < timestamptz '{EARLIEST} 00:00:00+00'", "event_time is absurd"),
        ("event_time < timestamptz '1900-01-02 00:00:00+00'", "event_time is the zero of a calendar (1900-01-01)"),
        (
            "event_time between timestamptz '1969-12-31 00:00:00+00' and timestamptz '1970-01-02 00:00:00+00'",
            "event_time is the zero of a clock (1970-01-01)",
        ),
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
        "ingested_at": [(f"ingested_at >= timestamptz '{span.known_until.isoformat()}'", KNOWN_IN_FUTURE)]
        if span.known_until
        else [],
    }
    bounded = [rule for name in mapping for rule in bounds.get(name, [])]
    return (
        failures(source)
        + missing
        + markers
        + (zones if mapping["event_time"].kind == "VARCHAR" else [])
        + unreadable
        + times
        + bounded
    )
