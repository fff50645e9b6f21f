from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from features.catalogue.fitted import BgNbd
from features.eligibility import RECENT
from models.churn_model import ChurnModel
from models.encoding import encode
from models.scorers.bg_nbd import PURCHASE_FEATURES
from models.scorers.calibration import Platt
from models.scorers.ensemble import BgNbdPart, Scorer
from serving.score import risk_band, score
from serving.settings import ScoringSettings
from tests.models.model_builder import CUTOFF, profiles_of, rows_of, tiny_model

BANDS = ScoringSettings()
ROWS = rows_of(profiles_of(120, seed=3))
SCORES = score(tiny_model(), ROWS, bands=BANDS)


def test_scores_come_in_the_order_of_the_profiles_with_user_and_cutoff():
    assert [one.user_id for one in SCORES] == [f"u{place}" for place in range(120)]
    assert {one.as_of for one in SCORES} == {CUTOFF}


def test_users_inactive_for_longer_than_the_models_14_days_are_not_eligible():
    for one, row in zip(SCORES, ROWS, strict=True):
        assert (one.status, one.code) == (("scored", None) if row[RECENT] <= 14 else ("unscored", "not_eligible"))
    assert {one.status for one in SCORES} == {"scored", "unscored"}


def test_an_unscored_user_has_neither_numbers_nor_reasons():
    for one in SCORES:
        numbers = (one.churn_probability, one.percentile, one.risk_band)
        assert all(number is None for number in numbers) == (one.status == "unscored")
        assert bool(one.reasons) == (one.status == "scored")


@pytest.mark.parametrize("missing", ["events_7d", RECENT, "last_network"])
def test_a_profile_that_lacks_a_feature_is_incomplete(model: ChurnModel, missing: str):
    profile = {name: value for name, value in ROWS[0].items() if name != missing}
    (one,) = score(model, [profile], bands=BANDS)
    assert (one.status, one.code, one.user_id) == ("unscored", "incomplete_profile", "u0")
    assert one.detail == f"the profile lacks 1 of the model's {len(model.specification.features)} features: {missing}"


def test_a_profile_without_user_and_cutoff_is_scored_all_the_same(model: ChurnModel):
    known = next(place for place, one in enumerate(SCORES) if one.status == "scored")
    bare = {name: value for name, value in ROWS[known].items() if name not in {"user_id", "cutoff"}}
    (one,) = score(model, [bare], bands=BANDS)
    assert (one.user_id, one.as_of) == (None, None)
    assert one.churn_probability == SCORES[known].churn_probability


def test_nobody_to_score_gives_no_scores(model: ChurnModel):
    assert score(model, [], bands=BANDS) == []


@settings(max_examples=25)
@given(st.lists(st.integers(0, len(ROWS) - 1), min_size=1, max_size=40))
def test_a_score_does_not_depend_on_the_other_users_of_a_batch(places: list[int]):
    found = score(tiny_model(), [ROWS[place] for place in places], bands=BANDS)
    assert found == [SCORES[place] for place in places]


def test_probability_and_percentile_rise_together():
    scored = sorted(
        (one for one in SCORES if one.churn_probability is not None), key=lambda one: one.churn_probability or 0
    )
    assert all(0 < (one.churn_probability or 0) < 1 for one in scored)
    percentiles = [one.percentile or 0 for one in scored]
    assert percentiles == sorted(percentiles)
    assert 0 <= percentiles[0] <= percentiles[-1] <= 100


def test_reasons_are_the_three_families_that_moved_the_score_most(model: ChurnModel, profiles: pa.Table):
    families = np.array([feature.family for feature in model.specification.features])
    contributions = model.contributions(encode(profiles, model.specification))
    for one, own in zip(SCORES, contributions, strict=True):
        moved = {family: abs(own[families == family].sum()) for family in set(families.tolist())}
        strongest = sorted(moved, key=lambda family: -moved[family])[:3]
        assert [reason.code for reason in one.reasons] == (strongest if one.status == "scored" else [])


@pytest.mark.parametrize(
    ("percentile", "band"),
    [(100.0, "high"), (90.0, "high"), (89.9, "medium"), (70.0, "medium"), (69.9, "low"), (0.0, "low")],
)
def test_a_band_begins_at_its_percentile(percentile: float, band: str):
    assert risk_band(percentile, BANDS) == band


def test_the_threads_of_the_model_change_no_score(model: ChurnModel):
    assert score(replace(model, threads=1), ROWS, bands=BANDS) == SCORES


def test_a_profile_that_lacks_many_features_names_some_of_them(model: ChurnModel):
    (one,) = score(model, [{"user_id": "u0"}], bands=BANDS)
    names = model.specification.feature_names
    assert str(one.detail).endswith(f": {', '.join(names[:5])} and {len(names) - 5} more")


def test_without_reasons_a_score_is_the_same_but_for_them(model: ChurnModel):
    found = score(model, ROWS, bands=BANDS, with_reasons=False)
    assert found == [structs.replace(one, reasons=[]) for one in SCORES]


def test_a_model_that_falls_back_on_bg_nbd_explains_itself():
    """Its reasons add up to how far the raw score is from that of a typical buyer."""
    names = tiny_model().specification.feature_names
    places = tuple(names.index(name) for name in PURCHASE_FEATURES)
    usual = (4.0, 200.0, 20.0)
    part = BgNbdPart(BgNbd(0.25, 30.5, 0.8, 2.4), places, usual, usual, gap_days=0, horizon_days=28)  # type: ignore[arg-type]
    model = replace(tiny_model(), scorer=Scorer(((1.0, part),)), calibration=Platt(1.0, 0.0))
    row = ROWS[0] | dict(zip(PURCHASE_FEATURES, (2.0, 300.0, 290.0), strict=True)) | {RECENT: 1.0}
    (one,) = score(model, [row], bands=BANDS)
    assert {reason.code for reason in one.reasons} == {"purchases"}
    raw = part.score(np.array([(2.0, 300.0, 290.0), usual]))
    assert sum(reason.contribution for reason in one.reasons) == pytest.approx(raw[0] - raw[1], abs=1e-6)
