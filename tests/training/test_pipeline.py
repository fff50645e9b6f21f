"""A whole training: what it learns from, what it never sees, and that it can be done again."""

# pyright: reportPrivateUsage=false

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from churn.project import Project
from features.profiles.build import build_profiles
from models.churn_model import ChurnModel
from models.definition import ChurnDefinition
from models.encoding import encode
from models.evaluation.metrics import summary
from models.scorers.calibration import fit_calibration
from models.scorers.ensemble import Trees
from models.scorers.trees import TreeFitter
from serving.batch.score import score_table
from serving.settings import ScoringSettings
from tests.churn.command import TrainedWorld
from tests.training.conftest import BOTH, EASY, FOLDS, QUICK, Gather, Training, train_in
from training.fit.fit import Fitter
from training.fit.folds import split_users
from training.pipeline import _with_test, fit_model
from training.plan.plan import Strategy
from training.report.mlflow_run import digest
from training.settings import TrainingSettings

SEED = TrainingSettings().seed


def trees_of(model: ChurnModel) -> str:
    (_, trees), *_ = model.scorer.parts
    assert isinstance(trees, Trees)
    return trees.booster.model_to_string()


def fitted(world: TrainedWorld, *pairs: str) -> ChurnModel:
    """The model of a training that is neither compared nor audited."""
    project = Project(world.config, home=world.home, settings=(*QUICK, *pairs))
    return fit_model(project.activity(), project.recipe, say=lambda _: None)


def bytes_of(model: ChurnModel, folder: Path) -> dict[str, bytes]:
    model.save(folder)
    return {path.name: path.read_bytes() for path in folder.iterdir()}


# --- The parts -------------------------------------------------------------------------------------------------------


def test_the_two_ways_are_what_they_are_called(periods: Training, folds: Training):
    assert not periods.trained.split.uses_folds
    assert folds.trained.split.uses_folds


@BOTH
def test_which_way_was_taken_is_said(training: Training, way: str):
    assert any(way in line and str(training.trained.split.test) in line for line in training.said)


def test_users_who_look_like_bots_are_counted_in_every_run(periods: Training):
    assert f"0 users look like bots before {periods.trained.split.test}" in periods.said


@BOTH
def test_every_label_was_known_when_the_test_began(training: Training):
    split, churn = training.trained.split, training.recipe.churn
    window = ChurnDefinition.of(churn).window
    training_rows: set[Any] = set(training.trained.training_rows.profiles["cutoff"].to_pylist())
    assert max(window.end(cutoff) for cutoff in training_rows) <= split.test
    assert set(training.trained.test.profiles["cutoff"].to_pylist()) == {split.test}
    assert training.trained.model.quality.trained_through == max(window.end(cutoff) for cutoff in training_rows)


@BOTH
def test_everybody_in_any_part_is_eligible(training: Training):
    for part in (training.trained.training_rows, training.trained.test):
        away = part.profiles["days_since_last_qualifying_day"].to_numpy()
        assert away.max() <= training.recipe.churn.active_within_days


def test_whoever_was_tested_is_whoever_is_scored(periods: Training):
    model = periods.trained.model
    profiles = build_profiles(periods.activity, model.specification, cutoffs=[periods.trained.split.test])
    scores = score_table(model, profiles, bands=ScoringSettings())
    scored = scores.filter(scores.column("raw_score").is_valid())
    tested = periods.trained.test.profiles
    assert scored["user_id"].to_pylist() == tested["user_id"].to_pylist()
    assert scored["churn_probability"].to_pylist() == model.predict_probability(tested).tolist()


@BOTH
def test_the_figures_are_those_of_the_model_that_is_saved(training: Training):
    test, model = training.trained.test, training.trained.model
    assert training.trained.evaluation.metric_values == pytest.approx(
        summary(test.churned, model.predict_probability(test.profiles))
    )
    assert model.quality.metrics == training.trained.evaluation.metric_values
    assert model.quality.test_cutoff == training.trained.split.test


@pytest.mark.parametrize("way", ["periods", pytest.param("folds", marks=pytest.mark.slow)])
def test_nothing_that_happens_from_the_test_cutoff_on_changes_the_model(
    way: str, training: Training, trained_world: TrainedWorld
):
    # every other user vanishes on the day of the test cutoff; the log still covers its horizon
    test, until = training.trained.split.test, training.activity.coverage.covered_until
    gone = f"events.where=event_time < timestamptz '{test} 00:00+00' or hash(user_id) % 2 = 0"
    # which would be an outage that the test avoids
    settings = (
        gone,
        f"events.covered_until={until}",
        "outages.exclude=false",
        *(FOLDS if way == "folds" else ()),
    )
    found, known = fitted(trained_world, *settings), training.trained.model
    assert found.known_cutoffs[-1].cutoff == known.known_cutoffs[-1].cutoff == test
    assert found.known_cutoffs[-1].churn_rate > known.known_cutoffs[-1].churn_rate
    assert trees_of(found) == trees_of(known)
    for part in ("specification", "calibration", "definition", "reference"):
        assert getattr(found, part) == getattr(known, part)


# --- Trees, line and calibration -------------------------------------------------------------------------------------


def test_with_periods_the_calibration_is_fitted_on_a_cutoff_that_the_trees_never_saw(periods: Training):
    found, model = periods.trained, periods.trained.model
    rows = found.training_rows.at(found.split.calibration)
    assert set(found.split.calibration).isdisjoint({*found.split.train, *found.split.validation})
    raw = model.raw(encode(rows.profiles, model.specification))
    assert model.calibration == fit_calibration(raw, rows.churned, seed=SEED, users=rows.users).calibration


def test_with_periods_the_trees_are_fitted_on_the_training_cutoffs_alone(periods: Training):
    found, spec = periods.trained, periods.trained.model.specification
    learner = TreeFitter(periods.recipe.model, SEED, spec.feature_names, tuple(spec.categories))
    again = learner.fit(
        found.training_rows.at(found.split.train).rows(spec),
        validation=found.training_rows.at(found.split.validation).rows(spec),
    )
    assert again.model_to_string() == trees_of(found.model)


def test_with_folds_the_calibration_is_fitted_on_scores_of_folds_that_never_saw_the_user(folds: Training):
    found, spec = folds.trained, folds.trained.model.specification
    fitter = Fitter(spec, folds.recipe.model, folds.recipe.training)
    rows, rounds = found.training_rows.rows(spec), found.fit.rounds
    weights = dict(zip(found.model.scorer.kinds, (weight for weight, _ in found.model.scorer.parts), strict=True))
    unseen = np.empty(len(rows.churned))
    for seen, held_out in split_users(rows, maximum=5, seed=SEED):
        fold, _ = fitter.ensemble_fitter.fit(rows.take(seen), weight=weights.get("line", 0.0), rounds=rounds)
        unseen[held_out] = fold.raw(rows.matrix[held_out])
    latest = np.isin(found.training_rows.cutoffs, np.asarray(found.split.calibration, dtype="datetime64[D]"))
    users = found.training_rows.at(found.split.calibration).users
    assert found.fit.calibration == fit_calibration(
        unseen[latest], found.training_rows.churned[latest], seed=SEED, users=users
    )


def test_with_folds_rounds_are_those_that_are_best_on_later_periods(folds: Training):
    found, fitter = folds.trained, folds.trained.fitter
    later = fitter.later_folds(found.training_rows, found.split)
    assert later
    for fold in later:
        measured = found.training_rows.cutoffs.max() if fold is later[0] else None
        assert measured is None or fold.cutoffs.max() <= measured - np.timedelta64(found.split.purge_days)
    assert found.fit.rounds == fitter.choose(later).rounds
    assert "later period" in found.fit.why


def test_the_base_rate_is_known_at_validation_calibration_and_test(periods: Training):
    split, known = periods.trained.split, periods.trained.model.known_cutoffs
    assert [one.cutoff for one in known] == [*split.validation, *split.calibration, split.test]
    test = periods.trained.test
    assert known[-1].churn_rate == pytest.approx(float(test.churned.mean()))


def test_labels_of_a_shorter_horizon_say_nothing_of_the_base_rate(periods: Training):
    trained = periods.trained
    shorter = replace(trained.plan, strategy=Strategy.SHORTER)
    raw = trained.fit.raw(trained.test.profiles)
    (known,) = _with_test(trained.fit, shorter, raw=raw, test=trained.test)
    assert known == trained.model.known_cutoffs[-1]


def test_a_raw_score_is_three_parts_trees_and_one_part_line(periods: Training):
    model = periods.trained.model
    matrix = encode(periods.trained.test.profiles, model.specification)
    (_, trees), (_, line) = model.scorer.parts
    assert model.scorer.kinds == ("trees", "line")
    expected = 0.75 * trees.raw(matrix, threads=0) + 0.25 * line.raw(matrix, threads=0)
    assert replace(model, threads=1).raw(matrix) == pytest.approx(expected)


# --- Again -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", ["easy", pytest.param("folds", marks=pytest.mark.slow)])
def test_training_again_gives_the_same_bytes(way: str, training: Training, trained_world: TrainedWorld, tmp_path: Path):
    pairs = (*QUICK, *{"easy": EASY, "folds": FOLDS}[way])
    again = train_in(Project(trained_world.config, home=trained_world.home, settings=pairs)).trained
    assert bytes_of(again.model, tmp_path / "again") == bytes_of(training.trained.model, tmp_path / "first")
    assert again.evaluation == training.trained.evaluation
    assert digest(again.training_rows.profiles) == digest(training.trained.training_rows.profiles)
    assert digest(again.test.profiles) == digest(training.trained.test.profiles)


def test_another_seed_gives_another_model_of_the_same_rows(easy: Training, trained_world: TrainedWorld):
    other, known = fitted(trained_world, *EASY, "training.seed=8"), easy.trained.model
    assert trees_of(other) != trees_of(known)
    assert other.reference.medians == known.reference.medians
    assert [(one.cutoff, one.rows, one.churn_rate) for one in other.known_cutoffs] == [
        (one.cutoff, one.rows, one.churn_rate) for one in known.known_cutoffs
    ]


def test_the_digest_of_a_data_set_sees_every_value(periods: Training):
    profiles = periods.trained.test.profiles
    place = profiles.column_names.index("events_7d")
    values: list[Any] = profiles["events_7d"].to_pylist()
    values[-1] += 1
    assert digest(profiles.set_column(place, "events_7d", [values])) != digest(profiles)
    assert digest(profiles.slice(1)) != digest(profiles)


def test_a_sample_of_users_is_trained_on_where_the_log_is_too_large(periods: Training, gather: Gather):
    found = gather("training.max_training_rows=3000", "training.min_class_users=20")
    assert len(found.training_rows.churned) < len(periods.trained.training_rows.churned)
    assert found.test.profiles.equals(periods.trained.test.profiles)  # it has no more rows than that
