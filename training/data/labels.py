"""Churned in the horizon? Read from activity, for cutoffs whose horizon the log covers whole."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from features.activity.store import Activity
from features.errors import InputError
from features.settings import ChurnSettings
from features.snapshots import Coverage, LabelWindow


@dataclass(frozen=True)
class ChurnLabel:
    """What churned means: no qualifying event in the horizon, or, where one is named, that the leaving event happened."""

    window: LabelWindow
    is_event: bool

    @classmethod
    def of(cls, churn: ChurnSettings) -> ChurnLabel:
        """Read the ``[churn]`` section."""
        return cls(LabelWindow(churn.gap_days, churn.horizon_days), is_event=bool(churn.event))

    def check(self, coverage: Coverage, cutoffs: Sequence[date]) -> None:
        """Refuse cutoffs whose horizon is not finished: the living would be labelled as churned.

        Raises
        ------
        InputError
            When there is one.
        """
        until = coverage.covered_until
        unfinished = [cutoff for cutoff in cutoffs if self.window.end(cutoff) > until]
        if unfinished:
            raise InputError(
                f"cutoff {unfinished[0]}: its horizon ends on {self.window.end(unfinished[0])}, the log covers up to {until}",
                hint=f"take {self.window.latest_finished(until)} or earlier",
            )

    def sql(self, activity: Activity, cutoffs: Sequence[date]) -> str:
        """Return a SELECT of ``user_id, cutoff`` of everybody who did (or suffered) the deciding event in the horizon.

        Raises
        ------
        InputError
            When a horizon is not finished.
        """
        self.check(activity.coverage, cutoffs)
        rows = ", ".join(f"(date '{c}', date '{self.window.start(c)}', date '{self.window.end(c)}')" for c in cutoffs)
        decisive = "leaving_events" if self.is_event else "qualifying_events"
        decided = f"""select distinct user_id, cutoff from {activity.relation("days")}
            join (values {rows}) t(cutoff, label_start, label_end) on day >= label_start and day < label_end
            where {decisive} > 0"""
        return _of_persons(decided, activity) if activity.tables.has_identities else decided


def _of_persons(decided: str, activity: Activity) -> str:
    """Say of every id that it did what any id of the same person did, by what is known today: signing in is not leaving."""
    tables = activity.tables
    every_id = tables.person_today(f"from {tables.persons(activity.relation('days'))}")
    return f"""select distinct every_id.user_id, cutoff from ({decided}) decided
        join {tables.person_today("select distinct user_id from " + activity.relation("days"))} active using (user_id)
        join {every_id} every_id using (person)"""
