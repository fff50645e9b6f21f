"""The leakage audit finds nothing where nothing leaks, however the training was planned."""

from dataclasses import replace
from datetime import date
from typing import cast

import numpy as np
from msgspec import structs

from tests.training.conftest import FOLDS, Gather
from tests.training.planting import LATE, found, noisy, planted
from training.audit.audit import CHECKS, AuditedTraining, audit
from training.audit.evidence import Evidence
from training.data.dataset import Dataset


def test_nothing_is_found_in_a_clean_training(clean: AuditedTraining):
    report = audit(clean, seed=7)
    assert report.findings == ()
    assert report.is_clean
    report.raise_if_failed()
    assert [one.check.code for one in report.checks] == [check.code for check in CHECKS]


def test_nothing_is_found_where_folds_of_users_replace_periods(gather: Gather):
    folds = gather(*FOLDS)
    assert folds.split.uses_folds
    for code in ("LABEL_OVERLAP", "FEATURE_JUMP", "SHUFFLED_LABELS"):
        assert found(code, folds) == ()


def test_nothing_is_found_where_rows_became_known_late_and_profiles_honour_it(gather: Gather):
    late = gather(f"events.columns.ingested_at={LATE}")
    for code in ("CUTOFF_EVENT", "LATE_INGESTION", "FUTURE_CANARY"):
        assert found(code, late) == ()


def test_the_same_seed_gives_the_same_result(clean: AuditedTraining):
    (canary,) = (check for check in CHECKS if check.code == "SHUFFLED_LABELS")
    assert canary.run(Evidence(clean, 3)) == canary.run(Evidence(clean, 3)) != canary.run(Evidence(clean, 4))


def test_5_a_feature_that_the_model_does_not_use_is_not_a_leak(clean: AuditedTraining):
    leaky = planted(clean, "usage_minutes_7d", lambda part: noisy(part, 0.3))
    unused = replace(leaky, specification=structs.replace(leaky.specification, unused=("usage_minutes_7d",)))
    assert found("SINGLE_FEATURE_AUC", unused) == ()


def test_11_steady_drift_is_not_a_jump(clean: AuditedTraining):
    first = clean.activity.coverage.first_day

    def aged(part: Dataset) -> list[float]:
        """Everybody gets older by a day a day: what was never above 30 is 60 a month later."""
        draw, days = np.random.default_rng(2), cast("list[date]", part.profiles["cutoff"].to_pylist())
        return [(day - first).days + draw.uniform(0, 30) for day in days]

    assert found("FEATURE_JUMP", planted(clean, "tenure_days", aged)) == ()
