"""Trainings of a project: several horizons from one build of profiles, each registered in MLflow."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from churn.progress import Progress
from churn.results import Training
from features.activity.store import Activity
from features.snapshots import zone_of
from serving.weekly.arms import HELD_OUT
from serving.weekly.list_ledger import past_lists
from training.data.treatment import ENTRIES, Treatment
from training.diagnostics import diagnose
from training.pipeline import train_horizons as fit_horizons
from training.report.mlflow_run import register
from training.report.training_report import LogFacts, TrainingReport

if TYPE_CHECKING:
    from churn.project import Project
    from training.trained import TrainingResult


def _with_mapping(trained: TrainingResult, project: Project) -> TrainingResult:
    """Return the training with models that know which expressions their columns come from."""
    mapping = project.reader.mapping_of(trained.model.specification)
    refitted = trained.refitted and replace(trained.refitted, mapping=mapping)
    return replace(trained, model=replace(trained.model, mapping=mapping), refitted=refitted)


def train_horizons(
    project: Project, activity: Activity, horizons: Mapping[str, int], *, say: Progress
) -> tuple[Training, ...]:
    """Train, diagnose and register a challenger for each horizon.

    Parameters
    ----------
    horizons
        Name of the registered model to its horizon in days.
    """
    recipe = project.recipe
    churn = [recipe.churn.model_copy(update={"horizon_days": days}) for days in horizons.values()]
    withheld = activity.tables.withheld(recipe.features.allow_sensitive)
    with ExitStack() as open_runs:
        recorders = [open_runs.enter_context(project.registry_of(name).run()) for name in horizons]
        recipes = [replace(recipe, churn=one) for one in churn]
        trained = fit_horizons(activity, recipes, say=say, treatment=treatment_of(project))
        found: list[Training] = []
        for name, recorder, one in zip(horizons, recorders, trained, strict=True):
            diagnostics = diagnose(activity, one, say=say)
            say("registering the challenger")
            one = _with_mapping(one, project)  # noqa: PLW2901
            facts = LogFacts(name, project.source, activity.coverage, withheld)
            registered = register(TrainingReport(one, diagnostics), recorder, log=facts)
            found.append(Training(registered, one, diagnostics))
    return tuple(found)


def treatment_of(project: Project, *, before: date = date.max) -> Treatment:
    """Return whom the lists of a project were to contact, whom they held out, and whom other tools contacted, before a day."""
    from churn.jobs.contacts import RecordedContacts

    tables = [ENTRIES.empty_table()]
    for one in past_lists(project.home.list_ledgers(project.name), before=before):
        users = one.entries.column("user_id").combine_chunks()
        arms = pc.equal(one.entries.column("arm").combine_chunks(), pa.scalar(HELD_OUT))
        tables.append(_entries(users, pa.repeat(one.cutoff, len(users)), is_held_out=arms, of=(one.epoch, one.share)))
    zone = project.settings.churn.timezone
    if contacts := RecordedContacts(project, zone).contacts:
        days = [(user, at.astimezone(zone_of(zone)).date()) for user, times in contacts.at.items() for at in times]
        known = [(user, day) for user, day in days if day < before]
        users, when = (
            pa.array([user for user, _ in known], pa.string()),
            pa.array([day for _, day in known], pa.date32()),
        )
        tables.append(_entries(users, when, is_held_out=pa.repeat(False, len(users)), of=("contacts", 0.0)))
    return Treatment(pa.concat_tables(tables))


def _entries(users: pa.Array[Any], days: pa.Array[Any], *, is_held_out: Any, of: tuple[str, float]) -> pa.Table:
    epoch, share = of
    columns = [users, days, pa.repeat(epoch, len(users)), is_held_out, pa.repeat(share or 1.0, len(users))]
    return pa.Table.from_arrays(columns, ENTRIES.names).cast(ENTRIES)
