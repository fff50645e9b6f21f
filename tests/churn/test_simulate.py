"""The small world from the command: its truth is that of the configured label."""

import tomllib
from pathlib import Path

import pytest

from tests.churn.conftest import Command

SMALL = ("simulate", "--out", "world", "--users", "20", "--days", "40", "--cutoff", "2026-02-01")


def test_the_label_is_the_configured_one(command: Command, tmp_path: Path):
    ran = command(*SMALL, "--set", "churn.horizon_days=5", "--set", "churn.gap_days=2")
    assert ran.code == 0, ran.err
    churn = tomllib.loads((tmp_path / "world/churn.toml").read_text())["churn"]
    assert (churn["horizon_days"], churn["gap_days"]) == (5, 2)
    assert (tmp_path / "world/truth/cutoff=2026-02-01.parquet").exists()


@pytest.mark.parametrize(
    "label", ["churn.event=event_type = 'quit'", "churn.qualifying=amount > 0", "churn.timezone=Europe/Berlin"]
)
def test_a_label_whose_truth_is_not_known_is_refused(command: Command, tmp_path: Path, label: str):
    ran = command(*SMALL, "--set", label)
    assert ran.code == 2
    assert "the truth is only known for" in ran.err
    assert not (tmp_path / "world").exists()
