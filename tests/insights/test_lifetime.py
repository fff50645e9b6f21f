"""Survival from the first day to the start of the first long silence, by hand."""

from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from insights.lifetime import Outlook, lifetime, spans, survival
from tests.insights.logs import opened

# Forty days, horizon 5: what happens on the last five is not judged.
ROWS = [
    *(
        "a 2026-01-01T10:00",
        "a 2026-01-06T10:00",
        "a 2026-01-20T10:00",
    ),  # four idle days, then silent from the 7th on: 6 days
    *(f"b 2026-01-{day:02d}T10:00" for day in range(10, 32, 3)),
    *(
        "b 2026-02-03T10:00",
        "b 2026-02-08T10:00",
        "b 2026-02-09T10:00",
    ),  # never idle for five days: alive until the 35th day
    "c 2026-02-01T10:00",  # one day, then silent
    "d 2026-02-06T10:00",  # first seen within the last five days
]
NEW = {"report": {"left_censored_days": 0}}


def test_days_lived_and_who_is_censored(tmp_path: Path):
    log = opened(tmp_path, ROWS, **NEW)
    assert log.days == 40
    assert spans(log, horizon_days=5) == [(6, True), (26, False), (1, True)]


def test_a_silence_is_as_long_as_the_horizon_in_which_the_label_sees_none(tmp_path: Path):
    rows = ["a 2026-01-01T10:00", "a 2026-01-07T10:00", "b 2026-01-30T10:00"]  # five idle days
    assert spans(opened(tmp_path / "5", rows, **NEW), horizon_days=5)[0] == (1, True)
    assert spans(opened(tmp_path / "6", rows, **NEW), horizon_days=6)[0] == (7, True)


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


# --- What is expected of today's users -------------------------------------------------------------------------------

OUTLOOK = Outlook(
    day=date(2026, 2, 10),
    is_event=False,
    days=(7, 30),
    probabilities=np.array([[0.9, 0.4], [0.5, 0.2], [0.8, 0.6]]),
    median_days=np.array([20.0, 7.0, np.nan]),
)


def test_the_outlook_adds_up_the_curves_and_counts_expected_days():
    week, month = OUTLOOK.rows()
    assert (week["users"], week["horizon_days"], month["horizon_days"]) == (3, 7, 30)
    assert (week["expected_users"], month["expected_users"]) == pytest.approx((2.2, 1.2))
    assert (week["expected_day_users"], month["expected_day_users"]) == (1, 1)  # the third is later than 30 days
    spread = 1.959964 * (0.09 + 0.25 + 0.16) ** 0.5
    assert (week["chance_low"], week["chance_high"]) == pytest.approx((2.2 - spread, 3))


@pytest.mark.parametrize(
    ("is_event", "words"), [(False, "not to be back after 7 days"), (True, "to have left within 7 days")]
)
def test_the_section_tells_the_outlook_after_the_survival(tmp_path: Path, is_event: bool, words: str):
    log = opened(tmp_path, ROWS, **NEW)
    without = lifetime(log, horizon_days=5)
    found = lifetime(log, horizon_days=5, outlook=replace(OUTLOOK, is_event=is_event))
    assert [*found.sentences[:-1]] == [*without.sentences]
    assert words in found.sentences[-1]
    assert "2 " in found.sentences[-1]  # of three, 2.2 are away after a week
    assert [one.name for one in found.tables] == ["survival", "outlook"]
    assert len(found.pictures) == len(without.pictures) + 1


def test_an_outlook_on_nobody_says_nothing(tmp_path: Path):
    log = opened(tmp_path, ROWS, **NEW)
    nobody = replace(OUTLOOK, probabilities=np.zeros((0, 2)), median_days=np.zeros(0))
    assert lifetime(log, horizon_days=5, outlook=nobody).to_json() == lifetime(log, horizon_days=5).to_json()
