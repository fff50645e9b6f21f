"""What the methods of :class:`churn.Project` return: what ``--json`` prints, with a representation worth reading."""

from churn.results.data import Log, Profiles, TrainingData
from churn.results.models import Audit, Horizon, Promotion, Rollback, Training
from churn.results.result import Result
from churn.results.scores import Export, Scoring

__all__ = [
    "Audit",
    "Export",
    "Horizon",
    "Log",
    "Profiles",
    "Promotion",
    "Result",
    "Rollback",
    "Scoring",
    "Training",
    "TrainingData",
]
