"""What changed since the batch before: who entered, came back, rose, stayed, fell and left, and which of it is the model's doing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, cast

import pyarrow as pa
import pyarrow.compute as pc

from serving.score import RISK_BANDS, RiskBand
from serving.weekly.at_risk_list import change

NEW, AWAY, LEFT, UNKNOWN = "too new", "away", "left", "no longer known"
BEFORE = (*RISK_BANDS, NEW, AWAY)  # rows of a matrix
NOW = (*RISK_BANDS, LEFT, UNKNOWN)  # its columns
Matrix = Mapping[tuple[str, str], int]


@dataclass(frozen=True)
class Changes:
    """Users by where they were in the batch before, and where they are now.

    Attributes
    ----------
    since
        Cutoff of the batch before.
    users
        (before, now) to number of users, both scored by the model of now: what users did.
    model
        The same users at ``since``: band by the model of then, band by the model of now; None: it is the same model.
    """

    since: date
    users: Matrix
    model: Matrix | None = None

    @property
    def counts(self) -> dict[str, int]:
        """Number of users of each kind."""
        kinds: dict[str, int] = dict.fromkeys(("entered", "came back", "rose", "stayed", "fell", "left", UNKNOWN), 0)
        for (before, now), count in self.users.items():
            kinds[_kind(before, now)] += count
        return {kind: count for kind, count in kinds.items() if count or kind != UNKNOWN}

    @property
    def moved_by_model(self) -> int:
        """Users whose band at ``since`` another model would have called differently."""
        return sum(count for (before, now), count in (self.model or {}).items() if before != now)

    def words(self) -> str:
        """Say it in a sentence."""
        found = ", ".join(f"{count:,} {kind}" for kind, count in self.counts.items())
        if self.model is None:
            return f"since {self.since}: {found}"
        scored = sum(self.model.values())
        return f"since {self.since}: {found}; the new model moved {self.moved_by_model:,} of {scored:,} users to another band"

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        moved = None if self.model is None else _listed(self.model)
        return {"since": str(self.since), "counts": self.counts, "users": _listed(self.users), "model": moved}


def changes(since: date, before: pa.Table, *, now: pa.Table, by_this_model: pa.Table | None = None) -> Changes:
    """Compare two batches.

    Parameters
    ----------
    before
        ``user_id, risk_band`` of who was scored at ``since``.
    now
        ``user_id, risk_band`` of all users; ``is_gone``, whether a user without a band has left; ``was_too_new``, whether nobody
        could have scored them at ``since``.
    by_this_model
        Like ``before``, by the model of now; None: it was this model.
    """
    users = _joined(now, before if by_this_model is None else by_this_model, names=("risk_band", "before"))
    was, band = users.column("before"), users.column("risk_band")
    before_label: Any = pc.coalesce(was, pc.if_else(users.column("was_too_new"), NEW, AWAY))
    now_label: Any = pc.coalesce(
        band, pc.if_else(pc.fill_null(users.column("is_gone"), pa.scalar(value=False)), LEFT, UNKNOWN)
    )
    is_concerned: Any = pc.or_(pc.is_valid(was), pc.is_valid(band))
    found = _counted(pa.table({"before": before_label, "now": now_label}).filter(is_concerned))
    if by_this_model is None:
        return Changes(since, found)
    model = _joined(before, by_this_model, names=("before", "now")).select(["before", "now"]).drop_null()
    return Changes(since, found, _counted(model))


def _joined(one: pa.Table, other: pa.Table, *, names: tuple[str, str]) -> pa.Table:
    """Put two bands next to each other, for everybody of either table, the first and the second under names of their own."""
    first = one.rename_columns([names[0] if name == "risk_band" else name for name in one.column_names])
    second = other.select(["user_id", "risk_band"]).rename_columns(["user_id", names[1]])
    return first.join(second, "user_id", join_type="full outer")


def _counted(pairs: pa.Table) -> Matrix:
    """Count pairs of before and now, in the order of the matrix."""
    rows: list[dict[str, Any]] = pairs.group_by(["before", "now"]).aggregate([([], "count_all")]).to_pylist()
    found = {(row["before"], row["now"]): int(row["count_all"]) for row in rows}
    return {(was, is_now): found[was, is_now] for was in BEFORE for is_now in NOW if (was, is_now) in found}


def _kind(before: str, now: str) -> str:
    """Say what one cell of a matrix is."""
    if now in (LEFT, UNKNOWN):
        return now
    if before in (NEW, AWAY):
        return "entered" if before == NEW else "came back"
    found = change(cast("RiskBand", before), cast("RiskBand", now))
    return "stayed" if found == "same" else found


def _listed(matrix: Matrix) -> list[dict[str, str | int]]:
    return [{"before": before, "now": now, "users": count} for (before, now), count in matrix.items()]
