"""Scores of the batch and of single users in one shape, to compare both."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec
import pyarrow as pa

from serving.score import Score


def rows_of_scores(scores: Iterable[Score]) -> list[dict[str, Any]]:
    """What :mod:`serving.score` answers, as rows with the columns of the batch, without the raw score that it does not tell."""
    return [_row(one) for one in scores]


def rows_of_answers(results: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """What the endpoint answers, in the same shape."""
    return rows_of_scores(msgspec.convert(one, Score) for one in results)


def rows_of_table(scores: pa.Table) -> list[dict[str, Any]]:
    """The same of a table of the batch."""
    return scores.drop_columns("raw_score").to_pylist()


def _row(one: Score) -> dict[str, Any]:
    found = {
        name: getattr(one, name)
        for name in ("user_id", "status", "code", "churn_probability", "percentile", "risk_band", "as_of")
    }
    for rank in range(3):
        reason = one.reasons[rank].to_json() if rank < len(one.reasons) else {}
        found[f"reason_{rank + 1}"] = reason.get("text")
        found |= {f"reason_{rank + 1}_{part}": reason.get(part) for part in ("code", "feature", "contribution")}
    return found
