"""Challenger against champion: on which weeks, through which gates, and what is said of it."""

import json
import math
from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import numpy as np
import pytest

from features.errors import GuardRefused
from features.profiles import build
from models.calibration import Platt, fit_platt
from models.encoding import encode
from models.metrics import auc, summary
from tests.training.conftest import Trainer, Training
from tests.training.tested import made_up
from training.backtest import better_rule
from training.comparing import Comparison, unseen_cutoffs
from training.dataset import Dataset
from training.gates import Gate, Judge, power
from training.layout import Recipe
from training.promote import Contender, Decision, decide
from training.recipes import recipe_of
from training.settings import PromotionSettings

LATEST = date(2026, 4, 21)  # the latest finished cutoff of the world
END = date(2026, 5, 5)
EASY = ("model.max_rounds=5", "model.line_share=0", "training.max_snapshots=2", "features.windows_days=[7, 14]")


def parameters(recipe: Recipe, **changed: Any) -> dict[str, str]:
    """What a run writes down of a recipe."""
    found = {
        f"{section}.{key}": str(value)
        for section in ("churn", "features", "model", "training")
        for key, value in getattr(recipe, section).model_dump(mode="json").items()
    }
    return found | {name.replace("__", "."): str(value) for name, value in changed.items()}


@pytest.fixture
def champion(periods: Training) -> Contender:
    """As it was trained, with a calibration that a test can turn."""
    model, test = periods.trained.model, periods.trained.test
    platt = fit_platt(model.raw(encode(test.profiles, model.specification)), test.churned)
    told = parameters(periods.recipe)
    return Contender("1", replace(model, calibration=platt), periods.activity, "clean", told)


@pytest.fixture
def challenger(champion: Contender) -> Contender:
    return replace(champion, version="2")


@pytest.fixture(scope="module")
def easy(trainer: Trainer) -> Training:
    """Another specification, quickly trained again."""
    return trainer(*EASY)


def with_model(contender: Contender, **changed: Any) -> Contender:
    return replace(contender, model=replace(contender.model, **changed))


def shifted(contender: Contender, by: float) -> Contender:
    """The same ranking, with probabilities that are off."""
    found = contender.model.calibration
    assert isinstance(found, Platt)
    return with_model(contender, calibration=Platt(found.slope, found.intercept + by))


def reversed_(contender: Contender) -> Contender:
    """The riskiest last."""
    found = contender.model.calibration
    assert isinstance(found, Platt)
    return with_model(contender, calibration=Platt(-found.slope, found.intercept))


def seen_through(contender: Contender, day: date) -> Contender:
    return with_model(contender, quality=replace(contender.model.quality, trained_through=day))


Against = Callable[..., Decision]


@pytest.fixture
def against(periods: Training) -> Against:
    def decided(challenger: Contender, champion: Contender | None = None, **settings: Any) -> Decision:
        return decide(challenger, champion=champion, recipe=periods.recipe, settings=PromotionSettings(**settings))

    return decided


def refusing(found: Decision) -> list[str]:
    return [gate.name for gate in found.gates if not gate.passed]


def gate_of(found: Decision, name: str) -> Gate:
    return next(gate for gate in found.gates if gate.name == name)


# --- The first champion --------------------------------------------------------------------------------------------


def test_the_first_champion_must_not_do_worse_than_the_better_rule(
    against: Against, challenger: Contender, periods: Training
):
    found = against(challenger)
    assert found.is_promoted
    # the latest finished cutoff is the test cutoff, so the figures are those of the training
    trained = periods.trained
    rule, rule_auc = better_rule(trained.test)
    assert found.cutoffs == (LATEST,)
    assert found.against == f"{rule} rule, in place of a champion"
    assert found.figures["challenger"]["auc"] == pytest.approx(trained.evaluation.auc.value)
    assert found.figures["against"]["auc"] == pytest.approx(rule_auc)
    assert found.users == len(trained.test.churned)


def test_a_challenger_that_a_rule_beats_is_refused_and_the_rule_named(against: Against, challenger: Contender):
    found = against(reversed_(challenger))
    assert not found.is_promoted
    assert "log loss" in refusing(found)
    assert "a rule does better" in found.why
    assert "recency rule" in found.why


# --- Against a champion --------------------------------------------------------------------------------------------


def test_probabilities_that_are_off_lose_even_if_the_ranking_is_the_same(
    against: Against, challenger: Contender, champion: Contender
):
    found = against(shifted(challenger, 3.0), champion)
    assert {"log loss", "calibration error", "slices"} == set(refusing(found))
    assert "it is worse" in found.why
    own, other = found.figures["challenger"], found.figures["against"]
    assert own["auc"] == pytest.approx(other["auc"])
    assert gate_of(found, "log loss").figures["difference"] == pytest.approx(own["log_loss"] - other["log_loss"])


def test_a_ranking_turned_around_loses_its_lift_too(against: Against, challenger: Contender, champion: Contender):
    assert {"log loss", "lift at 10 %"} <= set(refusing(against(reversed_(challenger), champion)))


def test_a_challenger_that_is_clearly_better_is_promoted(against: Against, challenger: Contender, champion: Contender):
    found = against(challenger, shifted(champion, 3.0))
    assert found.is_promoted
    assert found.against == "champion (version 1)"
    assert gate_of(found, "log loss").figures["high"] < 0


def test_a_challenger_that_is_as_good_is_not_worse(against: Against, challenger: Contender, champion: Contender):
    found = against(challenger, champion, max_worse_log_loss=0, min_lift_ratio=1, max_slice_loss=0)
    assert found.is_promoted
    assert gate_of(found, "log loss").figures == {"difference": 0, "low": 0, "high": 0}
    assert "there is no difference to be seen" in found.power


def test_a_challenger_must_surely_stay_within_the_limit(against: Against, challenger: Contender, champion: Contender):
    figures = gate_of(against(shifted(challenger, 0.3), champion), "log loss").figures
    assert figures["low"] < figures["difference"] < figures["high"]
    for limit in (figures["high"] - 1e-6, figures["high"] + 1e-6):
        gate = gate_of(against(shifted(challenger, 0.3), champion, max_worse_log_loss=limit), "log loss")
        assert gate.passed == (figures["high"] <= limit)


def test_a_miscalibrated_champion_may_be_followed_by_one_that_is_less_so(
    against: Against, challenger: Contender, champion: Contender
):
    found = against(shifted(challenger, 1.0), shifted(champion, 2.0))
    assert found.figures["challenger"]["calibration_error"] > 0.06
    assert found.is_promoted
    assert "as much as the champion's" in gate_of(found, "calibration error").says


def test_the_decision_can_be_made_again(against: Against, challenger: Contender, champion: Contender):
    assert against(challenger, shifted(champion, 0.1)) == against(challenger, shifted(champion, 0.1))


def test_a_champion_of_another_specification_is_judged_on_its_own_profiles(
    against: Against, challenger: Contender, periods: Training, easy: Training
):
    other = easy.trained.model
    assert other.specification.feature_names != challenger.model.specification.feature_names
    found = against(challenger, Contender("1", other, easy.activity))
    test = periods.trained.test
    profiles = build(periods.activity, other.specification, cutoffs=[LATEST])
    by_user = dict(zip(profiles["user_id"].to_pylist(), other.predict_probability(profiles).tolist(), strict=True))
    expected = auc(test.churned, np.array([by_user[user] for user in test.profiles["user_id"].to_pylist()]))
    assert found.figures["against"]["auc"] == pytest.approx(expected)


def test_models_that_predict_different_things_are_not_compared(
    against: Against, challenger: Contender, champion: Contender
):
    definition = replace(champion.model.definition, horizon_days=7)
    with pytest.raises(GuardRefused, match="predict different things"):
        against(challenger, with_model(champion, definition=definition))


@pytest.mark.parametrize(
    ("audit", "needed", "is_promoted", "says"),
    [
        ("clean", True, True, "clean"),
        ("", True, False, "nobody wrote down what it found"),
        ("FEATURE_JUMP, ALREADY_GONE", True, False, "found FEATURE_JUMP, ALREADY_GONE"),
        ("FEATURE_JUMP", False, True, "found FEATURE_JUMP; not asked for"),
    ],
)
def test_a_challenger_needs_a_clean_audit(
    against: Against, challenger: Contender, *, audit: str, needed: bool, is_promoted: bool, says: str
):
    found = against(replace(challenger, audit=audit), needs_clean_audit=needed)
    assert found.is_promoted == is_promoted
    assert refusing(found) == ([] if is_promoted else ["leakage audit"])
    assert gate_of(found, "leakage audit").says == says


# --- The gates, on made-up users -----------------------------------------------------------------------------------


def judged(comparison: Comparison, *, fewest: int = 10, **settings: Any) -> dict[str, Gate]:
    gates = Judge(comparison, "clean", PromotionSettings(**settings), fewest, 3).gates()
    return {gate.name: gate for gate in gates}


def compared(users: int = 2_000) -> Comparison:
    """A champion that knows the truth, and a challenger that knows it too."""
    test, truth = made_up(users)
    return Comparison(test, truth, truth, "champion (version 1)")


def test_the_figures_are_those_of_paper():
    found = replace(compared(4), test=replace(compared(4).test, churned=np.array([True, False, True, False])))
    found = replace(found, challenger=np.array([0.8, 0.2, 0.8, 0.2]), other=np.full(4, 0.5))
    gates = judged(found, fewest=2)
    assert gates["log loss"].figures == pytest.approx(dict.fromkeys(("difference", "low", "high"), math.log(0.5 / 0.8)))
    # the riskiest tenth of four is one user, a churner at .8, and anybody at .5: lift 2 against 1
    assert gates["lift at 10 %"].figures["ratio"] == pytest.approx(2.0)
    # each fifth user of either kind is told wrong by .2
    assert gates["calibration error"].figures["value"] == pytest.approx(0.2)
    assert judged(found, fewest=3).keys() == {"enough users", "leakage audit"}


def test_shuffled_scores_are_refused():
    found = compared()
    shuffled = np.random.default_rng(1).permutation(found.challenger)
    gates = judged(replace(found, challenger=shuffled))
    assert {"log loss", "lift at 10 %"} <= {name for name, gate in gates.items() if not gate.passed}
    assert all(gate.passed for gate in judged(found).values())


def test_a_slice_that_got_worse_refuses_and_is_named():
    found = compared()
    is_ios = np.array(found.test.profiles["last_device_os"].to_pylist()) == "ios"
    worse = np.where(is_ios, np.clip(2.5 * found.challenger, 0, 0.99), found.challenger)
    gates = judged(replace(found, challenger=worse), max_worse_log_loss=1, max_calibration_error=1, min_lift_ratio=0)
    assert [name for name, gate in gates.items() if not gate.passed] == ["slices"]
    assert "device ios" in gates["slices"].says
    assert "android" not in gates["slices"].says
    assert gates["slices"].figures["device android"] == 0
    assert gates["slices"].figures["device ios"] > 0.03


def test_the_rows_of_a_user_count_as_one_user():
    found = compared(400)
    worse = replace(found, challenger=np.clip(found.challenger + 0.05, 0, 0.99))
    again = Dataset(found.test.joined(found.test).profiles, np.tile(found.test.churned, 2))
    twice = Comparison(again, np.tile(worse.challenger, 2), np.tile(worse.other, 2), "champion (version 1)")
    one, two = judged(worse)["log loss"].figures, judged(twice)["log loss"].figures
    assert two == pytest.approx(one)
    assert twice.users == 400


@pytest.mark.parametrize("side", ["challenger", "other"])
def test_what_is_not_a_number_is_never_promoted(side: str):
    found = compared(500)
    broken = getattr(found, side).copy()
    broken[3] = np.nan
    gates = judged(replace(found, **{side: broken}))
    assert not gates["enough users"].passed
    assert "1 probabilities are not numbers" in gates["enough users"].says


def test_a_figure_that_does_not_exist_passes_no_gate():
    found = compared(500)
    nobody = replace(found, test=replace(found.test, churned=np.zeros(500, dtype=np.bool_)))
    judge = Judge(nobody, "clean", PromotionSettings(), 0, 3)
    assert not judge.lift().passed
    assert judge.lift().to_json()["figures"]["difference"] is None


def test_few_users_are_told_how_many_it_takes():
    # an interval of .0098 either way has standard error .005; 2.8 of those are .014; a quarter of it takes sixteen times as many
    assert "0.0140" in power(-0.0098, 0.0098, users=1000, limit=0.0035)
    assert power(-0.0098, 0.0098, users=1000, limit=0.0035).endswith("it takes about 16,000.")
    assert power(-0.0098, 0.0098, users=1000, limit=0.02).endswith("there are enough.")
    assert power(-0.0098, 0.0098, users=1000, limit=0).endswith("four times in five.")


# --- On which weeks ------------------------------------------------------------------------------------------------


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
        later = replace(activity, manifest=replace(activity.manifest, covered_until=END + timedelta(days=days_later)))
        recipe = replace(periods.recipe, training=periods.recipe.training.model_copy(update={"drop_outages": False}))
        return unseen_cutoffs(later, [model], recipe=recipe)

    assert model.quality.trained_through <= LATEST
    assert [cutoffs(days)[-1] - LATEST for days in (0, 1, 7)] == [timedelta(days=days) for days in (0, 1, 7)]
    assert len(cutoffs(7)) == len(cutoffs(0)) + 1


@pytest.mark.parametrize("who", ["challenger", "champion"])
def test_without_an_unseen_week_a_run_that_does_not_tell_its_recipe_is_refused(
    who: str, against: Against, challenger: Contender, champion: Contender
):
    seen, silent = seen_through(challenger, END), replace(champion, parameters={})
    pair = (seen, silent) if who == "champion" else (replace(seen, parameters={}), champion)
    version = {"champion": "1", "challenger": "2"}[who]
    with pytest.raises(GuardRefused, match=f"the run of version {version} does not tell its recipe"):
        against(*pair)


def easily(easy: Training, version: str, **changed: Any) -> Contender:
    told = parameters(easy.recipe, **changed)
    return seen_through(Contender(version, easy.trained.model, easy.activity, "clean", told), END)


def test_without_an_unseen_week_recipes_are_compared_and_equal_ones_are_equal(against: Against, easy: Training):
    found = against(easily(easy, "2"), easily(easy, "1", training__refit=True), backtest_weeks=1)
    assert (found.of, found.cutoffs) == ("recipes", (LATEST,))
    assert found.against == "champion (version 1), whose recipe is the same"
    assert gate_of(found, "log loss").figures["difference"] == 0
    # trained again before the latest week from the same settings: what the training itself showed
    assert found.figures["challenger"]["auc"] == pytest.approx(easy.trained.evaluation.auc.value, abs=0.02)
    assert "both recipes were trained again" in found.to_markdown()


def test_recipes_that_differ_are_each_trained_again(against: Against, easy: Training):
    worse = easily(easy, "2", model__max_rounds=1, model__learning_rate=0.001)
    found = against(worse, easily(easy, "1"), backtest_weeks=1)
    assert found.of == "recipes"
    assert found.against == "champion (version 1)"
    own, other = found.figures["challenger"], found.figures["against"]
    assert own["log_loss"] != other["log_loss"]


def test_a_first_champion_that_has_seen_everything_is_compared_with_a_rule_by_its_recipe(
    against: Against, easy: Training
):
    found = against(easily(easy, "1"), backtest_weeks=1)
    assert (found.of, found.cutoffs) == ("recipes", (LATEST,))
    assert "rule, in place of a champion" in found.against


def test_a_recipe_is_read_back_as_it_was_written_down(periods: Training):
    update = {"windows_days": (3, 9), "allow_sensitive": ("age",)}
    recipe = replace(periods.recipe, features=periods.recipe.features.model_copy(update=update))
    found = recipe_of(parameters(recipe, training__test_cutoff=LATEST), periods.recipe)
    assert found is not None
    assert (found.features, found.model, found.training) == (recipe.features, recipe.model, recipe.training)
    assert found.churn == periods.recipe.churn


@pytest.mark.parametrize("change", [{"model__of_tomorrow": 1}, {"model__num_leaves": "many"}])
def test_a_recipe_of_another_version_of_churn_is_not_guessed(periods: Training, change: dict[str, Any]):
    assert recipe_of(parameters(periods.recipe, **change), periods.recipe) is None
    lacking = parameters(periods.recipe)
    del lacking["training.seed"]
    assert recipe_of(lacking, periods.recipe) is None


# --- What is said of it --------------------------------------------------------------------------------------------


def test_the_decision_goes_into_json_and_markdown_whole(against: Against, challenger: Contender, champion: Contender):
    found = against(shifted(challenger, 3.0), champion)
    read = json.loads(json.dumps(found.to_json(), allow_nan=False))
    assert (read["promoted"], read["why"], read["compared"]) == (False, found.why, "models")
    assert read["cutoffs"] == [str(LATEST)]
    assert [gate["name"] for gate in read["gates"]] == [gate.name for gate in found.gates]
    text = found.to_markdown()
    assert text.startswith("# Refused: version 2 against the champion (version 1)")
    assert all(gate.says in text for gate in found.gates)
    assert found.power in text


def test_a_refusal_names_every_gate_and_a_promotion_the_log_loss(
    against: Against, challenger: Contender, champion: Contender
):
    refused, promoted = against(shifted(challenger, 3.0), champion), against(challenger, champion)
    assert all(f"{name}: " in refused.why for name in refusing(refused))
    assert "log loss: +0.0000 against the champion (version 1)" in promoted.why


def test_too_few_users_decide_nothing_else(against: Against, challenger: Contender, periods: Training):
    training = periods.recipe.training.model_copy(update={"min_class_rows": 10_000})
    recipe = replace(periods.recipe, training=training)
    found = decide(challenger, champion=None, recipe=recipe, settings=PromotionSettings())
    assert refusing(found) == ["enough users"]
    assert found.power == "Too few users to say anything of a difference."
    assert found.figures["challenger"]["auc"] == pytest.approx(
        summary(periods.trained.test.churned, challenger.model.predict_probability(periods.trained.test.profiles))[
            "auc"
        ]
    )
