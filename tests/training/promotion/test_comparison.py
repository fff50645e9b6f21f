"""Which weeks models, or recipes, are compared on: never across an outage, wherever it was found."""

import shutil
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from msgspec import structs
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit, logit

from churn.project import Project
from features.snapshots import LabelWindow
from models.evaluation.baselines import rule_scores
from models.evaluation.metrics import summary
from tests.builders import values_of
from tests.churn.command import TrainedWorld
from tests.training.conftest import Training
from tests.training.contenders import END, LATEST, parameters, seen_through, with_model
from tests.training.tested import CUTOFF, made_up
from training.data.dataset import Dataset
from training.data.treatment import ENTRIES, Exclusion, Treatment
from training.plan.outages import Kind, Outage
from training.promotion.comparison import (
    COMPARED,
    Comparison,
    Contender,
    Predictions,
    compare_models,
    compare_with_rule,
    unseen_cutoffs,
)
from training.promotion.decide import decide
from training.promotion.recipe_comparison import PastWeeks, compare_recipes
from training.settings import OutagesSettings, PromotionSettings

WEEKS = (date(2026, 4, 7), date(2026, 4, 14), LATEST)
LOW = date(2026, 4, 8)  # in the label window of the first week, and in the seven days before the second


def outage(day: date) -> Outage:
    return Outage(day, 0, 900, -20.0, Kind.MISSING)


def test_models_are_not_compared_across_an_outage(champion: Contender, periods: Training):
    model = seen_through(champion, WEEKS[0]).model

    def cutoffs(*outages: Outage) -> tuple[date, ...]:
        return unseen_cutoffs(periods.activity, [model], recipe=periods.recipe, outages=outages)

    assert cutoffs() == WEEKS
    assert cutoffs(outage(LOW)) == (LATEST,)


def test_a_promotion_finds_the_outages_of_the_log_itself(
    champion: Contender, periods: Training, trained_world: TrainedWorld, tmp_path: Path
):
    events = shutil.copytree(trained_world.folder / "events", tmp_path / "events")
    shutil.rmtree(events / f"day={LOW}")
    project = Project(trained_world.config, home=tmp_path / "home", events=f"{events}/**/*.parquet")
    challenger = replace(seen_through(champion, WEEKS[0]), activity=project.activity())
    recipe = replace(periods.recipe, outages=OutagesSettings(tolerated_share=0))
    decision = decide(challenger, champion=None, recipe=recipe, settings=PromotionSettings())
    assert decision.cutoffs == (LATEST,)


def test_recipes_exclude_the_outages_found_unless_their_run_had_other_settings(easy: Training):
    late = outage(LATEST + timedelta(days=6))  # in the label window of the latest week

    past = PastWeeks(easy.recipe, (late,), 1, Exclusion(Treatment(), easy.recipe.window, 1))

    def weeks(**changed: Any) -> tuple[date, ...]:
        ran = Contender("1", easy.trained.model, easy.activity, "clean", parameters(easy.recipe, **changed))
        return compare_recipes(seen_through(ran, END), None, weeks=past).cutoffs

    assert weeks() == (LATEST - timedelta(days=14),)
    # outages are detected again for a run with other settings, and this log has none
    own = {f"outages__{key}": value for key, value in easy.recipe.outages.model_dump().items()}
    assert weeks(**own | {"outages__below_share": 0.4}) == (LATEST,)


def test_probabilities_are_compared_as_they_would_have_been_given(champion: Contender, periods: Training):
    test, model = periods.trained.test, champion.model
    known = tuple(structs.replace(one, shift=0.5, error=0.01) for one in model.known_cutoffs if one.cutoff < LATEST)
    moved = with_model(champion, known_cutoffs=known, shift=0.0)
    unshifted = replace(moved, follows=False).predict(test).probability
    assert unshifted.tolist() == moved.model.predict_probability(test.profiles).tolist()
    assert logit(moved.predict(test).probability) - logit(unshifted) == pytest.approx(0.5, abs=0.05)


def test_a_label_that_is_not_known_at_a_cutoff_moves_nothing(champion: Contender, periods: Training):
    # its own test cutoff, whose labels are only known two weeks later
    test, model = periods.trained.test, champion.model
    earlier = tuple(one for one in model.known_cutoffs if one.cutoff < LATEST)
    wrong = (*earlier, structs.replace(model.known_cutoffs[-1], shift=5.0))
    one, other = (with_model(champion, known_cutoffs=known).predict(test) for known in (earlier, wrong))
    assert one.probability.tolist() == other.probability.tolist()


def contacted(test: Dataset, *, share: float, on_list: NDArray[np.bool_]) -> tuple[Treatment, NDArray[np.bool_]]:
    """Entries of users on a list at the cutoff, and who of them was held out."""
    held_out = on_list & (np.random.default_rng(2).random(len(on_list)) < share)
    users: list[Any] = test.profiles.column("user_id").to_pylist()
    entries = [
        {"user_id": user, "day": CUTOFF, "epoch": "q1", "is_held_out": bool(out), "share": share}
        for user, listed, out in zip(users, on_list, held_out, strict=True)
        if listed
    ]
    return Treatment(pa.Table.from_pylist(entries, schema=ENTRIES)), held_out


def excluding(treatment: Treatment, minimum: int = 100) -> Exclusion:
    return Exclusion(treatment, LabelWindow(0, 14), minimum)


def test_users_whom_a_contact_kept_do_not_make_the_model_that_named_them_look_wrong():
    test, truth = made_up(20_000)
    on_list = truth > np.quantile(truth, 0.7)
    treatment, held_out = contacted(test, share=0.2, on_list=on_list)
    kept = replace(test, churned=test.churned & ~(on_list & ~held_out))  # whoever was contacted stayed
    untreated, words = excluding(treatment).of(kept, what=COMPARED)
    assert words.startswith(f"{int((on_list & ~held_out).sum()):,} of 20,000 compared rows are excluded")

    def metrics(rows: Dataset) -> dict[str, float]:
        return summary(rows.churned, expit(values_of(rows.profiles, "log_odds")), weights=rows.weights)

    assert metrics(kept)["calibration_error"] > 0.1
    assert metrics(untreated)["calibration_error"] < 0.02
    before = summary(test.churned, truth)
    for name in ("churn_rate", "log_loss", "auc"):
        assert metrics(untreated)[name] == pytest.approx(before[name], rel=0.04)


def test_a_rule_gets_the_best_calibration_on_the_users_who_are_left():
    test, truth = made_up(20_000)
    on_list = np.array(values_of(test.profiles, "days_since_last_event")) > 14
    treatment, held_out = contacted(test, share=0.2, on_list=on_list)
    kept = replace(test, churned=test.churned & ~(on_list & ~held_out))
    rows, _ = excluding(treatment).of(kept, what=COMPARED)
    found = compare_with_rule(Predictions(rows, expit(values_of(rows.profiles, "log_odds"))))
    score = rule_scores(rows.profiles, found.against.split()[0])

    def log_loss(slope: float, intercept: float) -> float:
        return summary(rows.churned, expit(slope * score + intercept), weights=rows.weights)["log_loss"]

    best = minimize(lambda line: log_loss(*line), (0.1, -1.0), method="Nelder-Mead").fun
    own = summary(rows.churned, found.other, weights=rows.weights)
    assert own["log_loss"] == pytest.approx(best, abs=1e-4)
    assert np.average(found.other, weights=rows.weights) == pytest.approx(own["churn_rate"], abs=1e-4)
    assert own["churn_rate"] == pytest.approx(truth.mean(), abs=0.02)


def test_with_too_few_users_held_out_everybody_is_compared_and_it_is_said():
    test, truth = made_up(500)
    treatment, _ = contacted(test, share=0.01, on_list=truth > 0.3)
    same, words = excluding(treatment).of(test, what=COMPARED)
    assert same is test
    assert "100 held-out churners are needed to exclude these rows" in words
    assert excluding(Treatment()).of(test, what=COMPARED) == (test, "")


# --- Lists of the log ------------------------------------------------------------------------------------------------


def listed(training: Training, *days: date) -> Treatment:
    """Lists of every other user, of which a half was held out."""
    users: list[Any] = np.unique(values_of(training.trained.training_rows.profiles, "user_id")).tolist()[::2]
    entries = [
        {"user_id": user, "day": day, "epoch": "q2", "is_held_out": place % 2 == 0, "share": 0.5}
        for place, user in enumerate(users)
        for day in days
    ]
    return Treatment(pa.Table.from_pylist(entries, schema=ENTRIES))


def test_labels_of_contacted_users_neither_count_nor_move_the_base_rate(champion: Contender, periods: Training):
    """With and without them in the log the comparison is the same: the shift of the last week is learned from the first."""
    treatment, recipe = listed(periods, WEEKS[0]), periods.recipe
    side = with_model(champion, known_cutoffs=champion.model.known_cutoffs[:1])

    def compared(champion: Contender | None, exclusion: Exclusion) -> Comparison:
        return compare_models(side, champion, cutoffs=WEEKS, recipe=recipe, exclusion=exclusion)

    exclusion = excluding(treatment, minimum=10)
    rows = compared(None, excluding(Treatment())).test
    untreated = treatment.of(rows, recipe.window).untreated()
    assert 0 < len(untreated.churned) < len(rows.churned)
    for found in (compared(None, exclusion), compared(replace(side, version="1"), exclusion)):
        assert found.test.profiles.equals(untreated.profiles)
        assert found.challenger.tolist() == side.predict(untreated).probability.tolist()
        assert "compared rows are excluded" in found.treated
    assert not np.array_equal(side.predict(rows).probability[-50:], side.predict(untreated).probability[-50:])


def test_recipes_are_compared_without_contacted_users_whom_a_recipe_may_keep(easy: Training):
    treatment = listed(easy, WEEKS[0], LATEST)
    weeks = PastWeeks(easy.recipe, (), 1, excluding(treatment, minimum=10))
    ran, keeping = (
        Contender(name, easy.trained.model, easy.activity, "clean", parameters(easy.recipe, **changed))
        for name, changed in (("1", {}), ("2", {"training__treated_users": "keep"}))
    )
    found = compare_recipes(keeping, ran, weeks=weeks)
    assert found.test.weights is not None
    assert not treatment.of(found.test, easy.recipe.window).is_treated.any()
    assert "rows of past weeks are excluded" in found.treated
    assert not np.array_equal(found.challenger, found.other)  # one has learned from them
