"""The constants of a model are fitted on its training cutoffs, and its reference on the test users."""

from datetime import date

import numpy as np
import pytest

from models.encoding import encode
from tests.training.conftest import BOTH, Gather, Training
from training.data.specification import with_categories


@BOTH
def test_categories_are_those_of_the_training_cutoffs(training: Training):
    found = training.trained
    seen = found.training_rows.at(found.split.train).profiles
    known = with_categories(found.model.specification, seen, maximum=training.recipe.model.max_categories)
    for name, values in known.categories.items():
        pooled = found.pooled.get(name, ())
        steady = tuple(value for value in values if value not in pooled)
        assert name in found.excluded or found.model.specification.categories[name] == steady
    assert all(known.categories.values())


@BOTH
def test_typical_values_are_fitted_on_the_training_cutoffs(training: Training):
    found = training.trained
    seen = found.training_rows.at(found.split.train).profiles
    expected = {
        feature.name: float(np.median(seen[feature.name].drop_null().to_numpy()))
        for feature in found.model.specification.features
        if not feature.is_text
    }
    assert found.model.reference.medians == expected


@BOTH
def test_the_reference_population_is_everybody_who_was_tested(training: Training):
    found = training.trained
    raw = found.model.raw(encode(found.test.profiles, found.model.specification))
    at_most_as_high = [100 * np.mean(raw <= one) for one in raw]
    assert found.model.reference.percentile(raw) == pytest.approx(at_most_as_high, abs=0.2)


def renamed_after(cutoff: date) -> str:
    """An event_type expression under which users switch to another type on a day."""
    return f"events.columns.event_type=case when event_time >= timestamptz '{cutoff} 00:00+00' then 'late' else event_type end"


def test_event_types_that_appear_after_the_training_cutoffs_are_not_known(periods: Training, gather: Gather):
    last = max(periods.trained.split.train)
    found = gather(renamed_after(last), "features.main_event_types=50")
    assert max(found.split.train) == last
    assert len(found.specification.fitted.event_types) > 6
    assert "late" not in found.specification.fitted.event_types
