"""Activity before a cutoff, by user, as the profile store keeps it: of later events, only their own days need a roll-up."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import TYPE_CHECKING

import msgspec

from features.activity.roll_up import RELATIONS, VERSION
from features.schema import COLUMNS

if TYPE_CHECKING:
    from features.activity.store import Activity

_ROWS_AT_ONCE = 1_000
_EPOCH = "date '1970-01-01'"


@dataclass(frozen=True)
class KeptColumns:
    """The contract columns that the activity was made from, and the columns of each relation without ``user_id``."""

    contract: tuple[str, ...]
    relations: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True)
class KeptRows:
    """All rows of an activity before a cutoff, a local midnight, as known at the cutoff."""

    activity: Activity
    cutoff: date

    @cached_property
    def columns(self) -> KeptColumns:
        """Columns of the kept rows."""
        contract = tuple(name for name in COLUMNS if name in self.activity.facts)
        return KeptColumns(contract, {name: self._columns_of(name) for name in RELATIONS})

    def _columns_of(self, relation: str) -> tuple[str, ...]:
        found = self.activity.connection.sql(f"select * from {self.activity.versions(relation)} limit 0").columns
        return tuple(name for name in found if name not in ("user_id", *VERSION))

    def rows(self) -> Iterator[tuple[str, str, bytes]]:
        """Return for each user and relation the user's rows, packed by column as MessagePack."""
        for relation in RELATIONS:
            found = self.activity.connection.execute(self._sql(relation))
            while rows := found.fetchmany(_ROWS_AT_ONCE):
                for user_id, user_rows in rows:
                    columns = dict(zip(self.columns.relations[relation], zip(*user_rows, strict=True), strict=True))
                    yield user_id, relation, msgspec.msgpack.encode(columns)

    def _sql(self, relation: str) -> str:
        """Return the SELECT of each user with a list of rows; a day is a number of days since 1970."""
        names = self.columns.relations[relation]
        values = ", ".join(f"cast(day - {_EPOCH} as integer)" if name == "day" else name for name in names)
        return f"""select user_id, list(row({values})) from {self.activity.known(relation, before=self._day)}
            group by user_id"""

    @property
    def _day(self) -> str:
        return f"date '{self.cutoff}'"
