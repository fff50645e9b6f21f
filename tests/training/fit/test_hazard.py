"""Curves of a whole training: anchored, known before the test, better than no shape, and saved."""

# pyright: reportPrivateUsage=false

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from features.errors import InputError
from models.card import card
from models.churn_model import load
from tests.builders import values_of
from tests.training.conftest import EASY, Trainer, Training
from training.data.dataset import Dataset
from training.data.horizons import by_day
from training.data.snapshots import ProfileSet
from training.data.treatment import ENTRIES, Treatment
from training.diagnostics import Diagnostics
from training.evaluation.curve import evaluate_curve
from training.fit.hazard import _intervals, fit_hazard
from training.plan.outages import Kind, Outage
from training.report.training_report import LogFacts, TrainingReport

CURVE = "training.curve=true"


@pytest.fixture(scope="module")
def curved(trainer: Trainer) -> Training:
    return trainer(CURVE)


def profiles_with(curved: Training, treatment: Treatment | None = None) -> ProfileSet:
    trained = curved.trained
    tables = trained.training_rows.profiles, trained.test.profiles
    return ProfileSet(curved.activity, trained.model.specification, {}, *tables, treatment or Treatment())


def test_a_curve_goes_through_the_probability_at_the_horizon_and_never_rises(curved: Training):
    model, profiles = curved.trained.model, curved.trained.test.profiles
    found = model.curve(profiles)
    horizon = curved.recipe.churn.horizon_days
    assert found.churn_probability(horizon) == pytest.approx(model.predict_probability(profiles), abs=1e-9)
    assert (np.diff(found.probabilities, axis=1) <= 0).all()
    assert horizon in found.days
    assert len(found.days) > 1


def test_the_model_itself_is_the_same_without_curves(curved: Training, periods: Training, tmp_path: Path):
    for name, one in (("with", curved), ("without", periods)):
        one.trained.model.save(tmp_path / name)
    with_curves, without = ({p.name: p.read_bytes() for p in (tmp_path / n).iterdir()} for n in ("with", "without"))
    assert set(with_curves) == {*without, "hazard.txt"}
    assert with_curves["booster.txt"] == without["booster.txt"]
    assert b"hazard" not in without["churn_model.json"]
    assert curved.trained.evaluation.metrics == periods.trained.evaluation.metrics


def test_a_reloaded_model_gives_the_same_curves_and_a_damaged_one_is_refused(curved: Training, tmp_path: Path):
    profiles = curved.trained.test.profiles
    curved.trained.model.save(tmp_path)
    assert (
        load(tmp_path).curve(profiles).cumulative.tobytes() == curved.trained.model.curve(profiles).cumulative.tobytes()
    )
    trees = tmp_path / "hazard.txt"
    trees.write_text(trees.read_text().replace("leaf_value=", "leaf_value=1", 1))
    with pytest.raises(InputError, match="is damaged"):
        load(tmp_path)


def test_a_model_without_curves_says_how_to_get_them(periods: Training):
    with pytest.raises(InputError) as refused:
        periods.trained.model.curve(periods.trained.test.profiles)
    assert CURVE in refused.value.hint


def test_what_happened_by_a_day_is_counted_from_the_log(curved: Training):
    """The oracle is SQL over the kept days."""
    trained, activity = curved.trained, curved.activity
    found = by_day(activity, trained.test, days=7, plan=trained.plan, until=activity.coverage.covered_until).happened
    test = trained.split.test
    ((seen,),) = activity.connection.execute(
        f"""select count(distinct user_id) from {activity.relation("days")} where qualifying_events > 0
        and day >= $1 and day < $1 + 7 and user_id in (select unnest($2))""",
        [test, trained.test.profiles.column("user_id").to_pylist()],
    ).fetchall()
    assert 0 < found.sum() == seen < len(found)


def test_labels_that_were_not_known_at_the_test_cutoff_are_not_used(curved: Training):
    trained, churn = curved.trained, curved.recipe.churn
    until = trained.split.test
    for days in trained.model.hazard.days if trained.model.hazard else ():
        known = by_day(curved.activity, trained.training_rows, days=days, plan=trained.plan, until=until).known
        ends = trained.training_rows.cutoffs[known].max() + np.timedelta64(days + churn.gap_days, "D")
        assert ends <= np.datetime64(until)


def test_the_curves_are_measured_at_every_horizon_that_the_log_covers(curved: Training):
    evaluation, horizon = curved.trained.evaluation, curved.recipe.churn.horizon_days
    measured = {one.days: one for one in evaluation.curve}
    assert max(measured) == horizon
    assert measured[horizon].metrics["auc"].value == pytest.approx(evaluation.auc.value, abs=1e-9)
    assert all(one.metrics["calibration_error"].value < 0.1 for one in measured.values())
    assert evaluation.flat()[f"curve.{horizon}d.auc"] == measured[horizon].metrics["auc"].value


def test_the_card_and_the_json_have_the_horizons_only_with_curves(curved: Training, periods: Training):
    reports = {
        name: TrainingReport(one.trained, Diagnostics()) for name, one in (("with", curved), ("without", periods))
    }
    log = LogFacts("shop", "log", curved.activity.coverage, {})
    cards = {name: card(report.card_facts(log, commit="")) for name, report in reports.items()}
    assert "At other horizons" in cards["with"]
    assert "At other horizons" not in cards["without"]
    assert [one["days"] for one in reports["with"].to_json()["curve"]] == [
        one.days for one in curved.trained.evaluation.curve
    ]
    assert "curve" not in reports["without"].to_json()


def test_who_may_be_gone_is_back_early_or_not_at_all(curved: Training):
    """A shape of its own for each user: with one shape for all, the early share of the hazard is everybody's."""
    trained = curved.trained
    found = trained.model.curve(trained.test.profiles)
    early = found.cumulative[:, 0] / found.cumulative[:, found.days.index(curved.recipe.churn.horizon_days)]
    assert np.corrcoef(early, trained.model.predict_probability(trained.test.profiles))[0, 1] > 0.1


def test_where_the_horizon_has_too_few_users_there_is_no_curve(curved: Training):
    trained = curved.trained
    training = trained.recipe.training.model_copy(update={"min_class_users": 10**6})
    plan = replace(trained.plan, recipe=replace(trained.recipe, training=training))
    assert fit_hazard(profiles_with(curved), trained.training_rows, plan=plan, fitter=trained.fitter) is None


def test_where_churn_is_an_event_the_curve_rises_to_the_probability_and_the_log_agrees(trainer: Trainer):
    """In a log without cancellations, a purchase stands for one."""
    found = trainer(*EASY, CURVE, "churn.event=event_type = 'purchase'", "training.min_class_users=30")
    trained, activity = found.trained, found.activity
    model, test, horizon = trained.model, trained.test, found.recipe.churn.horizon_days
    curves = model.curve(test.profiles)
    assert model.definition.is_event
    assert (np.diff(curves.probabilities, axis=1) >= 0).all()
    assert curves.churn_probability(horizon) == pytest.approx(model.predict_probability(test.profiles), abs=1e-9)
    week = by_day(activity, test, days=7, plan=trained.plan, until=activity.coverage.covered_until).happened
    assert 0 < week.mean() < test.churned.mean()
    measured = {one.days: one for one in trained.evaluation.curve}
    assert measured[7].metrics["churn_rate"].value == pytest.approx(week.mean())
    assert measured[7].mean_probability == pytest.approx(week.mean(), abs=0.06)


def test_nothing_is_known_of_rows_whose_longer_horizon_has_an_outage(curved: Training):
    """One that hides all activity from ten days after the test cutoff on: the first week is known, the second is not."""
    trained, until = curved.trained, curved.activity.coverage.covered_until
    outages = tuple(
        Outage(trained.split.test + timedelta(days=days), 0, 100, -9.0, Kind.MISSING) for days in (10, 11, 12, 13)
    )
    plan = replace(trained.plan, outages=outages)
    week, fortnight = (
        by_day(curved.activity, trained.test, days=days, plan=plan, until=until).known for days in (7, 14)
    )
    assert week.all()
    assert not fortnight.any()


# --- Contacts beyond the horizon ------------------------------------------------------------------------------------


def later_list(curved: Training, days: int) -> tuple[Treatment, set[str]]:
    """A list some days after the first training cutoff: of every other user, of whom a half was held out; and who was not."""
    rows = curved.trained.training_rows
    users: list[str] = sorted(values_of(rows.at(rows.snapshots[:1]).profiles, "user_id"))[::2]
    day = rows.snapshots[0] + timedelta(days=days)
    entries = [
        {"user_id": user, "day": day, "epoch": "q1", "is_held_out": place % 2 == 0, "share": 0.5}
        for place, user in enumerate(users)
    ]
    return Treatment(pa.Table.from_pylist(entries, schema=ENTRIES)), set(users[1::2])


def test_a_contact_beyond_the_horizon_hides_the_intervals_from_then_on(curved: Training):
    trained, horizon = curved.trained, curved.recipe.churn.horizon_days
    treatment, contacted = later_list(curved, days=horizon + 2)
    unweighted = trained.training_rows.at(trained.training_rows.snapshots[:1])
    rows = unweighted.with_weights(np.ones(len(unweighted.churned)))
    training = trained.recipe.training.model_copy(update={"min_class_users": 1})
    plan = replace(trained.plan, recipe=replace(trained.recipe, training=training))
    known = {
        name: _intervals(profiles_with(curved, treatment), one, plan=plan)
        for name, one in (("excluding", rows), ("keeping", unweighted))
    }
    ids = np.array(values_of(rows.profiles, "user_id"))
    assert known["excluding"].days == known["keeping"].days
    assert max(known["excluding"].days) > horizon + 2
    for days, places, weights in zip(
        known["excluding"].days, known["excluding"].places, known["excluding"].weights, strict=True
    ):
        held_out = np.isin(ids[places], sorted(set(values_of(treatment.entries, "user_id")) - contacted))
        if days > horizon + 2:
            assert contacted.isdisjoint(ids[places])
            assert weights.tolist() == np.where(held_out, 2.0, 1.0).tolist()
        else:
            assert contacted & set(ids[places])
            assert set(weights) == {1.0}
    assert contacted & set(ids[known["keeping"].places[-1]])


def test_curves_are_measured_without_users_contacted_by_then(curved: Training):
    trained, week = curved.trained, 7
    test = trained.test
    users: list[str] = values_of(test.profiles, "user_id")
    entries = [
        {"user_id": user, "day": trained.split.test, "epoch": "q1", "is_held_out": place % 4 == 0, "share": 0.25}
        for place, user in enumerate(users)
    ]
    treatment = Treatment(pa.Table.from_pylist(entries, schema=ENTRIES))
    weighted = test.with_weights(np.ones(len(users)))

    def measured(rows: Dataset) -> float:
        found = evaluate_curve(profiles_with(curved, treatment), trained.model, test=rows, plan=trained.plan)
        return next(one for one in found if one.days == week).metrics["churn_rate"].value

    until = curved.activity.coverage.covered_until
    gone = ~by_day(curved.activity, test, days=week, plan=trained.plan, until=until).happened
    assert (measured(test), measured(weighted)) == pytest.approx((gone.mean(), gone[::4].mean()))
