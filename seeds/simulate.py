"""A simulated world: people come to an app, use it, and leave without notice.

The story. An app has users from before the first day of the log, and every day some more install it. Each came
through a channel and has a phone. At first they only *try* the app; many drop it within days. Those who stay are
*engaged*: commuters open it on workdays, shoppers buy at the weekend, students vanish for a while and come back,
dabblers lose interest soon. Engaged users sometimes go *quiet* for a week or two (a holiday, exams) and then return
as before. Others begin to *fade*: fewer visits, shorter ones, fewer purchases. Some fading users recover; the
others are *gone* within weeks, and the log has no event for it. People who came by referral stay longer than those from
affiliates, and phones matter a little.

So a long silence means little for a user who comes rarely, and much for one who came daily; a quiet spell looks like
an end until it is over; the same number of visits is good news while activity rises and bad news while it falls.
Neither recency nor frequency alone predicts well, and no model predicts perfectly: what happens next is partly chance.

How it is made. Users follow a hidden Markov model (`seeds.behaviour` has the parameters, `seeds.hidden_markov` the
mathematics); `seeds.day_log` turns each simulated day into events; `seeds.truth` keeps the churn probability that
the best possible model could compute from the log alone. Days are simulated and written one after the other, so memory grows
with the users, not with the log. Days are UTC days; the same world gives the same bytes.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from features.errors import InputError
from seeds.behaviour import SILENT, shown
from seeds.day_log import SCHEMA, ActiveDay, log_of
from seeds.hidden_markov import Flags, Ints
from seeds.hidden_states import HiddenStates
from seeds.population import populate
from seeds.truth import Label, Observer, write_truth

# Each use of random numbers has its own stream, so a change in how pages are sampled leaves the hidden states as they were.
ARRIVALS, STATES, EVENTS = 0, 1, 2


@dataclass(frozen=True)
class World:
    """Parameters of a simulation; the same parameters always give the same bytes.

    Attributes
    ----------
    users
        Number of people, including those who were there before the first day and never return; at least 1.
    days
        Number of days in the log, at least 1.
    start
        First day of the log.
    seed
        Random seed, at least 0.
    horizon_days, gap_days
        The label of the truth and of the ``churn.toml``: no event for ``horizon_days``, from ``gap_days`` after a cutoff.
    """

    users: int = 5_000
    days: int = 180
    start: date = date(2026, 1, 5)
    seed: int = 7
    horizon_days: int = 14
    gap_days: int = 0

    def __post_init__(self) -> None:
        for name, minimum in (("users", 1), ("days", 1), ("seed", 0), ("horizon_days", 1), ("gap_days", 0)):
            value: int = getattr(self, name)
            if value < minimum:
                raise InputError(f"{name} of a simulated world is {value}", hint=f"give {minimum} or more")

    @property
    def end(self) -> date:
        """The day after the last day."""
        return self.start + timedelta(days=self.days)

    @property
    def label(self) -> Label:
        """The label whose true probability is written."""
        return Label(self.horizon_days, self.gap_days)

    def rng(self, stream: int, day: int = 0) -> np.random.Generator:
        """Return the random generator of one stream on one day."""
        return np.random.default_rng((self.seed, stream, day))


@dataclass(frozen=True)
class Truth:
    """Summary of the truth at a cutoff.

    Attributes
    ----------
    cutoff
        The instant knowledge stops, excluded.
    eligible
        Users active in the last horizon before the cutoff.
    churn_rate
        Their mean true probability.
    """

    cutoff: date
    eligible: int
    churn_rate: float


@dataclass(frozen=True)
class Summary:
    """Totals of a simulation.

    Attributes
    ----------
    users, days, events
        Users with an event in the log, days, and events.
    active_user_days, purchases
        Days with any event, and days with a purchase, summed over users.
    gone_share
        Share of the users who have left for good by the end, which the log does not show; in [0, 1].
    truths
        One for each cutoff, in order of time.
    """

    users: int
    days: int
    events: int
    active_user_days: int
    purchases: int
    gone_share: float
    truths: tuple[Truth, ...]


def simulate(
    world: World,
    out: Path,
    *,
    cutoffs: Sequence[date] = (),
    progress: Callable[[int, int], None] | None = None,
) -> Summary:
    """Simulate a world and write its log.

    Parameters
    ----------
    world
        What to simulate.
    out
        Folder to write to: ``events/day=YYYY-MM-DD/part-0.parquet``, ``truth/cutoff=YYYY-MM-DD.parquet`` for each
        cutoff, and a ``churn.toml`` that maps the log. No existing file is overwritten, and all appear together at
        the end.
    cutoffs
        Dates, after the first day and at most the day after the last, at which to write the truth.
    progress
        Called after each day with the number of days done and the total.

    Raises
    ------
    InputError
        If the folder already holds one of the three, or a cutoff is outside the log.
    """
    _check_free(out)
    _check_cutoffs(world, cutoffs)
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out, prefix=".simulating-") as temporary:
        summary = _Simulation(world, Path(temporary), cutoffs=cutoffs).run(progress or _no_progress)
        (Path(temporary) / "churn.toml").write_text(churn_toml(world), encoding="utf-8")
        for made in ("events", "truth", "churn.toml"):
            if (Path(temporary) / made).exists():
                (Path(temporary) / made).replace(out / made)
    return summary


class _Simulation:
    """A simulation in progress."""

    def __init__(self, world: World, folder: Path, *, cutoffs: Sequence[date]) -> None:
        self._world = world
        self._folder = folder
        self._cutoffs = {(cutoff - world.start).days: cutoff for cutoff in sorted(cutoffs)}
        self._population = populate(world.users, world.days, start=world.start, rng=world.rng(ARRIVALS))
        self._states = HiddenStates(self._population, world.start)
        self._observer = Observer(self._population, world.start)
        self._seen: Flags = np.zeros(world.users, dtype=bool)
        self._events = self._active_user_days = self._purchases = 0

    def run(self, progress: Callable[[int, int], None]) -> Summary:
        """Simulate all days and write them."""
        truths: list[Truth] = []
        for day in range(self._world.days):
            truths += self._truth(day)
            self._record(day, self._states.pass_day(day, self._world.rng(STATES, day)))
            progress(day + 1, self._world.days)
        truths += self._truth(self._world.days)
        return self._summary(tuple(truths))

    def _record(self, day: int, symbols: Ints) -> None:
        """Write a day, and show it to the observer if a cutoff is still to come."""
        active = ActiveDay(day, self._world.start + timedelta(days=day), *_active(symbols))
        if any(cutoff > day for cutoff in self._cutoffs):
            self._observer.observe(day, symbols)
        if len(active.users):
            log = log_of(active, self._population, rng=self._world.rng(EVENTS, day))
            write_day(self._folder / "events", active.date, log=log)
            self._events += log.num_rows
        self._seen[active.users] = True
        self._active_user_days += len(active.users)
        self._purchases += int(shown(active.symbols)[2].sum())

    def _truth(self, day: int) -> list[Truth]:
        """Write the truth if this day is a cutoff."""
        if day not in self._cutoffs:
            return []
        cutoff = self._cutoffs[day]
        belief = self._observer.belief(cutoff, self._world.label)
        write_truth(self._folder / "truth", cutoff, ids=self._population.ids, belief=belief)
        recent = belief.probability[belief.days_since_last_active <= self._world.horizon_days]
        return [Truth(cutoff, len(recent), float(recent.mean()) if len(recent) else 0.0)]

    def _summary(self, truths: tuple[Truth, ...]) -> Summary:
        return Summary(
            users=int(self._seen.sum()),
            days=self._world.days,
            events=self._events,
            active_user_days=self._active_user_days,
            purchases=self._purchases,
            gone_share=float(self._states.gone()[self._seen].mean()),
            truths=truths,
        )


def churn_toml(world: World) -> str:
    """Map the log of a simulated world and state its label, as the text of a ``churn.toml`` next to ``events/``."""
    columns = "\n".join(f'{name} = "{name}"' for name in SCHEMA.names)
    gap = f"gap_days = {world.gap_days}\n" if world.gap_days else ""
    return f"""\
# A small world: {world.users} users, {world.days} days from {world.start}, seed {world.seed}; made by `churn simulate`.
[events]
path = "events/**/*.parquet"
timezone = "UTC"

[events.columns]
{columns}

[churn]
horizon_days = {world.horizon_days}
{gap}active_within_days = {world.horizon_days}
"""


def _active(symbols: Ints) -> tuple[Ints, Ints]:
    users = np.flatnonzero(symbols != SILENT)
    return users, symbols[users]


def write_day(folder: Path, day: date, *, log: pa.Table) -> None:
    """Write one day; the Arrow schema is not stored, so that dictionaries are read as plain text."""
    path = folder / f"day={day:%Y-%m-%d}" / "part-0.parquet"
    path.parent.mkdir(parents=True)
    pq.write_table(log, path, compression="zstd", store_schema=False)


def _check_free(out: Path) -> None:
    for name in ("events", "truth", "churn.toml"):
        path = out / name
        if path.is_file() or (path.is_dir() and any(path.iterdir())):
            raise InputError(
                f"{path} already exists; a simulated world is written to a folder of its own",
                hint="name another folder, or remove this one first",
            )


def _check_cutoffs(world: World, cutoffs: Sequence[date]) -> None:
    for cutoff in cutoffs:
        if not world.start < cutoff <= world.end:
            raise InputError(
                f"cutoff {cutoff} is outside the simulated log of {world.start} to {world.end}",
                hint=f"name a date after {world.start} and not after {world.end}, or simulate more days",
            )


def _no_progress(_done: int, _total: int) -> None:
    pass
