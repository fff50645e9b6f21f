"""The report of one training, built once: as model card, as MLflow run and as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from msgspec import to_builtins

from features.snapshots import Coverage
from models.card import CardFacts, Columns, Dates, Origin
from models.encoding import encode
from training.data.dataset import Dataset
from training.diagnostics import Diagnostics
from training.plan.outages import describe_outages
from training.report.warnings import warnings_of
from training.trained import TrainingResult

_MAX_EXPLAINED_USERS = 5_000
_PARTS = ("train", "validation", "calibration", "test")


@dataclass(frozen=True)
class LogFacts:
    """What a training does not know itself.

    Attributes
    ----------
    source
        Where the log is stored, without secrets.
    withheld
        Sensitive attributes in the log that the model does not use, each with the reason.
    """

    project: str
    source: str
    coverage: Coverage
    withheld: Mapping[str, str]


@dataclass(frozen=True)
class TrainingReport:
    """A training with its diagnostics, in the words and names of card, run and JSON."""

    trained: TrainingResult
    diagnostics: Diagnostics

    @property
    def calibration(self) -> str:
        """Name of the calibration."""
        return type(self.trained.model.calibration).__name__.lower()

    @property
    def audit(self) -> str:
        """``clean``, or the codes of the checks that failed."""
        if self.trained.audit is None:
            return "clean"  # not trained on labels, so none can have leaked
        return ", ".join(sorted({code for code, _ in self.trained.audit.findings})) or "clean"

    @cached_property
    def importance(self) -> dict[str, float]:
        """Mean absolute contribution of each feature, over a random sample of the test users."""
        model, sample = self.trained.model, self._explained_users()
        contributions = model.contributions(encode(sample.profiles, model.specification))
        mean = np.average(np.abs(contributions), axis=0, weights=sample.weights)
        return dict(zip(model.specification.feature_names, mean.tolist(), strict=True))

    def _explained_users(self) -> Dataset:
        """Return a random sample of the test users, whose profiles come in the order of their ids."""
        test = self.trained.test
        random = np.random.default_rng(self.trained.recipe.training.seed)
        return test.only(random.permutation(len(test.churned)) < _MAX_EXPLAINED_USERS)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a reader should know before trusting it, one sentence each."""
        returning = self.diagnostics.mislabelling
        return (*warnings_of(self.trained), *([returning] if returning else []))

    # --- MLflow ----------------------------------------------------------------------------------------------------

    @property
    def name(self) -> str:
        """Name of the run: test cutoff and horizon."""
        return f"{self.trained.split.test} {self.trained.recipe.churn.horizon_days}d"

    @property
    def parameters(self) -> dict[str, Any]:
        """Every setting, as ``section.key``, and what was fitted."""
        return self._settings() | {"trees": self.trained.model.scorer.trees, "calibration": self.calibration}

    @property
    def tags(self) -> dict[str, str]:
        """The results to filter runs by."""
        trained, evaluation = self.trained, self.trained.evaluation
        rule = evaluation.baselines.get(evaluation.better_rule)
        return {
            "grade": evaluation.grade.name,
            "better_rule": evaluation.better_rule or "none",
            "auc_over_better_rule": f"{rule.difference_auc.value:+.4f}" if rule else "unknown",
            "audit": self.audit,
            "strategy": trained.plan.strategy,
            "parts": "+".join(trained.model.scorer.kinds),
            "sensitive": ", ".join(trained.model.specification.sensitive) or "none",
            "split": "folds" if trained.split.uses_folds else "periods",
        }

    @property
    def description(self) -> str:
        """The essentials in a heading and a sentence: MLflow collapses the rest."""
        trained, evaluation = self.trained, self.trained.evaluation
        auc = evaluation.auc
        rows = [("model", auc), *((name, found.auc) for name, found in evaluation.baselines.items())]
        table = "\n".join(f"| {name} | {one.value:.3f} ({one.low:.3f} to {one.high:.3f}) |" for name, one in rows)
        return (
            f"## {evaluation.grade.name.capitalize()}: AUC {auc.value:.3f} on {evaluation.users:,} users at "
            f"{trained.split.test}\n\n"
            f"Who leaves within {trained.recipe.churn.horizon_days} days: {evaluation.grade.why}; leakage audit: {self.audit}. "
            "The full model card is the artifact `card.md`; the charts are in `evaluation.html`.\n\n"
            f"| | AUC |\n|---|---|\n{table}\n\n{trained.plan.why}"
        )

    # --- JSON ------------------------------------------------------------------------------------------------------

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values: the evaluation, the split, excluded features, the audit and the diagnostics."""
        trained, diagnostics = self.trained, self.diagnostics
        cutoffs = {name: _dates(getattr(trained.split, name)) for name in _PARTS}
        return trained.evaluation.to_json() | {
            "split": cutoffs | {"why": trained.plan.why},
            "excluded": trained.excluded,
            "strategy": trained.plan.strategy,
            "outages": [str(outage.day) for outage in trained.plan.outages],
            "bots": trained.plan.bots.to_json() if trained.plan.bots else None,
            "warnings": list(self.warnings),
            "base_rate": {
                "shift": trained.fit.shift.shift,
                "why": trained.fit.shift.why,
                "known_cutoffs": [to_builtins(one) for one in trained.model.known_cutoffs],
            },
            "audit": trained.audit.to_json() if trained.audit else None,
            "backtest": diagnostics.backtest.to_json() if diagnostics.backtest else None,
            "learning_curve": diagnostics.learning_curve.to_json() if diagnostics.learning_curve else None,
        }

    # --- The card --------------------------------------------------------------------------------------------------

    def card_facts(self, log: LogFacts, *, commit: str) -> CardFacts:
        """Return what the model card states; ``commit`` is empty outside a checkout."""
        trained = self.trained
        spec = trained.model.specification
        return CardFacts(
            name=log.project,
            definition=trained.model.definition,
            dates=self._cutoffs(log.coverage),
            columns=Columns(len(spec.used_names), spec.sensitive, tuple(log.withheld), trained.excluded),
            evaluation=trained.evaluation,
            calibration=self._calibration_in_words(),
            origin=Origin(commit or "unknown", trained.recipe.training.seed, self._settings(exclude_defaults=True)),
            audit=self._audit_results(),
            notes=tuple(self._notes()),
        )

    def _cutoffs(self, coverage: Coverage) -> Dates:
        trained, split = self.trained, self.trained.split
        return Dates(
            first_day=coverage.first_day,
            covered_until=coverage.covered_until,
            train=split.train,
            validation=split.validation,
            calibration=split.calibration,
            test=split.test,
            why=trained.plan.why,
            refitted=trained.refit_cutoffs,
        )

    def _settings(self, *, exclude_defaults: bool = False) -> dict[str, Any]:
        return {
            f"{name}.{key}": value
            for name, section in self.trained.recipe.sections.items()
            for key, value in section.model_dump(mode="json", exclude_defaults=exclude_defaults).items()
        }

    def _calibration_in_words(self) -> str:
        losses = self.trained.fit.calibration.log_losses
        if not losses:
            return f"Raw scores were calibrated by {self.calibration} scaling; there was nothing to compare it with"
        words = ", ".join(f"{name} {loss:.4f}" for name, loss in losses.items())
        return f"Raw scores were calibrated by {self.calibration} calibration; log loss on held-out users: {words}"

    def _audit_results(self) -> dict[str, str]:
        if self.trained.audit is None:
            return {}
        found = {code: f"{finding.where}: {finding.found}" for code, finding in self.trained.audit.findings}
        return {one.check.code: found.get(one.check.code, "ok") for one in self.trained.audit.checks}

    def _notes(self) -> Iterator[str]:
        trained, diagnostics = self.trained, self.diagnostics
        yield from self.warnings
        if trained.fit.why:
            yield trained.fit.why
        if trained.plan.outages:
            yield f"Snapshots near incomplete days were excluded: {describe_outages(trained.plan.outages)}"
        for name, values in trained.pooled.items():
            yield f"{len(values)} values of {name} count as unknown, because their share changed between the snapshots"
        if diagnostics.backtest:
            yield diagnostics.backtest.summary
        if diagnostics.learning_curve:
            yield diagnostics.learning_curve.summary


def _dates(value: Any) -> Any:
    return [str(day) for day in value] if isinstance(value, tuple) else str(value)
