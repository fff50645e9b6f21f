"""The baselines that every model must beat: higher means riskier."""

from functools import cache

import numpy as np
import pyarrow as pa
import pytest
from msgspec import structs

from features.catalogue.fitted import BgNbd, FittedConstants
from features.snapshots import LabelWindow
from models.encoding import encode
from models.evaluation.baselines import RULES, Baseline, LabelledProfiles, fit_baselines, rule_scores
from models.evaluation.metrics import auc
from models.scorers.bg_nbd import Buyers, expected_purchases
from models.scorers.ensemble import bg_nbd_part
from models.scorers.logistic import fit_linear
from tests.models.model_builder import churned_among, profiles_of, specification

PROFILES = pa.table(
    {
        "days_since_last_event": [0.5, 9.0, 3.0],
        "active_days": [40.0, 1.0, 2.0],
        "overdue_ratio": [0.25, None, 1.5],
        "gap_days_mean": [2.0, None, 4.0],
    }
)
FITTED = BgNbd(0.8, 40.0, 1.2, 3.5)
WINDOW = LabelWindow(gap_days=7, horizon_days=28)


def with_purchases(profiles: pa.Table) -> pa.Table:
    """Give everybody a history of buying; every tenth never bought."""
    users = profiles.num_rows
    random = np.random.default_rng(4)
    never = np.arange(users) % 10 == 0
    days = random.integers(1, 9, users)
    first = random.integers(50, 200, users)
    columns = {"purchase_days": days, "days_since_first_purchase": first}
    columns["days_since_last_purchase"] = np.where(days == 1, first, first // 3)
    for name, values in columns.items():
        column = pa.array(values.astype(float), pa.float64(), mask=never)
        place = profiles.schema.get_field_index(name)
        profiles = profiles.append_column(name, column) if place < 0 else profiles.set_column(place, name, column)
    return profiles


@cache
def fitted() -> dict[str, Baseline]:
    spec = structs.replace(specification(), fitted=FittedConstants(bg_nbd=FITTED))
    train, later = with_purchases(profiles_of(1_500)), with_purchases(profiles_of(1_500, seed=1))
    found = fit_baselines(
        LabelledProfiles(train, churned_among(train)),
        calibrate_on=LabelledProfiles(later, churned_among(later, seed=1)),
        specification=spec,
        window=WINDOW,
    )
    return {baseline.name: baseline for baseline in found}


def test_rows_that_stand_for_several_users_count_as_many():
    train = profiles_of(1_500)
    labels = churned_among(train)
    weights = np.where(labels, 3.0, 1.0)
    rows = LabelledProfiles(train, labels, weights / weights.mean())
    found = fit_baselines(rows, calibrate_on=rows, specification=specification(), window=WINDOW)
    for one in found:
        mean = np.average(one.probability(train), weights=weights)
        assert mean == pytest.approx(np.average(labels, weights=weights), abs=0.005), one.name
    matrix = encode(train, specification())
    line = fit_linear(matrix, labels, specification=specification(), seed=0, weights=rows.weights)
    logistic = next(one for one in found if one.name == "logistic")
    assert logistic.score(train).tolist() == line.raw(matrix).tolist()


# --- Rules ---------------------------------------------------------------------------------------------------------


def test_the_recency_rule_says_the_longer_away_the_riskier():
    assert rule_scores(PROFILES, "recency").tolist() == [0.5, 9.0, 3.0]


def test_the_frequency_rule_says_the_fewer_active_days_the_riskier():
    assert rule_scores(PROFILES, "frequency").tolist() == [-40.0, -1.0, -2.0]


def test_the_overdue_rule_lends_users_with_one_active_day_a_usual_gap():
    assert rule_scores(PROFILES, "overdue", usual_gap_days=3).tolist() == [0.25, 3.0, 1.5]


def test_the_lent_gap_is_the_median_of_the_training_users():
    labels = np.array([False, True, True])
    spec = structs.replace(specification(), feature_names=("active_days",), categories={})
    rows = LabelledProfiles(PROFILES, labels)
    found = fit_baselines(rows, calibrate_on=rows, specification=spec, window=WINDOW)
    overdue = next(baseline for baseline in found if baseline.name == "overdue")
    assert overdue.score(PROFILES).tolist() == [0.25, 9.0 / 3, 1.5]
    assert overdue.score(PROFILES.slice(1, 1)).tolist() == [9.0 / 3]  # whoever else is scored


def test_a_user_without_the_column_scores_like_the_median_training_user():
    train, labels = pa.table({"active_days": [4.0, 2.0, 9.0]}), np.array([False, True, False])
    spec = structs.replace(specification(), feature_names=("active_days",), categories={})
    rows = LabelledProfiles(train, labels)
    found = fit_baselines(rows, calibrate_on=rows, specification=spec, window=WINDOW)
    nobody = pa.table({"active_days": pa.array([None, 1.0], pa.float64())})
    assert found[0].score(nobody).tolist() == [-4.0, -1.0]


def test_a_rule_whose_column_is_missing_is_excluded():
    assert "overdue_ratio" not in specification().feature_names
    assert set(fitted()) == {"recency", "frequency", "bg_nbd", "logistic"}


@pytest.mark.parametrize("rule", RULES)
def test_every_rule_says_in_words_what_it_is(rule: str):
    assert "riskier" in RULES[rule].description


# --- What is fitted ------------------------------------------------------------------------------------------------


def test_bg_nbd_ranks_by_the_fewest_purchases_to_expect_in_the_horizon():
    profiles = with_purchases(profiles_of(200, seed=2))
    days, first, last = (
        profiles.column(name).to_numpy()
        for name in ("purchase_days", "days_since_first_purchase", "days_since_last_purchase")
    )
    bought = ~np.isnan(days)
    buyers = Buyers(days[bought] - 1, (first - last)[bought], first[bought], np.ones(bought.sum()))
    expected = -np.log(expected_purchases(FITTED, buyers, gap_days=7, horizon_days=28))
    assert fitted()["bg_nbd"].score(profiles)[bought] == pytest.approx(expected)


def test_who_never_bought_is_as_risky_as_the_riskiest_buyer_of_training():
    train = with_purchases(profiles_of(1_500))
    found = fitted()["bg_nbd"].score(train)
    never = np.isnan(train.column("purchase_days").to_numpy())
    assert never.any()
    assert set(found[never]) == {found[~never].max()}


def test_bg_nbd_says_what_the_part_of_a_model_says_that_needs_no_labels():
    spec = structs.replace(specification(), fitted=FittedConstants(bg_nbd=FITTED))
    train, others = with_purchases(profiles_of(1_500)), with_purchases(profiles_of(200, seed=2))
    part = bg_nbd_part(spec, encode(train, spec), window=WINDOW)
    for profiles in (train, others):  # who never bought too
        assert fitted()["bg_nbd"].score(profiles).tolist() == part.raw(encode(profiles, spec), threads=1).tolist()


def test_without_purchases_there_is_no_bg_nbd():
    train = profiles_of(300)
    labels = churned_among(train)
    rows = LabelledProfiles(train, labels)
    found = fit_baselines(rows, calibrate_on=rows, specification=specification(), window=WINDOW)
    assert "bg_nbd" not in {baseline.name for baseline in found}


def test_logistic_regression_is_that_of_the_matrix_of_the_model():
    profiles = with_purchases(profiles_of(1_500))
    matrix = encode(profiles, specification())
    line = fit_linear(matrix, churned_among(profiles), specification=specification(), seed=0)
    assert fitted()["logistic"].score(profiles) == pytest.approx(line.raw(matrix))


@pytest.mark.parametrize("name", ["recency", "frequency", "bg_nbd", "logistic"])
def test_a_probability_keeps_the_rank_and_has_the_churn_rate_it_was_calibrated_on(name: str):
    baseline = fitted()[name]
    profiles = with_purchases(profiles_of(1_500, seed=1))
    score, probability = baseline.score(profiles), baseline.probability(profiles)
    churned = churned_among(profiles, seed=1)
    assert auc(churned, probability) == pytest.approx(auc(churned, score))
    assert probability.mean() == pytest.approx(churned.mean(), abs=2e-3)
    assert ((probability > 0) & (probability < 1)).all()
