"""Profiles rebuilt from the days before their cutoff, and the cells in which they differ from those of the training."""

import pyarrow as pa

from tests.training.conftest import Gather
from tests.training.planting import DAY, LATE
from training.audit.audit import AuditedTraining
from training.audit.evidence import users_of
from training.audit.rebuild import Past, RebuiltRows, differing, in_memory, with_late_rows

TRAINED = pa.table({"events": [1.0, 2.0, None], "channel": ["ads", None, "web"]})


def test_cells_differ_by_value_and_by_null():
    others = pa.table({"events": [1.0, None, None], "channel": ["ads", None, "app"]})
    found = differing(TRAINED, others, names=["events", "channel"])
    assert {name: rows.tolist() for name, rows in found.items()} == {
        "events": [False, True, False],
        "channel": [False, False, True],
    }


def test_the_last_digits_do_not_count():
    others = pa.table({"events": [1.0 + 1e-12, 2.0, None]})
    assert differing(TRAINED, others, names=["events"]) == {}


def test_profiles_rebuilt_from_some_users_are_those_of_the_training(clean: AuditedTraining):
    cutoff = clean.split.test
    users = tuple(users_of(clean.test))[:5]
    activity = in_memory(clean.activity, users)
    rows = clean.test.profiles.slice(0, 5)
    rebuilt = RebuiltRows(Past(activity, clean.specification, cutoff, users), rows, clean.test.churned[:5])
    assert rebuilt.then["user_id"].to_pylist() == list(users)
    assert rebuilt.wrong == rebuilt.late == rebuilt.unexplained == {}
    earlier = RebuiltRows(Past(activity, clean.specification, cutoff - DAY, users), rows, clean.test.churned[:5])
    assert "tenure_days" in earlier.wrong
    assert earlier.unexplained == earlier.wrong  # no row became known late


def test_users_with_late_rows_are_found(gather: Gather, clean: AuditedTraining):
    late = gather(f"events.columns.ingested_at={LATE}")
    found = with_late_rows(late.activity, late.split.test)
    assert found
    assert with_late_rows(clean.activity, clean.split.test) == frozenset()
