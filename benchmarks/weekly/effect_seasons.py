"""Seasons of a weekly list in which the truth is known: potential outcomes with the same random numbers, contacted or left alone.

A list holds about as many users every week; they stay for five weeks on average, and the first of 13 weeks (an epoch) deals the arms
anew, so its whole list enters. Users who are on the list in both epochs keep their log-odds and their frailty. The outcome of an
entry is known five weeks later, so windows overlap. Log-odds are rounded to 0.1, which lets rows be counted: every estimate of a
season is then computed by the product's own :func:`serving.weekly.account.effect.adjusted_difference`, at all looks at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from models.arrays import Labels, Values
from serving.weekly.account.arm_checks import log_evidence
from serving.weekly.account.confidence_sequence import SEASON_WEEKS, Season
from serving.weekly.account.effect import BANDS, Counts, adjusted_difference

EPOCH_WEEKS = 13
STAY_WEEKS = 5
KNOWN_AFTER = 5
LOOKS = np.arange(KNOWN_AFTER, SEASON_WEEKS + 1)  # weeks after which something is known
LOG_ODDS: Values = np.round(np.arange(-26, 27) * 0.1, 1).astype(np.float64)
BAND_OF = np.digitize(-LOG_ODDS, [0.3001, 1.0001])  # place in BANDS: high from -0.3 on, medium from -1.0 on
BAND_EFFECT = np.array(
    [0.8, 1.4, 0.813]
)  # of the planted effect, 1 on average: the riskiest are not the easiest to keep
CHURN_RATE = 0.4
GROUPS = ("overall", *BANDS)
_MEAN, _SPREAD, _FRAILTY = -0.45, 0.8, 0.5
NEW_SCORED = 0.02  # of all scored users, new each week

Numbers = NDArray[np.int64]


class Plant(NamedTuple):
    """An effect, as a share, and the share of held-out users who are contacted all the same."""

    effect: float
    leak: float


def expected(size: int) -> Season:
    """What a team would expect of a list of a size."""
    entries = np.full(SEASON_WEEKS, size / STAY_WEEKS)
    entries[::EPOCH_WEEKS] = size
    return Season(entries, CHURN_RATE, KNOWN_AFTER)


@dataclass(frozen=True)
class Entries:
    """First entries of one season, each of shape (n,): week, place in LOG_ODDS, arm, and three numbers that decide what happens."""

    week: Numbers
    place: Numbers
    held_out: Labels
    churn: Values
    chance: Values
    leaks: Values

    def outcomes(self, plant: Plant) -> tuple[Labels, Labels]:
        """What is seen, and whom being assigned to the treated arm keeps."""
        left_alone = self.chance < self.churn
        contacted = self.chance < self.churn - plant.effect * BAND_EFFECT[BAND_OF[self.place]]
        if_held_out = np.where(self.leaks < plant.leak, contacted, left_alone)
        return np.where(self.held_out, if_held_out, contacted), if_held_out & ~contacted

    def counted(self, cell: Numbers, *, shape: tuple[int, ...], of: Labels | None = None) -> Values:
        """Sum by cell, then over the weeks up to each."""
        sums = np.bincount(cell, None if of is None else of.astype(np.float64), minlength=int(np.prod(shape)))
        return sums.reshape(shape).cumsum(0).astype(np.float64)


def season_of(random: np.random.Generator, size: int, *, share: float) -> Entries:
    """Draw the first entries of one season of 26 weeks."""
    first = _arrivals(random, size, start=0, whole=True)
    staying = first.week + random.geometric(1 / STAY_WEEKS, len(first.week)) > EPOCH_WEEKS
    again = _People(np.full(int(staying.sum()), EPOCH_WEEKS), first.place[staying], first.frailty[staying])
    people = [first, again, _arrivals(random, size, start=EPOCH_WEEKS, whole=False)]
    week, place, frailty = (np.concatenate(columns) for columns in zip(*people, strict=True))
    churn = expit(LOG_ODDS[place] + frailty)
    return Entries(
        week, place, random.random(len(week)) < share, churn, random.random(len(week)), random.random(len(week))
    )


class _People(NamedTuple):
    week: Numbers
    place: Numbers
    frailty: Values


def _arrivals(random: np.random.Generator, size: int, *, start: int, whole: bool) -> _People:
    weeks = np.full(EPOCH_WEEKS, round(size / STAY_WEEKS))
    weeks[0] = size if whole else weeks[0]
    week = np.repeat(np.arange(start, start + EPOCH_WEEKS), weeks)
    odds = np.clip(np.round((_MEAN + _SPREAD * random.standard_normal(len(week))) * 10), -26, 26)
    return _People(week, odds.astype(np.int64) + 26, _FRAILTY * random.standard_normal(len(week)))


@dataclass(frozen=True)
class Readings:
    """What each look sees; shape (seasons, looks, groups), groups as in GROUPS.

    Attributes
    ----------
    entered, closed
        The true mean effect among users entered so far, and among those whose outcome is known.
    """

    users: Values
    estimate: Values
    error: Values
    has_enough: Labels
    entered: Values
    closed: Values


def readings(seasons: Sequence[Entries], plant: Plant) -> Readings:
    """Read a planted effect off seasons, at every look."""
    parts = [_season_counts(entries, plant) for entries in seasons]
    users, churners, saved, entered = (np.stack(columns) for columns in zip(*parts, strict=True))
    columns = [_group(users, churners, saved, entered, which) for which in _masks()]
    return Readings(*(np.stack(column, axis=-1) for column in zip(*columns, strict=True)))


def _masks() -> list[Labels]:
    return [np.ones(len(LOG_ODDS), dtype=np.bool_), *(np.equal(BAND_OF, band) for band in range(len(BANDS)))]


def _season_counts(entries: Entries, plant: Plant) -> tuple[Values, Values, Values, Values]:
    """Users and churners by look, arm and log-odds; users saved and all users by week and log-odds."""
    churned, saved = entries.outcomes(plant)
    values = len(LOG_ODDS)
    cell, plain = (entries.week * 2 + entries.held_out) * values + entries.place, entries.week * values + entries.place
    by_arm, by_week = (SEASON_WEEKS, 2, values), (SEASON_WEEKS, values)
    users, churners = entries.counted(cell, shape=by_arm), entries.counted(cell, shape=by_arm, of=churned)
    known = LOOKS - KNOWN_AFTER
    return (
        users[known],
        churners[known],
        entries.counted(plain, shape=by_week, of=saved),
        entries.counted(plain, shape=by_week),
    )


def _group(users: Values, churners: Values, saved: Values, entered: Values, which: Labels) -> tuple[Any, ...]:  # noqa: PLR0917
    counts = Counts(LOG_ODDS[which], users[..., which], churners[..., which])
    estimate, error = adjusted_difference(counts)
    effect = -saved[..., which].sum(-1) / entered[..., which].sum(-1)
    total = counts.users.sum((-2, -1))
    return total, estimate, error, counts.has_enough, effect[:, LOOKS - 1], effect[:, LOOKS - KNOWN_AFTER]


def leaked(seasons: Sequence[Entries], leak: float) -> tuple[Values, Values]:
    """Held-out users in closed windows who were contacted, and all of them, each of shape (seasons, looks)."""
    found = [
        np.stack([np.bincount(entries.week[who], minlength=SEASON_WEEKS).cumsum() for who in _held(entries, leak)])
        for entries in seasons
    ]
    by_look = np.stack(found)[..., LOOKS - KNOWN_AFTER].astype(np.float64)
    return by_look[:, 0], by_look[:, 1]


def _held(entries: Entries, leak: float) -> tuple[Labels, Labels]:
    return entries.held_out & (entries.leaks < leak), entries.held_out


def ring_evidence(
    random: np.random.Generator, *, scored: int, share: float, keep: tuple[float, float], seasons: int
) -> Values:
    """Log evidence for a sample-ratio mismatch in each of 26 weeks, shape (seasons, weeks).

    All ``scored`` users get an arm in the first week of an epoch, 2 % as many new ones in every other week; ``keep`` is the share of
    held-out and of treated users who are not lost.
    """
    weeks = np.full(SEASON_WEEKS, round(scored * NEW_SCORED))
    weeks[::EPOCH_WEEKS] = scored
    held = random.binomial(weeks, share, (seasons, SEASON_WEEKS))
    treated = random.binomial(weeks - held, keep[1]).cumsum(1)
    held_out = random.binomial(held, keep[0]).cumsum(1)
    return log_evidence(held_out, held_out + treated, share=share)
