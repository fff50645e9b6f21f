"""The model card: it contains every metric that it is given, and it reads as sentences."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date

import pytest

from models.card import CardFacts, Columns, Dates, Origin, card
from models.definition import ChurnDefinition
from models.evaluation.metrics import Interval
from models.evaluation.reliability import Reliability
from models.evaluation.results import BaselineResults, Evaluation, Grade, Slice


def interval(value: float) -> Interval:
    return Interval(value, value - 0.0011, value + 0.0013)


BASELINE = BaselineResults(
    description="the longer inactive, the riskier",
    is_rule=True,
    auc=interval(0.7251),
    log_loss=interval(0.5352),
    calibration_error=interval(0.0453),
    difference_auc=interval(0.0984),
    difference_log_loss=interval(-0.0355),
)
EVALUATION = Evaluation(
    users=4129,
    metrics={
        "auc": interval(0.8235),
        "calibration_error": interval(0.0123),
        "calibration_slope": interval(0.9871),
        "calibration_intercept": interval(-0.0419),
    },
    baselines={"recency": BASELINE},
    slices=(
        Slice("device", "a|b", 3000, {name: interval(0.3 + place / 10) for place, name in enumerate(
            ("churn_rate", "mean_probability", "auc", "calibration_error", "calibration_slope", "calibration_intercept"))},
            Reliability(0.6, 0.5912, 0.0281, 0.0402)),
        Slice("device", "other", 31, {}),
        Slice("tenure", "0 to 6 days", 12, {}),
    ),
    grade=Grade("strong", "the whole interval is above", "AUC 0.824"),
    reliability=Reliability(0.0123, 0.0071, 0.0094, 0.0138),
)  # fmt: skip
FACTS = CardFacts(
    name="churn",
    definition=ChurnDefinition(7, 2, 14, 5, "Europe/Berlin", qualifying="event_type = 'play'"),
    dates=Dates(
        first_day=date(2026, 1, 1),
        covered_until=date(2026, 6, 30),
        train=(date(2026, 2, 1), date(2026, 2, 8)),
        validation=(date(2026, 3, 1),),
        calibration=(date(2026, 4, 1),),
        test=date(2026, 5, 1),
        why="separate periods: 2 of 4 snapshots are left to train on",
    ),
    columns=Columns(63, sensitive=("age",), withheld=("gender",), excluded={"usage_minutes_90d": "history of 40 days"}),
    evaluation=EVALUATION,
    calibration="beta calibration, chosen by log loss",
    origin=Origin("a1db9f9", 7, {"model.num_leaves": 8}),
    audit={"A03 identifiers": "passed"},
    notes=("The AUC is falling in the backtest.",),
)


def section(text: str, title: str) -> str:
    return text.split(f"## {title}\n", maxsplit=1)[1].split("\n## ", maxsplit=1)[0]


@pytest.fixture(scope="module")
def text() -> str:
    return card(FACTS)


def test_every_metric_is_in_the_card_with_its_interval(text: str):
    given = [*EVALUATION.metrics.values(), *BASELINE.metrics.values(), *EVALUATION.slices[0].metrics.values()]
    for metric in given:
        assert f"{metric.value:.4f} ({metric.low:.4f} to {metric.high:.4f})" in text


def test_the_grade_comes_first_with_its_rule(text: str):
    assert text.startswith(
        "# churn, tested on 2026-05-01\n\n**Grade: strong.** The whole interval is above. AUC 0.824.\n"
    )


def test_the_definition_is_in_words(text: str):
    found = section(text, "What it predicts, and for whom")
    assert "no event that counts (`event_type = 'play'`) happens in the 7 days after a gap of 2 days" in found
    assert "active in the 14 days before the cutoff and first seen at least 5 days before it" in found
    assert "Europe/Berlin" in found


def test_a_model_of_new_users_says_how_new_they_are():
    found = section(
        card(replace(FACTS, definition=ChurnDefinition(14, 0, 14, 1, max_tenure_days=7))),
        "What it predicts, and for whom",
    )
    assert "active in the 14 days before the cutoff and first seen 1 to 7 days before it" in found


def test_an_event_that_means_leaving_is_named():
    definition = ChurnDefinition(30, 0, 0, 0, event="event_type = 'cancel'")
    found = section(card(replace(FACTS, definition=definition)), "What it predicts, and for whom")
    assert "that `event_type = 'cancel'` happens in the 30 days from the cutoff on" in found
    assert "users seen before the cutoff;" in found


@pytest.mark.parametrize(
    "row",
    [
        "| the log covers | 2026-01-01 up to, not including, 2026-06-30 |",
        "| trained | 2 cutoffs, 2026-02-01 to 2026-02-08 |",
        "| early stopping (validation) | 2026-03-01 |",
        "| calibrated | 2026-04-01 |",
        "| tested | 2026-05-01, 4,129 users |",
    ],
)
def test_which_dates_did_what(text: str, row: str):
    assert row in section(text, "Data and dates")


def test_folds_replace_a_validation_period(text: str):
    found = card(replace(FACTS, dates=replace(FACTS.dates, validation=())))
    assert "known before the next step's cutoffs" in text
    assert "known before the next step's cutoffs" not in found
    assert "| early stopping (validation) | folds of users |" in found


def test_what_is_registered_is_what_was_tested(text: str):
    assert "measured on the registered model" in section(text, "Metrics")


def test_the_metrics_of_a_refit_version_belong_to_the_tested_one():
    dates = replace(FACTS.dates, refitted=(date(2026, 2, 1), date(2026, 6, 1)))
    found = card(replace(FACTS, dates=dates))
    assert "The serving version is the same recipe, refit on 2 cutoffs, 2026-02-01 to 2026-06-01" in found
    assert "| refit | 2 cutoffs, 2026-02-01 to 2026-06-01 |" in found


def test_small_slices_are_marked_and_bars_do_not_break_the_table(text: str):
    found = section(text, "By slice")
    assert "| other | 31 | too few | too few | too few | too few | too few | too few | too few |" in found
    assert r"| a\|b | 3,000 | 0.3000" in found
    assert found.index("**By device**") < found.index("**By tenure**")


def test_a_calibration_error_is_compared_with_chance(text: str):
    found = section(text, "Calibration")
    assert "True probabilities would show 0.009 by chance, and up to 0.014 in 95 of 100 draws of labels" in found
    assert "without what chance explains, 0.007 is left. Calibration slope 0.9871" in found
    assert "| 0.0281, up to 0.0402 |" in section(text, "By slice")


def test_what_the_model_uses_and_what_not(text: str):
    found = section(text, "Features used")
    assert (
        "63 features. Sensitive attributes that it uses: age. Sensitive attributes that were withheld: gender." in found
    )
    assert "| usage_minutes_90d | history of 40 days |" in found


def test_audit_limits_and_origin(text: str):
    assert "| A03 identifiers | passed |" in section(text, "Leakage audit")
    assert section(text, "Limits").strip().startswith("* The AUC is falling in the backtest.\n* ")
    origin = section(text, "How to reproduce")
    assert all(row in origin for row in ("| git commit | `a1db9f9` |", "| seed | 7 |", "| model.num_leaves | `8` |"))


def test_what_is_missing_is_stated():
    bare = replace(FACTS, audit={}, columns=Columns(3), evaluation=replace(EVALUATION, baselines={}, slices=()))
    found = card(bare)
    for sentence in (
        "The leakage audit was not run.",
        "No feature was excluded.",
        "withheld: none.",
        "No baseline applies to this log.",
        "This log has no columns to slice the users by.",
    ):
        assert sentence in found


def test_every_table_has_as_many_cells_in_each_row(text: str):
    for table in re.findall(r"(?:^\|.*\n)+", text, flags=re.MULTILINE):
        assert len({len(re.findall(r"(?<!\\)\|", row)) for row in table.splitlines()}) == 1
