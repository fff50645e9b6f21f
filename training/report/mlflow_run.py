"""A training, written down in MLflow: figures, pictures, the card, what was left out and why, and the model itself."""

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
from models.card import CardFacts, Columns, Dates, Meaning, Origin, card
from models.encoding import encode
from models.registry.registry import Recorder, Registered
from models.registry.run_record import Child, Curve, Data, Run
from training.data.dataset import Dataset
from training.diagnostics import Diagnostics
from training.plan.outages import named
from training.report.charts import draw, of_backtest, of_base_rates, of_learning_curve, pictures
from training.trained import Trained

_EXPLAINED = 5_000
_ROWS_AT_ONCE = 50_000


@dataclass(frozen=True)
class Surroundings:
    """What a training does not know of itself.

    Attributes
    ----------
    source
        Where the log lies, without secrets.
    withheld
        Sensitive attributes that the log has and the model does not read, each with why.
    """

    project: str
    source: str
    coverage: Coverage
    withheld: Mapping[str, str]


def register(
    trained: Trained, recorder: Recorder, *, diagnostics: Diagnostics, surroundings: Surroundings
) -> Registered:
    """Log a training with its pictures and its card, and register the model as challenger."""
    text = card(_facts(trained, diagnostics, commit=recorder.commit, surroundings=surroundings))
    importance = _importance(trained)
    with TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "card.md").write_text(text)
        _write_pictures(trained, diagnostics, importance=importance, folder=folder)
        _write_findings(trained, diagnostics, importance=importance, folder=folder)
        return recorder.log(
            Run(
                model=trained.model,
                parameters=_parameters(trained),
                metrics=trained.evaluation.flat(),
                tags=_tags(trained),
                datasets=_datasets(trained, source=surroundings.source),
                artifacts=folder,
                name=f"{trained.split.test} {trained.recipe.churn.horizon_days}d",
                description=_description(trained),
                refitted=trained.refitted,
                steps=_steps(diagnostics),
                children=tuple(_trials(trained)),
            )
        )


# --- Files ---------------------------------------------------------------------------------------------------------


def _write_pictures(
    trained: Trained, diagnostics: Diagnostics, *, importance: Mapping[str, float], folder: Path
) -> None:
    test, model = trained.test, trained.model
    shown = [
        *pictures(
            test,
            model.predict_probability(test.profiles),
            evaluation=trained.evaluation,
            baselines=trained.baselines,
            importance=importance,
        ),
        of_base_rates([trained.training_rows, test] if len(trained.training_rows.churned) else [test]),
    ]
    if diagnostics.backtest and diagnostics.backtest.weeks:
        shown.append(of_backtest(diagnostics.backtest))
    if diagnostics.learning_curve:
        shown.append(of_learning_curve(diagnostics.learning_curve))
    draw(folder, shown)


def _write_findings(
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
    """Mean absolute contribution of each feature, over some users of the test."""
    model = trained.model
    sample = encode(trained.test.profiles.slice(0, _EXPLAINED), model.specification)
    weight = np.abs(model.contributions(sample)).mean(axis=0)
    return dict(zip(model.specification.feature_names, weight.tolist(), strict=True))


# --- What the run says of itself -----------------------------------------------------------------------------------


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
    better = evaluation.baselines.get(evaluation.better_rule)
    return {
        "grade": evaluation.grade.name,
        "better_rule": evaluation.better_rule or "none",
        "auc_over_better_rule": f"{better.difference_auc.value:+.4f}" if better else "unknown",
        "audit": _audit_in_short(trained),
        "training_cutoffs": trained.layout.way,
        "parts": "+".join(trained.model.scorer.kinds),
        "sensitive": ", ".join(trained.model.specification.sensitive) or "none",
        "split": "folds" if trained.split.uses_folds else "periods",
    }


def _audit_in_short(trained: Trained) -> str:
    """``clean``, or the codes of the checks that failed."""
    if trained.audit is None:
        return "clean"  # nothing was learnt from labels, so none can have leaked
    return ", ".join(sorted({code for code, _ in trained.audit.findings})) or "clean"


def _description(trained: Trained) -> str:
    """Say what matters in a heading and a sentence: MLflow folds the rest away."""
    evaluation, churn = trained.evaluation, trained.recipe.churn
    auc = evaluation.auc
    rows = [("model", auc), *((name, found.auc) for name, found in evaluation.baselines.items())]
    table = "\n".join(f"| {name} | {found.value:.3f} ({found.low:.3f} to {found.high:.3f}) |" for name, found in rows)
    return (
        f"## {evaluation.grade.name.capitalize()}: AUC {auc.value:.3f} on {evaluation.users:,} users at {trained.split.test}\n\n"
        f"Who leaves within {churn.horizon_days} days: {evaluation.grade.why}; leakage audit: {_audit_in_short(trained)}. The whole story "
        f"is in the artifact `card.md`, the pictures in `evaluation.html`.\n\n| | AUC |\n|---|---|\n{table}\n\n{trained.layout.why}"
    )


def _steps(diagnostics: Diagnostics) -> dict[str, Curve]:
    if not (diagnostics.backtest and diagnostics.backtest.weeks):
        return {}
    weeks = diagnostics.backtest.weeks
    days = [week.cutoff for week in weeks]
    return {
        "backtest/auc": Curve([week.auc.value for week in weeks], days),
        "backtest/better_rule_auc": Curve([week.better_rule_auc for week in weeks], days),
        "backtest/calibration_error": Curve([week.calibration_error.value for week in weeks], days),
    }


def _trials(trained: Trained) -> Iterator[Child]:
    for trial in trained.searched.trials if trained.searched else ():
        yield Child(
            f"trial {trial.number}", trial.parameters, {"inner.log_loss": trial.log_loss}, {"state": trial.state}
        )


def _datasets(trained: Trained, *, source: str) -> dict[str, Data]:
    split = trained.split
    parts = {"training": split.train, "validation": split.validation, "calibration": split.calibration}
    found = {
        name: _data(trained.training_rows.at(cutoffs), source=source) for name, cutoffs in parts.items() if cutoffs
    }
    return found | {"test": _data(trained.test, source=source)}


def _data(part: Dataset, *, source: str) -> Data:
    profile = {"num_rows": len(part.churned), "churn_rate": round(float(part.churned.mean()), 4)}
    return Data(digest(part.profiles), source, profile | {"cutoffs": [str(cutoff) for cutoff in part.snapshots]})


def digest(profiles: pa.Table) -> str:
    """SHA-256 over all values, in their order, however the table is chunked."""
    sink = hashlib.sha256()
    for start in range(0, profiles.num_rows, _ROWS_AT_ONCE):
        for batch in profiles.slice(start, _ROWS_AT_ONCE).combine_chunks().to_batches():
            sink.update(batch.serialize())
    return sink.hexdigest()


# --- The card ------------------------------------------------------------------------------------------------------


def _facts(trained: Trained, diagnostics: Diagnostics, *, commit: str, surroundings: Surroundings) -> CardFacts:
    spec, split = trained.model.specification, trained.split
    coverage = surroundings.coverage
    return CardFacts(
        name=surroundings.project,
        meaning=Meaning(trained.model.definition, spec.timezone, spec.qualifying, spec.event),
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
            len(spec.feature_names) - len(spec.unused), spec.sensitive, tuple(surroundings.withheld), trained.left_out
        ),
        evaluation=trained.evaluation,
        calibration=_calibration_in_words(trained),
        origin=Origin(commit or "unknown", trained.recipe.training.seed, _set(trained)),
        audit=_audit_in_full(trained),
        notes=tuple(_notes(trained, diagnostics)),
    )


def _calibration_in_words(trained: Trained) -> str:
    losses = trained.fit.calibration.log_losses
    if not losses:
        return (
            f"Raw scores became probabilities by {_calibration(trained)} scaling; there was nothing to compare it with"
        )
    tried = ", ".join(f"{name} {loss:.4f}" for name, loss in losses.items())
    return f"Raw scores became probabilities by {_calibration(trained)} calibration; log loss on users it had not seen: {tried}"


def _set(trained: Trained) -> dict[str, Any]:
    """Return the settings that are not what they are by default."""
    return {
        f"{name}.{key}": value
        for name, section in trained.recipe.sections.items()
        for key, value in section.model_dump(mode="json", exclude_defaults=True).items()
    }


def _audit_in_full(trained: Trained) -> dict[str, str]:
    if trained.audit is None:
        return {}
    found = {code: f"{finding.where}: {finding.found}" for code, finding in trained.audit.findings}
    return {one.check.code: found.get(one.check.code, "ok") for one in trained.audit.checks}


def _notes(trained: Trained, diagnostics: Diagnostics) -> Iterator[str]:
    if trained.layout.outages:
        yield f"Days that are not whole were kept away from: {named(trained.layout.outages)}"
    for name, values in trained.pooled.items():
        yield f"{len(values)} values of {name} count as unknown, as their share changed between the snapshots"
    if diagnostics.backtest:
        yield diagnostics.backtest.says
    if diagnostics.learning_curve:
        yield diagnostics.learning_curve.says
