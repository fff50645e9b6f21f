"""A run with a small model, as little as the registry takes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from models.churn_model import ChurnModel
from models.registry.run_record import RunRecord
from tests.models.model_builder import tiny_model

PROJECT = "shop"


def run_of(folder: Path, model: ChurnModel | None = None, *, parameters: Mapping[str, Any] | None = None) -> RunRecord:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "split.json").write_text("{}")
    return RunRecord(
        model=model or tiny_model(),
        parameters=parameters or {"churn.horizon_days": 14, "churn.qualifying": ""},
        metrics={"test.auc": 0.8125, "baselines.recency.auc": 0.75},
        tags={"split": "folds"},
        datasets={"training": "a" * 64, "test": "b" * 64},
        artifacts=folder,
    )
