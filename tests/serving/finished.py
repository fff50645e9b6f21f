"""The finished answers of a release, as ``churn score`` has them written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa

from features.storage.versions import Place
from models.churn_model import ChurnModel
from serving.batch.score import score_table, with_reasons
from serving.release.bundle import ServingBundle, answers_of
from serving.release.release import write_release
from serving.settings import ScoringSettings
from serving.store.answers import BatchAnswers
from serving.store.profile_store import StoreBatch, StoreShift, write_store

# the profiles of the tests are of one day, whatever day it is
NEVER_STALE: dict[str, Any] = {"degraded_after_days": 10_000, "stale_after_days": 10_000}


def batch_answers(release: Path, model: ChurnModel, profiles: pa.Table, *, version: str = "7") -> BatchAnswers:
    """The answers of the model that was saved in a release, for all these profiles."""
    bands = ScoringSettings()
    scores = with_reasons(score_table(model, profiles, bands=bands), model, profiles=profiles)
    return BatchAnswers(answers_of(release, version=version, scoring=bands), scores, model.eligibility)


def finished_release(place: Place, bundle: ServingBundle, profiles: pa.Table) -> Path:
    """Write a release with the finished answers of its model, and make it the current one."""

    def fill(store: Path) -> None:
        answers = batch_answers(store.parent, bundle.model, profiles, version=bundle.version)
        batch = StoreBatch(StoreShift(bundle.version, 0.0), answers=answers)
        write_store(store, profiles, specification=bundle.model.specification, batch=batch)

    return write_release(place, bundle, fill=fill)
