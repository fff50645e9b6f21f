"""Scores of all users at a cutoff, computed in chunks of rows, and the scores as a table."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from models.churn_model import ChurnModel
from serving.score import CHUNK_ROWS, Score, score
from serving.settings import ScoringSettings


def score_table(model: ChurnModel, profiles: pa.Table, *, bands: ScoringSettings) -> list[Score]:
    """Score a table of profiles, as :func:`serving.score.score` does, in chunks of rows."""
    batches = profiles.to_batches(max_chunksize=CHUNK_ROWS)
    return [one for batch in batches for one in score(model, batch.to_pylist(), bands=bands)]


def to_table(scores: Sequence[Score]) -> pa.Table:
    """Scores as a table, in the same order; each reason has a column for its text, its code and its contribution."""
    columns: dict[str, list[object]] = {
        name: [getattr(one, name) for one in scores]
        for name in ("user_id", "status", "code", "churn_probability", "percentile", "risk_band", "as_of")
    }
    for index in range(3):
        reasons = [one.reasons[index] if index < len(one.reasons) else None for one in scores]
        columns[f"reason_{index + 1}"] = [reason.text if reason else None for reason in reasons]
        columns[f"reason_{index + 1}_code"] = [reason.code if reason else None for reason in reasons]
        columns[f"reason_{index + 1}_contribution"] = [reason.contribution if reason else None for reason in reasons]
    return pa.table(columns, schema=_schema(list(columns)))


def _schema(names: Sequence[str]) -> pa.Schema:
    numbers = ("churn_probability", "percentile")
    kinds = {
        name: pa.float64()
        if name in numbers or name.endswith("contribution")
        else pa.date32()
        if name == "as_of"
        else pa.string()
        for name in names
    }
    return pa.schema([pa.field(name, kind) for name, kind in kinds.items()])
