"""Who was to be contacted before a cutoff, by lists and by other tools: read once for all that a week needs of it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import TYPE_CHECKING

from features.snapshots import instant

if TYPE_CHECKING:
    from churn.contacts.recorded import RecordedContacts
    from churn.project import Project
    from serving.weekly.list_ledger import PastList


@dataclass(frozen=True)
class PastContacts:
    """Lists of earlier cutoffs, and the contacts and arms that other tools recorded.

    Attributes
    ----------
    before
        Only lists of earlier cutoffs count.
    zone
        In which a date starts: that of the model.
    """

    project: Project
    before: date
    zone: str

    @cached_property
    def lists(self) -> list[PastList]:
        """Every list of an earlier cutoff."""
        return [one for one in self._all_lists if one.cutoff < self.before]

    @property
    def later_lists(self) -> list[PastList]:
        """Every list of a later cutoff, where one was exported first."""
        return [one for one in self._all_lists if one.cutoff > self.before]

    @cached_property
    def _all_lists(self) -> list[PastList]:
        from serving.weekly.list_ledger import past_lists

        return past_lists(self.project.home.list_ledgers(self.project.name), before=date.max)

    @cached_property
    def digest(self) -> str:
        """Of all that :class:`churn.contacts.base_rate.LeftAlone` goes by; empty: there are neither lists nor arms.

        Contacts count near lists only, and those alone that were made before the day.
        """
        lists, given = [(str(one.cutoff), one.name, one.digest) for one in self.lists], self.recorded.given_arms
        if not lists and not given:
            return ""
        contacts = self._contacts if lists else []
        parts = (lists, sorted(given.items()), *([contacts] if contacts else []))
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()

    @property
    def _contacts(self) -> list[tuple[str, list[str]]]:
        """Each user whom another tool contacted, and when."""
        end, known = instant(self.before, self.zone), self.recorded.contacts
        found = {user: [str(one) for one in times if one < end] for user, times in known.at.items()} if known else {}
        return sorted((user, times) for user, times in found.items() if times)

    @cached_property
    def recorded(self) -> RecordedContacts:
        """What the team's tools record of contacts and arms."""
        from churn.contacts.recorded import RecordedContacts

        return RecordedContacts(self.project, self.zone)
