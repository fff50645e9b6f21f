"""Scores and lists."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from churn.results.result import Result

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

    from models.scorers.base_rate import Prediction
    from serving.score import Score


@dataclass(frozen=True, repr=False)
class Scoring(Result):
    """All users scored at a cutoff.

    Attributes
    ----------
    path
        Folder of the scores; of an export, folder of the list.
    scores
        One per user, by user id.
    shift
        By which the probabilities follow the base rate, in log-odds, and why.
    not_refreshed_because
        Why the profile store of the service stays as it is; empty where it was refreshed.
    """

    name: str
    version: str
    cutoff: date
    scores: list[Score] = field(default_factory=list["Score"])
    path: Path = Path()
    shift: Prediction | None = None
    store_refreshed: bool = False
    not_refreshed_because: str = ""

    @property
    def title(self) -> str:
        """What this is."""
        return "Scores"

    @property
    def scored(self) -> int:
        """Users with a score."""
        return sum(one.status == "scored" for one in self.scores)

    @property
    def unscored(self) -> int:
        """Users without one, each with its code."""
        return len(self.scores) - self.scored

    def to_arrow(self) -> pa.Table:
        """Return one row per user: status, churn probability, percentile, risk band and the top three reasons."""
        from serving.batch.score import to_table

        return to_table(self.scores)

    def to_pandas(self) -> pd.DataFrame:
        """Return the same as a DataFrame."""
        return self.to_arrow().to_pandas()

    def to_json(self) -> dict[str, Any]:
        """Return the model, how many users were scored, and where the scores are."""
        return self._counts() | {
            "cutoff": str(self.cutoff),
            "path": str(self.path),
            "store_refreshed": self.store_refreshed,
            **({"not_refreshed_because": self.not_refreshed_because} if self.not_refreshed_because else {}),
        }

    def _counts(self) -> dict[str, Any]:
        return {
            "model": self.name,
            "version": self.version,
            "scored": self.scored,
            "unscored": self.unscored,
            **({"base_rate_shift": self.shift.shift, "base_rate": self.shift.why} if self.shift else {}),
        }


@dataclass(frozen=True, repr=False)
class Export(Scoring):
    """The weekly list.

    Attributes
    ----------
    listed
        The users at risk, the riskiest first.
    """

    listed: list[Score] = field(default_factory=list["Score"])

    @property
    def title(self) -> str:
        """What this is."""
        return "Weekly list"

    def to_json(self) -> dict[str, Any]:
        """Return the model, how many users were scored and listed, and where the list is."""
        return self._counts() | {"cutoff": str(self.cutoff), "listed": len(self.listed), "path": str(self.path)}

    def to_arrow(self) -> pa.Table:
        """Return the listed users, the riskiest first."""
        from serving.batch.score import to_table

        return to_table(self.listed)
