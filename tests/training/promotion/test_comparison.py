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
from scipy.special import logit

from churn.project import Project
from features.snapshots import LabelWindow
from models.evaluation.metrics import summary
from tests.churn.command import TrainedWorld
from tests.training.conftest import Training
from tests.training.contenders import END, LATEST, parameters, seen_through, with_model
from tests.training.tested import CUTOFF, made_up
from training.data.dataset import Dataset
from training.data.treatment import ENTRIES, Treatment
from training.plan.outages import Kind, Outage
from training.promotion.comparison import Comparison, Contender, unseen_cutoffs
from training.promotion.decide import decide
from training.promotion.recipe_comparison import compare_recipes
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

    def weeks(**changed: Any) -> tuple[date, ...]:
        ran = Contender("1", easy.trained.model, easy.activity, "clean", parameters(easy.recipe, **changed))
        return compare_recipes(seen_through(ran, END), None, today=easy.recipe, outages=(late,), weeks=1).cutoffs

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


def test_users_whom_a_contact_kept_do_not_make_the_model_that_named_them_look_wrong():
    test, truth = made_up(20_000)
    on_list = truth > np.quantile(truth, 0.7)
    treatment, held_out = contacted(test, share=0.2, on_list=on_list)
    kept = replace(test, churned=test.churned & ~(on_list & ~held_out))  # whoever was contacted stayed
    found = Comparison(kept, truth, np.full(len(truth), truth.mean()), "champion (version 1)")
    untreated = found.without_treated(treatment, window=LabelWindow(0, 14), minimum=100)
    assert untreated.treated.startswith(f"{int((on_list & ~held_out).sum()):,} of 20,000 compared rows are excluded")

    def calibration(of: Comparison) -> dict[str, float]:
        return summary(of.test.churned, of.challenger, weights=of.test.weights)

    assert calibration(found)["calibration_error"] > 0.1
    assert calibration(untreated)["calibration_error"] < 0.02
    before = summary(test.churned, truth)
    for name in ("churn_rate", "log_loss", "auc"):
        assert calibration(untreated)[name] == pytest.approx(before[name], rel=0.04)


def test_with_too_few_users_held_out_everybody_is_compared_and_it_is_said():
    test, truth = made_up(500)
    treatment, _ = contacted(test, share=0.01, on_list=truth > 0.3)
    found = Comparison(test, truth, truth, "champion (version 1)")
    same = found.without_treated(treatment, window=LabelWindow(0, 14), minimum=100)
    assert len(same.challenger) == 500
    assert "100 held-out churners are needed to exclude these rows" in same.treated
    assert found.without_treated(Treatment(), window=LabelWindow(0, 14), minimum=100).treated == ""
