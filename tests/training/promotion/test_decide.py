"""Challenger against champion, on weeks that neither has seen: who wins, and what is recorded."""

import json
from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pytest
from msgspec import structs

from features.errors import CheckFailed
from features.profiles.build import build_profiles
from models.evaluation.metrics import auc, summary
from tests.training.conftest import Against, Training
from tests.training.contenders import END, LATEST, gate_of, refusing, reversed_, seen_through, shifted, with_model
from training.evaluation.backtest import better_rule
from training.promotion.comparison import unseen_cutoffs
from training.promotion.decide import Contender, Decision, decide
from training.settings import PromotionSettings


@pytest.fixture(scope="module")
def first(against: Against, challenger: Contender) -> Decision:
    """Of a challenger where there is no champion."""
    return against(challenger)


@pytest.fixture(scope="module")
def refused(against: Against, challenger: Contender, champion: Contender) -> Decision:
    """Of a challenger whose probabilities are off."""
    return against(shifted(challenger, 3.0), champion)


@pytest.fixture(scope="module")
def equal(against: Against, challenger: Contender, champion: Contender) -> Decision:
    """Of a challenger that is the champion, where it must not be worse in anything."""
    return against(challenger, champion, max_worse_log_loss=0, min_lift_ratio=1, max_slice_loss=0)


# --- The first champion ----------------------------------------------------------------------------------------------


def test_the_first_champion_must_not_do_worse_than_the_better_rule(first: Decision, periods: Training):
    found = first
    assert found.is_promoted
    # the latest finished cutoff is the test cutoff, so the metrics are those of the training
    trained = periods.trained
    rule, rule_auc = better_rule(trained.test)
    assert found.cutoffs == (LATEST,)
    assert found.against == f"{rule} rule, in the absence of a champion"
    assert found.metrics["challenger"]["auc"] == pytest.approx(trained.evaluation.auc.value)
    assert found.metrics["against"]["auc"] == pytest.approx(rule_auc)
    assert found.users == len(trained.test.churned)


def test_a_challenger_that_a_rule_beats_is_refused_and_the_rule_named(against: Against, challenger: Contender):
    found = against(reversed_(challenger))
    assert not found.is_promoted
    assert "log loss" in refusing(found)
    assert "a rule does better" in found.why
    assert "recency rule" in found.why
    assert "there is still no champion" in found.way_out
    assert "[promotion] max_worse_log_loss" in found.way_out


def test_a_refusal_names_settings_and_page_and_keeps_the_champion(refused: Decision):
    assert refused.way_out == (
        "train another challenger; the champion stays. The gates are set by [promotion] max_worse_log_loss, "
        "[promotion] max_calibration_error, [promotion] max_slice_loss: see docs/guides/promotion.md#the-gates"
    )


# --- Against a champion ----------------------------------------------------------------------------------------------


def test_probabilities_that_are_off_lose_even_if_the_ranking_is_the_same(refused: Decision):
    found = refused
    assert {"log loss", "calibration error", "slices"} == set(refusing(found))
    assert "it is worse" in found.why
    own, other = found.metrics["challenger"], found.metrics["against"]
    assert own["auc"] == pytest.approx(other["auc"])
    assert gate_of(found, "log loss").metrics["difference"] == pytest.approx(own["log_loss"] - other["log_loss"])


def test_a_ranking_turned_around_loses_its_lift_too(against: Against, challenger: Contender, champion: Contender):
    assert {"log loss", "lift at 10 %"} <= set(refusing(against(reversed_(challenger), champion)))


def test_a_challenger_that_is_clearly_better_is_promoted(against: Against, challenger: Contender, champion: Contender):
    found = against(challenger, shifted(champion, 3.0))
    assert found.is_promoted
    assert found.against == "champion (version 1)"
    assert gate_of(found, "log loss").metrics["high"] < 0


def test_a_challenger_that_is_as_good_is_not_worse(equal: Decision):
    assert equal.is_promoted
    assert gate_of(equal, "log loss").metrics == {"difference": 0, "low": 0, "high": 0}
    assert "there is no difference to detect" in equal.power


def test_a_challenger_must_surely_stay_within_the_limit(against: Against, challenger: Contender, champion: Contender):
    within = against(shifted(challenger, 0.3), champion, max_worse_log_loss=1)
    metrics = gate_of(within, "log loss").metrics
    assert metrics["low"] < metrics["difference"] < metrics["high"]
    assert gate_of(within, "log loss").passed
    beyond = against(shifted(challenger, 0.3), champion, max_worse_log_loss=metrics["high"] - 1e-6)
    assert not gate_of(beyond, "log loss").passed


def test_a_miscalibrated_champion_may_be_followed_by_one_that_is_less_so(
    against: Against, challenger: Contender, champion: Contender
):
    found = against(shifted(challenger, 1.0), shifted(champion, 2.0))
    assert found.metrics["challenger"]["calibration_error"] > 0.06
    assert found.is_promoted
    assert "as high as the champion's" in gate_of(found, "calibration error").details


def test_the_decision_can_be_made_again(
    refused: Decision, against: Against, challenger: Contender, champion: Contender
):
    assert against(shifted(challenger, 3.0), champion) == refused


def test_a_champion_of_another_specification_is_judged_on_its_own_profiles(
    against: Against, challenger: Contender, periods: Training, easy: Training
):
    other = easy.trained.model
    assert other.specification.feature_names != challenger.model.specification.feature_names
    found = against(challenger, Contender("1", other, easy.activity))
    test = periods.trained.test
    profiles = build_profiles(periods.activity, other.specification, cutoffs=[LATEST])
    by_user = dict(zip(profiles["user_id"].to_pylist(), other.predict_probability(profiles).tolist(), strict=True))
    expected = auc(test.churned, np.array([by_user[user] for user in test.profiles["user_id"].to_pylist()]))
    assert found.metrics["against"]["auc"] == pytest.approx(expected)


def test_models_that_predict_different_things_are_not_compared(
    against: Against, challenger: Contender, champion: Contender
):
    definition = replace(champion.model.definition, horizon_days=7)
    with pytest.raises(CheckFailed, match="predict different things"):
        against(challenger, with_model(champion, definition=definition))


def test_a_challenger_needs_a_clean_audit(first: Decision, against: Against, challenger: Contender):
    assert gate_of(first, "leakage audit").details == "clean"
    found = against(replace(challenger, audit="FEATURE_JUMP, ALREADY_GONE"))
    assert not found.is_promoted
    assert refusing(found) == ["leakage audit"]
    assert gate_of(found, "leakage audit").details == "found FEATURE_JUMP, ALREADY_GONE"


# --- On which weeks --------------------------------------------------------------------------------------------------


def test_every_finished_week_that_neither_has_seen_is_compared_on(
    against: Against, challenger: Contender, champion: Contender
):
    older = seen_through(champion, date(2026, 4, 1))
    found = against(seen_through(challenger, date(2026, 4, 7)), older)
    assert found.cutoffs == (date(2026, 4, 7), date(2026, 4, 14), LATEST)
    assert found.of == "models"
    assert f"at 3 cutoffs 2026-04-07 to {LATEST}" in found.why


def test_labels_that_close_move_the_weeks_forward(champion: Contender, periods: Training):
    activity, model = champion.activity, champion.model

    def cutoffs(days_later: int) -> tuple[date, ...]:
        coverage = replace(activity.coverage, covered_until=END + timedelta(days=days_later))
        later = replace(activity, manifest=structs.replace(activity.manifest, coverage=coverage))
        recipe = replace(periods.recipe, outages=periods.recipe.outages.model_copy(update={"exclude": False}))
        return unseen_cutoffs(later, [model], recipe=recipe)

    assert model.quality.trained_through <= LATEST
    assert [cutoffs(days)[-1] - LATEST for days in (0, 1, 7)] == [timedelta(days=days) for days in (0, 1, 7)]
    assert len(cutoffs(7)) == len(cutoffs(0)) + 1


# --- What is recorded ------------------------------------------------------------------------------------------------


def test_the_decision_goes_into_json_and_markdown_completely(refused: Decision):
    found = refused
    read = json.loads(json.dumps(found.to_json(), allow_nan=False))
    assert (read["promoted"], read["why"], read["compared"]) == (False, found.why, "models")
    assert read["cutoffs"] == [str(LATEST)]
    assert [gate["name"] for gate in read["gates"]] == [gate.name for gate in found.gates]
    text = found.to_markdown()
    assert text.startswith("# Not promoted: version 2 against the champion (version 1)")
    assert all(gate.details in text for gate in found.gates)
    assert found.power in text


def test_a_failure_names_every_gate_and_a_promotion_the_log_loss(refused: Decision, equal: Decision):
    assert all(f"{name}: " in refused.why for name in refusing(refused))
    assert "log loss: +0.0000 against the champion (version 1)" in equal.why


def test_too_few_users_decide_nothing_else(against: Against, challenger: Contender, periods: Training):
    training = periods.recipe.training.model_copy(update={"min_class_users": 10_000})
    recipe = replace(periods.recipe, training=training)
    found = decide(challenger, champion=None, recipe=recipe, settings=PromotionSettings())
    assert refusing(found) == ["enough users"]
    assert found.power == "Too few users to measure a difference."
    assert found.metrics["challenger"]["auc"] == pytest.approx(
        summary(periods.trained.test.churned, challenger.model.predict_probability(periods.trained.test.profiles))[
            "auc"
        ]
    )
