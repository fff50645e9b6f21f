"""The small Python API: four functions, Arrow tables out. Everything heavy is imported when it is needed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from churn.project import Project, open_project

if TYPE_CHECKING:
    import pyarrow as pa

    from features.activity.store import Activity
    from features.profiles.build import Shard
    from features.profiles.specification import Specification
    from models.churn_model import ChurnModel
    from models.registry.registry import RegisteredModel
    from training.diagnostics import Diagnostics
    from training.trained import Trained


@dataclass(frozen=True)
class Log:
    """An event log that was read: its activity is kept in the home of the project."""

    project: Project
    activity: Activity

    def summary(self) -> dict[str, Any]:
        """Count what was read, and what was set aside and why."""
        found, coverage = self.activity.manifest.contents, self.activity.coverage
        return {
            "rows": found.rows,
            "rejected": found.rejected,
            "first_day": str(coverage.first_day),
            "covered_until": str(coverage.covered_until),
            "days_rolled_up": len(self.activity.rolled_up),
        }

    def describe(self) -> str:
        """Say in a line what was read."""
        from features.log.rejected import describe_rejected

        activity = self.activity
        found, coverage = activity.manifest.contents, activity.coverage
        rolled_up, days = len(activity.rolled_up), len(activity.manifest.days)
        return (
            f"{found.rows:,} rows from {coverage.first_day} up to {coverage.covered_until}; "
            f"set aside: {describe_rejected(found.rejected)}; "
            + ("activity kept from before" if activity.is_reused else f"{rolled_up} of {days} days rolled up")
        )


@dataclass(frozen=True)
class TrainedModel:
    """A registered challenger with everything its training found."""

    registered: RegisteredModel
    trained: Trained
    diagnostics: Diagnostics

    @property
    def model(self) -> ChurnModel:
        """The model that is registered as challenger: the tested one, or where that was asked for the refitted one."""
        return self.registered.model

    def to_json(self) -> dict[str, Any]:
        """Return what ``churn train --json`` prints."""
        split, registered = self.trained.split, self.registered
        return self.trained.evaluation.to_json() | {
            "model": {
                "name": registered.name,
                "version": registered.version,
                "run_id": registered.run_id,
                "features": len(registered.model.specification.feature_names),
                "trees": registered.model.scorer.trees,
                "tested_version": registered.tested_version or registered.version,
                "refused": registered.refused,
            },
            "split": {
                name: _dates(getattr(split, name)) for name in ("train", "validation", "calibration", "test", "why")
            }
            | {"why": self.trained.layout.why},
            "left_out": self.trained.left_out,
            "training_cutoffs": self.trained.layout.way,
            "outages": [str(outage.day) for outage in self.trained.layout.outages],
            "audit": self.trained.audit.to_json() if self.trained.audit else None,
            "backtest": self.diagnostics.backtest.to_json() if self.diagnostics.backtest else None,
            "learning_curve": self.diagnostics.learning_curve.to_json() if self.diagnostics.learning_curve else None,
        }


def _dates(value: Any) -> Any:
    return [str(day) for day in value] if isinstance(value, tuple) else str(value)


def read_events(
    config: str | Path | None = None,
    *,
    home: str | Path | None = None,
    events: str | Path | None = None,
    pairs: Sequence[str] = (),
    say: Callable[[str], None] = lambda _: None,
) -> Log:
    """Read an event log as a churn.toml says, and keep its activity.

    Parameters
    ----------
    config
        The settings file; default: churn.toml in this folder, if there is one.
    home
        Where everything is kept; default: ``.churn``.
    events
        The log, in place of ``[events] path``.
    pairs
        Settings as ``section.key=value``.
    say
        UserEvents how far the log is fetched and rolled up.

    Raises
    ------
    InputError
        When the log or a setting cannot be used.
    """
    project = open_project(_path(config), home=_path(home), events=events, pairs=pairs)
    return Log(project, project.activity(say=say))


def _path(place: str | Path | None) -> Path | None:
    return None if place is None else Path(place)


def build_profiles(log: Log, *, cutoffs: Sequence[date]) -> pa.Table:
    """ProfileSet the profiles of all users seen before each cutoff, with every feature that the log can answer.

    Returns
    -------
    One row per user and cutoff (Arrow; ``.to_pandas()`` for a frame).
    """
    from features.profiles.build import build

    return build(log.activity, _everything(log, cutoffs), cutoffs=cutoffs)


def write_profiles(
    log: Log, place: Path, *, cutoffs: Sequence[date], model: ChurnModel | None = None, shard: Shard | None = None
) -> int:
    """ProfileSet profiles and write them to a Parquet file, a part of the users after the other.

    Parameters
    ----------
    model
        ProfileSet what this model reads; default: every feature that the log can answer, as :func:`build_profiles` does.

    Returns
    -------
    How many profiles there are.
    """
    from features.profiles.build import build_in_parts, write

    specification = model.specification if model else _everything(log, cutoffs)
    return write(build_in_parts(log.activity, specification, cutoffs=cutoffs, shard=shard), place)


def _everything(log: Log, cutoffs: Sequence[date]) -> Specification:
    from training.data.specification import freeze

    settings = log.project.settings
    return freeze(log.activity, settings.features, churn=settings.churn, training_cutoffs=cutoffs)[0]


def train(log: Log, *, say: Callable[[str], None] = lambda _: None) -> TrainedModel:
    """Train a challenger, test it on a later cutoff, and register it in MLflow.

    Raises
    ------
    CheckFailed
        When the log holds too little to learn from.
    """
    return train_horizons(log, [log.project.settings.churn.horizon_days], say=say)[0]


def train_horizons(
    log: Log, horizons_days: Sequence[int], *, say: Callable[[str], None] = lambda _: None
) -> tuple[TrainedModel, ...]:
    """Train a challenger for each horizon, from one build of profiles; each is registered under a name of its own.

    Returns
    -------
    In the order of the horizons. One horizon has the project's name; of several, each has its days behind that: ``churn_7d``.

    Raises
    ------
    CheckFailed
        When the log holds too little to learn from.
    """
    from training.diagnostics import diagnose
    from training.pipeline import train_horizons as fit
    from training.report.mlflow_run import LogFacts, register

    project, activity = log.project, log.activity
    recipe = project.recipe
    recipes = [replace(recipe, churn=recipe.churn.model_copy(update={"horizon_days": days})) for days in horizons_days]
    names = [project.name_of(days) if len(horizons_days) > 1 else project.name for days in horizons_days]
    withheld = activity.tables.withheld(recipe.features.allow_sensitive)
    with ExitStack() as open_runs:
        recorders = [open_runs.enter_context(project.registry_of(name).run()) for name in names]
        models: list[TrainedModel] = []
        for name, recorder, trained in zip(names, recorders, fit(activity, recipes, say=say), strict=True):
            diagnostics = diagnose(activity, trained, say=say)
            say("registering the challenger")
            facts = LogFacts(name, project.source, activity.coverage, withheld)
            registered = register(trained, recorder, diagnostics=diagnostics, log=facts)
            models.append(TrainedModel(registered, trained, diagnostics))
    return tuple(models)


def score(log: Log, model: ChurnModel, *, cutoff: date, say: Callable[[str], None] = lambda _: None) -> pa.Table:
    """Score everybody seen before a cutoff.

    Returns
    -------
    One row per user: status, churn probability, percentile, risk band and the top three reasons.
    """
    from features.profiles.build import build
    from serving.batch.score import score_table, to_table

    activity = log.project.activity(frozen=model, say=say)
    profiles = build(activity, model.specification, cutoffs=[cutoff])
    return to_table(score_table(model, profiles, bands=log.project.settings.scoring))
