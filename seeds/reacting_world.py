"""A simulated world that goes on day by day and reacts to contacts, so that what contacting does is known for every user.

Chance is drawn for each user and day, whoever was contacted: two worlds of the same parameters, of which one is contacted, differ only
in the users that a contact kept and in what follows for them. Their difference is the true effect, user by user.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from features.errors import InputError
from seeds.behaviour import SILENT, State
from seeds.day_log import ActiveDay, log_of
from seeds.hidden_markov import Floats, Ints
from seeds.hidden_states import HiddenStates
from seeds.population import populate
from seeds.simulate import ARRIVALS, EVENTS, STATES, World, churn_toml, write_day

_CONTACTS, _INCENTIVES = 3, 4  # streams of random numbers, next to those of the simulation


@dataclass(frozen=True)
class Reaction:
    """What a contact does to users.

    Attributes
    ----------
    saves
        Share of contacted leavers who are kept: who fades or has gone is engaged again from the next day on.
    taken_by_stayers
        Share of contacted stayers who take the incentive, which changes nothing of what they do.
    """

    saves: float
    taken_by_stayers: float = 1.0


@dataclass(frozen=True)
class ContactResult:
    """What a contact did.

    Attributes
    ----------
    saved, stayers
        Ids of the users who would have left and were kept, and of those who take the incentive although they would have stayed.
    """

    saved: frozenset[str]
    stayers: frozenset[str]


class ReactingWorld:
    """A world in progress: ``events/`` and ``churn.toml`` in a folder, complete up to :attr:`today`."""

    def __init__(self, world: World, out: Path) -> None:
        self.world = world
        self.events = out / "events"
        self.config = out / "churn.toml"
        self._day = 0
        self._population = populate(world.users, world.days, start=world.start, rng=world.rng(ARRIVALS))
        self._states = HiddenStates(self._population, world.start)
        self.events.mkdir(parents=True)
        self.config.write_text(churn_toml(world), encoding="utf-8")

    @property
    def today(self) -> date:
        """The first day that is not simulated yet."""
        return self.world.start + timedelta(days=self._day)

    def go_on(self, until: date) -> None:
        """Simulate the days before a date.

        Raises
        ------
        InputError
            When the date is past, or after the end of the world.
        """
        if not self.today <= until <= self.world.end:
            raise InputError(
                f"cannot go on until {until}: the world is at {self.today}, and ends on {self.world.end}",
                hint="name a day between these two, or simulate a world of more days",
            )
        while self.today < until:
            self._pass_day()

    def _pass_day(self) -> None:
        symbols = self._states.pass_day(self._day, self.world.rng(STATES, self._day))
        users = np.flatnonzero(symbols != SILENT)
        if len(users):
            active = ActiveDay(self._day, self.today, users, symbols[users])
            log = log_of(active, self._population, rng=self.world.rng(EVENTS, self._day))
            write_day(self.events, self.today, log=log)
        self._day += 1

    def contact(
        self, users: Mapping[str, Reaction] | Collection[str], reaction: Reaction | None = None
    ) -> ContactResult:
        """Contact users today, before anything happens.

        Parameters
        ----------
        users
            Ids, each with what a contact does to them, as where it depends on the risk band; or ids alone.
        reaction
            Of ids alone.

        Raises
        ------
        InputError
            When an id is not of this world.
        """
        reactions = dict(users) if isinstance(users, Mapping) else dict.fromkeys(users, reaction or Reaction(0.0))
        places = self._places(list(reactions))
        saves = np.array([one.saves for one in reactions.values()])
        takes = np.array([one.taken_by_stayers for one in reactions.values()])
        leaves = np.isin(self._states.state[places], (State.FADING, State.GONE))
        saved = leaves & (self._draws(_CONTACTS)[places] < saves)
        stayers = ~leaves & (self._draws(_INCENTIVES)[places] < takes)
        self._states.state[places[saved]] = State.ENGAGED
        return ContactResult(self._ids(places[saved]), self._ids(places[stayers]))

    def _draws(self, stream: int) -> Floats:
        """Return today's draw of every user, the same whoever is contacted."""
        return self.world.rng(stream, self._day).random(self.world.users)

    def _places(self, users: list[str]) -> Ints:
        found = pc.index_in(pa.array(users, pa.string()), value_set=self._population.ids)
        if found.null_count:
            raise InputError(
                f"{found.null_count:,} of {len(users):,} users are not of this world", hint="contact its own users"
            )
        return found.to_numpy().astype(np.int64)

    def _ids(self, places: Ints) -> frozenset[str]:
        found: list[Any] = self._population.ids.take(pa.array(places, pa.int64())).to_pylist()
        return frozenset(found)
