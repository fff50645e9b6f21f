"""A training as an MLflow run: metrics, charts, model card, excluded features and why, and the model itself."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pyarrow as pa

from models.card import card
from models.registry.registry import Recorder, RegisteredModel
from models.registry.run_record import ChildRun, DatasetRecord, MetricHistory, RunRecord
from training.data.dataset import Dataset
from training.diagnostics import Diagnostics
from training.report.charts import (
    backtest_chart,
    base_rate_chart,
    draw,
    evaluation_charts,
    learning_curve_chart,
)
from training.report.training_report import LogFacts, TrainingReport
from training.trained import TrainingResult

_ROWS_AT_ONCE = 50_000


def register(report: TrainingReport, recorder: Recorder, *, log: LogFacts) -> RegisteredModel:
    """Log a training with its charts and its card, and register the model as challenger."""
    trained, text = report.trained, card(report.card_facts(log, commit=recorder.commit))
    with TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "card.md").write_text(text)
        _write_charts(report, folder)
        _write_results(report, folder)
        return recorder.log(
            RunRecord(
                model=trained.model,
                parameters=report.parameters,
                metrics=trained.evaluation.flat(),
                tags=report.tags,
                datasets=_datasets(trained, source=log.source),
                artifacts=folder,
                name=report.name,
                description=report.description,
                refitted=trained.refitted,
                steps=_steps(report.diagnostics),
                children=tuple(_trials(trained)),
            )
        )


# --- Files ---------------------------------------------------------------------------------------------------------


def _write_charts(report: TrainingReport, folder: Path) -> None:
    trained, diagnostics = report.trained, report.diagnostics
    test, model = trained.test, trained.model
    charts = [
        *evaluation_charts(
            test,
            model.predict_probability(test.profiles),
            evaluation=trained.evaluation,
            baselines=trained.baselines,
            importance=report.importance,
        ),
        base_rate_chart([trained.training_rows, test] if len(trained.training_rows.churned) else [test]),
    ]
    if diagnostics.backtest and diagnostics.backtest.weeks:
        charts.append(backtest_chart(diagnostics.backtest))
    if diagnostics.learning_curve:
        charts.append(learning_curve_chart(diagnostics.learning_curve))
    draw(folder, charts)


def _write_results(report: TrainingReport, folder: Path) -> None:
    trained, diagnostics = report.trained, report.diagnostics
    files: dict[str, Any] = {
        "features.json": {"used": report.importance, "left_out": trained.excluded, "pooled": trained.pooled},
        "split.json": asdict(trained.split) | {"way": trained.plan.strategy, "outages": trained.plan.outages},
        "evaluation.json": trained.evaluation.to_json(),
        "calibration.json": {"chosen": report.calibration, "log_losses": trained.fit.calibration.log_losses},
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


# --- Steps, trials, data sets --------------------------------------------------------------------------------------


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


def _trials(trained: TrainingResult) -> Iterator[ChildRun]:
    for trial in trained.search.trials if trained.search else ():
        yield ChildRun(
            f"trial {trial.number}", trial.parameters, {"inner.log_loss": trial.log_loss}, {"state": trial.state}
        )


def _datasets(trained: TrainingResult, *, source: str) -> dict[str, DatasetRecord]:
    split = trained.split
    parts = {"training": split.train, "validation": split.validation, "calibration": split.calibration}
    found = {
        name: _data(trained.training_rows.at(cutoffs), source=source) for name, cutoffs in parts.items() if cutoffs
    }
    return found | {"test": _data(trained.test, source=source)}


def _data(part: Dataset, *, source: str) -> DatasetRecord:
    profile = {
        "num_rows": len(part.churned),
        "churn_rate": round(float(np.average(part.churned, weights=part.weights)), 4),
    }
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
