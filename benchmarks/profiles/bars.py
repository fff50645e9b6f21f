"""What the figures have to reach, and whether they do: computed from what was measured, nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Sizes = Mapping[str, Mapping[str, Any]]  # size to what one run of it found
GIB = 2**30


@dataclass(frozen=True)
class Bar:
    """One figure against its bound; ``found`` is None where it was not measured."""

    what: str
    unit: str
    found: float | None
    most: float | None = None
    least: float | None = None

    @property
    def is_met(self) -> bool | None:
        """Whether the bound is kept; None: nobody knows yet."""
        if self.found is None:
            return None
        return (self.most is None or self.found <= self.most) and (self.least is None or self.found >= self.least)

    @property
    def bound(self) -> str:
        """The bound in words."""
        return f"at most {self.most:g}{self.unit}" if self.most is not None else f"at least {self.least:g}{self.unit}"


def cost(sizes: Sizes, size: str, *, step: str, of: str = "wall_seconds") -> float | None:
    """Return a measured cost, None where there is none."""
    return sizes.get(size, {}).get("steps", {}).get(step, {}).get(of)


def ratio(above: float | None, below: float | None) -> float | None:
    """Return above / below, None where one of them is not there."""
    return above / below if above is not None and below else None


def bars(sizes: Sizes) -> tuple[Bar, ...]:
    """Return every bound with what was found."""
    return (*_against_the_scan(sizes), *_twelve(sizes), *_others(sizes), _linear(sizes))


def _against_the_scan(sizes: Sizes) -> list[Bar]:
    def scans(size: str, step: str) -> float | None:
        return ratio(cost(sizes, size, step=step), cost(sizes, size, step="scan"))

    peaks = [cost(sizes, "100m", step=step, of="peak_bytes") for step in ("raw_1", "kept_1", "raw_12", "kept_12")]
    known = [peak for peak in peaks if peak is not None]
    return [
        Bar("10M: one cutoff from raw, to the scan", "x", scans("10m", "raw_1"), most=16),
        Bar("10M: one cutoff from kept, to the scan", "x", scans("10m", "kept_1"), most=6),
        Bar("100M: one cutoff from raw, to the scan", "x", scans("100m", "raw_1"), most=25),
        Bar(
            "100M: peak memory, one cutoff or twelve",
            " GiB",
            max(known) / GIB if len(known) == len(peaks) else None,
            most=8,
        ),
        Bar("10M: a new day", " s", cost(sizes, "10m", step="new_day"), most=3),
    ]


def _twelve(sizes: Sizes) -> list[Bar]:
    return [
        Bar(
            f"{size.upper()}: twelve cutoffs from {source}, to one",
            "x",
            ratio(cost(sizes, size, step=f"{source}_12"), cost(sizes, size, step=f"{source}_1")),
            most=most,
        )
        for size in ("10m", "100m")
        for source, most in (("raw", 3), ("kept", 5))
    ]


def _others(sizes: Sizes) -> list[Bar]:
    def fastest(size: str) -> float | None:
        known = [cost(sizes, size, step=step) for step in ("pandas", "plain_pandas")]
        return min((seconds for seconds in known if seconds is not None), default=None)

    return [
        Bar(
            f"{size.upper()}: pandas, to ours from raw, the same features",
            "x",
            ratio(fastest(size), cost(sizes, size, step="shared")),
            least=3,
        )
        for size in ("1m", "10m")
    ]


def _linear(sizes: Sizes) -> Bar:
    def per_event(size: str) -> float | None:
        return ratio(cost(sizes, size, step="raw_1"), cost(sizes, size, step="scan", of="events"))

    return Bar(
        "100M: cost of an event from raw, to that at 10M", "x", ratio(per_event("100m"), per_event("10m")), most=1.5
    )
