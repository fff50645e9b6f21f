"""The leakage audit: each leak planted in an otherwise clean, real training, and caught."""

import re
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from msgspec import structs

from features.profiles.build import build_profiles
from tests.training.conftest import Gather
from tests.training.planting import (
    DAY,
    LATE,
    built_later,
    found,
    noisy,
    planted,
    said,
    said_to_be_of,
    set_column,
    stacked,
)
from training.audit.audit import AuditedTraining
from training.data.dataset import Dataset, label


def test_1_an_event_at_the_cutoff_in_the_profile_is_caught(clean: AuditedTraining):
    words = said("CUTOFF_EVENT", built_later(clean, days=1))
    assert re.search(r"columns \w+, .* more at cutoff 2026-04-21: 50 of 50 profiles hold more than", words)


def test_1_a_label_that_begins_before_the_cutoff_is_caught(clean: AuditedTraining):
    cutoff = clean.split.test
    early = label(clean.activity, said_to_be_of(clean.test, cutoff - DAY).profiles, churn=clean.churn)
    leaky = replace(clean, test=Dataset(clean.test.profiles, early.churned))
    assert re.match(
        r"label at cutoff 2026-04-21: \d+ of 50 labels differ from those of the days 2026-04-21 up to 2026-05-05",
        said("CUTOFF_EVENT", leaky),
    )


def test_2_a_label_window_that_reaches_into_the_test_is_caught(clean: AuditedTraining):
    unpurged = clean.split.test - 7 * DAY
    leaky = replace(
        clean,
        split=replace(clean.split, calibration=(unpurged,)),
        training_rows=stacked(clean, *clean.split.train, unpurged),
    )
    assert said("LABEL_OVERLAP", leaky) == (
        "cutoff 2026-04-14: calibration: its label ends on 2026-04-28, the test part begins on 2026-04-21; "
        "cutoff 2026-04-14: training rows: its label ends on 2026-04-28, the test part begins on 2026-04-21"
    )


def test_2_parts_that_were_split_without_a_purge_are_caught(clean: AuditedTraining):
    (validation,) = clean.split.validation
    leaky = replace(clean, split=replace(clean.split, train=(*clean.split.train, validation - 7 * DAY)))
    assert f"cutoff {validation - 7 * DAY}: training: its label ends on" in said("LABEL_OVERLAP", leaky)


def test_2_a_row_of_a_cutoff_that_the_split_does_not_know_is_caught(clean: AuditedTraining):
    leaky = replace(clean, training_rows=stacked(clean, *clean.split.training_cutoffs, clean.split.test))
    assert "cutoff 2026-04-21: training rows: its label ends on 2026-05-05" in said("LABEL_OVERLAP", leaky)


def test_3_an_unfinished_label_window_is_caught(clean: AuditedTraining):
    manifest = structs.replace(
        clean.activity.manifest, coverage=replace(clean.activity.coverage, covered_until=clean.split.test + 5 * DAY)
    )
    leaky = replace(clean, activity=replace(clean.activity, manifest=manifest))
    assert said("UNFINISHED_WINDOW", leaky) == (
        "cutoff 2026-04-21: its label ends on 2026-05-05, the log covers up to 2026-04-26"
    )
    assert found("CUTOFF_EVENT", leaky) == found("FUTURE_CANARY", leaky) == ()  # which look past what is not there yet


def test_4_a_row_that_became_known_after_the_cutoff_is_caught(gather: Gather, clean: AuditedTraining):
    honest = gather(f"events.columns.ingested_at={LATE}")
    blind = build_profiles(clean.activity, honest.specification, cutoffs=[honest.split.test])
    users = honest.test.profiles["user_id"].to_pylist()
    rows = [blind["user_id"].to_pylist().index(user) for user in users]
    leaky = replace(honest, test=replace(honest.test, profiles=blind.take(pa.array(rows))))
    assert re.search(
        r"at cutoff 2026-04-21: \d+ of 50 profiles hold rows whose ingested_at", said("LATE_INGESTION", leaky)
    )
    assert found("CUTOFF_EVENT", leaky) == ()  # each leak has its own name


@pytest.mark.parametrize(("noise", "words"), [(0.3, "above 0.95"), (0.5, "the next best feature 0.")])
def test_5_a_feature_that_alone_knows_the_label_is_caught(clean: AuditedTraining, noise: float, words: str):
    watchful = replace(clean, settings=clean.settings.model_copy(update={"single_feature_margin": 0.08}))
    leaky = planted(watchful, "usage_minutes_7d", lambda part: noisy(part, noise))
    (finding,) = found("SINGLE_FEATURE_AUC", leaky)
    assert finding.where == "column usage_minutes_7d"
    assert words in finding.found


def test_5_a_feature_that_knows_it_by_codes_or_by_gaps_is_caught(clean: AuditedTraining):
    in_the_middle = planted(
        clean, "events_7d", lambda part: np.where(part.churned, 5.0, np.arange(len(part.churned)) % 2 * 10)
    )
    missing = planted(clean, "events_7d", lambda part: pa.array(np.ones(len(part.churned)), mask=part.churned))
    coded = planted(clean, "last_channel", lambda part: np.where(part.churned, "friend", "ads"))
    for leaky, column in ((in_the_middle, "events_7d"), (missing, "events_7d"), (coded, "last_channel")):
        assert [finding.where for finding in found("SINGLE_FEATURE_AUC", known_texts(leaky))] == [f"column {column}"]


def known_texts(training: AuditedTraining) -> AuditedTraining:
    categories = training.specification.categories | {"last_channel": ("ads", "friend")}
    return replace(training, specification=structs.replace(training.specification, categories=categories))


def numbers_of_users(dataset: Dataset) -> list[int]:
    users: list[Any] = dataset.profiles["user_id"].to_pylist()
    return [int(re.sub(r"\D", "", user)) for user in users]


@pytest.mark.parametrize("column", ["last_device_model", "first_week_events"])
def test_6_an_identifier_is_caught_as_text_and_as_a_number(clean: AuditedTraining, column: str):
    is_text = column == "last_device_model"
    leaky = planted(clean, column, lambda part: list(map(str if is_text else float, numbers_of_users(part))))
    assert said("IDENTIFIER_FEATURE", leaky) == f"column {column}: as many values as 100% of the users"


def test_7_a_date_is_caught(clean: AuditedTraining):
    def of_the_cutoff(part: Dataset) -> list[int]:
        days: list[Any] = part.profiles["cutoff"].to_pylist()
        return [day.toordinal() for day in days]

    leaky = planted(clean, "active_days_7d", of_the_cutoff)
    (finding,) = found("DATE_FEATURE", leaky)
    assert finding.where == "column active_days_7d"


def test_8_rows_on_both_sides_are_caught_whatever_their_cutoff_column_says(clean: AuditedTraining):
    copied = said_to_be_of(clean.test, max(clean.split.train))
    both = pa.concat_tables([clean.training_rows.profiles, copied.profiles])
    leaky = replace(clean, training_rows=Dataset(both, np.concatenate([clean.training_rows.churned, copied.churned])))
    assert "cutoff 2026-04-21: random labels are predicted there" in said("SHUFFLED_LABELS", leaky)


def test_9_features_from_the_end_of_the_horizon_are_caught_three_times(clean: AuditedTraining):
    leaky = built_later(clean, days=clean.churn.horizon_days)
    assert re.search(
        r"columns .* they hold what was known at the end of the horizon, 2026-05-05", said("FUTURE_CANARY", leaky)
    )
    assert "alone it reaches an AUC of 1.000" in said("SINGLE_FEATURE_AUC", leaky)
    assert "50 of 50 profiles" in said("CUTOFF_EVENT", leaky)


def test_9_an_audit_that_would_miss_the_future_fails_itself(clean: AuditedTraining):
    deaf = replace(clean, settings=clean.settings.model_copy(update={"single_feature_auc": 1.0}))
    assert "the audit misses leaks: a planted future reaches an AUC of" in said("FUTURE_CANARY", deaf)


def test_9_an_audit_that_cannot_detect_the_future_fails_itself(clean: AuditedTraining):
    # nothing that a profile holds moves with time
    blind = replace(
        clean, specification=structs.replace(clean.specification, feature_names=("first_week_events", "last_channel"))
    )
    still = replace(blind, test=stacked(clean, clean.split.test, min_tenure_days=30))
    assert "the audit cannot detect leaks" in said("FUTURE_CANARY", still)


@pytest.mark.parametrize("part", [pytest.param("training_rows", marks=pytest.mark.slow), "test"])
def test_10_users_who_had_left_already_are_caught(clean: AuditedTraining, part: str):
    cutoffs = clean.split.training_cutoffs if part == "training_rows" else (clean.split.test,)
    leaky = replace(clean, **{part: stacked(clean, *cutoffs, active_within_days=20)})
    words = said("ALREADY_GONE", leaky)
    assert re.search(rf"cutoff {cutoffs[-1]}: \d+ of the \d+ users (trained on|tested on) had left already", words)


def test_10_users_who_only_look_active_are_caught(clean: AuditedTraining):
    gone = stacked(clean, clean.split.test, active_within_days=60)
    yesterday = set_column(gone, "days_since_last_qualifying_day", np.ones(len(gone.churned)))
    assert "by what was known before it" in said("ALREADY_GONE", replace(clean, test=yesterday))


def test_11_a_feature_that_changes_its_meaning_at_one_snapshot_is_caught(clean: AuditedTraining):
    minutes: list[Any] = clean.test.profiles["usage_minutes_28d"].to_pylist()
    leaky = replace(clean, test=set_column(clean.test, "usage_minutes_28d", [one * 60 for one in minutes]))
    (finding,) = found("FEATURE_JUMP", leaky)
    assert finding.where == "column usage_minutes_28d at cutoff 2026-04-21"
