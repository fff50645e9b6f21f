"""The finished answers of a release, as ``churn score`` has them written."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa

from models.churn_model import ChurnModel
from serving.batch.score import score_table, with_reasons
from serving.release.bundle import answers_of
from serving.settings import ScoringSettings
from serving.store.answers import BatchAnswers


def batch_answers(release: Path, model: ChurnModel, profiles: pa.Table, *, version: str = "7") -> BatchAnswers:
    """The answers of the model that was saved in a release, for all these profiles."""
    bands = ScoringSettings()
    scores = with_reasons(score_table(model, profiles, bands=bands), model, profiles=profiles)
    return BatchAnswers(answers_of(release, version=version, scoring=bands), scores, model.eligibility)
