"""What came of a fault: equal to an undisturbed run, or refused in words that name the file; and the table of all of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

import pytest

EQUAL, REFUSED = "equal", "refused by name"
PROPERTY = "fault"


@dataclass
class Outcomes:
    """Collects the outcomes of a test; :meth:`check` fails where one is neither equal nor refused.

    Attributes
    ----------
    what
        That was written or read.
    fault
        That was caused.
    """

    request: pytest.FixtureRequest
    what: str = ""
    fault: str = ""
    wrong: list[str] = field(default_factory=list[str])

    def of(self, what: str, fault: str) -> Outcomes:
        """Begin to collect the outcomes of one kind."""
        self.what, self.fault = what, fault
        return self

    def add(self, outcome: str, where: str = "") -> None:
        """Count an outcome; what is neither of the two is told with its place."""
        kind = outcome if outcome in (EQUAL, REFUSED) else "wrong"
        self.request.node.user_properties.append((PROPERTY, [self.what, self.fault, kind]))
        if kind == "wrong":
            self.wrong.append(f"{self.what}, {self.fault}, {where}: {outcome}")

    def check(self) -> None:
        """Fail with everything that went wrong."""
        assert not self.wrong, "\n\n".join(self.wrong)


def table(found: Iterable[tuple[str, str, str]]) -> list[str]:
    """Return the lines of the table, a row for each kind of output and fault."""
    counts: dict[tuple[str, str], Counter[str]] = {}
    for what, fault, kind in found:
        counts.setdefault((what, fault), Counter())[kind] += 1
    head = ("what", "fault", "times", EQUAL, REFUSED, "wrong")
    rows = [
        (what, fault, *map(str, (count.total(), count[EQUAL], count[REFUSED], count["wrong"])))
        for (what, fault), count in counts.items()
    ]
    widths = [max(len(row[column]) for row in [head, *rows]) for column in range(len(head))]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in [head, *rows]
    ]
