"""The leakage audit: each leak planted in an otherwise clean, real training, and caught; nothing found in the clean one."""

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from cli.project import open_project
from features.errors import GuardRefused
from features.profiles import build
from tests.cli.command import TrainedWorld
from training.audit import CHECKS, AuditedTraining, Checked, Finding, Report, audit
from training.audit_columns import aucs_by_value, distances
from training.audit_evidence import Evidence, Looked
from training.dataset import Dataset, labelled, stack
from training.pipeline import to_audit

GUIDE = Path(__file__).parents[2] / "docs/guides/leakage-audit.md"
DAY = timedelta(days=1)
FEW = (
    "features.windows_days=[7, 28]",
    "features.main_event_types=1",
    "audit.max_rows=5000",
    "audit.rebuilt_profiles=200",
)
LATE = "case when hash(user_id) % 3 = 0 then event_time + interval 2 day else event_time end"

Gather = Callable[..., AuditedTraining]


@pytest.fixture(scope="module")
def gather(trained_world: TrainedWorld) -> Gather:
    """What a training under some settings would learn from; the same settings once."""

    @cache
    def run(*pairs: str) -> AuditedTraining:
        project = open_project(trained_world.config, home=trained_world.home, pairs=(*FEW, *pairs))
        return to_audit(project.activity(), project.recipe, say=lambda _: None)

    return run


@pytest.fixture(scope="module")
def clean(gather: Gather) -> AuditedTraining:
    return gather()


def found(code: str, training: AuditedTraining) -> tuple[Finding, ...]:
    """What one check finds."""
    (check,) = (check for check in CHECKS if check.code == code)
    return check.look(Evidence(training, seed=7)).findings


def said(code: str, training: AuditedTraining) -> str:
    return "; ".join(f"{finding.where}: {finding.found}" for finding in found(code, training))


# --- Planting ------------------------------------------------------------------------------------------------------


def set_column(dataset: Dataset, name: str, values: Any) -> Dataset:
    place = dataset.profiles.column_names.index(name)
    kind = dataset.profiles.schema.field(name).type
    return replace(dataset, profiles=dataset.profiles.set_column(place, name, pa.array(values, kind)))


def planted(training: AuditedTraining, name: str, plant: Callable[[Dataset], Any]) -> AuditedTraining:
    """A column of both parts, overwritten."""
    learnt, test = (set_column(part, name, plant(part)) for part in (training.learnt, training.test))
    return replace(training, learnt=learnt, test=test)


def said_to_be_of(dataset: Dataset, cutoff: date) -> Dataset:
    return set_column(dataset, "cutoff", [cutoff] * len(dataset.churned))


def built_later(training: AuditedTraining, days: int) -> AuditedTraining:
    """The test's users, with profiles of so many days after the cutoff."""
    cutoff = training.split.test
    later = build(training.activity, training.specification, cutoffs=[cutoff + days * DAY])
    users = training.test.profiles["user_id"].to_pylist()
    rows = [later["user_id"].to_pylist().index(user) for user in users]
    return replace(training, test=said_to_be_of(Dataset(later.take(pa.array(rows)), training.test.churned), cutoff))


def stacked(training: AuditedTraining, *cutoffs: date, **churn: Any) -> Dataset:
    settings = training.churn.model_copy(update=churn)
    return stack(training.activity, training.specification, cutoffs=cutoffs, churn=settings)


# --- The clean log -------------------------------------------------------------------------------------------------


def test_nothing_is_found_in_a_clean_training(clean: AuditedTraining):
    report = audit(clean, seed=7)
    assert report.findings == ()
    assert report.is_clean
    report.refuse()
    assert [one.check.code for one in report.checks] == [check.code for check in CHECKS]


def test_nothing_is_found_where_folds_of_users_stand_in_for_periods(gather: Gather):
    folds = gather("churn.horizon_days=28", "churn.active_within_days=28")
    assert folds.split.uses_folds
    for code in ("LABEL_OVERLAP", "FEATURE_JUMP", "SHUFFLED_LABELS"):
        assert found(code, folds) == ()


def test_nothing_is_found_where_rows_became_known_late_and_profiles_honour_it(gather: Gather):
    late = gather(f"events.columns.ingested_at={LATE}")
    for code in ("CUTOFF_EVENT", "LATE_INGESTION", "FUTURE_CANARY"):
        assert found(code, late) == ()


def test_the_same_seed_says_the_same(clean: AuditedTraining):
    (canary,) = (check for check in CHECKS if check.code == "SHUFFLED_LABELS")
    assert canary.look(Evidence(clean, 3)) == canary.look(Evidence(clean, 3)) != canary.look(Evidence(clean, 4))


# --- Ten leaks, and one more ---------------------------------------------------------------------------------------


def test_1_an_event_at_the_cutoff_in_the_profile_is_caught(clean: AuditedTraining):
    words = said("CUTOFF_EVENT", built_later(clean, days=1))
    assert re.search(r"columns \w+, .* more at cutoff 2026-04-21: 50 of 50 profiles hold more than", words)


def test_1_a_label_that_begins_before_the_cutoff_is_caught(clean: AuditedTraining):
    cutoff = clean.split.test
    early = labelled(clean.activity, said_to_be_of(clean.test, cutoff - DAY).profiles, churn=clean.churn)
    leaky = replace(clean, test=Dataset(clean.test.profiles, early.churned))
    assert re.match(
        r"label at cutoff 2026-04-21: \d+ of 50 labels are not what the days 2026-04-21 up to 2026-05-05 say",
        said("CUTOFF_EVENT", leaky),
    )


def test_2_a_label_window_that_reaches_into_the_test_is_caught(clean: AuditedTraining):
    unpurged = clean.split.test - 7 * DAY
    leaky = replace(
        clean, split=replace(clean.split, calibration=(unpurged,)), learnt=stacked(clean, *clean.split.train, unpurged)
    )
    assert said("LABEL_OVERLAP", leaky) == (
        "cutoff 2026-04-14: calibration: its label ends on 2026-04-28, the test part begins on 2026-04-21; "
        "cutoff 2026-04-14: learnt: its label ends on 2026-04-28, the test part begins on 2026-04-21"
    )


def test_2_parts_that_were_split_without_a_purge_are_caught(clean: AuditedTraining):
    (validation,) = clean.split.validation
    leaky = replace(clean, split=replace(clean.split, train=(*clean.split.train, validation - 7 * DAY)))
    assert f"cutoff {validation - 7 * DAY}: training: its label ends on" in said("LABEL_OVERLAP", leaky)


def test_2_a_row_of_a_cutoff_that_the_split_does_not_know_is_caught(clean: AuditedTraining):
    leaky = replace(clean, learnt=stacked(clean, *clean.split.learnt_from, clean.split.test))
    assert "cutoff 2026-04-21: learnt" in said("LABEL_OVERLAP", leaky)


def test_3_an_unfinished_label_window_is_caught(clean: AuditedTraining):
    manifest = replace(clean.activity.manifest, covered_until=clean.split.test + 5 * DAY)
    leaky = replace(clean, activity=replace(clean.activity, manifest=manifest))
    assert said("UNFINISHED_WINDOW", leaky) == (
        "cutoff 2026-04-21: its label ends on 2026-05-05, the log covers up to 2026-04-26"
    )
    assert found("CUTOFF_EVENT", leaky) == found("FUTURE_CANARY", leaky) == ()  # which look past what is not there yet


def test_4_a_row_that_became_known_after_the_cutoff_is_caught(gather: Gather, clean: AuditedTraining):
    honest = gather(f"events.columns.ingested_at={LATE}")
    blind = build(clean.activity, honest.specification, cutoffs=[honest.split.test])
    users = honest.test.profiles["user_id"].to_pylist()
    rows = [blind["user_id"].to_pylist().index(user) for user in users]
    leaky = replace(honest, test=replace(honest.test, profiles=blind.take(pa.array(rows))))
    assert re.search(
        r"at cutoff 2026-04-21: \d+ of 50 profiles hold rows whose ingested_at", said("LATE_INGESTION", leaky)
    )
    assert found("CUTOFF_EVENT", leaky) == ()  # each leak has its own name


def noisy(dataset: Dataset, noise: float) -> Any:
    return dataset.churned + np.random.default_rng(1).normal(0, noise, len(dataset.churned))


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
    told = planted(clean, "last_channel", lambda part: np.where(part.churned, "friend", "ads"))
    for leaky, column in ((in_the_middle, "events_7d"), (missing, "events_7d"), (told, "last_channel")):
        assert [finding.where for finding in found("SINGLE_FEATURE_AUC", known_texts(leaky))] == [f"column {column}"]


def known_texts(training: AuditedTraining) -> AuditedTraining:
    categories = training.specification.categories | {"last_channel": ("ads", "friend")}
    return replace(training, specification=replace(training.specification, categories=categories))


def test_5_a_feature_that_the_model_does_not_look_at_is_no_leak(clean: AuditedTraining):
    leaky = planted(clean, "usage_minutes_7d", lambda part: noisy(part, 0.3))
    unused = replace(leaky, specification=replace(leaky.specification, unused=("usage_minutes_7d",)))
    assert found("SINGLE_FEATURE_AUC", unused) == ()


def numbers_of_users(dataset: Dataset) -> list[int]:
    return [int(re.sub(r"\D", "", user)) for user in dataset.profiles["user_id"].to_pylist()]


@pytest.mark.parametrize("column", ["last_device_model", "first_week_events"])
def test_6_an_identifier_is_caught_as_text_and_as_a_number(clean: AuditedTraining, column: str):
    is_text = column == "last_device_model"
    leaky = planted(clean, column, lambda part: list(map(str if is_text else float, numbers_of_users(part))))
    assert said("IDENTIFIER_FEATURE", leaky) == f"column {column}: as many values as 100% of the users"


def test_7_a_date_is_caught(clean: AuditedTraining):
    leaky = planted(
        clean, "active_days_7d", lambda part: [day.toordinal() for day in part.profiles["cutoff"].to_pylist()]
    )
    (finding,) = found("DATE_FEATURE", leaky)
    assert finding.where == "column active_days_7d"


def test_8_rows_on_both_sides_are_caught_whatever_cutoff_they_are_said_to_be_of(clean: AuditedTraining):
    copied = said_to_be_of(clean.test, max(clean.split.train))
    both = pa.concat_tables([clean.learnt.profiles, copied.profiles])
    leaky = replace(clean, learnt=Dataset(both, np.concatenate([clean.learnt.churned, copied.churned])))
    assert "cutoff 2026-04-21: labels by the toss of a coin are known there" in said("SHUFFLED_LABELS", leaky)


def test_9_features_from_the_end_of_the_horizon_are_caught_three_times(clean: AuditedTraining):
    leaky = built_later(clean, days=clean.churn.horizon_days)
    assert re.search(
        r"columns .* they tell what was known at the end of the horizon, 2026-05-05", said("FUTURE_CANARY", leaky)
    )
    assert "alone it reaches an AUC of 1.000" in said("SINGLE_FEATURE_AUC", leaky)
    assert "50 of 50 profiles" in said("CUTOFF_EVENT", leaky)


def test_9_an_audit_whose_alarm_would_sleep_through_the_future_fails_itself(clean: AuditedTraining):
    deaf = replace(clean, settings=clean.settings.model_copy(update={"single_feature_auc": 1.0}))
    assert "the audit is deaf: a planted future reaches an AUC of" in said("FUTURE_CANARY", deaf)


def test_9_an_audit_that_cannot_tell_the_future_from_the_past_fails_itself(clean: AuditedTraining):
    # nothing that a profile holds moves with time
    blind = replace(
        clean, specification=replace(clean.specification, feature_names=("first_week_events", "last_channel"))
    )
    still = replace(blind, test=stacked(clean, clean.split.test, min_tenure_days=30))
    assert "the audit is blind" in said("FUTURE_CANARY", still)


@pytest.mark.parametrize("part", ["learnt", "test"])
def test_10_users_who_were_gone_already_are_caught(clean: AuditedTraining, part: str):
    cutoffs = clean.split.learnt_from if part == "learnt" else (clean.split.test,)
    leaky = replace(clean, **{part: stacked(clean, *cutoffs, active_within_days=20)})
    words = said("ALREADY_GONE", leaky)
    assert re.search(rf"cutoff {cutoffs[-1]}: \d+ of the \d+ users (learnt from|tested on) were gone already", words)


def test_10_users_who_only_look_active_are_caught(clean: AuditedTraining):
    gone = stacked(clean, clean.split.test, active_within_days=60)
    yesterday = set_column(gone, "days_since_last_qualifying_day", np.ones(len(gone.churned)))
    assert "by what was known before it" in said("ALREADY_GONE", replace(clean, test=yesterday))


def test_11_a_feature_that_means_something_else_at_one_snapshot_is_caught(clean: AuditedTraining):
    seconds = [minutes * 60 for minutes in clean.test.profiles["usage_minutes_28d"].to_pylist()]
    leaky = replace(clean, test=set_column(clean.test, "usage_minutes_28d", seconds))
    (finding,) = found("FEATURE_JUMP", leaky)
    assert finding.where == "column usage_minutes_28d at cutoff 2026-04-21"


def test_11_steady_drift_is_no_jump(clean: AuditedTraining):
    first = clean.activity.coverage.first_day

    def aged(part: Dataset) -> list[float]:
        """Everybody gets older by a day a day: what was never above 30 is 60 a month later."""
        draw = np.random.default_rng(2)
        return [(day - first).days + draw.uniform(0, 30) for day in part.profiles["cutoff"].to_pylist()]

    assert found("FEATURE_JUMP", planted(clean, "tenure_days", aged)) == ()


# --- What the checks compute ---------------------------------------------------------------------------------------


def test_an_auc_alone_shares_ties_counts_either_way_and_puts_what_is_missing_last():
    churned = np.array([True, True, False, False])
    matrix = np.array([[1, 4, 1, np.nan], [1, 3, 2, np.nan], [1, 2, 1, 0], [1, 1, 3, 1.0]])
    # one value; high to low; 3 of 4 pairs and a half low to high is 0.625 the other way; missing where churned
    assert aucs_by_value("abcd", matrix, churned=churned) == {"a": 0.5, "b": 1.0, "c": 0.625, "d": 1.0}
    assert aucs_by_value("abcd", matrix, churned=np.ones(4, bool)) == {}


def test_the_distance_between_snapshots_is_the_widest_gap_between_their_distributions():
    snapshots = [np.array([1.0, 2, 3, 4]), np.array([1.0, 2, 3, 4]), np.array([3.0, 4, 5, 6]), np.full(4, np.nan)]
    assert distances(snapshots)[0].tolist() == [0.0, 0.0, 0.5, 1.0]


# --- What is told --------------------------------------------------------------------------------------------------


def report_of(*findings: Finding) -> Report:
    return Report((Checked(CHECKS[0], Looked("10 profiles", findings)), Checked(CHECKS[2], Looked("3 cutoffs"))))


def test_a_refusal_names_code_place_and_page():
    with pytest.raises(GuardRefused) as refusal:
        report_of(Finding("columns events_7d at cutoff 2026-04-21", "3 of 10 profiles hold more")).refuse()
    assert refusal.value.message == (
        "the leakage audit failed 1 of 2 checks: "
        "CUTOFF_EVENT: columns events_7d at cutoff 2026-04-21: 3 of 10 profiles hold more"
    )
    assert refusal.value.hint == "see docs/guides/leakage-audit.md#cutoff_event"


def test_the_report_for_the_model_card_has_a_row_for_each_check_and_a_line_for_each_finding():
    lines = report_of(Finding("column x", "bad")).to_markdown().splitlines()
    assert lines[2].startswith("| `CUTOFF_EVENT` | **failed** | A profile knows nothing")
    assert lines[3].startswith("| `LABEL_OVERLAP` | ok |")
    assert lines[-1] == "* `CUTOFF_EVENT`: column x: bad"


def test_no_finding_names_a_user(clean: AuditedTraining):
    leaky = built_later(clean, days=1)
    users = set(leaky.test.profiles["user_id"].to_pylist())
    words = re.findall(r"\w+", said("CUTOFF_EVENT", leaky) + said("FUTURE_CANARY", leaky))
    assert words
    assert users.isdisjoint(words)


def headings(page: Path) -> Sequence[str]:
    return re.findall(r"^## (\w+)$", page.read_text(), flags=re.MULTILINE)


def test_every_check_has_its_section_in_the_guide():
    assert headings(GUIDE) == [check.code for check in CHECKS]
    assert all(check.page == f"docs/guides/leakage-audit.md#{check.code.lower()}" for check in CHECKS)
