"""What the methods of :class:`churn.Project` return: what ``--json`` prints, with a representation worth reading."""

from churn.results.data import Log, Profiles, TrainingData
from churn.results.first_look import FirstLook
from churn.results.keys import KeyMade, Keys
from churn.results.models import Audit, Horizon, Promotion, Reliability, Rollback, Training
from churn.results.outcomes import Outcomes
from churn.results.replay import Replay
from churn.results.report import Report
from churn.results.result import Result
from churn.results.scores import Bento, Export, ListCheck, Publication, Scoring, WeeklyList
from churn.results.status import Diagnosis, Status

__all__ = [
    "Audit",
    "Bento",
    "Diagnosis",
    "Export",
    "FirstLook",
    "Horizon",
    "KeyMade",
    "Keys",
    "ListCheck",
    "Log",
    "Outcomes",
    "Profiles",
    "Promotion",
    "Publication",
    "Reliability",
    "Replay",
    "Report",
    "Result",
    "Rollback",
    "Scoring",
    "Status",
    "Training",
    "TrainingData",
    "WeeklyList",
]
