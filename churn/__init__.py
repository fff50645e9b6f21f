"""Churn prediction from event logs: profiles, models, scores and the weekly at-risk list.

Everything starts at a :class:`Project`; each of its methods does what the command's verb of that name does, and returns what
``--json`` prints. Everything heavy is imported when it is needed.

Examples
--------
From a log to the weekly list::

    import churn

    project = churn.Project("world/churn.toml")
    training = project.train(say=print)
    project.promote()
    project.export("2026-W27").to_pandas()
"""

from __future__ import annotations

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from churn import plots
    from churn.aliases import build_profiles, load_model, read_events, score, train
    from churn.project import Project
    from churn.results import (
        Audit,
        Export,
        Horizon,
        ListCheck,
        Log,
        Profiles,
        Promotion,
        Rollback,
        Scoring,
        Training,
        TrainingData,
        WeeklyList,
    )
    from features.errors import CheckFailed, ChurnError, InputError, SettingsError
    from training.classifier import ChurnClassifier

__all__ = [
    "Audit",
    "CheckFailed",
    "ChurnClassifier",
    "ChurnError",
    "Export",
    "Horizon",
    "InputError",
    "ListCheck",
    "Log",
    "Profiles",
    "Project",
    "Promotion",
    "Rollback",
    "Scoring",
    "SettingsError",
    "Training",
    "TrainingData",
    "WeeklyList",
    "build_profiles",
    "load_model",
    "plots",
    "read_events",
    "score",
    "train",
]

_PLACES = {
    "churn.project": ("Project",),
    "churn.aliases": ("build_profiles", "load_model", "read_events", "score", "train"),
    "training.classifier": ("ChurnClassifier",),
    "features.errors": ("CheckFailed", "ChurnError", "InputError", "SettingsError"),
}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("churn")
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if name == "plots":
        return import_module("churn.plots")
    place = next((place for place, names in _PLACES.items() if name in names), "churn.results")
    return getattr(import_module(place), name)


def __dir__() -> list[str]:
    return [*__all__, "__doc__", "__version__"]


def main() -> None:
    """Run the command; every error leaves as a message and an exit code, never as a traceback."""
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("BENTOML_DO_NOT_TRACK", "true")
    os.environ.setdefault("DO_NOT_TRACK", "1")
    try:
        from churn.cli.app import run

        code = run()
    except KeyboardInterrupt:  # while it was still being imported
        code = 130
    raise SystemExit(code)
