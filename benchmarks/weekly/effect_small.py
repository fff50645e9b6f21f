"""How many outcomes of each kind the normal approximation needs: small control groups, rare churn, and forty looks."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import NamedTuple

import numpy as np
from scipy.special import expit

from models.arrays import Values
from serving.weekly.account.confidence_sequence import ALPHA, ConfidenceSequence
from serving.weekly.account.effect import BAND_ALPHA, Counts, adjusted_difference

MINIMA = (1, 5, 10, 15)
SHARES = (0.05, 0.1, 0.5)
USERS = (300, 1_000, 4_000)
INTERCEPTS = (-4.0, -3.0, -2.0, 0.0, 2.5)
ALPHAS = {"overall": ALPHA, "a band": BAND_ALPHA}
PLANNED_FACTORS = (0.25, 1.0)
_LOOKS = 40
_LOG_ODDS = np.linspace(-2.5, 2.5, 21)
_SLOPE = 0.8


class Setting(NamedTuple):
    """Share held out, users after the last look, and the intercept of churn in log-odds."""

    share: float
    users: int
    intercept: float

    @property
    def cells(self) -> Values:
        """Probability of each cell: arm, log-odds, churned or not, shape (2 * 21 * 2,)."""
        weights = np.exp(-(_LOG_ODDS**2) / 2)
        churn = expit(_SLOPE * _LOG_ODDS + self.intercept)
        outcomes = weights[:, np.newaxis] / weights.sum() * np.stack([churn, 1 - churn], axis=-1)
        return (np.array([1 - self.share, self.share])[:, np.newaxis, np.newaxis] * outcomes).ravel()

    def counts(self, random: np.random.Generator, seasons: int) -> Counts:
        """Draw seasons without any effect, at all looks."""
        drawn = random.multinomial(self.users // _LOOKS + 1, self.cells, (seasons, _LOOKS))
        by_cell = drawn.reshape(seasons, _LOOKS, 2, len(_LOG_ODDS), 2).cumsum(1).astype(np.float64)
        return Counts(_LOG_ODDS, by_cell.sum(-1), by_cell[..., 0])


def small_results(*, seasons: int, seed: int) -> list[dict[str, float | str]]:
    """For each minimum of outcomes: the highest one-sided error rate of all settings, and in how many it is above its level."""
    rates = [
        rate
        for place, setting in enumerate(Setting(*values) for values in product(SHARES, USERS, INTERCEPTS))
        for rate in rates_of(setting, np.random.default_rng([seed, place]), seasons=seasons)
    ]
    return [
        _summary([rate for name, at, rate in rates if (name, at) == key]) | {"interval": key[0], "minimum": key[1]}
        for key in product(ALPHAS, MINIMA)
    ]


def rates_of(setting: Setting, random: np.random.Generator, *, seasons: int) -> Iterator[tuple[str, int, float]]:
    """Name of the interval, minimum of outcomes, and how often one side errs over its level, of each kind of reading."""
    counts = setting.counts(random, seasons)
    difference, error = adjusted_difference(counts)
    users, churners = counts.users.sum(-1), counts.churners.sum(-1)
    outcomes, known = np.minimum(churners, users - churners).min(-1), users.sum(-1)
    for (name, alpha), factor, minimum in product(ALPHAS.items(), PLANNED_FACTORS, MINIMA):
        reach = error * ConfidenceSequence(setting.users * factor, alpha).multiplier(known)
        for side in (-1, 1):
            wrong = (side * difference > reach) & (outcomes >= minimum)
            yield name, minimum, float(wrong.any(1).mean()) / (alpha / 2)


def _summary(relative: list[float]) -> dict[str, float | str]:
    return {"highest": max(relative), "above": sum(one > 1 for one in relative), "settings": len(relative)}
