"""Made-up users of one test cutoff, and baselines to compare a model with, without any training."""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from scipy.special import expit

from models.evaluation.baselines import Baseline, rule_scores
from models.scorers.calibration import fit_platt
from training.data.dataset import Dataset

CUTOFF = date(2026, 6, 1)


def made_up(users: int = 1_000, *, seed: int = 0, cutoff: date = CUTOFF) -> tuple[Dataset, NDArray[np.float64]]:
    """Users who churn with a known probability; that probability is the best model there can be."""
    random = np.random.default_rng(seed)
    away, active = random.integers(1, 21, users), random.integers(1, 28, users)
    truth = expit(0.12 * (away - 10) - 0.1 * (active - 12) + 0.7 * random.normal(size=users) - 1)
    columns: dict[str, Any] = {
        "user_id": [f"u{user:06d}" for user in range(users)],
        "cutoff": pa.array([cutoff] * users, pa.date32()),
        "days_since_last_event": away.astype(np.float64),
        "active_days": active.astype(np.float64),
        "tenure_days": random.integers(28, 500, users).astype(np.float64),
        "last_device_os": random.choice(["android", "ios", "web"], users, p=[0.6, 0.38, 0.02]),
        "log_odds": np.log(truth / (1 - truth)),
    }
    return Dataset(pa.table(columns), random.random(users) < truth), truth


def rule_baselines(test: Dataset) -> tuple[Baseline, ...]:
    """The recency and the frequency rule, calibrated."""
    return tuple(_calibrated(test, rule) for rule in ("recency", "frequency"))


def _calibrated(test: Dataset, rule: str) -> Baseline:
    scores = rule_scores(test.profiles, rule)
    return Baseline(
        rule, f"the {rule} rule", lambda profiles: rule_scores(profiles, rule), fit_platt(scores, test.churned)
    )
