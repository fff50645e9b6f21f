"""The report of a training: card, run and JSON say the same of it."""

import json
from dataclasses import replace

import numpy as np
import pytest
from msgspec import structs

from churn.results import Training as TrainedModel
from models.card import card
from models.encoding import encode
from models.registry.registry import RegisteredModel
from tests.training.conftest import Training
from training.diagnostics import Diagnostics
from training.plan.bots import Bots
from training.report.training_report import LogFacts, TrainingReport


@pytest.fixture
def report(periods: Training) -> TrainingReport:
    return TrainingReport(periods.trained, Diagnostics())


@pytest.fixture
def log(periods: Training) -> LogFacts:
    return LogFacts("churn", "events/*.parquet", periods.activity.coverage, {"age": "sensitive"})


def test_card_run_and_json_have_the_same_metrics(report: TrainingReport, log: LogFacts):
    evaluation = report.trained.evaluation
    auc = evaluation.auc
    text = card(report.card_facts(log, commit="a1db9f9"))
    assert f"| auc | {auc.value:.4f} ({auc.low:.4f} to {auc.high:.4f}) |" in text
    assert f"| model | {auc.value:.3f} ({auc.low:.3f} to {auc.high:.3f}) |" in report.description
    assert report.to_json()["test"]["auc"] == auc.value
    assert report.tags["grade"] == report.to_json()["grade"]["name"] == evaluation.grade.name
    assert f"**Grade: {evaluation.grade.name}.**" in text


def test_card_and_json_have_the_same_cutoffs_and_exclusions(report: TrainingReport, log: LogFacts):
    found, facts = report.to_json(), report.card_facts(log, commit="")
    for name in ("train", "validation", "calibration"):
        assert found["split"][name] == [str(cutoff) for cutoff in getattr(facts.dates, name)]
    assert found["split"]["test"] == str(facts.dates.test)
    assert found["excluded"] == facts.columns.excluded
    assert facts.columns.withheld == ("age",)
    assert facts.origin.commit == "unknown"


def test_card_and_json_have_the_same_number_of_features_those_that_the_model_uses(
    report: TrainingReport, log: LogFacts
):
    model = report.trained.model
    names = model.specification.used_names
    blind = replace(
        model, specification=structs.replace(model.specification, unused=(*model.specification.unused, *names[:3]))
    )
    trained = replace(report.trained, model=blind)
    text = card(TrainingReport(trained, Diagnostics()).card_facts(log, commit=""))
    result = TrainedModel(RegisteredModel("churn", "1", "", blind), trained, Diagnostics())
    assert f"The model uses {len(names) - 3} features" in text
    assert result.to_json()["model"]["features"] == result.summary["features"] == len(names) - 3


def test_the_json_is_plain(report: TrainingReport):
    assert json.loads(json.dumps(report.to_json(), allow_nan=False)) == report.to_json()


def test_the_parameters_are_every_setting_and_the_card_has_those_that_were_set(report: TrainingReport, log: LogFacts):
    sections = report.trained.recipe.sections
    names = {f"{section}.{key}" for section, values in sections.items() for key in type(values).model_fields}
    assert set(report.parameters) == names | {"trees", "calibration"}
    settings = report.card_facts(log, commit="").origin.settings
    assert set(settings) <= names
    assert all(report.parameters[name] == value for name, value in settings.items())


def test_bots_are_counted_in_every_run_and_named_where_there_are_some(report: TrainingReport):
    plan = report.trained.plan
    assert report.to_json()["bots"]["before"] == str(plan.split.test)
    assert not [one for one in report.to_json()["warnings"] if "bots" in one]
    some = Bots(plan.split.test, ("u1", "u2"), {"sleepless": 2, "too_much": 0, "too_steady": 0}, {"too_much": 0.2})
    found = replace(report, trained=replace(report.trained, plan=replace(plan, bots=some))).to_json()
    (warning,) = (one for one in found["warnings"] if "bots" in one)
    assert warning.startswith(
        f"2 users look like bots before {plan.split.test}: 2 x sleepless; too_much is not applied: it would flag 20% of the users"
    )
    assert warning.endswith("bots are kept in training and test ([bots] exclude)")
    assert (found["bots"]["users"], found["bots"]["reasons"]["sleepless"]) == (2, 2)
    assert "u1" not in json.dumps(found["bots"])


def test_a_training_without_labels_is_clean_and_its_card_says_that_it_was_not_audited(
    report: TrainingReport, log: LogFacts
):
    unaudited = replace(report, trained=replace(report.trained, audit=None))
    assert unaudited.audit == unaudited.tags["audit"] == "clean"
    assert "The leakage audit was not run." in card(unaudited.card_facts(log, commit=""))


def test_the_importance_is_that_of_random_test_users_not_of_the_first_ids(
    report: TrainingReport, monkeypatch: pytest.MonkeyPatch
):
    test, model = report.trained.test, report.trained.model
    effects = np.abs(model.contributions(encode(test.profiles, model.specification)))
    everybody = TrainingReport(report.trained, Diagnostics()).importance
    assert [*everybody.values()] == pytest.approx(effects.mean(axis=0))
    monkeypatch.setattr("training.report.training_report._MAX_EXPLAINED_USERS", 50)
    found, again = (TrainingReport(report.trained, Diagnostics()).importance for _ in range(2))
    assert found == again
    chosen = np.random.default_rng(report.trained.recipe.training.seed).permutation(len(test.churned)) < 50
    assert [*found.values()] == pytest.approx(effects[chosen].mean(axis=0))
    assert [*found.values()] != pytest.approx(effects[:50].mean(axis=0))


def test_the_importance_is_one_number_for_each_feature(report: TrainingReport):
    assert set(report.importance) == set(report.trained.model.specification.feature_names)
    assert all(value >= 0 for value in report.importance.values())
    assert max(report.importance.values()) > 0
