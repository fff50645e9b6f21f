"""What a user should know of a log that was read: copies, strays, and the rows that were set aside, with the form of their values."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import PurePath

from features.log.corrections import correction_of
from features.log.formats import format_of
from features.log.inventory import FileInventory, LogInventory
from features.log.sources.broken_rows import TOO_MANY
from features.log.sources.source import Source, is_named
from features.log.sources.times import meanings
from features.log.validation import AFTER, AMBIGUOUS_ZONE, BEFORE, FUTURE, NULL_MARKER
from features.settings import EventsSettings

Sample = Callable[[str, str], tuple[int, str | None]]
_MAX_REASONS, _MAX_FORM = 6, 40
_MAX_EARLY_SHARE = 0.01


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
    yield from copy_notes(copies)
    if repeated:
        yield f"{repeated:,} {'row repeats' if repeated == 1 else 'rows repeat'} the event id of another: each id counts once"
    yield from (one.describe() for one in inventory.strays(settings))
    yield from _early(inventory)
    yield from rejected_notes(inventory, settings, sample=sample)
    yield from _emptied(inventory)


def copy_notes(copies: Mapping[str, str]) -> Iterator[str]:
    """Yield a sentence for each file that was not read, with the file that it repeats."""
    for copy, original in copies.items():
        yield f"{copy} has the same content as {original}: its rows count once"


def missing_notes(sources: Sequence[Source], settings: EventsSettings) -> Iterator[str]:
    """Yield a sentence for each column that the mapping names and some files lack; a warning where it decides which rows count."""
    total = sum(len(source.files) for source in sources)
    for name in dict.fromkeys(name for source in sources for name in source.missing):
        files = [file for source in sources if name in source.missing for file in source.files]
        first = PurePath(files[0]).name
        what = f"{first} has" if len(files) == 1 else f"{len(files)} of {total} files, {first} the first of them, have"
        if is_named(name, settings.where):
            yield f"warning: {what} no column {name}, which [events] where reads: whether their rows count is decided without it"
        readers = [one for one, expression in settings.mapping().items() if is_named(name, expression)]
        if readers:
            counts = ", and each is one event" if "count" in readers else ""
            yield f"{what} no column {name}, of which [events.columns] {' and '.join(readers)} is made: absent in their rows{counts}"


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
    """Yield a warning for each file of which a reason leaves nothing, but for those that the settings exclude."""
    for file in inventory.files:
        if file.rejected.keys() - {BEFORE, AFTER} and not file.days:
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
    way_out = _way_out(reason, value, expression=mapping[column], has_paths=format_of(file.name) == "json")
    return f"{where}, as {_form(value)}{way_out}"


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


def _way_out(reason: str, value: str, *, expression: str, has_paths: bool) -> str:
    if reason == AMBIGUOUS_ZONE:
        zone = re.sub(r".*?([A-Za-z]+)$", r"\1", value.strip())
        known = meanings(zone)
        means = f"{zone} may be {', '.join(known)}" if known else f"{zone} is no zone that is known"
        return f"; {means}: write the zone with SQL, or set [churn] timezone to that place"
    if reason in (FUTURE, NULL_MARKER) or not reason.endswith(("unreadable", "is absurd")):
        return ""
    found = correction_of(reason.partition(" ")[0], value, expression=expression, has_paths=has_paths)
    return f"; {found}" if found else ""
