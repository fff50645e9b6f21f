"""Whether a quoted value over several lines is one value, or rows that an open quote swallowed.

Each line of swallowed rows has the fields of a row, but so may those of an address. A log has a column of times, so the columns
whose values begin with a digit tell them apart: a line that has something else there is no row.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

_DIGIT = re.compile(r'\s*"?[-+]?\d')
BEGINS_WITH_DIGIT = r"^\s*[-+]?\d"
_MOST = 0.5


def are_rows(record: str, shares: Sequence[float | None], *, delimiter: str) -> bool:
    r"""Tell whether the lines below the first of a record may be rows.

    Parameters
    ----------
    record
        The fields of a row, joined by the delimiter as they are written without quotes.
    shares
        For each column the share of values, 0 to 1, that begin with a digit in the rows of one line; None: there is no such row.

    Examples
    --------
    >>> are_rows("u1,2026-01-05,tv\nu2,2026-01-05,tv", [0, 1, 0], delimiter=",")
    True
    >>> are_rows("u1,2026-01-05,ring\na,b,c", [0, 1, 0], delimiter=",")
    False
    """
    lines = [line.split(delimiter) for line in record.split("\n") if line.strip()]
    if len(lines) < 2 or any(len(line) < len(shares) for line in lines):  # noqa: PLR2004 -- a row, and one below
        return False
    known = [share if share is not None else float(_begins(lines[0], place)) for place, share in enumerate(shares)]
    if max(known) <= _MOST:
        return True
    telling = [place for place, share in enumerate(known) if share == max(known)]
    return all(_begins(line, place) for line in lines[1:] for place in telling)


def _begins(line: Sequence[str], place: int) -> bool:
    return _DIGIT.match(line[place]) is not None
