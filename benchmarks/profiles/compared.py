"""Which features every contender builds, and the proof that they mean the same by them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from features.catalogue.definition import slugs

WINDOWS = (1, 3, 7, 14, 28, 56, 90)
MEASURES = ("events", "active_days", "sessions", "usage_minutes", "purchases", "amount")
CONTEXTS = ("device_os", "device_model", "app_version", "network", "channel")
TEXTS = ("user_id", "event_type", "session_id", *CONTEXTS)
COLUMNS = ("user_id", "event_time", "event_type", "session_id", "duration_seconds", *CONTEXTS, "amount")
GAPS = ("gap_days_mean", "gap_days_std", "gap_days_max", "gap_days_last", "gap_days_median")
DECAYED = ("active_days_decayed_7d", "active_days_decayed_28d", "events_decayed_7d")
DOZEN = (
    *("events_7d", "events_28d", "active_days_28d", "sessions_28d", "usage_minutes_28d", "purchases_90d", "amount_90d"),
    *("days_since_last_event", "tenure_days", "night_share_28d", "event_types_28d", "device_models"),
)
TOLERANCE = 1e-9


def shared_features(event_types: Sequence[str]) -> tuple[str, ...]:
    """Names of the features that pandas and Polars build too, for these main event types."""
    return (
        *(f"{measure}_{window}d" for measure in MEASURES for window in WINDOWS),
        *("days_since_last_event", "tenure_days", "active_days", *GAPS, "overdue_ratio"),
        *("night_share_28d", "weekend_share_28d", *DECAYED),
        *(f"events_of_{name}_{window}d" for name in slugs(tuple(event_types)).values() for window in (7, 28)),
        *("event_types_28d", "device_models", "acquisition_channel", *(f"last_{column}" for column in CONTEXTS)),
    )


def check_equal(ours: pa.Table, theirs: pa.Table) -> dict[str, float]:
    """Compare two tables of profiles at one cutoff: the same users, absent values and texts, and numbers within 1e-9.

    Returns
    -------
    How many ``users`` and ``features`` were compared, and the ``largest_difference``, relative above 1.

    Raises
    ------
    RuntimeError
        Naming the features that differ.
    """
    names = [name for name in ours.column_names if name not in {"user_id", "cutoff"}]
    ours, theirs = ours.sort_by("user_id"), theirs.sort_by("user_id")
    if ours.num_rows != theirs.num_rows or not _same_texts(ours.column("user_id"), theirs.column("user_id")):
        raise RuntimeError(f"{ours.num_rows} users against {theirs.num_rows}, or others")
    differences = {name: _difference(ours.column(name), theirs.column(name)) for name in names}
    wrong = {name: found for name, found in differences.items() if not found <= TOLERANCE}
    if wrong:
        raise RuntimeError(f"these features differ from ours, by at most: {wrong}")
    return {"users": ours.num_rows, "features": len(names), "largest_difference": max(differences.values())}


def _same_texts(ours: pa.ChunkedArray[Any], theirs: pa.ChunkedArray[Any]) -> bool:
    return ours.cast(pa.string()).to_pylist() == theirs.cast(pa.string()).to_pylist()


def _difference(ours: pa.ChunkedArray[Any], theirs: pa.ChunkedArray[Any]) -> float:
    """Return the largest difference; infinite where texts differ, or a value is absent on one side only."""
    if pa.types.is_string(ours.type):
        return 0.0 if _same_texts(ours, theirs) else np.inf
    left, right = _numbers(ours), _numbers(theirs)
    if (np.isnan(left) != np.isnan(right)).any():
        return np.inf
    return float(np.nanmax(np.abs(left - right) / np.maximum(1, np.abs(left)), initial=0.0))


def _numbers(column: pa.ChunkedArray[Any]) -> NDArray[np.float64]:
    return column.cast(pa.float64()).fill_null(pa.scalar(np.nan)).to_numpy()
