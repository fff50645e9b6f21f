"""Five functions for short scripts: each is a method of :class:`churn.Project`."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from churn.cutoffs import Cutoff
from churn.progress import Say
from churn.project import Project
from churn.results import Profiles, Scoring, Training
from models.churn_model import ChurnModel
from models.registry import CHAMPION


def read_events(
    config: str | Path | None = None, *, home: str | Path | None = None, events: Any = None, say: Say | None = None
) -> Project:
    """Open a project and read its event log; see :meth:`churn.Project.log`."""
    project = Project(config, home=home, events=events)
    project.log(say=say)
    return project


def build_profiles(project: Project, cutoffs: Cutoff | Iterable[Cutoff]) -> Profiles:
    """Build the profiles of all users seen before each cutoff; see :meth:`churn.Project.profiles`."""
    return project.profiles(cutoffs)


def train(project: Project, *, say: Say | None = None) -> Training:
    """Train a challenger and register it; see :meth:`churn.Project.train`."""
    return project.train(say=say)


def load_model(project: Project, model: str = CHAMPION) -> ChurnModel:
    """Return a registered model by alias or version; see :meth:`churn.Project.load_model`."""
    return project.load_model(model)


def score(project: Project, cutoff: Cutoff, *, model: str = CHAMPION, say: Say | None = None) -> Scoring:
    """Score every user at a cutoff; see :meth:`churn.Project.score`."""
    return project.score(cutoff, model=model, say=say)
