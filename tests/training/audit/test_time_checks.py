"""Who is eligible by a profile, which decides whom the audit reports as having left."""

import pyarrow as pa
import pytest

from features.settings import ChurnSettings
from training.audit.audit import AuditedTraining
from training.audit.evidence import Evidence
from training.audit.time_checks import eligible, rule_of, unfinished


def profiles(days_since: list[float | None], tenure: list[float]) -> pa.Table:
    rule = rule_of(ChurnSettings(active_within_days=14, min_tenure_days=5))
    columns = dict.fromkeys(rule.columns, tenure) | {"days_since_last_qualifying_day": days_since}
    return pa.table(columns)


def test_a_user_is_eligible_while_active_and_known_for_long_enough():
    rule = rule_of(ChurnSettings(active_within_days=14, min_tenure_days=5))
    found = eligible(profiles([1.0, 14.0, 15.0, None, 1.0], [30.0, 30.0, 30.0, 30.0, 4.0]), rule)
    assert found.tolist() == [True, True, False, False, False]


@pytest.mark.parametrize("event", ["", "event_type = 'cancel'"])
def test_the_rule_is_that_of_the_settings(event: str):
    rule = rule_of(ChurnSettings(active_within_days=28, min_tenure_days=7, event=event))
    assert (rule.active_within_days, rule.min_tenure_days) == (28, 7)
    assert len(rule.columns) == len(rule_of(ChurnSettings()).columns) + bool(event)


def test_a_result_says_how_many_cutoffs_were_checked(clean: AuditedTraining):
    found = unfinished(Evidence(clean, seed=7))
    cutoffs = {*clean.training_rows.snapshots, clean.split.test}
    assert found.scope == f"{len(cutoffs)} cutoffs, the log covers up to {clean.activity.coverage.covered_until}"
    assert found.findings == ()
