"""churn audit: a table and 0 for a clean log, the offending place and 3 for one with a leak."""

import json

import pytest

from tests.churn.command import TrainedWorld
from tests.churn.conftest import Command
from training.audit.audit import CHECKS

_FEW = (
    *("features.windows_days=[7]", "features.main_event_types=1", "training.max_snapshots=4"),
    *("audit.max_rows=1000", "audit.rebuilt_profiles=100"),
)
FEW = tuple(word for pair in _FEW for word in ("--set", pair))
UNSEEN = ("--set", "drift.exclude=false")  # else the training itself drops what only tells the date
DAY_OF_LOG = """features.custom=[{kind="derived", name="day_of_log", unit="days", description="Days since the new year.", reason="day",
    sql="date_diff('day', date '2026-01-01', cutoff)"}]""".replace("\n", " ")


def test_a_clean_log_is_told_as_a_table_with_every_check(command: Command, trained_world: TrainedWorld):
    ran = command("audit", *trained_world.options(), *FEW)
    assert ran.code == 0, ran.err
    assert all(f" {check.code} " in ran.out for check in CHECKS)
    assert "failed" not in ran.out


def test_a_leak_exits_with_3_and_its_column_and_is_one_json_document(command: Command, trained_world: TrainedWorld):
    ran = command("audit", *trained_world.options(), *FEW, "--set", DAY_OF_LOG, *UNSEEN, "--json")
    assert ran.code == 3
    assert "DATE_FEATURE: column day_of_log: all users have the same value at a snapshot" in ran.err
    assert "see docs/guides/leakage-audit.md#date_feature" in ran.err
    said = json.loads(ran.out)
    assert said["clean"] is False
    (failed,) = (check for check in said["checks"] if not check["ok"])
    assert (failed["code"], failed["findings"][0]["where"]) == ("DATE_FEATURE", "column day_of_log")


@pytest.mark.parametrize("alarm", ["single_feature_auc=0.4", "rebuilt_profiles=1", "jump=2"])
def test_an_alarm_that_means_nothing_is_refused(command: Command, trained_world: TrainedWorld, alarm: str):
    assert command("audit", *trained_world.options(), "--set", f"audit.{alarm}").code == 2
