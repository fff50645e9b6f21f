"""What a training needs to know of contacts: whom the lists were to contact, whom they held out, whom other tools contacted."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from churn.contacts.recorded import RecordedContacts
from features.snapshots import zone_of
from models.definition import ChurnDefinition
from serving.weekly.arms import HELD_OUT
from serving.weekly.list_ledger import past_lists
from training.data.treatment import ENTRIES, Treatment

if TYPE_CHECKING:
    from churn.project import Project


def treatment_of(project: Project) -> Treatment:
    """Return whom the lists of a project were to contact, whom they held out, and whom other tools contacted."""
    tables = [ENTRIES.empty_table()]
    for one in past_lists(project.home.list_ledgers(project.name), before=date.max):
        users = one.entries.column("user_id").combine_chunks()
        arms = pc.equal(one.entries.column("arm").combine_chunks(), pa.scalar(HELD_OUT))
        tables.append(_entries(users, pa.repeat(one.cutoff, len(users)), is_held_out=arms, of=(one.epoch, one.share)))
    zone = project.settings.churn.timezone
    if contacts := RecordedContacts(project, zone).contacts:
        days = [(user, at.astimezone(zone_of(zone)).date()) for user, times in contacts.at.items() for at in times]
        users, when = (
            pa.array([user for user, _ in days], pa.string()),
            pa.array([day for _, day in days], pa.date32()),
        )
        tables.append(_entries(users, when, is_held_out=pa.repeat(False, len(users)), of=("contacts", 0.0)))
    window = ChurnDefinition.of(project.settings.churn).window
    return Treatment(pa.concat_tables(tables), window.days_to_label + project.settings.holdout.grace_days)


def _entries(users: pa.Array[Any], days: pa.Array[Any], *, is_held_out: Any, of: tuple[str, float]) -> pa.Table:
    epoch, share = of
    columns = [users, days, pa.repeat(epoch, len(users)), is_held_out, pa.repeat(share or 1.0, len(users))]
    return pa.Table.from_arrays(columns, ENTRIES.names).cast(ENTRIES)
