"""The week before a weekly list: what changed since, and what should be checked before the list is sent."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import pyarrow as pa

from churn.jobs.scores import scored
from churn.jobs.week import Week
from churn.progress import Progress, progress_of
from features.eligibility import TENURE
from features.storage.versions import current_of
from serving.batch.scored_batch import read_manifest
from serving.weekly.account.outcomes import ScoredBatch, scored_batches
from serving.weekly.at_risk_list import week_of
from serving.weekly.changes import Changes, changes
from serving.weekly.checks import Concern, LastWeek, attribute_concerns, batch_concerns, list_concerns
from serving.weekly.selection import Selection

_WEEK_DAYS = 7
_A_WEEK_BEFORE_DAYS = 10  # the batch before this one may be a few days late


@dataclass(frozen=True)
class Review:
    """A week, compared with the one before."""

    week: Week
    say: Progress

    @cached_property
    def last(self) -> ScoredBatch | None:
        """The batch of the latest lists of the last days, or, without lists, the one nearest to a week before; None: there is none.

        Scores of a day without lists, as of a ``churn score`` in between, do not take the place of those of the last lists.
        """
        project, cutoff = self.week.project, self.week.batch.cutoff
        earlier = scored_batches(project.home.ledgers(project.name), before=cutoff)
        lately = [one for one in earlier if (cutoff - one.cutoff).days <= _A_WEEK_BEFORE_DAYS]
        listed = {one.cutoff for one in self.week.past}
        if with_lists := [one for one in lately if one.cutoff in listed]:
            return with_lists[-1]
        return min(lately, key=lambda one: abs((cutoff - one.cutoff).days - _WEEK_DAYS), default=None)

    @cached_property
    def _last_rows(self) -> pa.Table | None:
        return self.last.read().select(["user_id", "risk_band"]) if self.last else None

    @property
    def bands_before(self) -> dict[str, str] | None:
        """User to the risk band of the week before."""
        rows = self._last_rows
        return None if rows is None else dict(zip(*(column.to_pylist() for column in rows.columns), strict=True))

    @cached_property
    def changes(self) -> Changes | None:
        """What changed since; None: there was no batch."""
        if self.last is None or self._last_rows is None:
            return None
        return changes(self.last.cutoff, self._last_rows, now=self._now(), by_this_model=self._rescored())

    def _now(self) -> pa.Table:
        """Return where every user is now, and whether they were too new when the batch before was scored."""
        cutoff, least = self.week.batch.cutoff, self.week.users.model.eligibility.min_tenure_days
        days = (cutoff - self.last.cutoff).days if self.last else 0
        return self.week.candidates.select(
            f"user_id, risk_band, raw_score is null and {TENURE} >= {least} as is_gone, "
            f"coalesce({TENURE} - {days} < {least}, false) as was_too_new"
        )

    def _rescored(self) -> pa.Table | None:
        """Return the users of the batch before as the model of now scores them; None: it is the model that scored them."""
        last, batch, project = self.last, self.week.batch, self.week.project
        if last is None or last.version == batch.version:
            return None
        self.say.within(f"scoring {last.cutoff} with version {batch.version} too, to tell what the new model changed")
        _, users = scored(project, last.cutoff, model=batch.version, say=progress_of(self.say.within))
        rows = users.scores.filter(users.scores.column("raw_score").is_valid())
        return rows.select(["user_id", "risk_band"])

    @cached_property
    def last_week(self) -> LastWeek | None:
        """The batch before and its lists, in numbers."""
        if self.last is None or self._last_rows is None:
            return None
        lists = [one for one in self.week.past if one.cutoff == self.last.cutoff]
        return LastWeek(
            self.last.version,
            Counter(map(str, self._last_rows.column("risk_band").to_pylist())),
            {one.name: one.as_current.entries.num_rows for one in lists},
            {one.name: self._leading(one.name) for one in lists},
        )

    def _leading(self, name: str) -> str:
        """Return the feature that led the list of the week before; empty: none, or nobody knows."""
        project = self.week.project
        folder = (
            current_of(project.home.weekly_list(project.name, week_of(self.last.cutoff), name)) if self.last else None
        )
        return str(read_manifest(folder).get("leading_reason", "")) if folder else ""

    def concerns(self) -> Iterator[Concern]:
        """Look at scores and users."""
        users = self.week.users.scores.column("user_id").combine_chunks()
        yield from batch_concerns(self.week.batch, self.week.users.scores, last=self.last_week)
        yield from attribute_concerns(users, self.week.attributes)

    def concerns_of(self, one: Selection, *, leading: str) -> Iterator[Concern]:
        """Look at a list."""
        yield from list_concerns(one.settings.name, len(one.rows), leading=leading, last=self.last_week)
