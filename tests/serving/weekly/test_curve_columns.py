"""The columns of a list whose model has curves."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import numpy as np
import pytest

from serving.weekly.curve_columns import CURVE_COLUMNS, curve_columns
from serving.weekly.files.list_columns import explained
from tests.models.model_builder import CUTOFF, curved_model, profiles_of, tiny_model

PROFILES = profiles_of(60, seed=4)


def test_a_model_without_curves_adds_no_column():
    assert curve_columns(tiny_model(), PROFILES, cutoff=CUTOFF) is None


def test_of_nobody_there_are_columns_without_rows():
    found = curve_columns(curved_model(), PROFILES.slice(0, 0), cutoff=CUTOFF)
    assert found is not None
    assert (tuple(found.column_names), found.num_rows) == (CURVE_COLUMNS, 0)


def test_probabilities_fall_with_the_days_and_are_empty_beyond_the_curve():
    found = curve_columns(curved_model(), PROFILES, cutoff=CUTOFF)
    assert found is not None
    assert tuple(found.column_names) == CURVE_COLUMNS
    week, month = (found.column(f"churn_probability_{days}d").to_numpy() for days in (7, 30))
    probability = curved_model().predict_probability(PROFILES)
    assert (month <= probability).all()
    assert (probability <= week).all()
    assert found.column("churn_probability_90d").null_count == 60  # the curves of this model end after 30 days


def test_the_expected_day_is_the_one_within_which_the_curve_passes_one_half():
    found = curve_columns(curved_model(), PROFILES, cutoff=CUTOFF)
    assert found is not None
    days: list[Any] = found.column("expected_day").to_pylist()
    curves = curved_model().curve(PROFILES)
    beyond = curves.churn_probability(30) > 0.5
    assert 0 < beyond.sum() < 60
    assert [day is None for day in days] == beyond.tolist()
    for row in np.flatnonzero(~beyond):
        after = (days[row] - CUTOFF).days
        assert (
            curves.churn_probability(max(after, 1e-9))[row]
            > 0.5 - 1e-9
            >= curves.churn_probability(after + 1)[row] - 2e-9
        )


def test_a_gap_moves_the_expected_day():
    model = curved_model()
    later = replace(model, definition=replace(model.definition, gap_days=3))
    now, then = (curve_columns(one, PROFILES, cutoff=CUTOFF) for one in (model, later))
    assert now is not None
    assert then is not None
    moved = {
        (b - a) for a, b in zip(now["expected_day"].to_pylist(), then["expected_day"].to_pylist(), strict=True) if a
    }
    assert moved == {timedelta(days=3)}


@pytest.mark.parametrize("name", CURVE_COLUMNS)
def test_every_column_is_explained_in_the_spreadsheet(name: str):
    (column,) = explained([name])
    assert "carried" not in column.meaning
