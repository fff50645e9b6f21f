"""The rules that every model must beat. Each is a score: higher means riskier."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

RULES = {
    "recency": ("days_since_last_event", 1.0, "the longer away, the riskier"),
    "frequency": ("active_days", -1.0, "the fewer active days so far, the riskier"),
}


def rule_scores(profiles: pa.Table, rule: str) -> NDArray[np.float64]:
    """Score profiles by one of :data:`RULES`, shape (n,)."""
    column, sign, _ = RULES[rule]
    return sign * profiles.column(column).to_numpy()
