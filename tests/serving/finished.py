"""The finished answers of a release, as ``churn score`` has them written."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

import pyarrow as pa

from features.storage.versions import Place
from models.churn_model import ChurnModel
from serving.batch.score import score_table, with_reasons
from serving.release.bundle import ServingBundle, answers_of
from serving.release.release import write_release
from serving.score import SCORED_BY
from serving.settings import ScoringSettings
from serving.store.answers import BatchAnswers
from serving.store.profile_store import StoreBatch, StoreShift, write_store
from tests.builders import values_of

# the profiles of the tests are of one day, whatever day it is
NEVER_STALE: dict[str, Any] = {"degraded_after_days": 10_000, "stale_after_days": 10_000}


def batch_answers(
    release: Path, model: ChurnModel, profiles: pa.Table, *, version: str = "7", new: Collection[str] = ()
) -> BatchAnswers:
    """The answers of the model that was saved in a release, for all these profiles; some say that another model gave them."""
    bands = ScoringSettings()
    scores = with_reasons(score_table(model, profiles, bands=bands), model, profiles=profiles)
    if new:
        by = ["shop-new/3" if user in new else None for user in values_of(scores, "user_id")]
        scores = scores.append_column(SCORED_BY, pa.array(by, pa.string()))
    return BatchAnswers(answers_of(release, version=version, scoring=bands), scores, model.eligibility)


def finished_release(place: Place, bundle: ServingBundle, profiles: pa.Table, *, new: Collection[str] = ()) -> Path:
    """Write a release with the finished answers of its model, and make it the current one."""

    def fill(store: Path) -> None:
        answers = batch_answers(store.parent, bundle.model, profiles, version=bundle.version, new=new)
        batch = StoreBatch(StoreShift(bundle.version, 0.0), answers=answers)
        write_store(store, profiles, specification=bundle.model.specification, batch=batch)

    return write_release(place, bundle, fill=fill)
