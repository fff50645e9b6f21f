"""Survival from the first day to the start of the first long silence, by hand."""

from pathlib import Path

import pytest

from insights.lifetime import lifetime, spans, survival
from tests.insights.logs import opened

# Forty days, horizon 5: what happens on the last five is not judged.
ROWS = [
    *(
        "a 2026-01-01T10:00",
        "a 2026-01-06T10:00",
        "a 2026-01-20T10:00",
    ),  # five idle days... then silent from the 7th: 6 days
    *(f"b 2026-01-{day:02d}T10:00" for day in range(10, 32, 3)),
    *("b 2026-02-03T10:00", "b 2026-02-09T10:00"),  # five idle days are no silence: alive until the 35th day
    "c 2026-02-01T10:00",  # one day, then silent
    "d 2026-02-06T10:00",  # first seen within the last five days
]
NEW = {"report": {"left_censored_days": 0}}


def test_days_lived_and_who_is_censored(tmp_path: Path):
    log = opened(tmp_path, ROWS, **NEW)
    assert log.days == 40
    assert spans(log, horizon_days=5) == [(6, True), (26, False), (1, True)]


def test_the_curve_is_kaplan_meiers(tmp_path: Path):
    curve = {row["day_n"]: row for row in survival(opened(tmp_path, ROWS, **NEW), horizon_days=5)}
    assert [curve[day]["alive"] for day in (0, 1, 5, 6, 26)] == pytest.approx([1, 2 / 3, 2 / 3, 1 / 3, 1 / 3])
    assert (curve[0]["at_risk"], curve[6]["at_risk"], curve[26]["at_risk"]) == (3, 2, 1)


def test_the_sentence_names_the_median(tmp_path: Path):
    found = lifetime(opened(tmp_path, ROWS, **NEW), horizon_days=5)
    assert found.facts["median_days"] == 6


def test_a_log_shorter_than_the_horizon_knows_no_lifetime(tmp_path: Path):
    found = lifetime(opened(tmp_path, ROWS, **NEW), horizon_days=60)
    assert "too short" in found.sentences[0]
