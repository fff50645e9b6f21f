"""Ten weeks of scores, lists and events in a tiny world, some of whose events are known late."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from features.storage.versions import Place
from models.definition import ChurnDefinition
from serving.batch.scored_batch import Batch, write_ledger
from serving.weekly.account.outcomes import ScoredWeek, Split, open_week, scored_batches, with_outcomes
from serving.weekly.arms import Arms
from serving.weekly.list_ledger import ListEntry, past_lists, write_entries
from tests.builders import World, values_of, world_of

FIRST, WEEKS, USERS = date(2026, 1, 5), 10, 300
HORIZON_DAYS, GRACE_DAYS = 7, 3
KEY, EPOCH, SHARE = bytes(range(32)), "2026-Q1", 0.4
DEFINITION = ChurnDefinition(HORIZON_DAYS, gap_days=0, active_within_days=0, min_tenure_days=0)
CUTOFFS = [FIRST + timedelta(weeks=week) for week in range(WEEKS)]
AS_OF = CUTOFFS[-1] + timedelta(days=DEFINITION.horizon_days + GRACE_DAYS)  # when all is final


def is_held_out(user: str) -> bool:
    """The ten lines that anybody may write."""
    digest = hmac.new(KEY, EPOCH.encode() + b"\0" + user.encode(), hashlib.sha256).digest()
    return int.from_bytes(digest[:8], "big") / 2**64 < SHARE


@dataclass
class TenWeeks:
    """A log in which some events come late, most within the grace, and the scores of each Monday."""

    folder: Path
    seed: int = 3

    def __post_init__(self) -> None:
        random = np.random.default_rng(self.seed)
        self.users = [f"u{user:03d}" for user in range(USERS)]
        inclined = random.beta(1, 3, USERS)  # to come on a day
        days = [FIRST - timedelta(days=7) + timedelta(days=day) for day in range(7 * (WEEKS + 3))]
        self.events = [
            (user, day, day + timedelta(days=int(random.choice([0, 1, 9, 30], p=[0.7, 0.1, 0.15, 0.05]))))
            for day in days
            for user, often in zip(self.users, inclined, strict=True)
            if random.random() < often
        ]
        noise = random.normal(0, 0.5, (WEEKS, USERS))
        stays = 1 - (1 - inclined) ** HORIZON_DAYS
        log_odds = np.log((1 - stays + 1e-3) / (stays + 1e-3)) + noise
        self.probability = np.round(1 / (1 + np.exp(-log_odds)), 2).clip(0.01, 0.99)  # ties
        self.percentile = 100 * self.probability.argsort(axis=1).argsort(axis=1) / USERS

    @property
    def band(self) -> np.ndarray[Any, Any]:
        return np.select([self.percentile >= 90, self.percentile >= 70], ["high", "medium"], "low")

    def churned(self, *, grace_days: int = GRACE_DAYS) -> np.ndarray[Any, np.dtype[np.bool_]]:
        """Who left, by hand: no event in the seven days that was known before the grace was over. Shape (weeks, users)."""
        left = np.ones((WEEKS, USERS), dtype=bool)
        for user, day, known in self.events:
            for week, cutoff in enumerate(CUTOFFS):
                end = cutoff + timedelta(days=HORIZON_DAYS)
                if cutoff <= day < end and known < end + timedelta(days=grace_days):
                    left[week, self.users.index(user)] = False
        return left

    @cached_property
    def world(self) -> World:
        rows = [
            {"user_id": u, "event_time": at(day), "event_type": "open", "ingested_at": at(k)}
            for u, day, k in self.events
        ]
        return world_of(self.folder, rows, churn={"horizon_days": HORIZON_DAYS})

    @property
    def ledger(self) -> Path:
        return self.folder / "home/ledger/churn"

    def write(self) -> None:
        """Keep scores and lists as an export does: on a list are the high and medium bands."""
        for week, cutoff in enumerate(CUTOFFS):
            batch = Batch(cutoff, "churn", "1", "")
            scores = self.scores(week)
            write_ledger(batch, scores=scores, place=Place(self.ledger / f"cutoff={cutoff}" / "model=churn-v1"))
            listed = scores.filter(pa.array(self.band[week] != "low"))
            arms = ["held_out" if is_held_out(user) else "treated" for user in values_of(listed, "user_id")]
            entries = listed.drop_columns(["percentile"]).append_column("arm", pa.array(arms))
            entries = entries.append_column("value", pa.array([10.0] * len(arms)))
            entry = ListEntry("at_risk", "x", EPOCH, SHARE)
            write_entries(batch, entry, entries=entries, place=Place(self.ledger / "lists" / f"w{week}" / "at_risk"))

    def scores(self, week: int) -> pa.Table:
        odds = self.probability[week] / (1 - self.probability[week])
        return pa.table(
            {
                "user_id": self.users,
                "raw_score": np.log(odds),
                "churn_probability": self.probability[week],
                "percentile": self.percentile[week],
                "risk_band": self.band[week],
            }
        )

    def weeks(self) -> list[ScoredWeek]:
        """The weeks with their outcomes, read back from the ledger."""
        activity, lists = self.world.activity(), past_lists(self.ledger / "lists", before=date.max)
        arms = Arms(KEY, EPOCH, SHARE)
        channels = {
            "device": pa.nulls(USERS, pa.string()),
            "channel": pa.array([f"<script>c{user % 3}</script>" for user in range(USERS)]),
        }
        found = []
        for batch in scored_batches(self.ledger, before=date.max):
            split = Split(EPOCH, SHARE, arms, lists=tuple(one for one in lists if one.cutoff == batch.cutoff))
            week = open_week(batch, split, definition=DEFINITION, grace_days=GRACE_DAYS)
            found.append(with_outcomes(week, activity, definition=DEFINITION, context=channels))
        return found


def at(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
