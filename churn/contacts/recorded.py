"""Who was contacted and who is which arm, as the team's own tools record it: ``[contacts]``, and ids that became one."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING

from features.log.sources.binding import Texts
from features.snapshots import instant, instant_sql, zone_of
from features.users.point_in_time import PointInTimeRows, PointInTimeTable
from serving.weekly.account.effect_account import Contacts
from serving.weekly.arms import HELD_OUT, given_arms

if TYPE_CHECKING:
    from churn.project import Project
    from features.activity.store import Activity

_VALID = "from checked where reason is null"


@dataclass(frozen=True)
class RecordedContacts:
    """The table of ``[contacts]``, read once.

    Attributes
    ----------
    zone
        In which a date starts: that of the model.
    """

    project: Project
    zone: str

    @cached_property
    def rows(self) -> PointInTimeRows | None:
        """The rows; None: the project has no such table.

        Raises
        ------
        InputError
            When it cannot be read, or too much of it is invalid.
        """
        s = self.project.settings
        if not s.contacts.path:
            return None
        table = PointInTimeTable("contacts", s.contacts, self.zone, s.events.timezone, self.project.base)
        return table.read(self.project.home.rejected, s.compute)

    @cached_property
    def contacts(self) -> Contacts | None:
        """When each user was contacted, and what a contact costs; None: nobody says so. A row that says ``held_out`` is no contact."""
        if self.rows is None:
            return None
        connection, really = self.rows.connection, self._contacted
        rows = connection.execute(
            f"select user_id, list(valid_from order by valid_from) {really} group by 1"
        ).fetchall()
        at = {user: [one.replace(tzinfo=UTC) for one in times] for user, times in rows}
        if "cost" not in self.rows.kinds:
            return Contacts(at)
        cost = self._cost
        ((cost,),) = connection.execute(
            f"select avg({cost} order by {cost}) filter (isfinite({cost})) {really}"
        ).fetchall()
        return Contacts(at, cost)

    @property
    def _contacted(self) -> str:
        """SQL of the rows that are contacts: who is assigned to be held out is in the table, and was not contacted."""
        if self.rows is None or "arm" not in self.rows.kinds:
            return _VALID
        return f"{_VALID} and cast(raw_arm as varchar) is distinct from '{HELD_OUT}'"

    @property
    def _cost(self) -> str:
        """SQL of the cost of a contact; null where it is unreadable."""
        kind, written = self.rows.kinds["cost"] if self.rows else "DOUBLE", self.project.settings.contacts.format
        return f"try_cast({Texts(written.decimal, written.null).number_of('raw_cost', kind)} as double)"

    @cached_property
    def set_aside(self) -> dict[str, int]:
        """Reason to number of rows that do not count, and of costs: who was contacted at a cost that is unreadable was contacted."""
        if self.rows is None:
            return {}
        if "cost" not in self.rows.kinds:
            return self.rows.rejected
        bad = f"select count(*) {self._contacted} and raw_cost is not null and not coalesce(isfinite({self._cost}), false)"
        ((costs,),) = self.rows.connection.execute(bad).fetchall()
        return self.rows.rejected | ({"cost is unreadable": costs} if costs else {})

    @cached_property
    def given_arms(self) -> dict[str, str]:
        """Arms that were assigned outside, by ``[contacts] arm``; the latest counts, and of several at one instant ``held_out``."""
        if self.rows is None or "arm" not in self.rows.kinds:
            return {}
        latest = f"arg_max(raw_arm, (valid_from, cast(raw_arm as varchar) = '{HELD_OUT}', raw_arm))"
        words = f"select user_id, {latest} {_VALID} and raw_arm is not null group by 1"
        return given_arms(self.rows.connection.execute(words).fetchall())

    @property
    def given_share(self) -> float:
        """Of the users whose arm was assigned outside, the share that is held out; 0 where there are none."""
        arms = [*self.given_arms.values()]
        return arms.count(HELD_OUT) / len(arms) if arms else 0.0

    def users_between(self, first: date, end: date) -> frozenset[str]:
        """Return who was contacted from the start of a day to the start of another."""
        window = (instant(first, self.zone), instant(end, self.zone))
        return self.contacts.users_within(window) if self.contacts else frozenset()

    @property
    def latest(self) -> str:
        """The instant of the latest contact, as ISO 8601; empty where there is none."""
        times = [time for times in self.contacts.at.values() for time in times] if self.contacts else []
        return max(times).isoformat() if times else ""

    def last_days(self, *, before: date, until: str = "") -> dict[str, date]:
        """Return the local day of each user's last contact before a cutoff, or up to an instant that :attr:`latest` names."""
        if self.contacts is None:
            return {}
        at, zone = instant(before, self.zone).replace(tzinfo=UTC), zone_of(self.zone)
        if until:
            at = max(at, datetime.fromisoformat(until) + timedelta(microseconds=1))
        last = {user: _last(times, at) for user, times in self.contacts.at.items()}
        return {user: time.astimezone(zone).date() for user, time in last.items() if time}


def _last(times: Sequence[datetime], before: datetime) -> datetime | None:
    return max((one for one in times if one < before), default=None)


@dataclass(frozen=True)
class MergedIds:
    """User to the ids that became this user; ``[identities]`` knows them.

    Attributes
    ----------
    start
        Of an epoch.
    """

    activity: Activity | None
    zone: str
    start: date

    def within(self, cutoff: date) -> dict[str, list[str]]:
        """Return those of the epoch, before a cutoff."""
        return self._between(self.start, cutoff)

    def before(self, days: int) -> dict[str, list[str]]:
        """Return those of the last days before the epoch."""
        return self._between(self.start - timedelta(days=days), self.start)

    def persons(self, ids: Collection[str], cutoff: date) -> dict[str, str]:
        """Return whose each id is, by what was known before a cutoff; ids that are nobody else's are not named."""
        activity = self.activity
        if not activity or not activity.tables.has_identities:
            return {}
        at = instant_sql(cutoff, self.zone)
        rows = activity.connection.execute(
            f"""select alias_id, user_id from {activity.tables.relations["identities"]}
            where valid_from < {at} and valid_until >= {at}"""
        )
        return {alias: user for alias, user in rows.fetchall() if alias in ids}

    def _between(self, since: date, until: date) -> dict[str, list[str]]:
        activity = self.activity
        if not activity or not activity.tables.has_identities:
            return {}
        first, last = (instant_sql(day, self.zone) for day in (since, until))
        rows = activity.connection.execute(
            f"""select user_id, list(alias_id order by alias_id) from {activity.tables.relations["identities"]}
            where valid_from >= {first} and valid_from < {last} group by user_id"""
        )
        return dict(rows.fetchall())
