"""Past Mondays, replayed."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from churn.results.result import Result

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

PAGE, NUMBERS, CONTACTED = "replay.html", "replay.json", "contacted.parquet"


@dataclass(frozen=True)
class Monday:
    """The lists of one past Monday, and what happened.

    Attributes
    ----------
    model
        Which model scored: one trained as of a day, or the version that really did.
    scored, leavers
        Users with a score, and how many of them left.
    contacts
        Users on the lists, and not held out.
    reached
        Leavers among them; and among as many users chosen by a rule, by the name of the rule.
    pays_from
        Save rate from which the contacts would have paid, given who left; None where no list names its costs, or nothing says what a
        user is worth.
    differing
        Files of the lists, and lists, that are not byte for byte those that were really written that week; None: none were.
    """

    cutoff: date
    model: str
    scored: int
    leavers: int
    contacts: int
    reached: int
    reached_by: Mapping[str, int]
    pays_from: float | None = None
    differing: tuple[str, ...] | None = None

    @property
    def is_as_it_was(self) -> bool | None:
        """Whether the lists are those that were really written that week, byte for byte; None: none were."""
        return None if self.differing is None else not self.differing

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        pays = self.pays_from if self.pays_from is not None and math.isfinite(self.pays_from) else None
        plain = {"cutoff": str(self.cutoff), "reached_by": dict(self.reached_by), "pays_from": pays}
        return asdict(self) | plain | {"is_as_it_was": self.is_as_it_was}


@dataclass(frozen=True)
class Users:
    """Users of all Mondays together, each counted once.

    Attributes
    ----------
    leavers
        Left after at least one Monday on which they were scored.
    reached
        Of these, on a list on such a Monday; and by the name of a rule.
    """

    leavers: int
    reached: int
    reached_by: Mapping[str, int]


@dataclass(frozen=True, repr=False)
class Replay(Result):
    """What the lists of past Mondays would have reached, with the models that could have been known then.

    Attributes
    ----------
    mondays
        In order of time.
    skipped
        Mondays that were not replayed to the reason.
    pays_from
        Save rate from which all contacts together would have paid.
    contacted
        Who was to be contacted on each Monday, by which list, with scores, and whether they left.
    path
        Folder of the page, of the same numbers as JSON, and of the contacts.
    """

    mondays: tuple[Monday, ...]
    users: Users
    skipped: Mapping[date, str]
    pays_from: float | None = None
    contacted: pa.Table | None = None
    path: Path = Path()

    @property
    def title(self) -> str:
        """What this is."""
        return f"{len(self.mondays)} past Mondays, replayed"

    @property
    def contacts(self) -> int:
        """Contacts of all Mondays."""
        return sum(one.contacts for one in self.mondays)

    @property
    def words(self) -> str:
        """What the lists would have reached, in a sentence."""
        users, rate = self.users, self.contacts / max(len(self.mondays), 1)
        rules = ", ".join(f"{count:,} by {name}" for name, count in users.reached_by.items())
        found = f"the lists would have reached {users.reached:,} of {users.leavers:,} leavers with {rate:,.0f} contacts a week"
        found += f"; with as many contacts, {rules}" if rules else ""
        if self.pays_from is None:
            return found
        pays = f"pays from a save rate of {self.pays_from:.1%}" if self.pays_from <= 1 else "no save rate makes it pay"
        return f"{found}; {pays}"

    @property
    def summary(self) -> dict[str, Any]:
        """The sentence, and what to know of it."""
        found: dict[str, Any] = {"in short": self.words}
        if self.mondays:
            found["weeks"] = f"{self.mondays[0].cutoff} to {self.mondays[-1].cutoff}"
        really = [one.is_as_it_was for one in self.mondays if one.is_as_it_was is not None]
        if really:
            found["weeks that were really run"] = f"{sum(really)} of {len(really)} come out byte for byte as they were"
        if self.skipped:
            found["not replayed"] = f"{len(self.skipped)}: {next(iter(self.skipped.values()))}"
        return found | ({"page": str(self.path / PAGE)} if self.path.name else {})

    def to_json(self) -> dict[str, Any]:
        """Return every Monday, and what holds of all together."""
        pays = self.pays_from if self.pays_from is not None and math.isfinite(self.pays_from) else None
        return {
            "words": self.words,
            "users": asdict(self.users) | {"reached_by": dict(self.users.reached_by)},
            "contacts": self.contacts,
            "pays_from": pays,
            "mondays": [one.to_json() for one in self.mondays],
            "skipped": {str(day): why for day, why in self.skipped.items()},
        }

    def to_arrow(self) -> pa.Table:
        """Return a row per contact: cutoff, list, user id, scores, and whether the user left."""
        import pyarrow as pa

        return pa.table({}) if self.contacted is None else self.contacted

    def to_pandas(self) -> pd.DataFrame:
        """Return a row per Monday."""
        import pandas as pd

        return pd.json_normalize([one.to_json() for one in self.mondays])
