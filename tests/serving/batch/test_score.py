"""The batch gives every user, bit for bit, the score and the reasons that the endpoint gives them alone."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from features.eligibility import RECENT
from features.profiles.specification import Specification
from models.churn_model import ChurnModel
from models.encoding import encode
from models.scorers.ensemble import LogisticPart, Scorer
from models.scorers.logistic import fit_linear
from serving.batch.score import REASON_SCHEMA, SCORE_SCHEMA, is_eligible, reasons, score_table, with_reasons
from serving.score import CHUNK_ROWS, score
from serving.settings import ScoringSettings
from tests.builders import values_of
from tests.models.model_builder import CUTOFF, churned_among, profiles_of, rows_of, tiny_model
from tests.serving.score_rows import rows_of_scores, rows_of_table

BANDS = ScoringSettings()


def explained(model: ChurnModel, profiles: pa.Table, *, bands: ScoringSettings = BANDS) -> pa.Table:
    return with_reasons(score_table(model, profiles, bands=bands), model, profiles=profiles)


def ensemble() -> ChurnModel:
    """Trees and a logistic regression, calibrated and shifted."""
    model, profiles = tiny_model(), profiles_of(300, seed=9)
    matrix = encode(profiles, model.specification)
    line = fit_linear(matrix, churned_among(profiles), specification=model.specification, seed=1)
    ((_, trees),) = model.scorer.parts
    return replace(model, scorer=Scorer(((0.75, trees), (0.25, LogisticPart(line)))), shift=-0.25)


@settings(max_examples=20)
@given(seed=st.integers(0, 10_000), users=st.integers(1, 80), high=st.sampled_from([70.0, 90.0, 99.5]))
def test_every_user_of_a_table_gets_the_score_and_all_reasons_of_the_user_alone(seed: int, users: int, high: float):
    profiles, bands = profiles_of(users, seed=seed), ScoringSettings(high_percentile=high)
    alone = [one for row in rows_of(profiles) for one in score(tiny_model(), [row], bands=bands)]
    assert rows_of_table(explained(tiny_model(), profiles, bands=bands)) == rows_of_scores(alone)


def test_so_do_those_of_an_ensemble():
    profiles, model = profiles_of(200, seed=4), ensemble()
    alone = [one for row in rows_of(profiles) for one in score(model, [row], bands=BANDS)]
    assert rows_of_table(explained(model, profiles)) == rows_of_scores(alone)


def test_the_border_of_a_chunk_changes_no_score_and_no_reason(model: ChurnModel):
    profiles = profiles_of(120, seed=3)
    scored = profiles.filter(pa.array(is_eligible(model, profiles)))
    copies = pa.concat_tables([scored] * (CHUNK_ROWS // scored.num_rows + 2))
    expected = rows_of_table(explained(model, scored))
    found = explained(model, copies)
    assert found.num_rows > CHUNK_ROWS
    for start in (0, CHUNK_ROWS - scored.num_rows, CHUNK_ROWS, found.num_rows - scored.num_rows):
        rows = rows_of_table(found.slice(start, scored.num_rows))
        assert rows == [expected[row % scored.num_rows] for row in range(start, start + len(rows))]


def test_a_table_in_any_pieces_gives_the_same(model: ChurnModel, profiles: pa.Table):
    pieces = pa.concat_tables([profiles.slice(0, 1), profiles.slice(1, 50), profiles.slice(51)])
    assert explained(model, pieces).equals(explained(model, profiles))


def test_a_raw_score_is_the_log_odds_before_the_calibration(model: ChurnModel, profiles: pa.Table):
    eligible = is_eligible(model, profiles)
    raw = model.raw(encode(profiles, model.specification))
    found = score_table(model, profiles, bands=BANDS).column("raw_score").to_pylist()
    assert found == [value if who else None for value, who in zip(raw.tolist(), eligible.tolist(), strict=True)]


def test_users_inactive_for_longer_than_14_days_have_a_code_and_nothing_else(model: ChurnModel):
    profiles = profiles_of(4)
    place = profiles.column_names.index(RECENT)
    away = profiles.set_column(place, RECENT, pa.array([14.0, 15.0, None, 1.0], pa.float64()))
    rows = explained(model, away).to_pylist()
    assert [row["code"] for row in rows] == [None, "not_eligible", "not_eligible", None]
    assert [row["status"] for row in rows] == ["scored", "unscored", "unscored", "scored"]
    for row in rows[1:3]:
        known = {name for name, value in row.items() if value is not None}
        assert known == {"user_id", "status", "code", "as_of"}
        assert row["as_of"] == CUTOFF


@pytest.mark.parametrize(
    ("at_most_as_high", "shown", "band"),
    [
        (1390, 69.5, "low"),
        (1399, 70.0, "low"),  # 69.95: rounded for people, not for the band
        (1400, 70.0, "medium"),
        (1799, 90.0, "medium"),
        (1800, 90.0, "high"),
        (2000, 100.0, "high"),
    ],
)
def test_a_band_begins_at_its_percentile_of_2000_reference_users(
    model: ChurnModel, at_most_as_high: int, shown: float, band: str
):
    profiles = profiles_of(1, seed=1)
    (raw,) = values_of(score_table(model, profiles, bands=BANDS), "raw_score")
    population = (raw,) * at_most_as_high + (raw + 1,) * (2000 - at_most_as_high)
    ranked = replace(model, reference=replace(model.reference, raw_scores=population))
    (row,) = score_table(ranked, profiles, bands=BANDS).to_pylist()
    assert (row["percentile"], row["risk_band"]) == (shown, band)


@pytest.mark.parametrize("place", [None, 1])
def test_columns_and_types_are_the_same_without_users_and_without_a_scored_one(model: ChurnModel, place: int | None):
    profiles = profiles_of(3)
    away = profiles.set_column(profiles.column_names.index(RECENT), RECENT, pa.array([99.0] * 3, pa.float64()))
    found = explained(model, away.slice(0, 0) if place is None else away)
    assert found.schema.equals(pa.schema([*SCORE_SCHEMA, *REASON_SCHEMA]))
    assert (found.num_rows, found.column("raw_score").null_count) == ((0, 0) if place is None else (3, 3))


def test_a_model_of_two_families_has_no_third_reason(model: ChurnModel, profiles: pa.Table):
    names = [one.name for one in model.specification.features]
    two = tuple(name for name, one in zip(names, model.specification.features, strict=True) if one.family == "recency")
    specification = structs.replace(model.specification, feature_names=(*two, "events_7d"), categories={})
    fewer = _with_line(model, profiles, specification=specification)
    found = explained(fewer, profiles)
    assert found.column("reason_3").null_count == found.num_rows
    assert found.column("reason_3_contribution").null_count == found.num_rows
    assert rows_of_table(found) == rows_of_scores(score(fewer, rows_of(profiles), bands=BANDS))


def _with_line(model: ChurnModel, profiles: pa.Table, *, specification: Specification) -> ChurnModel:
    matrix = encode(profiles, specification)
    line = fit_linear(matrix, churned_among(profiles), specification=specification, seed=1)
    return replace(model, scorer=Scorer(((1.0, LogisticPart(line)),)), specification=specification)


def test_reasons_that_raise_the_risk_are_those_above_zero_in_their_order(model: ChurnModel, profiles: pa.Table):
    scored = profiles.filter(pa.array(is_eligible(model, profiles)))
    families = np.array([feature.family for feature in model.specification.features])
    contributions = model.contributions(encode(scored, model.specification))
    found = reasons(model, scored, raising=True).to_pylist()
    assert len(found) == scored.num_rows
    for row, own in zip(found, contributions, strict=True):
        sums = {family: float(own[families == family].sum()) for family in set(families.tolist())}
        raising = sorted((family for family in sums if sums[family] > 0), key=lambda family: -sums[family])[:3]
        assert [row[f"reason_{rank}_code"] for rank in (1, 2, 3)] == raising + [None] * (3 - len(raising))
        told = [row[f"reason_{rank}_contribution"] for rank in range(1, 1 + len(raising))]
        assert told == pytest.approx([sums[family] for family in raising], abs=1e-6)
