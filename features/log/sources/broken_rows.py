"""Rows of a CSV file that have more or fewer fields than the file has columns: each is set aside whole, with its reason.

The bytes of a file without quotes tell that it has none of them: every line has as many delimiters as any other. Where they do not
tell it, the file is parsed once; one that has such rows is read with room for all of their fields.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from features.sql import identifier, literal

FAULT = "_log_fault"  # the column with the reason for which a row of such a file is set aside
TEXT = "_log_text"  # and the one with its fields, as they stand
TOO_FEW, TOO_MANY = "the row has too few fields", "the row has too many fields"
FAULTS = (TOO_FEW, TOO_MANY)
ABSENT = "\x01a field that is not there\x02"  # what no file holds: DuckDB reads it, and missing fields, as null
_ROOM = "_log_field_"
_NEWLINE = 10


def room(columns: Sequence[str], *, widest: int) -> list[str]:
    """Return names for the fields that the widest row has beyond the columns of the file."""
    return [f"{_ROOM}{place}" for place in range(len(columns), widest)]


def with_faults(reader: str, columns: Sequence[str], *, more: Sequence[str], delimiter: str) -> str:
    """Return the FROM clause of rows with :data:`FAULT`, null where a row has a field for each column, and :data:`TEXT`.

    Parameters
    ----------
    reader
        FROM clause in which a field that is not there is null, and an empty one an empty text.
    more
        The columns of :func:`room`.
    """
    present = ", ".join(f"nullif({name}, '') as {name}" for name in map(identifier, columns))
    fields = ", ".join(map(identifier, (*columns, *more)))
    # one delimiter at the end of a row, with nothing behind it, is none to DuckDB either
    beyond = [f"{more[0]} <> ''", *(f"{name} is not null" for name in more[1:2])] if more else []
    too_many = f"when {' or '.join(beyond)} then {literal(TOO_MANY)}" if more else ""
    fault = f"case when {identifier(columns[-1])} is null then {literal(TOO_FEW)} {too_many} end"
    without = f" exclude ({', '.join(more)})" if more else ""
    return (
        f"(select *{without} replace ({present}), {fault} as {FAULT}, concat_ws({literal(delimiter)}, {fields}) as {TEXT} "
        f"from {reader})"
    )


@dataclass
class LineCheck:
    """Tells from the bytes of a text without quotes whether each line has a field for each column.

    Attributes
    ----------
    fields
        Number of columns.
    skip
        Lines at the top that are passed over.
    are_regular
        No line so far has another number of fields; a line that is empty counts as one that has.
    """

    delimiter: bytes
    fields: int
    skip: int = 0
    are_regular: bool = True
    _begun: int = 0
    _has_ended: bool = True

    def read(self, chunk: bytes) -> None:
        """Look at the next bytes."""
        values = np.frombuffer(chunk, np.uint8)
        self._has_ended = chunk.endswith(b"\n")
        marks = values[(values == _NEWLINE) | (values == ord(self.delimiter))]
        ends = np.flatnonzero(marks == _NEWLINE)
        sizes = np.diff(ends, prepend=-1 - self._begun)
        self.are_regular = self.are_regular and bool((sizes[self.skip :] == self.fields).all())
        self.skip = max(self.skip - len(ends), 0)
        self._begun = len(marks) - 1 - int(ends[-1]) if len(ends) else self._begun + len(marks)

    def end(self) -> bool:
        """Return whether all lines are regular, the last one too, which need not end."""
        return self.are_regular and (self._has_ended or self._begun == self.fields - 1)
