"""What a training needs to know of contacts: whom the lists were to contact, whom they held out, whom other tools contacted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from churn.contacts.recorded import RecordedContacts
from features.snapshots import zone_of
from models.definition import ChurnDefinition
from serving.weekly.account.effect_account import Contacts
from serving.weekly.account.outcomes import GIVEN
from serving.weekly.arms import HELD_OUT
from serving.weekly.list_ledger import past_lists
from training.data.treatment import ENTRIES, Treatment

if TYPE_CHECKING:
    from churn.project import Project

RECORDED = "contacts"  # the epoch of contacts; arms that another tool assigned are of the epoch GIVEN


def treatment_of(project: Project, horizons: Mapping[str, int] | None = None) -> Treatment:
    """Return whom the lists of a project were to contact, whom they held out, and whom other tools contacted.

    Parameters
    ----------
    horizons
        Where models of several horizons are trained: the name of each, under which its lists are exported, to its horizon in days.
    """
    zone, churn = project.settings.churn.timezone, project.settings.churn
    recorded, tables = RecordedContacts(project, zone), [ENTRIES.empty_table()]
    for name, days in ({project.name: churn.horizon_days} | dict(horizons or {})).items():
        window = ChurnDefinition.of(churn.model_copy(update={"horizon_days": days})).window
        tables += _listed(project, recorded, _Arms(name, window.days_to_label + project.settings.holdout.grace_days))
    if recorded.contacts:
        tables.append(_contacted(recorded.contacts, zone))
    return Treatment(pa.concat_tables(tables))


@dataclass(frozen=True)
class _Arms:
    """Who drew the arms of some entries, and how long each holds."""

    drawn_by: str
    holds_days: int


def _listed(project: Project, recorded: RecordedContacts, arms: _Arms) -> Iterator[pa.Table]:
    """Return the entries of each list of a project; arms that another tool assigned are of an epoch of their own, with its share."""
    given = pa.array(list(recorded.given_arms), pa.string())
    for one in past_lists(project.home.list_ledgers(arms.drawn_by), before=date.max):
        users, count = one.entries.column("user_id").combine_chunks(), one.entries.num_rows
        is_given = pc.is_in(users, value_set=given)
        columns: dict[str, Any] = {
            "user_id": users,
            "day": pa.repeat(one.cutoff, count),
            "epoch": pc.if_else(is_given, GIVEN, one.epoch),
            "is_held_out": pc.equal(one.entries.column("arm").combine_chunks(), pa.scalar(HELD_OUT)),
            "share": pc.if_else(is_given, recorded.given_share or 1.0, one.share or 1.0),
            "drawn_by": pc.if_else(is_given, GIVEN, arms.drawn_by),
            "holds_days": pa.repeat(arms.holds_days, count),
        }
        yield pa.table(columns).cast(ENTRIES)


def _contacted(contacts: Contacts, zone: str) -> pa.Table:
    """Return an entry for each contact by another tool: nobody is held out of it."""
    days = [(user, at.astimezone(zone_of(zone)).date()) for user, times in contacts.at.items() for at in times]
    columns: dict[str, Any] = {
        "user_id": pa.array([user for user, _ in days], pa.string()),
        "day": pa.array([day for _, day in days], pa.date32()),
        "epoch": pa.repeat(RECORDED, len(days)),
        "is_held_out": pa.repeat(False, len(days)),
        "share": pa.repeat(1.0, len(days)),
        "drawn_by": pa.repeat(RECORDED, len(days)),
        "holds_days": pa.repeat(0, len(days)),
    }
    return pa.table(columns).cast(ENTRIES)
