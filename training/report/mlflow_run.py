"""A training as an MLflow run: metrics, charts, model card, excluded features and why, and the model itself."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pyarrow as pa

from features.snapshots import Coverage
from models.card import CardFacts, Columns, Dates, Origin, card
from models.encoding import encode
from models.registry.registry import Recorder, RegisteredModel
from models.registry.run_record import ChildRun, DatasetRecord, MetricHistory, RunRecord
from training.data.dataset import Dataset
from training.diagnostics import Diagnostics
from training.plan.outages import named
from training.report.charts import (
    backtest_chart,
    base_rate_chart,
    draw,
    evaluation_charts,
    learning_curve_chart,
)
from training.trained import Trained

_MAX_EXPLAINED_USERS = 5_000
_ROWS_AT_ONCE = 50_000


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


def register(trained: Trained, recorder: Recorder, *, diagnostics: Diagnostics, log: LogFacts) -> RegisteredModel:
    """Log a training with its charts and its card, and register the model as challenger."""
    text = card(_facts(trained, diagnostics, commit=recorder.commit, log=log))
    importance = _importance(trained)
    with TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "card.md").write_text(text)
        _write_charts(trained, diagnostics, importance=importance, folder=folder)
        _write_results(trained, diagnostics, importance=importance, folder=folder)
        return recorder.log(
            RunRecord(
                model=trained.model,
                parameters=_parameters(trained),
                metrics=trained.evaluation.flat(),
                tags=_tags(trained),
                datasets=_datasets(trained, source=log.source),
                artifacts=folder,
                name=f"{trained.split.test} {trained.recipe.churn.horizon_days}d",
                description=_description(trained),
                refitted=trained.refitted,
                steps=_steps(diagnostics),
                children=tuple(_trials(trained)),
            )
        )


# --- Files ---------------------------------------------------------------------------------------------------------


def _write_charts(trained: Trained, diagnostics: Diagnostics, *, importance: Mapping[str, float], folder: Path) -> None:
    test, model = trained.test, trained.model
    charts = [
        *evaluation_charts(
            test,
            model.predict_probability(test.profiles),
            evaluation=trained.evaluation,
            baselines=trained.baselines,
            importance=importance,
        ),
        base_rate_chart([trained.training_rows, test] if len(trained.training_rows.churned) else [test]),
    ]
    if diagnostics.backtest and diagnostics.backtest.weeks:
        charts.append(backtest_chart(diagnostics.backtest))
    if diagnostics.learning_curve:
        charts.append(learning_curve_chart(diagnostics.learning_curve))
    draw(folder, charts)


def _write_results(
    trained: Trained, diagnostics: Diagnostics, *, importance: Mapping[str, float], folder: Path
) -> None:
    files: dict[str, Any] = {
        "features.json": {"used": importance, "left_out": trained.left_out, "pooled": trained.pooled},
        "split.json": asdict(trained.split) | {"way": trained.layout.way, "outages": trained.layout.outages},
        "evaluation.json": trained.evaluation.to_json(),
        "calibration.json": {"chosen": _calibration(trained), "log_losses": trained.fit.calibration.log_losses},
    }
    if trained.audit:
        files["audit.json"] = trained.audit.to_json()
        (folder / "audit.md").write_text(trained.audit.to_markdown())
    if diagnostics.backtest:
        files["backtest.json"] = diagnostics.backtest.to_json()
    if diagnostics.learning_curve:
        files["learning_curve.json"] = diagnostics.learning_curve.to_json()
    for name, values in files.items():
        (folder / name).write_text(json.dumps(values, indent=1, default=str))


def _importance(trained: Trained) -> dict[str, float]:
    """Mean absolute contribution of each feature, over a sample of the test users."""
    model = trained.model
    sample = encode(trained.test.profiles.slice(0, _MAX_EXPLAINED_USERS), model.specification)
    weight = np.abs(model.contributions(sample)).mean(axis=0)
    return dict(zip(model.specification.feature_names, weight.tolist(), strict=True))


# --- Parameters, tags, description ---------------------------------------------------------------------------------


def _parameters(trained: Trained) -> dict[str, Any]:
    settings = {
        f"{name}.{key}": value
        for name, section in trained.recipe.sections.items()
        for key, value in section.model_dump(mode="json").items()
    }
    return settings | {"trees": trained.model.scorer.trees, "calibration": _calibration(trained)}


def _calibration(trained: Trained) -> str:
    return type(trained.model.calibration).__name__.lower()


def _tags(trained: Trained) -> dict[str, str]:
    evaluation = trained.evaluation
    rule = evaluation.baselines.get(evaluation.better_rule)
    return {
        "grade": evaluation.grade.name,
        "better_rule": evaluation.better_rule or "none",
        "auc_over_better_rule": f"{rule.difference_auc.value:+.4f}" if rule else "unknown",
        "audit": _audit_summary(trained),
        "training_cutoffs": trained.layout.way,
        "parts": "+".join(trained.model.scorer.kinds),
        "sensitive": ", ".join(trained.model.specification.sensitive) or "none",
        "split": "folds" if trained.split.uses_folds else "periods",
    }


def _audit_summary(trained: Trained) -> str:
    """``clean``, or the codes of the checks that failed."""
    if trained.audit is None:
        return "clean"  # not trained on labels, so none can have leaked
    return ", ".join(sorted({code for code, _ in trained.audit.findings})) or "clean"


def _description(trained: Trained) -> str:
    """Put the essentials into a heading and a sentence: MLflow collapses the rest."""
    evaluation, churn = trained.evaluation, trained.recipe.churn
    auc = evaluation.auc
    rows = [("model", auc), *((name, found.auc) for name, found in evaluation.baselines.items())]
    table = "\n".join(f"| {name} | {found.value:.3f} ({found.low:.3f} to {found.high:.3f}) |" for name, found in rows)
    return (
        f"## {evaluation.grade.name.capitalize()}: AUC {auc.value:.3f} on {evaluation.users:,} users at {trained.split.test}\n\n"
        f"Who leaves within {churn.horizon_days} days: {evaluation.grade.why}; leakage audit: {_audit_summary(trained)}. "
        "The full model card is the artifact `card.md`; the charts are in `evaluation.html`.\n\n"
        f"| | AUC |\n|---|---|\n{table}\n\n{trained.layout.why}"
    )


def _steps(diagnostics: Diagnostics) -> dict[str, MetricHistory]:
    if not (diagnostics.backtest and diagnostics.backtest.weeks):
        return {}
    weeks = diagnostics.backtest.weeks
    days = [week.cutoff for week in weeks]
    return {
        "backtest/auc": MetricHistory([week.auc.value for week in weeks], days),
        "backtest/better_rule_auc": MetricHistory([week.better_rule_auc for week in weeks], days),
        "backtest/calibration_error": MetricHistory([week.calibration_error.value for week in weeks], days),
    }


def _trials(trained: Trained) -> Iterator[ChildRun]:
    for trial in trained.searched.trials if trained.searched else ():
        yield ChildRun(
            f"trial {trial.number}", trial.parameters, {"inner.log_loss": trial.log_loss}, {"state": trial.state}
        )


def _datasets(trained: Trained, *, source: str) -> dict[str, DatasetRecord]:
    split = trained.split
    parts = {"training": split.train, "validation": split.validation, "calibration": split.calibration}
    found = {
        name: _data(trained.training_rows.at(cutoffs), source=source) for name, cutoffs in parts.items() if cutoffs
    }
    return found | {"test": _data(trained.test, source=source)}


def _data(part: Dataset, *, source: str) -> DatasetRecord:
    profile = {"num_rows": len(part.churned), "churn_rate": round(float(part.churned.mean()), 4)}
    return DatasetRecord(
        digest(part.profiles), source, profile | {"cutoffs": [str(cutoff) for cutoff in part.snapshots]}
    )


def digest(profiles: pa.Table) -> str:
    """SHA-256 over all values, in order, however the table is chunked."""
    sink = hashlib.sha256()
    for start in range(0, profiles.num_rows, _ROWS_AT_ONCE):
        for batch in profiles.slice(start, _ROWS_AT_ONCE).combine_chunks().to_batches():
            sink.update(batch.serialize())
    return sink.hexdigest()


# --- The card ------------------------------------------------------------------------------------------------------


def _facts(trained: Trained, diagnostics: Diagnostics, *, commit: str, log: LogFacts) -> CardFacts:
    spec, split = trained.model.specification, trained.split
    coverage = log.coverage
    return CardFacts(
        name=log.project,
        definition=trained.model.definition,
        dates=Dates(
            coverage.first_day,
            coverage.covered_until,
            split.train,
            split.validation,
            split.calibration,
            split.test,
            trained.layout.why,
            trained.refitted_on,
        ),
        columns=Columns(
            len(spec.feature_names) - len(spec.unused), spec.sensitive, tuple(log.withheld), trained.left_out
        ),
        evaluation=trained.evaluation,
        calibration=_calibration_in_words(trained),
        origin=Origin(commit or "unknown", trained.recipe.training.seed, _non_default_settings(trained)),
        audit=_audit_results(trained),
        notes=tuple(_notes(trained, diagnostics)),
    )


def _calibration_in_words(trained: Trained) -> str:
    losses = trained.fit.calibration.log_losses
    if not losses:
        return f"Raw scores were calibrated by {_calibration(trained)} scaling; there was nothing to compare it with"
    losses_in_words = ", ".join(f"{name} {loss:.4f}" for name, loss in losses.items())
    return f"Raw scores were calibrated by {_calibration(trained)} calibration; log loss on held-out users: {losses_in_words}"


def _non_default_settings(trained: Trained) -> dict[str, Any]:
    """Return the settings that differ from their defaults."""
    return {
        f"{name}.{key}": value
        for name, section in trained.recipe.sections.items()
        for key, value in section.model_dump(mode="json", exclude_defaults=True).items()
    }


def _audit_results(trained: Trained) -> dict[str, str]:
    if trained.audit is None:
        return {}
    found = {code: f"{finding.where}: {finding.found}" for code, finding in trained.audit.findings}
    return {one.check.code: found.get(one.check.code, "ok") for one in trained.audit.checks}


def _notes(trained: Trained, diagnostics: Diagnostics) -> Iterator[str]:
    if trained.layout.outages:
        yield f"Snapshots near incomplete days were excluded: {named(trained.layout.outages)}"
    for name, values in trained.pooled.items():
        yield f"{len(values)} values of {name} count as unknown, because their share changed between the snapshots"
    if diagnostics.backtest:
        yield diagnostics.backtest.says
    if diagnostics.learning_curve:
        yield diagnostics.learning_curve.says
