"""Trainings of a project, several horizons from one build of profiles; and how true the probabilities of a model were since."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING

from churn.contacts.base_rate import LeftAlone
from churn.contacts.past import PastContacts
from churn.contacts.treatment import treatment_of
from churn.progress import Progress
from churn.results import Reliability, Training
from features.activity.store import Activity
from features.errors import InputError
from training.diagnostics import diagnose
from training.evaluation.reliability import known_reliability
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
        treatment = treatment_of(project, horizons)
        trained = fit_horizons(activity, recipes, say=say, treatment=treatment)
        found: list[Training] = []
        for name, recorder, one in zip(horizons, recorders, trained, strict=True):
            diagnostics = diagnose(activity, one, advice=project.settings.advice, say=say, treatment=treatment)
            say("registering the challenger")
            one = _with_mapping(one, project)  # noqa: PLW2901
            facts = LogFacts(name, project.source, activity.coverage, withheld)
            registered = register(TrainingReport(one, diagnostics), recorder, log=facts)
            found.append(Training(registered, one, diagnostics))
    return tuple(found)


def reliability(project: Project, probabilities: tuple[float, ...], *, model: str, say: Progress) -> Reliability:
    """Compare the probabilities of a model with what happened at its test and since."""
    for one in probabilities:
        if not 0 < one < 1:
            raise InputError(f"a churn probability of {one:g}: expected one between 0 and 1", hint="as 0.7 for 70 %")
    say(f"loading {model}")
    registered = project.registry.get(model)
    say("reading the log")
    activity = project.activity(frozen=registered.model, say=say.within)
    say("scoring earlier cutoffs again")
    days, zone = registered.model.definition.window.days_to_label, registered.model.specification.timezone
    known = known_reliability(
        activity,
        registered.model,
        recipe=project.recipe,
        left_alone=LeftAlone(PastContacts(project, activity.coverage.covered_until, zone), days).mask,
        follows=project.settings.scoring.follow_base_rate,
    )
    return Reliability(registered.name, registered.version, known, probabilities)
