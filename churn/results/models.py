"""The horizon, the audit, trainings and promotions."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from churn.results.outcomes import plain
from churn.results.result import Result
from features.errors import CheckFailed

if TYPE_CHECKING:
    from features.settings import ChurnSettings
    from models.churn_model import ChurnModel
    from models.registry.registry import RegisteredModel
    from training.audit.audit import AuditReport
    from training.diagnostics import Diagnostics
    from training.evaluation.reliability import KnownReliability
    from training.horizon.advice import Advice
    from training.promotion.decide import Decision
    from training.trained import TrainingResult


@dataclass(frozen=True, repr=False)
class Horizon(Result):
    """Which horizon the log suggests.

    Attributes
    ----------
    configured
        The definition of churn that is set.
    """

    advice: Advice
    configured: ChurnSettings

    @property
    def is_set(self) -> bool:
        """Whether what is recommended is set."""
        within = self.configured.active_within_days
        return (self.configured.horizon_days, within) == (self.recommended_days, self.advice.active_within_days)

    @property
    def recommended_days(self) -> int | None:
        """The recommended horizon; None where none can be recommended."""
        return self.advice.recommended

    def to_json(self) -> dict[str, Any]:
        """Return the advice."""
        return self.advice.to_json()

    def draw(self, path: Path) -> None:
        """Draw who comes back after how many idle days, as PNG."""
        from training.horizon.chart import draw

        draw(self.advice, path)

    @property
    def summary(self) -> dict[str, Any]:
        """The recommendation and why."""
        return {
            "recommended_days": self.recommended_days,
            "active_within_days": self.advice.active_within_days,
            "configured_days": self.advice.configured,
            "why": self.advice.why,
        }


@dataclass(frozen=True, repr=False)
class Audit(Result):
    """The leakage audit of what a model would be trained on."""

    report: AuditReport

    @property
    def is_clean(self) -> bool:
        """True where no check found anything."""
        return self.report.is_clean

    def check(self) -> None:
        """Raise where a check found something.

        Raises
        ------
        CheckFailed
            It names the check, and the column, cutoff or day.
        """
        self.report.raise_if_failed()

    def to_json(self) -> dict[str, Any]:
        """Return every check with its findings."""
        return self.report.to_json()

    @property
    def summary(self) -> dict[str, Any]:
        """Each check and whether it passed."""
        return {one.check.code: "ok" if one.is_ok else "failed" for one in self.report.checks}


@dataclass(frozen=True, repr=False)
class Training(Result):
    """A registered challenger with everything its training found."""

    registered: RegisteredModel
    trained: TrainingResult
    diagnostics: Diagnostics

    @property
    def title(self) -> str:
        """Model and version."""
        return f"{self.name} version {self.version}, challenger"

    @property
    def name(self) -> str:
        """The registered model in MLflow."""
        return self.registered.name

    @property
    def version(self) -> str:
        """Its version in MLflow."""
        return self.registered.version

    @property
    def model(self) -> ChurnModel:
        """The model that is registered as challenger: the tested one, or where that was asked for the refitted one."""
        return self.registered.model

    @property
    def horizon_days(self) -> int:
        """Days without a qualifying event that make a user churned."""
        return self.model.definition.horizon_days

    @property
    def test_cutoff(self) -> date:
        """The cutoff that the model was tested on."""
        return self.trained.split.test

    @property
    def auc(self) -> float:
        """AUC on the test cutoff."""
        return self._metric("auc")

    @property
    def log_loss(self) -> float:
        """Log loss on the test cutoff, in nats."""
        return self._metric("log_loss")

    @property
    def calibration_error(self) -> float:
        """Calibration error on the test cutoff: 10 bins of equal count."""
        return self._metric("calibration_error")

    @property
    def churn_rate(self) -> float:
        """Share of the tested users that churned."""
        return self._metric("churn_rate")

    @property
    def users(self) -> int:
        """Users that the model was tested on."""
        return int(self._metric("users"))

    @property
    def grade(self) -> str:
        """How good the model is in a word."""
        return self.trained.evaluation.grade.name

    @property
    def baselines(self) -> dict[str, float]:
        """AUC of each baseline on the same users."""
        return {name: found.auc.value for name, found in self.trained.evaluation.baselines.items()}

    def _metric(self, name: str) -> float:
        return self.trained.evaluation.metric_values[name]

    def to_json(self) -> dict[str, Any]:
        """Return the test, the split, the audit and what was registered."""
        from training.report.training_report import TrainingReport

        registered = self.registered
        return plain(TrainingReport(self.trained, self.diagnostics).to_json()) | {
            "model": {
                "name": registered.name,
                "version": registered.version,
                "run_id": registered.run_id,
                "features": len(registered.model.specification.used_names),
                "trees": registered.model.scorer.trees,
                "tested_version": registered.tested_version or registered.version,
                "refused": registered.refused,
            },
        }

    @property
    def summary(self) -> dict[str, Any]:
        """The test at a glance, the best baseline under it."""
        best = max(self.baselines, key=lambda name: self.baselines[name])
        return {
            "grade": self.grade,
            "auc": self.auc,
            f"auc of {best}": self.baselines[best],
            "calibration_error": self.calibration_error,
            "churn_rate": self.churn_rate,
            "users": self.users,
            "test_cutoff": self.test_cutoff,
            "features": len(self.model.specification.used_names),
        }


@dataclass(frozen=True, repr=False)
class Reliability(Result):
    """How true the probabilities of a model were, at its test and at every later cutoff whose labels are known.

    Attributes
    ----------
    probabilities
        Those for which the churn rate was asked for.
    """

    name: str
    version: str
    known: KnownReliability
    probabilities: tuple[float, ...] = ()

    @property
    def title(self) -> str:
        """Model and version."""
        return f"{self.name} version {self.version}: probabilities compared with what happened"

    def churn_rate(self, probability: float) -> tuple[float, float, float]:
        """Return the churn rate among users with such a probability at the next cutoff, and its 90 % interval.

        It is what happened to users with such a score, not what will happen to one of them.
        """
        found = self.known.churn_rate(probability)
        return found.value, found.low, found.high

    def to_json(self) -> dict[str, Any]:
        """Return every cutoff, whole and by slice, and the churn rates that were asked for."""
        from models.evaluation.score_rates import LEVEL

        rates = [{"probability": one} | asdict(self.known.churn_rate(one)) for one in self.probabilities]
        found = {
            "model": {"name": self.name, "version": self.version},
            "cutoffs": [one.to_json() for one in self.known.cutoffs],
            "churn_rate_among_users_with_such_a_score": {
                "cutoff": str(self.known.next_cutoff),
                "level": LEVEL,
                "rates": rates,
            },
        }
        return plain(found)

    @property
    def summary(self) -> dict[str, Any]:
        """The latest cutoff at a glance."""
        latest = self.known.cutoffs[-1]
        whole = latest.whole.to_json()
        names = ("users", "churn_rate", "mean_probability", "calibration_error", "calibration_error_by_chance_95")
        return {"cutoffs": len(self.known.cutoffs), "latest": latest.cutoff} | {name: whole.get(name) for name in names}


@dataclass(frozen=True, repr=False)
class Promotion(Result):
    """The decision on a challenger.

    Attributes
    ----------
    covered_until
        First day that the log does not cover: the latest cutoff that can be scored.
    """

    version: str
    decision: Decision
    covered_until: date
    dry_run: bool = False

    @property
    def is_promoted(self) -> bool:
        """True where every gate was passed."""
        return self.decision.is_promoted

    def check(self) -> None:
        """Raise where the challenger was refused.

        Raises
        ------
        CheckFailed
            It says which gate failed.
        """
        if not self.is_promoted:
            raise CheckFailed(f"not promoted: {self.decision.why}", hint=self.decision.way_out)

    def to_json(self) -> dict[str, Any]:
        """Return the decision, its gates and what decided."""
        return self.decision.to_json() | {"version": self.version, "dry_run": self.dry_run}

    @property
    def summary(self) -> dict[str, Any]:
        """Whether it was promoted, and why."""
        return {
            "version": self.version,
            "promoted": self.is_promoted,
            "dry_run": self.dry_run,
            "why": self.decision.why,
        }


@dataclass(frozen=True, repr=False)
class Rollback(Result):
    """Which version was champion, and which one is champion again."""

    from_version: str
    to_version: str

    def to_json(self) -> dict[str, Any]:
        """Return both versions."""
        return {"from": self.from_version, "to": self.to_version}
