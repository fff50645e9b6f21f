"""What a user should know of a log that was read: copies, strays, and the rows that were set aside, with the form of their values."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping

from features.log.inventory import FileInventory, LogInventory
from features.log.sources.broken_rows import TOO_MANY
from features.log.sources.times import meanings
from features.log.validation import AMBIGUOUS_ZONE, FUTURE, NULL_MARKER
from features.settings import EventsSettings

Sample = Callable[[str, str], tuple[int, str | None]]
_MAX_REASONS, _MAX_FORM = 6, 40
_MAX_EARLY_SHARE = 0.01
_OF_COUNTS = ((r"-?\d+\.\d+", "a fraction, expected a whole number"),)
_OF_TIMES = (
    (r"[34]\d{4}(\.\d+)?", "a day number of spreadsheets? timestamp '1899-12-30' + to_seconds(86400 * {column})"),
    (r"6\d{17}", "ticks of .NET? make_timestamp((cast({column} as bigint) - 621355968000000000) // 10)"),
    (r"1[23]\d{16}", "a file time of Windows? make_timestamp((cast({column} as bigint) - 116444736000000000) // 10)"),
    (r"\d{9}(\.\d+)?", "seconds since 2001? to_timestamp(978307200 + {column}); since 1970: to_timestamp({column})"),
)
_FORMS = (
    (r"\d\d?/\d\d?/\d{4}", "day or month first? name its format: strptime({column}, '%d/%m/%Y')"),
    (r"\d\d?/\d\d?/\d{4} \d\d?:\d\d.*", "day or month first? name its format: strptime({column}, '%d/%m/%Y %H:%M:%S')"),
    (r"\d\d?/\d\d?/\d\d( .*)?", "name its format: strptime({column}, '%m/%d/%y')"),
    (r"\d\d?\.\d\d?\.\d{2,4}( .*)?", "name its format: strptime({column}, '%d.%m.%Y')"),
    (r".*\d ?[AaPp][Mm]", "name its format: strptime({column}, '%Y-%m-%d %I:%M:%S %p')"),
    (r"\d{12}", "name its format: strptime({column}, '%y%m%d%H%M%S')"),
    (r"-?\d{1,3}(\.\d{3})*,\d+", 'a comma before decimals: [events.format] decimal = ","'),
    (r"-?\d{1,3}(,\d{3})+(\.\d+)?", "commas between thousands: replace({column}, ',', '')"),
    (r"\d+:\d\d(:\d\d)?(\.\d+)?", "a time of day for a duration: epoch(cast({column} as time))"),
    (r"[^\d\w\s-]\s?[\d.,]+|[\d.,]+\s?[^\d\w\s]", "remove the unit: regexp_replace({column}, '[^0-9.-]', '', 'g')"),
)
_FORMS_OF = {"event_time": _OF_TIMES, "ingested_at": _OF_TIMES, "count": _OF_COUNTS}


def notes_on(
    inventory: LogInventory, settings: EventsSettings, *, copies: Mapping[str, str], repeated: int, sample: Sample
) -> Iterator[str]:
    """Yield a sentence for each thing that a user should know.

    Parameters
    ----------
    copies
        File that was not read to the file that it repeats.
    repeated
        Rows whose event id came before.
    sample
        Returns the first row of a file that was rejected for a reason, and its value.
    """
    for copy, original in copies.items():
        yield f"{copy} has the same content as {original}: its rows count once"
    if repeated:
        yield f"{repeated:,} {'row repeats' if repeated == 1 else 'rows repeat'} the event id of another: each id counts once"
    yield from (one.describe() for one in inventory.strays(settings))
    yield from _early(inventory)
    yield from rejected_notes(inventory, settings, sample=sample)
    yield from _emptied(inventory)


def rejected_notes(inventory: LogInventory, settings: EventsSettings, *, sample: Sample) -> Iterator[str]:
    """Yield a sentence for each reason for which rows were set aside, the most frequent first."""
    mapping = settings.mapping()
    for reason, count in sorted(inventory.rejected.items(), key=lambda one: -one[1])[:_MAX_REASONS]:
        file = next(file for file in inventory.files if reason in file.rejected)
        yield f"set aside {count:,} x {reason}{_where(reason, file, mapping=mapping, sample=sample)}"


def _early(inventory: LogInventory) -> Iterator[str]:
    """Yield a sentence, or a warning, where rows became known before they happened."""
    if share := inventory.early_share:
        words = f"ingested_at is before event_time in {100 * share:.2g} % of the rows, which count from event_time on"
        hint = ": check that both are of one zone, and in the right columns" if share > _MAX_EARLY_SHARE else ""
        yield f"{'warning: ' if hint else ''}{words}{hint}"


def _emptied(inventory: LogInventory) -> Iterator[str]:
    """Yield a warning for each file of which a reason leaves nothing."""
    for file in inventory.files:
        if file.rejected and not file.days:
            (reason, count) = max(file.rejected.items(), key=lambda one: one[1])
            yield f"warning: every row of {file.name} is set aside, most of them ({count:,}) as {reason}"


def _where(reason: str, file: FileInventory, *, mapping: Mapping[str, str], sample: Sample) -> str:
    """Return where the first such row is, the form of its value, and what would read it."""
    row, value = sample(file.name, reason)
    where = f": first in {file.name}, row {row}"
    if reason == TOO_MANY:
        return f"{where}; a value that holds the delimiter must be in quotes"
    column = reason.partition(" ")[0]
    if value is None or column not in mapping:
        return where
    return f"{where}, as {_form(value)}{_way_out(reason, value, expression=mapping[column])}"


def _form(value: str) -> str:
    """Return the form of a value, which tells nothing of whom it is about.

    Examples
    --------
    >>> _form("05/06/2026 10:30 PM"), _form("anna@example.com")
    ('"99/99/9999 99:99 AA"', '"aaaa@aaaaaaa.aaa"')
    """
    form = re.sub(r"[a-z]", "a", re.sub(r"[A-Z]", "A", re.sub(r"\d", "9", value)))
    form = re.sub(r"[^\x20-\x7e]", "?", form)
    return f'"{form[:_MAX_FORM]}{"..." if len(form) > _MAX_FORM else ""}"'


def _way_out(reason: str, value: str, *, expression: str) -> str:
    if reason == AMBIGUOUS_ZONE:
        zone = re.sub(r".*?([A-Za-z]+)$", r"\1", value.strip())
        known = meanings(zone)
        means = f"{zone} may be {', '.join(known)}" if known else f"{zone} is no zone that is known"
        return f"; {means}: write the zone with SQL, or set [churn] timezone to that place"
    if reason in (FUTURE, NULL_MARKER) or not reason.endswith(("unreadable", "is absurd")):
        return ""
    column = expression if re.fullmatch(r"\w+", expression) else f'"{expression}"'
    forms = _FORMS_OF.get(reason.partition(" ")[0], ()) + _FORMS
    return next((f"; {way.format(column=column)}" for form, way in forms if re.fullmatch(form, value.strip())), "")
