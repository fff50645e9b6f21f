"""Leaks planted in a training that has none, and the findings of a check of the audit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import numpy as np
import pyarrow as pa

from features.profiles.build import build_profiles
from training.audit.audit import CHECKS, AuditedTraining, Finding
from training.audit.evidence import Evidence
from training.data.dataset import Dataset, build_dataset

DAY = timedelta(days=1)
LATE = "case when hash(user_id) % 3 = 0 then event_time + interval 2 day else event_time end"


def found(code: str, training: AuditedTraining) -> tuple[Finding, ...]:
    """What one check finds."""
    (check,) = (check for check in CHECKS if check.code == code)
    return check.run(Evidence(training, seed=7)).findings


def said(code: str, training: AuditedTraining) -> str:
    return "; ".join(f"{finding.where}: {finding.found}" for finding in found(code, training))


def set_column(dataset: Dataset, name: str, values: Any) -> Dataset:
    place = dataset.profiles.column_names.index(name)
    kind = dataset.profiles.schema.field(name).type
    return replace(dataset, profiles=dataset.profiles.set_column(place, name, pa.array(values, kind)))


def planted(training: AuditedTraining, name: str, plant: Callable[[Dataset], Any]) -> AuditedTraining:
    """A column of both parts, overwritten."""
    training_rows, test = (set_column(part, name, plant(part)) for part in (training.training_rows, training.test))
    return replace(training, training_rows=training_rows, test=test)


def said_to_be_of(dataset: Dataset, cutoff: date) -> Dataset:
    return set_column(dataset, "cutoff", [cutoff] * len(dataset.churned))


def built_later(training: AuditedTraining, days: int) -> AuditedTraining:
    """The test's users, with profiles of so many days after the cutoff."""
    cutoff = training.split.test
    later = build_profiles(training.activity, training.specification, cutoffs=[cutoff + days * DAY])
    users = training.test.profiles["user_id"].to_pylist()
    rows = [later["user_id"].to_pylist().index(user) for user in users]
    return replace(training, test=said_to_be_of(Dataset(later.take(pa.array(rows)), training.test.churned), cutoff))


def stacked(training: AuditedTraining, *cutoffs: date, **churn: Any) -> Dataset:
    settings = training.churn.model_copy(update=churn)
    return build_dataset(training.activity, training.specification, cutoffs=cutoffs, churn=settings)


def noisy(dataset: Dataset, noise: float) -> Any:
    """The label, as a number that is off."""
    return dataset.churned + np.random.default_rng(1).normal(0, noise, len(dataset.churned))
