"""How many users to hold out: what a list can show with them and by when, and what leaving them alone costs at most."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from serving.settings import HoldoutSettings
from serving.weekly.account.confidence_sequence import (
    SEASON_WEEKS,
    Season,
    detectable,
    holdout_share,
    points,
)
from serving.weekly.arms import Epoch
from serving.weekly.list_ledger import PastList

DEFAULT_SHARE = 0.1
_NEW_PER_WEEK = (
    0.3  # of a list, where no earlier list tells; seen in the world of make demo: 0.27 to 0.4 from the third week on
)
_WEEKS = {"month": 4, "quarter": 13, "year": 52}
_COSTED_EFFECT = 0.05  # where the team names none


@dataclass(frozen=True)
class HoldoutPlan:
    """What is to be expected of the lists of a project.

    Attributes
    ----------
    season
        Expected first entries of 26 weeks, or of as many as it takes until the first outcome is known; None: nobody is on a list.
    """

    settings: HoldoutSettings
    season: Season | None

    @classmethod
    def of(
        cls,
        settings: HoldoutSettings,
        past: Sequence[PastList],
        *,
        probabilities: Sequence[float],
        days_to_outcome: int,
    ) -> HoldoutPlan:
        """Expect of later weeks what earlier ones brought.

        Parameters
        ----------
        probabilities
            Churn probability of everybody who is on a list this week.
        days_to_outcome
            From an entry until its outcome is final: gap, horizon and grace.
        """
        size = len(probabilities)
        if not size:
            return cls(settings, None)
        new = new_per_week(past)
        per_week = _NEW_PER_WEEK * size if new is None else new
        weeks_to_outcome = max(1, -(-days_to_outcome // 7))
        entries = np.full(max(SEASON_WEEKS, weeks_to_outcome), per_week)
        entries[:: _WEEKS[settings.epoch]] = size  # in the first week of an epoch everybody enters
        rate = float(np.clip(np.mean(probabilities), 0.001, 0.999))
        return cls(settings, Season(entries, rate, weeks_to_outcome))

    def epoch(self) -> Epoch:
        """Return the share for an epoch that starts now, and why it is that."""
        asked = self.settings
        if asked.share is not None:
            return Epoch(asked.share, "[holdout] share")
        if asked.smallest_effect is None or not self.season:
            return Epoch(DEFAULT_SHARE, "the default")
        effect = min(asked.smallest_effect / 100, self.season.churn_rate)
        share = round(holdout_share(self.season, effect), 4)
        return Epoch(share, f"so that {points(effect)} points are shown within {self.season.weeks} weeks")

    def words(self, share: float) -> str:
        """Say what a share can show and by when, and what it costs at most."""
        if not share:
            return "nobody is held out: whether contacting helps cannot be told"
        if not self.season:
            return "nobody is on a list: what the holdout can show is not known yet"
        found, weeks = detectable(self.season, share), self.season.weeks
        effect = (self.settings.smallest_effect or 0) / 100 or _COSTED_EFFECT
        lost = self.season.lost(share, effect=effect)
        saved = f"if contacting saves {points(effect)} of 100"
        costs = f"{saved}, the control group costs {_users(lost)} in {weeks} weeks, who would have stayed"
        if np.isnan(found[-1]):
            return f"too few users to show any effect within {weeks} weeks; {costs}"
        shown = f"an effect of {points(float(found[-1]))} points or more within {weeks} weeks"
        enough = np.flatnonzero(found <= effect)
        by = f", {points(effect)} points by week {int(enough[0]) + 1}" if len(enough) else ""
        return f"{shown}{by}; {costs}"


def _users(number: float) -> str:
    return "1 user" if round(number) == 1 else f"{number:,.0f} users"


def new_per_week(past: Sequence[PastList]) -> float | None:
    """Return how many users enter for the first time in a week that is not the first of its epoch; None where no list tells."""
    seen: dict[str, set[str]] = {}
    counts: dict[tuple[str, object], int] = {}
    firsts: dict[str, object] = {}
    for one in past:
        users, known = set(one.arms()), seen.setdefault(one.epoch, set())
        firsts.setdefault(one.epoch, one.cutoff)
        if firsts[one.epoch] != one.cutoff:
            week = (one.epoch, one.cutoff)
            counts[week] = counts.get(week, 0) + len(users - known)
        known |= users
    return float(np.mean([*counts.values()])) if counts else None
