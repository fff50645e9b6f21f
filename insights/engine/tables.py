"""The small tables next to the log: what acquisition costs, and what happened when."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path

from features.errors import InputError
from features.log.small_table import SmallTable
from insights.settings import AnnotationsSettings, CostsSettings


@dataclass(frozen=True)
class Spend:
    """Money that was spent on a channel.

    Attributes
    ----------
    month
        Its first day.
    """

    channel: str
    month: date
    amount: float


@dataclass(frozen=True)
class Annotation:
    """Something that happened, from the first day to the last."""

    first: date
    last: date
    label: str


@dataclass(frozen=True)
class Costs:
    """What a customer costs.

    Attributes
    ----------
    spend
        One for each channel and month, sorted; empty where there is no table.
    first, last
        Days that a table by day spans; None: the months are whole.
    shares
        Shares of a price that are not earned, by what they pay for.
    """

    spend: tuple[Spend, ...] = ()
    shares: tuple[tuple[str, float], ...] = ()
    first: date | None = None
    last: date | None = None

    @property
    def margin(self) -> float:
        """The share of a price that is earned, before marketing."""
        return 1 - sum(share for _, share in self.shares)


def read_costs(settings: CostsSettings, base: Path) -> Costs:
    """Read the table of costs, summed up by channel and month.

    Where all of its days are the first of a month, they are the months.

    Raises
    ------
    InputError
        When a row cannot be read, or says that money was earned by acquisition.
    """
    shares = tuple(sorted(settings.shares.items()))
    if not settings.path:
        return Costs(shares=shares)
    table = SmallTable("costs", settings, {"channel": "text", "spend": "number", "day": "day", "month": "day"})
    sums: dict[tuple[str, date], float] = {}
    rows = table.read(base)
    for row in rows:
        if row["spend"] < 0:
            raise InputError(
                f"[costs] spend: got {row['spend']:g}, expected no negative costs",
                hint="exclude the row with [costs] where",
            )
        key = row["channel"], (row.get("month") or row["day"]).replace(day=1)
        sums[key] = sums.get(key, 0.0) + row["spend"]
    days = [row["day"] for row in rows if "day" in row]
    ends = (min(days), max(days)) if any(day.day > 1 for day in days) else (None, None)
    return Costs(tuple(Spend(*key, amount) for key, amount in sorted(sums.items())), shares, *ends)


def read_annotations(settings: AnnotationsSettings, base: Path) -> tuple[Annotation, ...]:
    """Read the table of annotations, by date.

    Raises
    ------
    InputError
        When a row cannot be read, or ends before it begins.
    """
    if not settings.path:
        return ()
    kinds = {"day": "day", "until": "day", "label": "text"}
    rows = SmallTable("annotations", settings, kinds, optional=frozenset({"until"})).read(base)  # type: ignore[arg-type]
    found = [Annotation(row["day"], row.get("until") or row["day"], row["label"]) for row in rows]
    if wrong := [one for one in found if one.last < one.first]:
        raise InputError(f"[annotations] until: got {wrong[0].last}, expected a day from {wrong[0].first} on")
    return tuple(sorted(found, key=lambda one: (one.first, one.last, one.label)))
