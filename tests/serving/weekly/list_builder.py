"""A few users with hand-made profiles, scores and attributes, and lists of users of a real model."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from functools import cache
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

from features.storage.duckdb import connect
from models.churn_model import ChurnModel
from serving.batch.score import score_table
from serving.settings import ExportSettings, ListSettings, ScoringSettings
from serving.weekly.arms import Arms
from serving.weekly.candidates import Candidates
from serving.weekly.selection import Ranking, Selection, select
from tests.builders import values_of
from tests.models.model_builder import profiles_of, tiny_model

MONDAY = date(2026, 11, 16)
BANDS = ("high", "medium", "low")


def profile_table(**columns: Sequence[Any]) -> pa.Table:
    """Profiles of ``user_id`` at :data:`MONDAY`."""
    users = columns["user_id"]
    return pa.table(
        {"user_id": pa.array(users, pa.string()), "cutoff": pa.array([MONDAY] * len(users), pa.date32())}
        | {name: pa.array(values) for name, values in columns.items() if name != "user_id"}
    )


def score_rows(raw: Sequence[float | None], bands: Sequence[str | None] | None = None) -> pa.Table:
    """Scores of users a, b, c ..., ``high`` above 0 and ``low`` below unless bands are given."""
    bands = bands or [None if one is None else "high" if one > 0 else "low" for one in raw]
    columns = {
        "user_id": pa.array([chr(97 + place) for place in range(len(raw))], pa.string()),
        "raw_score": pa.array(raw, pa.float64()),
        "churn_probability": pa.array([None if one is None else 1 / (1 + np.exp(-one)) for one in raw], pa.float64()),
        "percentile": pa.array([None if one is None else 50.0 for one in raw], pa.float64()),
        "risk_band": pa.array(bands, pa.string()),
    }
    return pa.table(columns)


def candidates_of(
    profiles: pa.Table,
    scores: pa.Table,
    attributes: pa.Table | None = None,
    *,
    session: duckdb.DuckDBPyConnection | None = None,
) -> Candidates:
    return Candidates.of(session or connect(), profiles=profiles, scores=scores, attributes=attributes)


def attributes_of(users: Sequence[str]) -> pa.Table:
    """An e-mail address, a language and a formula of every user."""
    return pa.table(
        {
            "user_id": pa.array(users, pa.string()),
            "email": pa.array([f"{user}@example.org" for user in users], pa.string()),
            "language": pa.array(
                ["=cmd|' /C calc'!A0" if user == "u3" else "español 王" for user in users], pa.string()
            ),
        }
    )


@cache
def real_users(users: int = 400) -> tuple[ChurnModel, pa.Table, pa.Table]:
    """A model, profiles by user id, and their scores."""
    model, profiles = tiny_model(), profiles_of(users, seed=5).sort_by("user_id")
    return model, profiles, score_table(model, profiles, bands=ScoringSettings(medium_percentile=50))


def real_lists(
    *lists: ListSettings, share: float = 0.3, export: ExportSettings | None = None
) -> tuple[Candidates, tuple[Selection, ...]]:
    """Lists of the users of a model."""
    model, profiles, scores = real_users()
    users = values_of(scores, "user_id")
    candidates = candidates_of(profiles, scores, attributes_of(users))
    excluded = candidates.excluded(export or ExportSettings(), model.eligibility)
    ranked = Ranking.of(scores, held_out=Arms(bytes(32), "2026-Q4", share).held_out(users), excluded=excluded)
    return candidates, select(ranked, lists, wanted=[candidates.wanted(one) for one in lists])
