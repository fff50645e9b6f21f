"""Scores and lists."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from churn.results.outcomes import plain
from churn.results.result import Result
from features.errors import CheckFailed

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

    from models.scorers.base_rate import Prediction
    from serving.weekly.changes import Changes
    from serving.weekly.checks import Concern


@dataclass(frozen=True, repr=False)
class Scoring(Result):
    """All users scored at a cutoff.

    Attributes
    ----------
    path
        Folder of the scores.
    scores
        One row per user, by user id.
    shift
        By which the probabilities follow the base rate, in log-odds, and why.
    not_refreshed_because
        Why the profile store of the service stays as it is; empty where it was refreshed.
    shadow
        Version and alias of the model that was compared, and how it scored the same users; None where none was.
    """

    name: str
    version: str
    cutoff: date
    scores: pa.Table | None = None
    path: Path = Path()
    shift: Prediction | None = None
    not_refreshed_because: str = ""
    shadow: dict[str, Any] | None = None

    @property
    def title(self) -> str:
        """What this is."""
        return "Scores"

    @property
    def store_refreshed(self) -> bool:
        """Whether the service answers from these scores now."""
        return not self.not_refreshed_because

    @property
    def scored(self) -> int:
        """Users with a score."""
        return self.scores.num_rows - self.scores.column("raw_score").null_count if self.scores is not None else 0

    @property
    def unscored(self) -> int:
        """Users without one, each with its code."""
        return self.scores.column("raw_score").null_count if self.scores is not None else 0

    def to_arrow(self) -> pa.Table:
        """Return one row per user: status, churn probability, percentile, risk band and the top three reasons."""
        from serving.batch.score import SCORE_SCHEMA

        return SCORE_SCHEMA.empty_table() if self.scores is None else self.scores

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
            **({"shadow": self.shadow} if self.shadow else {}),
        }

    @property
    def summary(self) -> dict[str, Any]:
        """The few values that people look at first."""
        found: dict[str, Any] = {
            "model": f"{self.name} version {self.version}",
            "scored": f"{self.scored:,} users at {self.cutoff}; {self.unscored:,} without a score, each with the reason",
        }
        if self.new_users:
            found["new users"] = f"{self.new_users[0]:,} of them, scored by {self.new_users[1]}"
        if self.shift:
            found["base rate"] = f"probabilities follow it by {self.shift.shift:+.3f} in log-odds: {self.shift.why}"
        found["files"] = str(self.path)
        found["service"] = self.not_refreshed_because or "answers from these scores now"
        if self.shadow:
            other = self.shadow["difference"]
            words = (
                f"version {self.shadow['version']}: {other['other_band']:,} of {other['users']:,} users in another band"
            )
            found["shadow"] = f"{words}, probability {other['mean']:+.4f} on average"
        return found

    @property
    def new_users(self) -> tuple[int, str] | None:
        """How many were scored by the model of new users, and which that is; None: nobody."""
        from serving.score import SCORED_BY

        if self.scores is None or SCORED_BY not in self.scores.column_names:
            return None
        by: list[Any] = self.scores.column(SCORED_BY).drop_null().to_pylist()
        return (len(by), by[0]) if by else None

    def _counts(self) -> dict[str, Any]:
        return {
            "model": self.name,
            "version": self.version,
            "scored": self.scored,
            "unscored": self.unscored,
            **(dict(zip(("new_users", "new_users_scored_by"), self.new_users, strict=True)) if self.new_users else {}),
            **({"base_rate_shift": self.shift.shift, "base_rate": self.shift.why} if self.shift else {}),
        }


@dataclass(frozen=True)
class WeeklyList:
    """One list of an export.

    Attributes
    ----------
    treated, held_out
        Numbers of users who are to be contacted, and who are left alone on purpose.
    excluded
        Why others who were wanted are not on it, and how many.
    below_the_cut
        Number of users who were wanted, and come after those on it.
    expected_profit, pays_from, also_by_risk
        Of a list that is ranked by profit: what contacting everybody on it should earn, the save rate from which that is above 0, and
        how many would be on a list as long that is ranked by risk.
    path
        Its folder; empty in a dry run.
    shared_reasons
        What nearly everybody on it has in common; no row repeats it.
    delivered
        Where it was taken to as well.
    not_uploaded
        Why some of those who are to be contacted are not in its upload, and how many; empty: all are.
    """

    name: str
    treated: int
    held_out: int
    excluded: dict[str, int]
    below_the_cut: int
    expected_profit: float | None = None
    pays_from: float | None = None
    also_by_risk: int | None = None
    export_id: str = ""
    path: Path = Path()
    shared_reasons: tuple[str, ...] = ()
    delivered: tuple[str, ...] = ()
    not_uploaded: dict[str, int] = field(default_factory=dict[str, int])

    @property
    def profit(self) -> dict[str, str]:
        """What contacting everybody on it should earn, in words; empty: it is ranked by risk."""
        from serving.weekly.list_page import NO_PROFIT, pays_words

        if self.expected_profit is None or self.pays_from is None:
            return {}
        if not self.treated + self.held_out:
            return {"expected profit": NO_PROFIT}
        return {
            "expected profit": f"{self.expected_profit:,.0f}; {pays_words(self.pays_from)}",
            "also by risk": f"{self.also_by_risk:,} would be on a list as long that is ranked by risk",
        }

    @property
    def counts(self) -> dict[str, int]:
        """Who is to be contacted and who is not, in words, and how many."""
        from serving.weekly.write import shown

        found = {"to be contacted": self.treated, **shown(self.not_uploaded), "held out": self.held_out}
        return found | self.excluded | {"below the cut": self.below_the_cut}

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values; ``pays_from`` is null, too, where no save rate makes the list pay."""
        return plain(asdict(self) | {"path": str(self.path) if self.export_id else None})


@dataclass(frozen=True, repr=False)
class Export(Scoring):
    """The weekly lists.

    Attributes
    ----------
    lists
        In their order.
    epoch, held_out_share
        Of the arms.
    can_show
        Which effect of contacting these lists can show with that share and by when, and what it costs at most.
    changes
        Since the batch before; None: there was none in the last days.
    concerns
        What should be checked before a list is sent.
    notes
        What a reader should know, a sentence each; as that the week is past.
    """

    lists: tuple[WeeklyList, ...] = ()
    epoch: str = ""
    held_out_share: float = 0.0
    can_show: str = ""
    changes: Changes | None = None
    concerns: tuple[Concern, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """What this is."""
        return "Weekly lists" if any(one.export_id for one in self.lists) else "Weekly lists: nothing was written"

    @property
    def treated(self) -> int:
        """Users who are to be contacted, of all lists."""
        return sum(one.treated for one in self.lists)

    @property
    def held_out(self) -> int:
        """Users who would be on a list, and are left alone on purpose."""
        return sum(one.held_out for one in self.lists)

    def to_json(self) -> dict[str, Any]:
        """Return the model, how many users were scored, and each list with its place."""
        return self._counts() | {
            "cutoff": str(self.cutoff),
            "listed": self.treated,
            "held_out": self.held_out,
            "epoch": self.epoch,
            "held_out_share": self.held_out_share,
            "can_show": self.can_show,
            "changes": self.changes.to_json() if self.changes else None,
            "concerns": [asdict(one) for one in self.concerns],
            "notes": list(self.notes),
            "lists": [one.to_json() for one in self.lists],
        }

    def to_arrow(self) -> pa.Table:
        """Return the users who are to be contacted, list after list, the riskiest first."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        tables = [pq.ParquetFile(one.path / "at_risk.parquet").read() for one in self.lists if one.export_id]
        return pa.concat_tables(tables, promote_options="default") if tables else pa.table({})


@dataclass(frozen=True, repr=False)
class ListCheck(Result):
    """Whether the folder of a list is what was written.

    Attributes
    ----------
    files
        Each with its rows and what is wrong with it.
    """

    folder: Path
    files: dict[str, dict[str, Any]]

    @property
    def title(self) -> str:
        """What this is."""
        return f"{self.folder}: {'damaged' if self.flaws else 'whole'}"

    @property
    def flaws(self) -> list[str]:
        """What is wrong, a sentence for each damaged file."""
        return [f"{name}: {found['flaw']}" for name, found in self.files.items() if found["flaw"]]

    @property
    def summary(self) -> dict[str, Any]:
        """Each file, and what is wrong with it."""
        return {name: found["flaw"] or "as written" for name, found in self.files.items()}

    def to_json(self) -> dict[str, Any]:
        """Return each file with its rows and what is wrong with it."""
        return {"folder": str(self.folder), "is_whole": not self.flaws, "files": self.files}

    def check(self) -> None:
        """Refuse a damaged list.

        Raises
        ------
        CheckFailed
            With everything that is wrong.
        """
        if self.flaws:
            raise CheckFailed(f"{self.folder}: {'; '.join(self.flaws)}", hint="export that week again: churn export")


@dataclass(frozen=True, repr=False)
class Publication(Result):
    """A release in a place that servers fetch it from.

    Attributes
    ----------
    place
        Without secrets.
    copied, bytes_copied
        Files that were not there yet, and their size.
    """

    place: str
    version: str
    copied: int
    bytes_copied: int

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        return asdict(self)

    @property
    def title(self) -> str:
        """Where it is."""
        return f"Release {self.version} is current at {self.place}"


@dataclass(frozen=True, repr=False)
class Bento(Result):
    """A Bento of the current release.

    Attributes
    ----------
    path
        Its folder, in BentoML's store.
    bytes
        Size of its content.
    """

    tag: str
    path: Path
    bytes: int

    @property
    def title(self) -> str:
        """What it is called."""
        return f"Bento {self.tag}"

    def to_json(self) -> dict[str, Any]:
        """Return tag, folder and size, and the command that makes a container image of it."""
        return asdict(self) | {"path": str(self.path), "image": f"bentoml containerize {self.tag}"}
