"""Counts that wait in memory: to write one to the file of its metric takes longer than to look a user up."""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections import Counter as Counts
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar
from weakref import WeakSet

import prometheus_client as prometheus

Row = TypeVar("Row")


class Tally(Generic[Row]):
    """What is to be counted, one row after another; :func:`write_tallies` has all of it counted.

    Attributes
    ----------
    add
        Keeps a row.
    """

    def __init__(self, count: Callable[[Sequence[Row]], None]) -> None:
        self._count = count
        self._rows: deque[Row] = deque()
        self._writing = threading.Lock()
        self.add = self._rows.append
        _TALLIES.add(self)

    def write(self) -> None:
        """Count what was kept."""
        with self._writing:
            self._count([self._rows.popleft() for _ in range(len(self._rows))])


_TALLIES: WeakSet[Tally[Any]] = WeakSet()


def write_tallies() -> None:
    """Count what every tally of this process has kept."""
    for one in tuple(_TALLIES):
        one.write()


def observe(histogram: prometheus.Histogram, values: Sequence[float]) -> None:
    """Count several values as ``histogram.observe`` counts one; the library has no public way to do it at once."""
    histogram._sum.inc(sum(values))  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
    bounds, buckets = histogram._upper_bounds, histogram._buckets  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
    for place, times in Counts(bisect_left(bounds, value) for value in values).items():
        buckets[place].inc(times)
