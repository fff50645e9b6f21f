"""The true churn probability: what the best possible model could compute from the log.

An observer sees what the log shows of each user (channel, system, the day of the installation, and for each day how
many sessions, how long, whether there was a purchase) and knows all parameters of the world, but neither the user's
kind nor the hidden state. The probability is conditioned on exactly that, so no model can do better on average, and a good
one comes close. Nothing at or after a cutoff is used.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from features.errors import InputError
from seeds.behaviour import KINDS, SILENT, State, active_day, any_day, is_holiday, transitions
from seeds.hidden_markov import Floats, Ints, Transition, advance, silence_probability, update
from seeds.population import Population, priors

NEVER = -1_000_000  # last active day of a user who was not active yet


@dataclass(frozen=True)
class Label:
    """Churned: no event for ``horizon_days``, from ``gap_days`` after the cutoff."""

    horizon_days: int
    gap_days: int = 0


@dataclass(frozen=True)
class Belief:
    """Belief about the users with an event before a cutoff, one entry each in every array.

    Attributes
    ----------
    users
        Positions in the population.
    probability
        Of the label, in [0, 1].
    days_since_last_active
        Whole days from the last active day to the cutoff: 1 for yesterday.
    """

    users: Ints
    probability: Floats
    days_since_last_active: Ints


class Observer:
    """Observes the log day by day and keeps each user's probability of each state and kind on the next day."""

    def __init__(self, population: Population, start: date) -> None:
        self._risk = population.risk
        self._arrival = population.arrival
        self._start = start
        self._belief: Floats = priors(start).T[:, population.origin].reshape(len(State), len(KINDS), -1)
        self._last_seen: Ints = np.full(len(population.arrival), NEVER)

    def observe(self, day: int, symbols: Ints) -> None:
        """Update the belief with a day's symbols of the users who have arrived, shape (n,), and advance it by a night."""
        n = len(symbols)
        today = self._start + timedelta(days=day)
        new = self._arrival[:n] == day
        likelihood = any_day(today.weekday())[:, :, symbols]
        likelihood[:, :, new] = active_day()[:, :, symbols[new]]
        night = transitions(self._risk[:n], holiday=is_holiday(today))
        self._belief[:, :, :n] = advance(update(self._belief[:, :, :n], likelihood), night)
        self._last_seen[:n][symbols != SILENT] = day

    def belief(self, cutoff: date, label: Label) -> Belief:
        """Return the probability of the label; every day before the cutoff must have been observed, and none after it."""
        users = np.flatnonzero(self._last_seen > NEVER)
        probability = silence_probability(self._belief[:, :, users], _future(cutoff, label, risk=self._risk[users]))
        return Belief(users, probability, (cutoff - self._start).days - self._last_seen[users])


def _future(cutoff: date, label: Label, *, risk: Floats) -> Iterator[tuple[Floats | None, tuple[Transition, ...]]]:
    for ahead in range(label.gap_days + label.horizon_days):
        day = cutoff + timedelta(days=ahead)
        silent = any_day(day.weekday())[:, :, SILENT] if ahead >= label.gap_days else None
        yield silent, transitions(risk, holiday=is_holiday(day))


def write_truth(folder: Path, cutoff: date, *, ids: pa.StringArray, belief: Belief) -> None:
    """Write the probabilities at a cutoff to ``folder/cutoff=<date>.parquet``."""
    folder.mkdir(parents=True, exist_ok=True)
    table = pa.table({"user_id": ids.take(belief.users), "true_probability": pa.array(belief.probability)})
    pq.write_table(table, _path(folder, cutoff), compression="zstd")


def true_probabilities(out: Path, cutoff: date) -> pa.Table:
    """Read the true probabilities at a cutoff from the folder of a simulated world.

    Returns
    -------
    pa.Table
        One row for each user with an event before the cutoff: ``user_id`` and ``true_probability`` in [0, 1].

    Raises
    ------
    InputError
        If the world was simulated without this cutoff.
    """
    path = _path(out / "truth", cutoff)
    if not path.is_file():
        raise InputError(
            f"the truth at {cutoff} is unknown: {path} does not exist",
            hint=f"simulate the world with {cutoff} among its cutoffs",
        )
    return pq.ParquetFile(path).read()


def check_label(*, event: str | None = None, qualifying: str | None = None, timezone: str = "UTC") -> None:
    """Check that the configured label is one whose truth is known: no event of any kind, on UTC days.

    Raises
    ------
    InputError
        If churn is a named event, if only some events count, or if days are not UTC days.

    Examples
    --------
    >>> check_label()
    >>> check_label(event="event_type = 'uninstall'")
    Traceback (most recent call last):
    ...
    features.errors.InputError: the truth is only known for inactivity of any kind: [churn] event is set
    Hint: remove event from [churn], or simulate without cutoffs
    """
    for name, value in (("event", event), ("qualifying", qualifying)):
        if value:
            raise InputError(
                f"the truth is only known for inactivity of any kind: [churn] {name} is set",
                hint=f"remove {name} from [churn], or simulate without cutoffs",
            )
    if timezone != "UTC":
        raise InputError(
            f"the truth is only known for UTC days: [churn] timezone is {timezone}",
            hint='set [churn] timezone = "UTC", or simulate without cutoffs',
        )


def _path(folder: Path, cutoff: date) -> Path:
    return folder / f"cutoff={cutoff:%Y-%m-%d}.parquet"
