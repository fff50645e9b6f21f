"""What churned means, and for whom: one frozen definition that training, scoring and the card share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from features.activity.store import Activity
from features.eligibility import Eligibility
from features.errors import InputError
from features.settings import ChurnSettings
from features.snapshots import Coverage, LabelWindow


@dataclass(frozen=True)
class ChurnDefinition:
    """The ``[churn]`` section, frozen with every model: scoring uses this, never today's settings.

    Churned: no qualifying event in the horizon or, where an event is named, that it happened there.

    Attributes
    ----------
    horizon_days, gap_days
        The label sees ``[cutoff + gap, cutoff + gap + horizon)``.
    active_within_days, min_tenure_days, max_tenure_days
        Who is eligible, see :class:`features.eligibility.Eligibility`.
    timezone
        Cutoffs and days are local midnights of this zone.
    qualifying, event
        SQL over the event contract: which events count as staying, and which one is leaving.
    """

    horizon_days: int
    gap_days: int
    active_within_days: int
    min_tenure_days: int
    timezone: str = "UTC"
    qualifying: str = ""
    event: str = ""
    max_tenure_days: int = 0

    @classmethod
    def of(cls, churn: ChurnSettings) -> ChurnDefinition:
        """Read the ``[churn]`` section."""
        return cls(**churn.model_dump())

    def settings(self) -> dict[str, Any]:
        """Return the ``[churn]`` section that this was read from."""
        return dict(vars(self))

    @property
    def window(self) -> LabelWindow:
        """The days that the label sees."""
        return LabelWindow(self.gap_days, self.horizon_days)

    @property
    def eligibility(self) -> Eligibility:
        """The rule who is scored: one for training, evaluation and scoring."""
        limit = self.max_tenure_days
        return Eligibility(self.active_within_days, self.min_tenure_days, self.is_event, max_tenure_days=limit)

    @property
    def is_event(self) -> bool:
        """True where an event marks that a user left."""
        return bool(self.event)

    def check_finished(self, coverage: Coverage, cutoffs: Sequence[date]) -> None:
        """Refuse cutoffs whose horizon is not finished: retained users would be labelled as churned.

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

    def label_sql(self, activity: Activity, cutoffs: Sequence[date], *, known_before: date | None = None) -> str:
        """Return a SELECT of ``user_id, cutoff``: the users with the deciding event in the horizon.

        Where :attr:`is_event` these churned, else they were retained.

        Parameters
        ----------
        known_before
            Only what the log knew before this day, where it says when rows became known; default: all that is known today.

        Raises
        ------
        InputError
            When a horizon is not finished.
        """
        self.check_finished(activity.coverage, cutoffs)
        rows = ", ".join(f"(date '{c}', date '{self.window.start(c)}', date '{self.window.end(c)}')" for c in cutoffs)
        decisive = "leaving_events" if self.is_event else "qualifying_events"
        days = activity.known("days", before=f"date '{known_before}'") if known_before else activity.relation("days")
        decided = f"""select distinct user_id, cutoff from {days}
            join (values {rows}) t(cutoff, label_start, label_end) on day >= label_start and day < label_end
            where {decisive} > 0"""
        return _of_persons(decided, activity) if activity.tables.has_identities else decided


def _of_persons(decided: str, activity: Activity) -> str:
    """Extend the SELECT to every id of the same person, by what is known today: signing in is not leaving."""
    tables = activity.tables
    every_id = tables.person_today(f"from {tables.persons(activity.relation('days'))}")
    return f"""select distinct every_id.user_id, cutoff from ({decided}) decided
        join {tables.person_today("select distinct user_id from " + activity.relation("days"))} active using (user_id)
        join {every_id} every_id using (person)"""
