"""Challenger against champion, on a cutoff that neither has seen."""

import re
from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pytest

from features.activity import Activity
from features.errors import GuardRefused
from features.profiles import build
from features.settings import ChurnSettings
from models.churn_model import ChurnModel
from models.metrics import auc
from tests.training.conftest import Trainer, Training
from training.promote import Decision, decide


@pytest.fixture
def model(periods: Training) -> ChurnModel:
    return periods.trained.model


@pytest.fixture
def churn(periods: Training) -> ChurnSettings:
    return periods.recipe.churn


def shifted(model: ChurnModel, by: float) -> ChurnModel:
    """The same ranking, with probabilities that are off."""
    return replace(model, calibration=replace(model.calibration, intercept=model.calibration.intercept + by))


def reversed_(model: ChurnModel) -> ChurnModel:
    """The riskiest last."""
    return replace(model, calibration=replace(model.calibration, slope=-model.calibration.slope))


@pytest.fixture
def against(periods: Training, model: ChurnModel, churn: ChurnSettings):
    def decided(challenger: ChurnModel, champion: ChurnModel | None = None) -> Decision:
        return decide(periods.activity, challenger, champion=champion, churn=churn)

    return decided


# --- The first champion --------------------------------------------------------------------------------------------


def test_the_first_champion_must_beat_the_better_rule(against, model: ChurnModel, periods: Training):
    found = against(model)
    assert found.is_promoted
    rules = {name: found.figures[f"{name}.auc"] for name in ("recency", "frequency")}
    assert found.figures["challenger.auc"] >= max(rules.values())
    # the latest finished cutoff is the test cutoff, so the figures are those of the training
    tested = periods.trained.evaluation
    assert found.figures["challenger.auc"] == pytest.approx(tested.auc.value)
    assert rules == pytest.approx({name: one.value for name, one in tested.baselines.items()})


def test_a_challenger_that_a_rule_beats_is_refused_and_the_rule_named(against, model: ChurnModel):
    found = against(reversed_(model))
    assert not found.is_promoted
    assert "rule does better" in found.why
    assert f"{found.figures['challenger.auc']:.3f}" in found.why


# --- Against a champion --------------------------------------------------------------------------------------------


def test_a_challenger_that_is_clearly_worse_is_refused(against, model: ChurnModel):
    found = against(shifted(model, 3.0), champion=model)
    assert not found.is_promoted
    assert found.figures["challenger.log_loss"] > found.figures["champion.log_loss"]
    assert found.figures["difference.low"] > 0
    assert "it is worse" in found.why


def test_probabilities_that_are_off_lose_even_if_the_ranking_is_the_same(against, model: ChurnModel):
    found = against(shifted(model, 3.0), champion=model)
    assert found.figures["challenger.auc"] == pytest.approx(found.figures["champion.auc"])


def test_a_challenger_that_is_clearly_better_is_promoted(against, model: ChurnModel):
    found = against(model, champion=shifted(model, 3.0))
    assert found.is_promoted
    assert found.figures["difference.log_loss"] < 0


def test_a_challenger_that_is_as_good_is_not_worse(against, model: ChurnModel):
    found = against(model, champion=model)
    assert found.is_promoted
    assert found.figures["difference.log_loss"] == 0
    assert "it is not worse" in found.why


def test_the_decision_can_be_made_again(against, model: ChurnModel):
    assert against(model, champion=shifted(model, 0.1)) == against(model, champion=shifted(model, 0.1))


def test_the_figures_say_how_sure_it_is(against, model: ChurnModel):
    figures = against(shifted(model, 0.3), champion=model).figures
    assert figures["difference.low"] <= figures["difference.log_loss"] <= figures["difference.high"]


def test_a_champion_of_another_specification_is_judged_on_its_own_profiles(
    against, model: ChurnModel, periods: Training, trainer: Trainer
):
    other = trainer("features.windows_days=[7, 14]", "features.main_event_types=1").trained.model
    assert other.specification.feature_names != model.specification.feature_names
    found = against(model, champion=other)
    test = periods.trained.test
    profiles = build(periods.activity, other.specification, cutoffs=[found.cutoff])
    by_user = dict(zip(profiles["user_id"].to_pylist(), other.predict_probability(profiles).tolist(), strict=True))
    expected = auc(test.churned, np.array([by_user[user] for user in test.profiles["user_id"].to_pylist()]))
    assert found.figures["champion.auc"] == pytest.approx(expected)


def test_the_decision_goes_into_json_whole(against, model: ChurnModel):
    found = against(model)
    assert found.to_json() == {"promoted": True, "why": found.why, "cutoff": str(found.cutoff)} | found.figures


# --- On which cutoff -----------------------------------------------------------------------------------------------


def test_the_cutoff_is_the_latest_finished_one_and_no_label_of_the_training_saw_it(
    against, model: ChurnModel, periods: Training
):
    cutoff = against(model).cutoff
    assert cutoff + timedelta(days=14) == periods.activity.coverage.covered_until
    assert cutoff >= model.quality.trained_through


def covered(activity: Activity, until: date) -> Activity:
    return replace(activity, manifest=replace(activity.manifest, covered_until=until))


@pytest.mark.parametrize("who", ["challenger", "champion"])
def test_without_a_cutoff_that_both_have_not_seen_nothing_is_decided(
    who: str, model: ChurnModel, periods: Training, churn: ChurnSettings
):
    seen = replace(model, quality=replace(model.quality, trained_through=date(2026, 4, 22)))
    pair = {"challenger": (seen, model), "champion": (model, seen)}[who]
    with pytest.raises(GuardRefused, match="no finished cutoff is later") as refused:
        decide(periods.activity, pair[0], champion=pair[1], churn=churn)
    (named,) = re.findall(r"\d{4}-\d\d-\d\d", refused.value.hint)
    longer = covered(periods.activity, date.fromisoformat(named))
    assert decide(longer, pair[0], champion=pair[1], churn=churn).cutoff == date(2026, 4, 22)
