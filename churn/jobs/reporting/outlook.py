"""The curves of the champion for all users just after the log: what the report expects of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

from churn.jobs.status import existing_registry
from churn.progress import Say, progress_of
from insights.lifetime import Outlook
from models.registry import CHAMPION

if TYPE_CHECKING:
    from churn.project import Project


def outlook(project: Project, *, say: Say) -> Outlook | None:
    """Draw the curves of whom the champion scores on the day after the log; None where there is no champion, or it has no curves."""
    registry = existing_registry(project)
    if registry is None or not registry.has(CHAMPION):
        return None
    from churn.jobs.scores import scored
    from serving.batch.score import is_eligible

    model = registry.get(CHAMPION).model
    if model.hazard is None:
        return None
    cutoff = project.activity(frozen=model, say=say).coverage.covered_until
    _, users = scored(project, cutoff, model=CHAMPION, say=progress_of(say))
    own = is_eligible(users.model, users.profiles)  # who is too new may have the score of another model
    curves = users.model.curve(users.profiles.filter(pa.array(own)))
    return Outlook(cutoff, curves.is_event, curves.days, curves.probabilities, curves.median_days)
