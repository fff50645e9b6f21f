"""The small Python API: four functions, Arrow tables out. Everything heavy is imported when it is needed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cli.project import Project, open_project

if TYPE_CHECKING:
    import pyarrow as pa

    from features.activity import Activity
    from models.churn_model import ChurnModel
    from models.registry import Registered
    from training.pipeline import Trained


@dataclass(frozen=True)
class Log:
    """An event log that was read: its activity is kept in the home of the project."""

    project: Project
    activity: Activity

    def summary(self) -> dict[str, Any]:
        """Count what was read, and what was set aside and why."""
        found = self.activity.manifest
        return {
            "rows": found.rows,
            "rejected": found.rejected,
            "first_day": str(found.first_day),
            "covered_until": str(found.covered_until),
        }

    def describe(self) -> str:
        """Say in a line what was read."""
        from features.activity import describe_rejected

        found = self.activity.manifest
        return (
            f"{found.rows:,} rows from {found.first_day} up to {found.covered_until}; "
            f"set aside: {describe_rejected(found.rejected)}"
            + ("; activity kept from before" if self.activity.is_reused else "")
            + ("; ingested_at is checked and not used yet" if "ingested_at" in found.facts else "")
        )


@dataclass(frozen=True)
class TrainedModel:
    """A registered challenger with everything its training found."""

    registered: Registered
    trained: Trained

    @property
    def model(self) -> ChurnModel:
        """The model that was tested, and registered."""
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
                "trees": registered.model.booster.num_trees(),
            },
            "split": {
                name: _dates(getattr(split, name)) for name in ("train", "validation", "calibration", "test", "why")
            },
            "left_out": self.trained.left_out,
        }


def _dates(value: Any) -> Any:
    return [str(day) for day in value] if isinstance(value, tuple) else str(value)


def read_events(
    config: str | Path | None = None,
    *,
    home: str | Path | None = None,
    events: str | Path | None = None,
    pairs: Sequence[str] = (),
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

    Raises
    ------
    InputError
        When the log or a setting cannot be used.
    """
    project = open_project(_path(config), home=_path(home), events=_path(events), pairs=pairs)
    return Log(project, project.activity())


def _path(place: str | Path | None) -> Path | None:
    return None if place is None else Path(place)


def build_profiles(log: Log, *, cutoffs: Sequence[date]) -> pa.Table:
    """Build the profiles of all users seen before each cutoff, with every feature that the log can answer.

    Returns
    -------
    One row per user and cutoff (Arrow; ``.to_pandas()`` for a frame).
    """
    from features.profiles import build
    from training.dataset import freeze

    settings = log.project.settings
    specification, _ = freeze(log.activity, settings.features, churn=settings.churn, learnt_from=cutoffs)
    return build(log.activity, specification, cutoffs=cutoffs)


def train(log: Log, *, say: Callable[[str], None] = lambda _: None) -> TrainedModel:
    """Train a challenger, test it on a later cutoff, and register it in MLflow.

    Raises
    ------
    GuardRefused
        When the log holds too little to learn from.
    """
    from training.pipeline import register
    from training.pipeline import train as fit

    project = log.project
    trained = fit(log.activity, project.recipe, say=say)
    say("registering the challenger")
    return TrainedModel(register(trained, project.registry, recipe=project.recipe), trained)


def score(log: Log, model: ChurnModel, *, cutoff: date) -> pa.Table:
    """Score everybody seen before a cutoff.

    Returns
    -------
    One row per user: status, churn probability, percentile, risk band and the top three reasons.
    """
    from features.profiles import build
    from serving.scoring import score_table, to_table

    activity = log.project.activity(frozen=model)
    profiles = build(activity, model.specification, cutoffs=[cutoff])
    return to_table(score_table(model, profiles, bands=log.project.settings.scoring))
